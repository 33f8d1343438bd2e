//! Deployment runs: what `run` records. A run is over at once, for there is no agent to wait for.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::page::{Cursor, Page, Paging, Query, Row};
use crate::wire::{self, ApiError, Dialect};

#[derive(Debug)]
struct Run {
    id: String,
    session_id: String,
    deployment_id: String,
    agent: Value,
    at: Timestamp,
}

/// All runs, in the order in which they were triggered.
#[derive(Debug, Default)]
pub(crate) struct Runs(Vec<Run>);

/// Which runs a list shows. Every run here is a manual one that completed.
#[derive(Clone, Debug)]
pub(crate) struct RunFilter {
    deployment_id: Option<String>,
    /// Whether it asks for what no run here is.
    excludes_all: bool,
    from: Option<Timestamp>,
    to: Option<Timestamp>,
}

impl RunFilter {
    /// Reads the filters of a list of runs, of one deployment or of all.
    pub(crate) fn parse(deployment_id: Option<&str>, query: &Query<'_>) -> Result<Self, ApiError> {
        let time = |keys: [&str; 2]| {
            let given = keys.into_iter().find_map(|key| Some((key, query.get(key)?)));
            given
                .map(|(key, text)| {
                    text.parse::<Timestamp>().map_err(|_| {
                        ApiError::invalid_param(key, format!("{key} must be an ISO 8601 time."))
                    })
                })
                .transpose()
        };
        let other = |key: &str, own: &str| query.get(key).is_some_and(|value| value != own);
        Ok(Self {
            deployment_id: deployment_id
                .or_else(|| query.get("deployment_id"))
                .map(ToOwned::to_owned),
            excludes_all: other("trigger_type", "manual")
                || other("status", "completed")
                || query.flag("has_error")?.unwrap_or(false),
            from: time(["triggered_after", "created_at[gte]"])?,
            to: time(["triggered_before", "created_at[lte]"])?,
        })
    }

    fn fits(&self, run: &Run) -> bool {
        !self.excludes_all
            && self.deployment_id.as_ref().is_none_or(|id| run.deployment_id == *id)
            && self.from.is_none_or(|from| run.at >= from)
            && self.to.is_none_or(|to| run.at <= to)
    }
}

impl Runs {
    /// Records a run and shows it.
    pub(crate) fn add(
        &mut self,
        deployment_id: &str,
        agent: Value,
        dialect: Dialect,
        at: Timestamp,
    ) -> Value {
        let number = self.0.len();
        let run = Run {
            id: format!("drun_{:012x}70008{number:015x}", at.as_millisecond()),
            session_id: format!("sess_{:012x}70008{number:015x}", at.as_millisecond()),
            deployment_id: deployment_id.to_owned(),
            agent,
            at,
        };
        let shown = run.show(dialect);
        self.0.push(run);
        shown
    }

    /// One run, of one deployment or of any.
    pub(crate) fn get(
        &self,
        deployment_id: Option<&str>,
        id: &str,
        dialect: Dialect,
    ) -> Option<Value> {
        let mut runs = self.0.iter();
        let run = runs.find(|run| run.id == id)?;
        deployment_id
            .is_none_or(|deployment| run.deployment_id == deployment)
            .then(|| run.show(dialect))
    }

    /// A page of runs, the newest first.
    pub(crate) fn page(
        &self,
        filter: &RunFilter,
        paging: &Paging,
        dialect: Dialect,
    ) -> Result<Page, ApiError> {
        let position = |id: &str| {
            let unknown = || ApiError::invalid("the cursor names no run.");
            self.0.iter().position(|run| run.id == id).ok_or_else(unknown)
        };
        let row = |run: &Run| -> Row { (run.id.clone(), run.text(dialect)) };
        let fits = |run: &&Run| filter.fits(run);
        Ok(match &paging.cursor {
            Cursor::Start => {
                Page::take(self.0.iter().rev().filter(fits).map(row), paging.limit, false)
            }
            Cursor::After(id) => {
                let older = self.0.iter().take(position(id)?).rev();
                Page::take(older.filter(fits).map(row), paging.limit, false)
            }
            Cursor::Before(id) => {
                let newer = self.0.iter().skip(position(id)? + 1);
                Page::take(newer.filter(fits).map(row), paging.limit, true)
            }
        })
    }
}

impl Run {
    fn show(&self, dialect: Dialect) -> Value {
        let mut run = json!({
            "id": self.id, "type": "deployment_run", "deployment_id": self.deployment_id,
            "agent": self.agent, "session_id": self.session_id, "error": null,
            "trigger_context": {"type": "manual"}, "created_at": wire::whole_seconds(self.at),
        });
        if dialect == Dialect::D1 {
            let seconds = wire::whole_seconds(self.at);
            let extra = json!({
                "created_at": format!("{:.9}", self.at), "status": "completed",
                "triggered_at": seconds, "completed_at": seconds, "duration_ms": 0,
                "cas_run_extras": {"attempt": 1, "turn_id": self.session_id.replace("sess_", "turn_"), "started_at": seconds},
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
