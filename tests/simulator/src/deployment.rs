//! One deployment: its document and the verbs on it. Pure: the time is an argument.

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::cron::Cron;
use crate::settings::Quirks;
use crate::wire::{self, ApiError, Dialect};

/// How many future times `upcoming_runs_at` lists.
const UPCOMING: usize = 5;

/// A deployment. The JSON document is the truth, so that any field can be patched to anything;
/// what lists filter by is kept beside it, and so is the text that was last shown.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    document: Map<String, Value>,
    pub(crate) status: String,
    pub(crate) archived: bool,
    pub(crate) agent_id: String,
    shown: Option<Shown>,
}

/// The rendered document, as long as it holds.
#[derive(Clone, Debug)]
struct Shown {
    dialect: Dialect,
    /// When the first upcoming run is past, and the list of them must move on.
    until: Option<Timestamp>,
    text: Arc<RawValue>,
}

impl Deployment {
    /// A deployment as a complete document describes it.
    pub(crate) fn new(document: Map<String, Value>) -> Self {
        let mut deployment = Self {
            document,
            status: String::new(),
            archived: false,
            agent_id: String::new(),
            shown: None,
        };
        deployment.index();
        deployment
    }

    /// A deployment as create makes it: active at once.
    pub(crate) fn create(id: &str, mut fields: Map<String, Value>, now: Timestamp) -> Self {
        let mut metadata = json!({"cas_config": {
            "session_strategy": "new_session",
            "config": {"max_concurrent": 1, "max_retries": 0, "timeout_ms": 300_000},
            "stats": {"consecutive_failures": 0, "total_failures": 0, "total_runs": 0},
        }});
        if let Some(own) = fields.remove("metadata") {
            wire::merge(&mut metadata, &own);
        }
        let now = wire::whole_seconds(now);
        let mut document = into_object(json!({
            "id": id, "type": "deployment", "description": "", "environment_variables": "",
            "resources": [], "vault_ids": [], "schedule": null, "metadata": metadata,
            "status": "active", "paused_reason": null, "archived_at": null,
            "created_at": now, "updated_at": now,
        }));
        document.extend(fields);
        Self::new(document)
    }

    /// The deployment's id.
    pub(crate) fn id(&self) -> &str {
        self.text("id")
    }

    /// The deployment's name.
    pub(crate) fn name(&self) -> &str {
        self.text("name")
    }

    /// The document in its neutral form.
    pub(crate) fn document(&self) -> &Map<String, Value> {
        &self.document
    }

    fn text(&self, key: &str) -> &str {
        self.document.get(key).and_then(Value::as_str).unwrap_or_default()
    }

    /// Pauses by the API's rules: an error if it is paused already.
    pub(crate) fn pause(&mut self, quirks: &Quirks, now: Timestamp) -> Result<(), ApiError> {
        self.refuse_archived(quirks)?;
        if self.status == "paused" {
            return Err(ApiError::conflict("The deployment is already paused."));
        }
        self.set_paused(true, now);
        Ok(())
    }

    /// Resumes by the API's rules: an error if it is not paused.
    pub(crate) fn unpause(&mut self, quirks: &Quirks, now: Timestamp) -> Result<(), ApiError> {
        self.refuse_archived(quirks)?;
        if self.status != "paused" {
            return Err(ApiError::conflict("The deployment is not paused."));
        }
        self.set_paused(false, now);
        Ok(())
    }

    /// Pauses or resumes whatever it was, as a person at the console would.
    pub(crate) fn set_paused(&mut self, paused: bool, now: Timestamp) {
        self.edit(now, |document| {
            let (status, reason) = if paused {
                ("paused", json!({"type": "manual"}))
            } else {
                // The next run is counted from now: missed ones are not made up for.
                forget_upcoming(document);
                ("active", Value::Null)
            };
            document.insert("status".to_owned(), json!(status));
            document.insert("paused_reason".to_owned(), reason);
        });
    }

    /// Pauses as the platform does when a scheduled run fails for good.
    pub(crate) fn pause_by_error(&mut self, error_type: &str, now: Timestamp) {
        self.edit(now, |document| {
            document.insert("status".to_owned(), json!("paused"));
            let reason = json!({"type": "error", "error": {"type": error_type}});
            document.insert("paused_reason".to_owned(), reason);
        });
    }

    /// Archives for ever: no more runs, and the name becomes free. The status stays as it was.
    pub(crate) fn archive(&mut self, now: Timestamp) -> Result<(), ApiError> {
        if self.archived {
            return Err(ApiError::conflict("The deployment is already archived."));
        }
        // The next trigger stays shown in the statistics.
        self.move_upcoming(now);
        let name = format!("{}_archived_{}", self.name(), now.as_second());
        self.edit(now, |document| {
            document.insert("archived_at".to_owned(), json!(wire::whole_seconds(now)));
            document.insert("name".to_owned(), json!(name));
        });
        Ok(())
    }

    /// Applies checked fields: whole values, except `metadata`, which is merged by key.
    pub(crate) fn update(
        &mut self,
        mut fields: Map<String, Value>,
        quirks: &Quirks,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        self.refuse_archived(quirks)?;
        let metadata = fields.remove("metadata");
        self.edit(now, |document| {
            if let (Some(old), Some(patch)) = (document.get_mut("metadata"), metadata) {
                wire::merge(old, &patch);
            }
            if let Some(new) = fields.get_mut("schedule").and_then(Value::as_object_mut)
                && let Some(last_run) =
                    document.get("schedule").and_then(|old| old.get("last_run_at"))
            {
                new.insert("last_run_at".to_owned(), last_run.clone());
            }
            document.extend(fields);
        });
        Ok(())
    }

    /// Counts a run that was started by hand.
    pub(crate) fn run(&mut self, now: Timestamp) -> Result<(), ApiError> {
        if self.archived || self.status != "active" {
            return Err(ApiError::conflict("The deployment is not active."));
        }
        let now = json!(wire::whole_seconds(now));
        if let Some(schedule) = self.document.get_mut("schedule").and_then(Value::as_object_mut) {
            schedule.insert("last_run_at".to_owned(), now.clone());
        }
        if let Some(stats) = stats(&mut self.document) {
            let runs = stats.get("total_runs").and_then(Value::as_u64).unwrap_or_default();
            stats.insert("total_runs".to_owned(), json!(runs + 1));
            stats.insert("last_triggered_at".to_owned(), now);
        }
        self.index();
        Ok(())
    }

    /// Replaces any field but the id by a merge patch: without a check, without moving `updated_at`,
    /// and without changing the place in lists.
    pub(crate) fn patch(&mut self, patch: &Value) {
        let id = json!(self.id());
        let mut document = Value::Object(std::mem::take(&mut self.document));
        wire::merge(&mut document, patch);
        self.document = into_object(document);
        self.document.insert("id".to_owned(), id);
        self.index();
    }

    /// The deployment as GET answers it.
    pub(crate) fn show(&mut self, dialect: Dialect, now: Timestamp) -> Arc<RawValue> {
        if let Some(shown) = &self.shown
            && shown.dialect == dialect
            && shown.until.is_none_or(|until| now < until)
        {
            return Arc::clone(&shown.text);
        }
        let until = self.move_upcoming(now);
        let document = wire::deployment(&self.document, dialect);
        let text = serde_json::value::to_raw_value(&document)
            .unwrap_or_else(|_| RawValue::NULL.to_owned());
        let text: Arc<RawValue> = text.into();
        self.shown = Some(Shown { dialect, until, text: Arc::clone(&text) });
        text
    }

    /// Lists the upcoming runs anew if the first of them is past, none if archived; returns when that is next due.
    fn move_upcoming(&mut self, now: Timestamp) -> Option<Timestamp> {
        let schedule = self.document.get_mut("schedule")?.as_object_mut()?;
        if self.archived {
            schedule.insert("upcoming_runs_at".to_owned(), json!([]));
            return None;
        }
        let first =
            schedule.get("upcoming_runs_at").and_then(|times| times.get(0)?.as_str()?.parse().ok());
        if let Some(first) = first
            && now < first
        {
            return Some(first);
        }
        let cron =
            Cron::parse(schedule.get("expression")?.as_str()?, schedule.get("timezone")?.as_str()?);
        let upcoming = cron.map_or_else(|_| Vec::new(), |cron| cron.upcoming(now, UPCOMING));
        let times: Vec<_> = upcoming.iter().map(|time| wire::whole_seconds(*time)).collect();
        let next = times.first().map(|time| json!(time));
        schedule.insert("upcoming_runs_at".to_owned(), json!(times));
        if let (Some(next), Some(stats)) = (next, stats(&mut self.document)) {
            stats.insert("next_trigger_at".to_owned(), next);
        }
        upcoming.first().copied()
    }

    fn refuse_archived(&self, quirks: &Quirks) -> Result<(), ApiError> {
        match (self.archived, quirks.archived_verb_status) {
            (false, _) => Ok(()),
            (true, 400) => Err(ApiError::invalid("The deployment is archived.")),
            (true, 404) => Err(ApiError::not_found("Deployment")),
            (true, _) => Err(ApiError::conflict("The deployment is archived.")),
        }
    }

    fn edit(&mut self, now: Timestamp, change: impl FnOnce(&mut Map<String, Value>)) {
        change(&mut self.document);
        self.document.insert("updated_at".to_owned(), json!(wire::whole_seconds(now)));
        self.index();
    }

    /// Brings what is kept beside the document up to date with it.
    fn index(&mut self) {
        self.status = self.text("status").to_owned();
        self.archived = self.document.get("archived_at").is_some_and(|at| !at.is_null());
        let agent_id = self.document.get("agent").and_then(|agent| agent.get("id")?.as_str());
        self.agent_id = agent_id.unwrap_or_default().to_owned();
        self.shown = None;
    }
}

fn forget_upcoming(document: &mut Map<String, Value>) {
    if let Some(schedule) = document.get_mut("schedule").and_then(Value::as_object_mut) {
        schedule.remove("upcoming_runs_at");
    }
}

fn stats(document: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    document.get_mut("metadata")?.get_mut("cas_config")?.get_mut("stats")?.as_object_mut()
}

fn into_object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
