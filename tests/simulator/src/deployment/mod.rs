//! One deployment: its document and the verbs on it. Pure: the time is an argument.

mod schedule;

pub(crate) use schedule::UPCOMING;

use std::sync::Arc;

use jiff::Timestamp;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::input;
use crate::settings::Quirks;
use crate::wire::{self, ApiError, Dialect};

/// A deployment. The JSON document is the truth, so that any field can be patched to anything. It is kept as text, because
/// thousands of them have to be small; what lists filter by is kept beside it, and so is the text that was last shown.
#[derive(Clone, Debug)]
pub(crate) struct Deployment {
    document: Arc<str>,
    id: Arc<str>,
    name: Arc<str>,
    pub(crate) status: Arc<str>,
    pub(crate) archived: bool,
    pub(crate) agent_id: Arc<str>,
    /// When it says that it was made.
    pub(crate) created: Option<Timestamp>,
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
        let text = |value: Option<&Value>| value.and_then(Value::as_str).unwrap_or_default().into();
        let created = document.get("created_at").and_then(Value::as_str);
        Self {
            id: text(document.get("id")),
            name: text(document.get("name")),
            status: text(document.get("status")),
            archived: document.get("archived_at").is_some_and(|at| !at.is_null()),
            agent_id: text(document.get("agent").and_then(|agent| agent.get("id"))),
            created: created.and_then(|time| time.parse().ok()),
            document: Value::Object(document).to_string().into(),
            shown: None,
        }
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
        &self.id
    }

    /// The deployment's name; empty if that is no text.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The document in its neutral form.
    pub(crate) fn document(&self) -> Map<String, Value> {
        serde_json::from_str(&self.document).unwrap_or_default()
    }

    /// Pauses by the API's rules: an error if it is paused already.
    pub(crate) fn pause(&mut self, quirks: &Quirks, now: Timestamp) -> Result<(), ApiError> {
        self.refuse_archived(quirks)?;
        if &*self.status == "paused" {
            return Err(ApiError::conflict("The deployment is already paused."));
        }
        self.set_paused(true, now);
        Ok(())
    }

    /// Resumes by the API's rules: an error if it is not paused.
    pub(crate) fn unpause(&mut self, quirks: &Quirks, now: Timestamp) -> Result<(), ApiError> {
        self.refuse_archived(quirks)?;
        if &*self.status != "paused" {
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
                schedule::forget_upcoming(document);
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
        let name = format!("{}_archived_{}", self.name(), now.as_second());
        self.edit(now, |document| {
            // The next trigger stays shown in the statistics.
            schedule::move_upcoming(document, now);
            document.insert("archived_at".to_owned(), json!(wire::whole_seconds(now)));
            document.insert("name".to_owned(), json!(name));
        });
        Ok(())
    }

    /// Applies checked fields: whole values, except `metadata`, which is merged by key.
    pub(crate) fn update(
        &mut self,
        mut fields: Map<String, Value>,
        now: Timestamp,
    ) -> Result<(), ApiError> {
        let document = self.document();
        if let Some(metadata) = fields.get_mut("metadata") {
            let patch = metadata.take();
            metadata.clone_from(document.get("metadata").unwrap_or(&Value::Null));
            wire::merge(metadata, &patch);
            input::merged_metadata(metadata)?;
        }
        if let Some(new) = fields.get_mut("schedule").and_then(Value::as_object_mut)
            && let Some(last_run) = document.get("schedule").and_then(|old| old.get("last_run_at"))
        {
            new.insert("last_run_at".to_owned(), last_run.clone());
        }
        self.edit(now, |document| document.extend(fields));
        Ok(())
    }

    /// Sets any fields but the id: without a check, without moving `updated_at`, and without changing the place in
    /// lists.
    pub(crate) fn patch(&mut self, mut fields: Map<String, Value>) {
        fields.remove("id");
        let mut document = self.document();
        let schedule = fields.get("schedule").and_then(Value::as_object);
        if schedule.is_some_and(|schedule| !schedule.contains_key("upcoming_runs_at")) {
            schedule::forget_upcoming(&mut document);
        }
        wire::set(&mut document, fields);
        *self = Self::new(document);
    }

    /// The deployment as GET answers it.
    pub(crate) fn show(&mut self, dialect: Dialect, now: Timestamp) -> Arc<RawValue> {
        if let Some(shown) = &self.shown
            && shown.dialect == dialect
            && shown.until.is_none_or(|until| now < until)
        {
            return Arc::clone(&shown.text);
        }
        let mut document = self.document();
        let until = schedule::move_upcoming(&mut document, now);
        let text = serde_json::value::to_raw_value(&wire::deployment(&document, dialect))
            .unwrap_or_else(|_| RawValue::NULL.to_owned());
        let text: Arc<RawValue> = text.into();
        *self = Self::new(document);
        self.shown = Some(Shown { dialect, until, text: Arc::clone(&text) });
        text
    }

    /// An error for any change but a second archive.
    pub(crate) fn refuse_archived(&self, quirks: &Quirks) -> Result<(), ApiError> {
        match (self.archived, quirks.archived_verb_status) {
            (false, _) => Ok(()),
            (true, 400) => Err(ApiError::invalid("The deployment is archived.")),
            (true, 404) => Err(ApiError::not_found("Deployment")),
            (true, _) => Err(ApiError::conflict("The deployment is archived.")),
        }
    }

    fn edit(&mut self, now: Timestamp, change: impl FnOnce(&mut Map<String, Value>)) {
        let mut document = self.document();
        change(&mut document);
        document.insert("updated_at".to_owned(), json!(wire::whole_seconds(now)));
        *self = Self::new(document);
    }
}

fn into_object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        _ => Map::new(),
    }
}
