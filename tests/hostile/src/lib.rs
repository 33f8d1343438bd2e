//! What holds of the operator whatever it is sent. Each target takes any bytes, and panics where the
//! property of its input is broken. `make fuzz` looks for such bytes; `cargo test` runs the seeds, and what was
//! found before.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    reason = "a panic is how a property says that it is broken"
)]

mod annotations;
mod answer;
mod deployment;
mod envelope;
mod flags;
mod object;
mod page;
mod retry_after;
mod server;
mod status;
mod token;

pub use annotations::annotations;
pub use deployment::deployment;
pub use envelope::envelope;
pub use flags::{durations, flags};
pub use object::object;
pub use page::page;
pub use retry_after::retry_after;
pub use server::server;
pub use token::token;

/// A property of any bytes.
pub type Target = fn(&[u8]);

/// All of them, by the names of their folders in `fuzz`.
pub const TARGETS: [(&str, Target); 10] = [
    ("annotations", annotations),
    ("deployment", deployment),
    ("durations", durations),
    ("envelope", envelope),
    ("flags", flags),
    ("object", object),
    ("page", page),
    ("retry_after", retry_after),
    ("server", server),
    ("token", token),
];
