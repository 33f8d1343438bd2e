//! The driver, held back at every point: a watch event, an answer of either side, a request that nobody
//! answers. Everything between the two servers is the shipped code.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

mod ahead;
mod answers;
mod bed;
mod breaks;
#[path = "../catalogue/mod.rs"]
mod catalogue;
mod copies;
mod counters;
mod crashes;
mod credential;
mod crowds;
mod death;
mod end;
mod first;
mod foreign;
mod kubernetes;
mod leader;
mod lease;
mod lists;
#[path = "../observer/log.rs"]
mod log;
mod logs;
mod meanwhile;
mod memory;
mod messages;
mod moments;
mod others;
mod pairs;
mod publishing;
mod random;
mod reads;
mod replicas;
mod restored;
mod same;
mod siblings;
mod slow;
mod terms;
mod told;
mod turns;
mod useless;
mod waits;
mod watch;
mod wire;
mod writes;
