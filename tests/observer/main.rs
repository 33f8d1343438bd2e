//! The observer as those who depend on it see it, over random fleets and on virtual time: every
//! demand is met by a read that started after it, whatever happens meanwhile, and a quiet fleet
//! costs no more calls than the cheapest way to read it.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

mod bed;
mod blind;
mod demands;
mod echo;
mod in_process;
mod lists;
mod log;
mod plans;
mod quiet;
mod world;
