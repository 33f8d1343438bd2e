//! The decision and the steps around it. `decide` and `settle` are pure and total; `gather`,
//! `status` and the memories are pure with the clock as an argument; `act` and `publish` are the
//! two steps that need a client.

pub mod act;
pub mod again;
pub mod decide;
pub mod events;
pub mod gather;
pub mod ledger;
pub mod publish;
pub mod resource;
pub mod settle;
pub mod situation;
pub mod status;
