//! The whole operator in simulated time: two replicas or one, between a Kubernetes API server in memory and the simulator's own
//! code, with random users and every fault, for as many days as one likes.
//!
//! A seed is a [`Script`]; [`play`] runs it on a clock that passes as fast as nothing happens, and watches over it all
//! the time; [`shrink`] finds the shortest part of it that still fails.

#![allow(
    clippy::indexing_slicing,
    reason = "JSON is null where it has nothing, and there are two places"
)]

mod gate;
mod link;
mod monitor;
mod net;
mod replica;
mod report;
mod rest;
mod script;
mod seeds;
mod shrink;
mod steps;
mod theme;
mod wire;
mod world;

pub use monitor::Violation;
pub use report::report;
pub use script::{Event, ROUND, Script, Step};
pub use seeds::{Played, play_seeds};
pub use shrink::shrink;
pub use world::{Outcome, play};
