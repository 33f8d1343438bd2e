//! The decision and the five steps around it.

pub mod decide;
pub mod settle;
pub mod situation;
