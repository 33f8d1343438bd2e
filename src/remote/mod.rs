//! What is known of the remote, and at what cost: the account, through which every call goes; the memory of
//! our writes; the cache of observations; and the observer that makes them. All of it is one value for each
//! credential, [`Remote`].

mod account;
mod ahead;
mod bound;
mod budget;
mod cache;
mod calls;
mod credential;
mod credential_watch;
mod ending;
mod entry;
#[cfg(test)]
mod fixtures;
mod gets;
mod grants;
mod ledger;
mod list;
mod observation;
mod observer;
mod permits;
mod plan;
mod probe;
mod rate;
#[allow(clippy::module_inception, reason = "it is the one value that the folder is about")]
mod remote;
mod sending;
mod state;
mod write;
mod writes;

pub use account::{Account, Admission};
pub use budget::{Obstacle, Rates};
pub use cache::Cache;
pub use credential::{CredentialState, Worth};
pub use entry::{Entry, FailedRead, Failure};
pub use grants::Permit;
#[cfg(test)]
pub(crate) use ledger::Ledger;
pub use observation::{Answer, Observed, PausedBy, ReadFailure, Trouble};
pub use remote::{Remote, Totals};
pub use sending::Sending;
pub use state::{Basis, ListProgress, View, Wake};
pub use write::{End, LastTry, Outcome, Requester, Write};
pub use writes::Writes;
