//! What the controller's tasks, and its view, share.

use std::sync::Arc;

use super::queue::Queue;
use crate::{remote::Remote, resources::Resources};

/// What the controller's tasks share.
#[derive(Clone)]
pub struct Parts {
    pub resources: Arc<Resources>,
    pub remote: Arc<Remote>,
    pub queue: Arc<Queue>,
}
