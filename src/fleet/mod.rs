//! What we know of the remote, and at what cost: observations, the cache of them, the observer
//! that makes them, and the account whose budget and credential every call takes.

mod account;
mod budget;
mod cache;
mod observation;
mod observer;
mod plan;
mod remote;
mod turns;

pub use account::{Account, Pass, Turn, Worth};
pub use budget::Rates;
pub use cache::{Cache, Entry, Failure, Observed};
pub use observation::{Answer, PausedBy, ReadFailure};
pub use observer::Observer;
pub use remote::Remote;
pub use turns::{Lane, Turns};
