//! The reconcile: one pass over a deployment and the resources that name it, in five steps that
//! [`driver`] shows. `decide` and `settle` are pure and total; `snapshot` and `status` are pure with the clock
//! as an argument; `act` reads from Kubernetes before a write, and `publish` hands over statuses, which are sent beside
//! the pass.

mod act;
pub mod api_server;
pub mod decide;
pub mod driver;
pub mod events;
pub mod leftovers;
mod log;
mod message;
pub mod pass;
mod publish;
pub mod recorder;
pub mod settle;
pub mod situation;
pub mod snapshot;
pub mod status;
pub mod waiting;
