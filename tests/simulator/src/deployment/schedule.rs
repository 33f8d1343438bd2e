//! When a deployment runs: the times to come, and what a run leaves in the document.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::Deployment;
use crate::cron::Cron;
use crate::runs::Outcome;
use crate::wire::{self, ApiError};

/// How many future times `upcoming_runs_at` lists.
pub(crate) const UPCOMING: usize = 5;

impl Deployment {
    /// Counts a run that was started by hand.
    pub(crate) fn run(&mut self, now: Timestamp) -> Result<(), ApiError> {
        if self.archived || &*self.status != "active" {
            return Err(ApiError::conflict("The deployment is not active."));
        }
        let mut document = self.document();
        count_run(&mut document, &Outcome::Completed, now);
        *self = Self::new(document);
        Ok(())
    }

    /// Lets the next scheduled run begin now, and end like this; returns when it was due. Whoever fails for good is paused.
    ///
    /// The error is a text for a person.
    pub(crate) fn fire(
        &mut self,
        outcome: &Outcome,
        now: Timestamp,
    ) -> Result<Timestamp, &'static str> {
        if self.archived || &*self.status != "active" {
            return Err("it is not active, so its schedule rests");
        }
        let mut document = self.document();
        move_upcoming(&mut document, now);
        let upcoming =
            schedule(&mut document).and_then(|schedule| schedule.get_mut("upcoming_runs_at"));
        let upcoming = upcoming.and_then(Value::as_array_mut).filter(|times| !times.is_empty());
        let next = upcoming.map(|times| times.remove(0)).unwrap_or_default();
        let due = next.as_str().and_then(|time| time.parse().ok());
        let due = due.ok_or("it has no schedule with a time to come")?;
        // Not from now on: what has run does not come again.
        schedule(&mut document).and_then(|schedule| list_upcoming(schedule, due));
        count_run(&mut document, outcome, now);
        *self = Self::new(document);
        if let Some(error_type) = outcome.pauses() {
            self.pause_by_error(error_type, now);
        }
        Ok(due)
    }
}

/// A skipped run is recorded, and leaves nothing else.
fn count_run(document: &mut Map<String, Value>, outcome: &Outcome, now: Timestamp) {
    if *outcome == Outcome::Skipped {
        return;
    }
    let now = json!(wire::whole_seconds(now));
    if let Some(schedule) = schedule(document) {
        schedule.insert("last_run_at".to_owned(), now.clone());
    }
    let Some(stats) = stats(document) else { return };
    let mut count = |key: &str, by: u64| {
        let count = stats.get(key).and_then(Value::as_u64).unwrap_or_default();
        stats.insert(key.to_owned(), json!(count + by));
    };
    let failures = u64::from(matches!(outcome, Outcome::Failed(_)));
    count("total_runs", 1);
    count("total_failures", failures);
    count("consecutive_failures", failures);
    if failures == 0 {
        stats.insert("consecutive_failures".to_owned(), json!(0));
    }
    stats.insert("last_triggered_at".to_owned(), now);
}

/// Lists the upcoming runs anew if the first of them is past, none if archived; returns when that is next due.
pub(super) fn move_upcoming(
    document: &mut Map<String, Value>,
    now: Timestamp,
) -> Option<Timestamp> {
    let is_archived = document.get("archived_at").is_some_and(|at| !at.is_null());
    let Some(schedule) = schedule(document) else {
        if let Some(stats) = stats(document) {
            stats.remove("next_trigger_at");
        }
        return None;
    };
    if is_archived {
        schedule.insert("upcoming_runs_at".to_owned(), json!([]));
        return None;
    }
    let listed = schedule.get("upcoming_runs_at");
    let mut first = listed.and_then(|times| times.get(0)?.as_str()?.parse().ok());
    if first.is_none_or(|first| now >= first) {
        first = list_upcoming(schedule, now);
    }
    if let (Some(first), Some(stats)) = (first, stats(document)) {
        stats.insert("next_trigger_at".to_owned(), json!(wire::whole_seconds(first)));
    }
    first
}

/// Lists the runs after a time; returns the first of them.
fn list_upcoming(schedule: &mut Map<String, Value>, after: Timestamp) -> Option<Timestamp> {
    let cron =
        Cron::parse(schedule.get("expression")?.as_str()?, schedule.get("timezone")?.as_str()?);
    let upcoming = cron.map_or_else(|_| Vec::new(), |cron| cron.upcoming(after, UPCOMING));
    let times: Vec<_> = upcoming.iter().map(|time| wire::whole_seconds(*time)).collect();
    schedule.insert("upcoming_runs_at".to_owned(), json!(times));
    upcoming.first().copied()
}

/// Lets the upcoming runs be counted anew.
pub(super) fn forget_upcoming(document: &mut Map<String, Value>) {
    if let Some(schedule) = schedule(document) {
        schedule.remove("upcoming_runs_at");
    }
}

fn schedule(document: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    document.get_mut("schedule")?.as_object_mut()
}

fn stats(document: &mut Map<String, Value>) -> Option<&mut Map<String, Value>> {
    document.get_mut("metadata")?.get_mut("cas_config")?.get_mut("stats")?.as_object_mut()
}
