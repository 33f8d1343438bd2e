//! One status on its way. However it ends, it is noted: also if the task that sends it panics.

use std::{sync::Arc, time::Duration};

use tokio::time::Instant;

use super::{index::Index, resource::Resource, resources::Resources};
use crate::fair_queue::Lane;

/// How long a status whose task broke waits to be tried again.
const AFTER_A_PANIC: Duration = Duration::from_secs(1);

/// Why a status may not be sent now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotNow {
    /// The resource is not held any more.
    Gone,
    /// One of the same resource is on its way.
    OneIsOnItsWay,
    /// Many of its namespace are on their way. Its turn will come.
    Crowded,
}

/// One status on its way. Dropped before it has ended, it has failed. A pass is to follow: it wakes whose turn comes next.
pub struct StatusWrite {
    resources: Arc<Resources>,
    /// The resource that it was computed from.
    resource: Arc<Resource>,
    digest: u64,
    has_ended: bool,
}

impl StatusWrite {
    /// Begins to send a status of this digest, if it may be sent now. `lane`: how important it is.
    ///
    /// # Errors
    /// Why it may not.
    pub fn begin(
        resources: &Arc<Resources>,
        resource: &Arc<Resource>,
        digest: u64,
        lane: Lane,
    ) -> Result<Self, NotNow> {
        begin(&mut resources.index(), resource, digest, lane)?;
        let (resources, resource) = (Arc::clone(resources), Arc::clone(resource));
        Ok(Self { resources, resource, digest, has_ended: false })
    }

    /// The resource that it was computed from.
    #[must_use]
    pub fn resource(&self) -> &Resource {
        &self.resource
    }

    /// It has ended, and what the server holds now is taken in: nothing that was sent before is on its way any more.
    pub fn ended(mut self) {
        self.has_ended = true;
        let index = &mut *self.resources.index();
        if let Some(held) = last(index, &self.resource, self.digest) {
            let held = Arc::make_mut(held);
            held.sent.take_if(|sent| !sent.end(self.digest));
        }
    }

    /// It may stand or not, and waits for so long to be tried again.
    pub fn failed(mut self, wait: Duration) {
        self.fail(wait);
    }

    fn fail(&mut self, wait: Duration) {
        self.has_ended = true;
        let index = &mut *self.resources.index();
        let held = index.held_mut(&self.resource.key, &self.resource.uid);
        if let Some(sent) = held.and_then(|held| Arc::make_mut(held).sent.as_mut()) {
            if sent.is_last(self.digest) {
                sent.fail(Instant::now(), wait);
            }
            // No answer of its own will say that it has stood.
            sent.tell(self.digest);
        }
    }
}

impl Drop for StatusWrite {
    fn drop(&mut self) {
        if !self.has_ended {
            self.fail(AFTER_A_PANIC);
        }
        self.resources.index().rooms.leave(&self.resource.key.namespace);
    }
}

fn begin(index: &mut Index, of: &Resource, digest: u64, lane: Lane) -> Result<(), NotNow> {
    let held = index.held_mut(&of.key, &of.uid).ok_or(NotNow::Gone)?;
    if held.is_sending() {
        return Err(NotNow::OneIsOnItsWay);
    }
    if !index.rooms.enter(&of.key.namespace, &of.deployment, lane) {
        return Err(NotNow::Crowded);
    }
    if let Some(held) = index.held_mut(&of.key, &of.uid) {
        Arc::make_mut(held).sent.get_or_insert_default().begin(digest);
    }
    Ok(())
}

/// What is held, if this is the last status that was sent of it: its echo may have come, and another one be on its way.
fn last<'a>(index: &'a mut Index, of: &Resource, digest: u64) -> Option<&'a mut Arc<Resource>> {
    let is_last =
        |held: &&mut Arc<Resource>| held.sent.as_ref().is_some_and(|sent| sent.is_last(digest));
    index.held_mut(&of.key, &of.uid).filter(is_last)
}

#[cfg(test)]
#[path = "status_write_tests.rs"]
mod tests;
