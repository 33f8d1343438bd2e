//! A model of the operator for [`stateright`]: the shipped decision, settlement, booking of writes and memory, in every
//! order of events that a small world allows.

mod bug;
mod check;
mod cluster;
mod edits;
mod enabled;
mod fingerprint;
mod limits;
mod messages;
mod monitor;
mod operator;
mod remote;
mod rest;
mod world;
mod worlds;

pub use bug::Bug;
pub use check::{Checked, Model, check};
pub use limits::Limits;
pub use monitor::Property;
pub use remote::Remote;
pub use world::{Action, World};
pub use worlds::{LARGE, Named, SMALL};
