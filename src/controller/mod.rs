//! Who works when: the watches, the work queue, the workers, and the supervision of every task.

#[allow(clippy::module_inception, reason = "it is what the folder is about")]
mod controller;
mod parts;
mod queue;
mod tasks;
mod term;
mod view;
mod watch;
mod watch_health;
mod watched;
mod work_queue;
mod workers;

pub use controller::Controller;
pub use tasks::Died;
pub use view::{Check, View};
pub use watched::Watched;
