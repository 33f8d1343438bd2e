//! What we know of the resources, and who works when: the shape that client-go made familiar.
//!
//! ```text
//! watch -> index -> work queue -> workers: reconcile(key)
//! ```

mod dispatch;
mod index;
mod intake;
mod queue;
mod reconciler;
mod recorder;
mod run;
mod watch;
mod work_queue;

pub use run::{Controller, Settings, View};
