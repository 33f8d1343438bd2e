//! The answer about one deployment.

use jiff::Timestamp;
use qoder_operator::qoder::{Deployment, MAX_TEXT};
use serde_json::Value;

use crate::{
    answer::{Answer, ID, exact, value},
    status::can_mirror,
};

/// What is decoded is the deployment that was asked for, and what its fields say; what is refused makes no sense.
pub fn deployment(data: &[u8]) {
    let found = Answer::ok(data).of_get();
    let said = value(data);
    if let Ok(found) = &found {
        can_mirror(found);
        if let Some(said) = &said {
            assert_eq!(said["id"], ID, "another deployment than the one asked for");
            assert!(makes_sense(said), "{said}");
            is_what_it_says(found, said);
        }
    }
    // With each field once: no excuse.
    let Some(said) = said else { return };
    let again = Answer::ok(said.to_string().as_bytes()).of_get();
    let is_asked_for = said["id"] == ID;
    assert_eq!(again.is_ok(), is_asked_for && makes_sense(&said), "{said}");
    if let (Ok(found), Ok(again)) = (&found, &again) {
        let [found, again] = [found, again].map(|it| (&it.status, it.archived_at));
        assert_eq!(found, again, "a decision depends on these");
    }
}

/// Whether an object says what a decision needs.
pub fn makes_sense(said: &Value) -> bool {
    let archived_at = match &said["archived_at"] {
        Value::Null => true,
        Value::String(text) => text.is_empty() || text.parse::<Timestamp>().is_ok(),
        _ => false,
    };
    exact(&said["status"]).is_some() && archived_at
}

/// What is taken from it is there.
pub fn is_what_it_says(found: &Deployment, said: &Value) {
    let status: String = said["status"].as_str().unwrap().chars().take(MAX_TEXT).collect();
    assert_eq!(found.status.as_str(), status);
    let archived_at = said["archived_at"].as_str().unwrap_or_default();
    assert_eq!(found.archived_at, archived_at.parse().ok());
    let reason = &said["paused_reason"];
    match &found.paused_reason {
        None => assert!(reason.is_null(), "a reason is lost"),
        Some(found) if &*found.kind == "manual" => assert_eq!(reason["type"], "manual"),
        Some(_) => {}
    }
}
