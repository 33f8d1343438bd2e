//! The wire model: both generations of the API, decoded leniently. What a decision is taken from
//! must make sense: id, status, `archived_at`. The rest is shown as far as it can be read, or
//! skipped unread.

use std::{collections::BTreeSet, sync::Arc};

use jiff::Timestamp;

use super::{
    error::ApiError,
    lenient::{Field, body, cut, exact, kept, object},
};
use crate::api::DeploymentId;

/// What the operator keeps of a remote deployment besides its id. No text in it is longer than
/// [`MAX_TEXT`](super::MAX_TEXT), and none has spare room: ten thousand of these are kept.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Deployment {
    pub status: RemoteStatus,
    /// Why it is paused. Kept whatever the status says.
    pub paused_reason: Option<Box<PausedReason>>,
    /// When it was archived. An archived deployment keeps its old status.
    pub archived_at: Option<Timestamp>,
    pub name: Option<Box<str>>,
    /// The schedule; `None`: it has none, or one that is not an object. Many have the same.
    pub schedule: Option<Arc<Schedule>>,
}

impl Deployment {
    /// Takes its schedule from these, where it is the same, or else adds it: many cost no more than one.
    pub fn share_schedule(&mut self, schedules: &mut BTreeSet<Arc<Schedule>>) {
        let Some(schedule) = &mut self.schedule else { return };
        match schedules.get(schedule) {
            Some(shared) => schedule.clone_from(shared),
            None => drop(schedules.insert(schedule.clone())),
        }
    }
}

/// Why a deployment is paused.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct PausedReason {
    /// `type`: `manual`, `error`, or what a later API says. Empty: there is a reason, and it
    /// cannot be read. It is never taken for `manual`.
    pub kind: Box<str>,
    /// `error.type`.
    pub error: Option<Box<str>>,
}

/// When a deployment runs.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Schedule {
    /// The cron expression. Empty: it cannot be read.
    pub expression: Box<str>,
    /// The name of the time zone.
    pub timezone: Option<Box<str>>,
}

/// The remote `status`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum RemoteStatus {
    Active,
    Paused,
    /// What a later API says.
    Other(Box<str>),
}

impl RemoteStatus {
    /// Verbatim, cut to [`MAX_TEXT`](super::MAX_TEXT).
    #[must_use]
    pub fn as_str(&self) -> &str {
        match self {
            Self::Active => "active",
            Self::Paused => "paused",
            Self::Other(text) => text,
        }
    }
}

impl From<&str> for RemoteStatus {
    fn from(text: &str) -> Self {
        match text {
            "active" => Self::Active,
            "paused" => Self::Paused,
            other => Self::Other(cut(other).into()),
        }
    }
}

/// Decodes one deployment and checks that it is the one asked for.
pub(super) fn deployment(answer: &[u8], asked: &DeploymentId) -> Result<Deployment, ApiError> {
    let answer = body(answer);
    let fields = object(&answer, FIELDS).ok_or(ApiError::Invalid("not a deployment"))?;
    let (id, found) = described(fields);
    match id {
        None => Err(ApiError::Invalid("a deployment without a proper id")),
        Some(id) if id != *asked => {
            Err(ApiError::Invalid("another deployment than the one asked for"))
        }
        Some(_) => found,
    }
}

/// The fields of a deployment that are looked at.
pub(super) const FIELDS: [&str; 6] =
    ["id", "status", "paused_reason", "archived_at", "name", "schedule"];

/// What these fields say: about which deployment, and what it is, each if it makes sense.
pub(super) fn described(
    fields: [Field<'_>; 6],
) -> (Option<DeploymentId>, Result<Deployment, ApiError>) {
    let [id, status, reason, archived_at, name, schedule] = fields;
    let id = id.value().and_then(exact);
    let id = id.and_then(|id| DeploymentId::try_from(id.as_ref()).ok());
    let deployment = || {
        let status = status.value().and_then(exact);
        let status = status.ok_or(ApiError::Invalid("a deployment without a proper status"))?;
        Ok(Deployment {
            status: RemoteStatus::from(&*status),
            paused_reason: paused_reason(reason),
            archived_at: time(archived_at)?,
            name: name.value().and_then(kept),
            schedule: schedule.value().and_then(self::schedule).map(Arc::new),
        })
    };
    (id, deployment())
}

/// When it was archived, if it was. An empty text counts as absent.
fn time(archived_at: Field<'_>) -> Result<Option<Timestamp>, ApiError> {
    const NO_TIME: ApiError = ApiError::Invalid("a deployment whose archived_at is no time");
    match archived_at {
        Field::Absent | Field::Value("\"\"") => Ok(None),
        Field::Value(json) => {
            let text = exact(json).ok_or(NO_TIME)?;
            text.parse().map(Some).map_err(|_| NO_TIME)
        }
        Field::Repeated => Err(NO_TIME),
    }
}

/// Why it is paused. What cannot be read is a reason all the same.
fn paused_reason(field: Field<'_>) -> Option<Box<PausedReason>> {
    let json = match field {
        Field::Absent => return None,
        Field::Value(json) => json,
        Field::Repeated => "",
    };
    let [kind, error] = object(json, ["type", "error"]).unwrap_or_default();
    Some(Box::new(PausedReason {
        kind: kind.value().and_then(kept).unwrap_or_default(),
        error: error.value().and_then(|error| {
            let [kind] = object(error, ["type"])?;
            kind.value().and_then(kept)
        }),
    }))
}

fn schedule(json: &str) -> Option<Schedule> {
    let [expression, timezone] = object(json, ["expression", "timezone"])?;
    Some(Schedule {
        expression: expression.value().and_then(kept).unwrap_or_default(),
        timezone: timezone.value().and_then(kept),
    })
}

#[cfg(test)]
#[path = "wire_tests.rs"]
mod tests;
