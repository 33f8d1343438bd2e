//! The fault catalogue: every fault by name, with what it costs and which tests have it. The tables of
//! `docs/reliability.md` are made of it.

#![allow(dead_code, reason = "each tier of tests uses a part of it")]

mod remote;
mod rows;

#[allow(unused_imports, reason = "each tier of tests uses a part of it")]
pub use self::{
    remote::{Cost, Given, REMOTE, Remote, Request},
    rows::{ROWS, Row},
};
