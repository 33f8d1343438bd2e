//! The remote API: client, wire model, errors, token. Knows nothing of Kubernetes.

mod client;
mod error;
mod retry_after;
mod token;
mod transport;
mod wire;

pub use client::{BaseUrl, Client, InvalidBaseUrl, ListQuery, Operation, Scope, Verb};
pub use error::{ApiError, ErrorType};
pub use token::{InvalidToken, Token, TokenError, TokenSource};
pub use transport::{HttpTransport, MaxBody, SendError, Transport};
pub use wire::{Cursor, Deployment, Item, Page, RemoteStatus};
