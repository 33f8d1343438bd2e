//! What happens behind the client's back: the same for the control API and for the library.

use std::convert::Infallible;

use jiff::Timestamp;
use serde_json::{Map, Value};

use crate::deployment::Deployment;
use crate::exchange::Core;
use crate::runs::Outcome;
use crate::seed::SeedError;
use crate::store::{Freshness, Writer};

/// `None` means that there is no such deployment.
impl Core {
    /// Ids, the oldest first.
    pub(crate) fn ids(&self) -> Vec<String> {
        self.api().store.ids().map(ToOwned::to_owned).collect()
    }

    /// The deployment as GET answers it.
    pub(crate) fn deployment(&self, id: &str) -> Option<Value> {
        let mut api = self.api();
        let dialect = api.settings.dialect;
        let deployment = api.store.get(id, Freshness::Fresh)?;
        let shown = deployment.show(dialect, self.now().date);
        serde_json::from_str(shown.get()).ok()
    }

    /// The deployment's document, as a seed takes it.
    pub(crate) fn document(&self, id: &str) -> Option<Map<String, Value>> {
        Some(self.api().store.get(id, Freshness::Fresh)?.document())
    }

    /// Adds deployments, all or none, and gives their ids.
    pub(crate) fn add(&self, partials: &[Value]) -> Result<Vec<String>, SeedError> {
        let ids = self.api().store.add(partials, self.now().date);
        self.journal.bump();
        ids
    }

    /// Pauses or resumes by hand.
    pub(crate) fn set_paused(&self, id: &str, paused: bool) -> Option<()> {
        self.edit(id, |deployment, now| deployment.set_paused(paused, now))
    }

    /// Pauses as the platform does.
    pub(crate) fn pause_by_error(&self, id: &str, error_type: &str) -> Option<()> {
        self.edit(id, |deployment, now| {
            deployment.pause_by_error(error_type, now);
        })
    }

    /// Lets the next scheduled run begin now, and end like this; shows it. The error is a text for a person.
    pub(crate) fn fire(&self, id: &str, outcome: Outcome) -> Option<Result<Value, &'static str>> {
        let now = self.now().date;
        let fired = self.api().fire(id, outcome, now);
        self.journal.bump();
        fired
    }

    /// Archives; an archived one stays as it is.
    pub(crate) fn archive(&self, id: &str) -> Option<()> {
        self.edit(id, |deployment, now| {
            let _already = deployment.archive(now);
        })
    }

    /// Replaces any fields, except those by which a deployment is found.
    pub(crate) fn patch(&self, id: &str, fields: Map<String, Value>) -> Option<()> {
        self.edit(id, |deployment, _| deployment.patch(fields))
    }

    /// Forgets a deployment.
    pub(crate) fn delete(&self, id: &str) -> Option<()> {
        let mut api = self.api();
        api.store.remove(id)?;
        api.forget(id);
        drop(api);
        self.journal.bump();
        Some(())
    }

    fn edit(&self, id: &str, change: impl FnOnce(&mut Deployment, Timestamp)) -> Option<()> {
        let now = self.now().date;
        let done = self.api().store.write(id, Writer::Hand, |deployment| {
            change(deployment, now);
            Ok::<_, Infallible>(())
        });
        self.journal.bump();
        done.and_then(Result::ok)
    }
}
