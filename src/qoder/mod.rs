//! The remote API: client, wire model, errors, token. Knows nothing of Kubernetes: of the
//! custom resource it has the type of an id, which both sides share.

mod base_url;
mod client;
mod error;
mod lenient;
mod page;
mod retry_after;
mod token;
mod transport;
mod wire;

pub use base_url::{BaseUrl, InvalidBaseUrl};
pub use client::{Client, ListQuery, Operation, Scope, Verb};
pub use error::{ApiError, CODES, ErrorType};
pub use lenient::MAX_TEXT;
pub use page::{Cursor, Item, Page};
pub use token::{InvalidToken, Token, TokenError, TokenProblem, TokenSource};
pub use transport::{HttpTransport, MaxBody, SendError, Transport};
pub use wire::{Deployment, PausedReason, RemoteStatus, Schedule};
