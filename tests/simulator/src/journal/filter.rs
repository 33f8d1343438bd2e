//! Which entries of the journal are meant.

use serde::Deserialize;

use super::Entry;
use crate::route::Operation;

/// Which entries are meant. What is absent does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Filter {
    /// What was asked for.
    pub(crate) operation: Option<Operation>,
    /// The deployment in the path.
    pub(crate) id: Option<String>,
    /// The status that was answered.
    pub(crate) status: Option<u16>,
    /// Whether the state was changed.
    pub(crate) effect: Option<bool>,
    /// Whether nothing more will happen.
    pub(crate) finished: Option<bool>,
}

impl Filter {
    pub(crate) fn fits(&self, entry: &Entry) -> bool {
        self.operation.is_none_or(|operation| entry.operation == operation)
            && self.id.as_ref().is_none_or(|id| entry.id.as_ref() == Some(id))
            && self.status.is_none_or(|status| entry.status == Some(status))
            && self.effect.is_none_or(|effect| entry.effect == effect)
            && self.finished.is_none_or(|finished| entry.finished == finished)
    }
}
