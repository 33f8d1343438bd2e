//! Deployment runs. A run is over at once, for there is no agent to wait for.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::list::Times;
use crate::page::{Cursor, Id, Page, Paging, Query, Row};
use crate::wire::{self, ApiError, Dialect};

/// How many runs are kept. The oldest go first.
const KEPT: usize = 10_000;

/// How a scheduled run ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// It has made a session.
    #[default]
    Completed,
    /// It has failed with an error of this type. Most of them pause the deployment, as the platform does.
    Failed(#[serde(deserialize_with = "error_type")] String),
    /// It was not begun, because as many as may were under way.
    Skipped,
}

/// Other outcomes are none of a failure, though one may write them so.
fn error_type<'de, D: Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    let text = String::deserialize(from)?;
    if ["", "completed", "failed", "skipped"].contains(&text.as_str()) {
        return Err(de::Error::custom(
            "failed needs the type of an error; the other outcomes are \"completed\" and \"skipped\"",
        ));
    }
    Ok(text)
}

/// What a run can begin with. Nothing is tried again here.
const TRIGGERS: [&str; 3] = ["manual", "schedule", "retry"];
/// What a run can be. Here it is over at once.
const STATUSES: [&str; 5] = ["pending", "running", "completed", "failed", "skipped"];
/// After these failures the schedule goes on.
const PASSING: [&str; 2] = ["session_rate_limited_error", "session_creation_rejected_error"];

impl Outcome {
    /// The error type with which the platform pauses the deployment.
    pub(crate) fn pauses(&self) -> Option<&str> {
        match self {
            Self::Failed(error_type) if !PASSING.contains(&error_type.as_str()) => Some(error_type),
            _ => None,
        }
    }

    fn status(&self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed(_) => "failed",
            Self::Skipped => "skipped",
        }
    }
}

#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) deployment_id: String,
    pub(crate) agent: Value,
    /// When it was due; none: someone has started it by hand.
    pub(crate) scheduled_at: Option<Timestamp>,
    pub(crate) outcome: Outcome,
    pub(crate) at: Timestamp,
}

#[derive(Debug)]
struct Recorded {
    number: u64,
    run: Run,
}

/// The runs, in the order in which they were triggered.
#[derive(Debug, Default)]
pub(crate) struct Runs {
    kept: VecDeque<Recorded>,
    recorded: u64,
}

/// Which runs a list shows.
#[derive(Clone, Debug)]
pub(crate) struct RunFilter {
    deployment_id: Option<String>,
    trigger: Option<String>,
    status: Option<String>,
    has_error: Option<bool>,
    times: Times,
    /// What the caller's token has no right on is in no list.
    hidden: HashSet<String>,
}

impl RunFilter {
    /// Reads the filters of a list of runs, of one deployment or of all.
    pub(crate) fn parse(
        deployment_id: Option<&str>,
        query: &Query<'_>,
        hidden: HashSet<String>,
    ) -> Result<Self, ApiError> {
        let own = |key: &str| query.get(key).map(ToOwned::to_owned);
        let one_of = |key: &str, known: &[&str]| match query.get(key) {
            Some(value) if !known.contains(&value) => {
                let known = known.join(", ");
                Err(ApiError::invalid_param(key, format!("{key} must be one of {known}.")))
            }
            value => Ok(value.map(ToOwned::to_owned)),
        };
        let triggered = Times {
            from: query.time("triggered_after")?,
            to: query.time("triggered_before")?,
            ..Times::default()
        };
        Ok(Self {
            deployment_id: deployment_id.map(ToOwned::to_owned).or_else(|| own("deployment_id")),
            trigger: one_of("trigger_type", &TRIGGERS)?,
            status: one_of("status", &STATUSES)?,
            has_error: query.flag("has_error")?,
            times: Times::created(query)?.and(triggered),
            hidden,
        })
    }

    fn fits(&self, run: &Run) -> bool {
        let has_error = matches!(run.outcome, Outcome::Failed(_));
        !self.hidden.contains(&run.deployment_id)
            && self.deployment_id.as_ref().is_none_or(|id| run.deployment_id == *id)
            && self.trigger.as_ref().is_none_or(|trigger| run.trigger() == trigger)
            && self.status.as_ref().is_none_or(|status| run.outcome.status() == status)
            && self.has_error.is_none_or(|wanted| wanted == has_error)
            && self.times.contain(run.at)
    }
}

impl Runs {
    /// Records a run and shows it.
    pub(crate) fn add(&mut self, run: Run, dialect: Dialect) -> Value {
        let recorded = Recorded { number: self.recorded, run };
        let shown = recorded.show(dialect);
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(recorded);
        self.recorded += 1;
        shown
    }

    /// One run that the filter lets through.
    pub(crate) fn get(&self, filter: &RunFilter, id: &str, dialect: Dialect) -> Option<Value> {
        let run = self.kept.get(self.position(id)?)?;
        filter.fits(&run.run).then(|| run.show(dialect))
    }

    /// A page of runs, the newest first.
    pub(crate) fn page(
        &self,
        filter: &RunFilter,
        paging: &Paging,
        dialect: Dialect,
    ) -> Result<Page, ApiError> {
        let position = |cursor: &Id| self.position(&cursor.id).ok_or_else(|| cursor.unknown());
        let row = |run: &Recorded| -> Row { (run.id(), run.text(dialect)) };
        let fits = |recorded: &&Recorded| filter.fits(&recorded.run);
        let runs = &self.kept;
        Ok(match &paging.cursor {
            Cursor::Start => {
                Page::take(runs.iter().rev().filter(fits).map(row), paging.limit, false)
            }
            Cursor::After(id) => {
                let older = runs.range(..position(id)?).rev();
                Page::take(older.filter(fits).map(row), paging.limit, false)
            }
            Cursor::Before(id) => {
                let newer = runs.range(position(id)? + 1..);
                Page::take(newer.filter(fits).map(row), paging.limit, true)
            }
        })
    }

    /// Forgets the runs of one deployment.
    pub(crate) fn forget(&mut self, id: &str) {
        self.kept.retain(|recorded| recorded.run.deployment_id != id);
    }

    fn position(&self, id: &str) -> Option<usize> {
        self.kept.iter().position(|run| run.id() == id)
    }
}

impl Run {
    fn trigger(&self) -> &'static str {
        if self.scheduled_at.is_some() { "schedule" } else { "manual" }
    }
}

impl Recorded {
    fn id(&self) -> String {
        self.named("drun")
    }

    /// An id of one kind or another: like a `UUIDv7`, with a counter for its random part.
    fn named(&self, kind: &str) -> String {
        format!("{kind}_{:012x}70008{:015x}", self.run.at.as_millisecond(), self.number)
    }

    fn show(&self, dialect: Dialect) -> Value {
        let Run { deployment_id, agent, scheduled_at, outcome, at } = &self.run;
        let session_id = (*outcome == Outcome::Completed).then(|| self.named("sess"));
        let error = match outcome {
            Outcome::Failed(kind) => json!({"type": kind, "message": "The run has failed."}),
            Outcome::Completed | Outcome::Skipped => Value::Null,
        };
        let trigger = match scheduled_at {
            Some(time) if dialect == Dialect::D2 => {
                json!({"type": "schedule", "scheduled_at": wire::whole_seconds(*time)})
            }
            _ => json!({"type": self.run.trigger()}),
        };
        let mut run = json!({
            "id": self.id(), "type": "deployment_run", "deployment_id": deployment_id,
            "agent": agent, "session_id": session_id, "error": error,
            "trigger_context": trigger, "created_at": wire::whole_seconds(*at),
        });
        if dialect == Dialect::D1 {
            let seconds = wire::whole_seconds(*at);
            let extra = json!({
                "created_at": format!("{at:.9}"), "status": outcome.status(),
                "triggered_at": seconds, "completed_at": seconds, "duration_ms": 0,
                "cas_run_extras": {"attempt": 1, "turn_id": self.named("turn"), "started_at": seconds},
            });
            wire::merge(&mut run, &extra);
        }
        run
    }

    fn text(&self, dialect: Dialect) -> Arc<RawValue> {
        serde_json::value::to_raw_value(&self.show(dialect))
            .unwrap_or_else(|_| RawValue::NULL.to_owned())
            .into()
    }
}
