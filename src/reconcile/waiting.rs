//! What a resource that is not done waits for, as a snapshot shows it. Pure.

use super::{settle::Action, snapshot::Snapshot};
use crate::{
    remote::{Obstacle, Outcome},
    resources::Resource,
    times::Times,
};

/// What a resource waits for that a person should know.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Hindrance {
    /// Nothing may be sent to the API for now.
    Obstacle(Obstacle),
    /// The API has not answered the write under way, or failed to answer the last one, or answered it with 5xx.
    Unanswered,
    /// The API has answered the last write with 401, and accepts the token since.
    Unauthorized,
    /// Something that is not the API answered the last write.
    NotTheApi,
    /// The Kubernetes API does not serve the read before the write.
    Kubernetes,
}

impl Snapshot {
    /// What became of the write for this resource. `is_waiting`: the one that the pass wanted got no permit.
    #[must_use]
    pub fn action(&self, resource: &Resource, is_waiting: bool) -> Action {
        let writes = &self.view.writes;
        if writes.under_way_since().is_some() {
            return Action::UnderWay { stuck: self.is_write_stuck() };
        }
        if is_waiting {
            let stuck = self.view.is_stuck || writes.goes_behind(&resource.requester());
            Action::Waiting { stuck }
        } else {
            Action::None
        }
    }

    /// Whether the write that is under way does not end for the time being.
    #[must_use]
    pub fn is_write_stuck(&self) -> bool {
        let since = self.view.writes.under_way_since();
        since.is_some_and(|since| self.now >= since + Times::STANDSTILL)
    }

    /// What a resource that is not done waits for.
    #[must_use]
    pub fn hindrance(&self, resource: &Resource) -> Option<Hindrance> {
        if self.is_write_stuck() {
            return Some(Hindrance::Unanswered);
        }
        let of_own = match self.view.writes.last_failure(&resource.requester()) {
            Some(Outcome::Unread) => Some(Hindrance::Kubernetes),
            Some(Outcome::NotTheApi) => Some(Hindrance::NotTheApi),
            Some(Outcome::Ambiguous) => Some(Hindrance::Unanswered),
            Some(Outcome::Unauthorized) => Some(Hindrance::Unauthorized),
            _ => None,
        };
        self.view.obstacle.map(Hindrance::Obstacle).or(of_own)
    }
}
