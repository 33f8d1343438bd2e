//! The fault catalogue.

mod remote;

pub use remote::{Given, REMOTE, Remote, Request};
