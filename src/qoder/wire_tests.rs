use super::*;

const ID: &str = "dep_019ec55a2b687b3f94eee77dd77e4b2a";

fn decode(json: &str) -> Result<Deployment, ApiError> {
    deployment(json.as_bytes(), &DeploymentId::try_from(ID).unwrap())
}

/// The answer of the pause page, first generation: `cas_config` is an object, content a string.
const FIRST_GENERATION: &str = r#"{"agent":{"id":"agent_1","type":"agent","version":1},"archived_at":null,
 "id":"dep_019ec55a2b687b3f94eee77dd77e4b2a","initial_events":[{"content":"go","type":"user.message"}],
 "metadata":{"cas_config":{"config":{"max_retries":0},"stats":{"total_runs":1}}},"name":"nightly",
 "paused_reason":{"type":"manual"},"schedule":{"expression":"30 9 * * 1-5","timezone":"Asia/Shanghai",
 "type":"cron","upcoming_runs_at":[]},"status":"paused","type":"deployment","vault_ids":[]}"#;

/// The newer generation: content is an array of blocks, metadata plain.
const SECOND_GENERATION: &str = r#"{"id":"dep_019ec55a2b687b3f94eee77dd77e4b2a","type":"deployment","name":"nightly",
 "initial_events":[{"type":"user.message","content":[{"type":"text","text":"go"}]}],"metadata":{"team":"core"},
 "schedule":{"type":"cron","expression":"30 9 * * 1-5","timezone":"Asia/Shanghai"},
 "status":"paused","paused_reason":{"type":"manual"},"archived_at":null,"environment_variables":""}"#;

#[test]
fn both_generations_read_the_same() {
    let first = decode(FIRST_GENERATION).unwrap();
    assert_eq!(first, decode(SECOND_GENERATION).unwrap());
    assert_eq!(first.status, RemoteStatus::Paused);
    assert_eq!(first.paused_reason.unwrap().kind, "manual");
    assert_eq!(first.schedule.unwrap().timezone.unwrap(), "Asia/Shanghai");
    assert!(!first.archived);
}

#[test]
fn an_answer_that_makes_no_sense_is_an_error_and_never_a_guess() {
    for (json, what) in [
        ("", "empty"),
        ("[]", "not an object"),
        (r#"{"id":"dep_019ec55a2b687b3f94eee77dd77e4b2a"}"#, "no status"),
        (r#"{"id":"dep_019ec55a2b687b3f94eee77dd77e4b2a","status":7}"#, "status of the wrong type"),
        (
            r#"{"id":"dep_019ec55a2b687b3f94eee77dd77e4b2a","status":"active","archived_at":false}"#,
            "wrong type",
        ),
        (r#"{"id":"dep_019ec55a2b687b3f94eee77dd77e4b2a","status":"act"#, "cut short"),
        (r#"{"id":"dep_other","status":"active"}"#, "another deployment"),
        (r#"{"id":"../x","status":"active"}"#, "no id"),
    ] {
        assert!(matches!(decode(json), Err(ApiError::Invalid(_))), "{what}");
    }
}

#[test]
fn what_is_not_needed_is_skipped_without_recursion() {
    let deep = "[".repeat(500_000) + &"]".repeat(500_000);
    let json = format!(r#"{{"id":"{ID}","x":{deep},"status":"active"}}"#);
    assert_eq!(decode(&json).unwrap().status, RemoteStatus::Active);
}

#[test]
fn remote_strings_are_cut_to_the_bounds_of_the_schema() {
    let long = "é".repeat(1000);
    let json = format!(
        r#"{{"id":"{ID}","status":"{long}","name":"{long}","archived_at":"soon",
            "paused_reason":{{"type":"{long}","error":{{"type":"{long}"}}}},"schedule":{{"expression":"{long}"}}}}"#
    );
    let found = decode(&json).unwrap();
    assert_eq!(found.status.as_str().chars().count(), api::MAX_TEXT);
    assert_eq!(found.name.unwrap().chars().count(), api::MAX_NAME);
    assert_eq!(found.schedule.unwrap().expression.chars().count(), api::MAX_TEXT);
    let reason = found.paused_reason.unwrap();
    assert_eq!(reason.kind.chars().count(), api::MAX_TEXT);
    assert_eq!(reason.error.unwrap().kind.chars().count(), api::MAX_TEXT);
    assert!(found.archived, "archived, although the time is no time");
    assert_eq!(found.archived_time, None);
}

#[test]
fn a_page_survives_a_bad_entry_and_prefers_the_cursor_of_both_generations() {
    let read = |json: &str| page(json.as_bytes());
    let mixed = read(
        r#"{"data":[{"id":"dep_1","status":"active"},{"id":"dep_2","status":1},{"status":"active"},7],
            "has_more":true,"last_id":"dep_9","next_page":"p"}"#,
    )
    .unwrap();
    assert_eq!(mixed.items.len(), 2);
    assert!(matches!(&mixed.items[1], Item::Invalid(id) if id.as_str() == "dep_2"));
    assert_eq!(mixed.next, Some(Cursor::AfterId("dep_9".into())));

    let opaque = read(r#"{"data":[],"has_more":true,"last_id":null,"next_page":"p"}"#).unwrap();
    assert_eq!(opaque.next, Some(Cursor::Page("p".into())));
    let last =
        read(r#"{"data":[],"first_id":null,"last_id":null,"has_more":false,"next_page":null}"#);
    assert_eq!(last.unwrap().next, None);
    assert!(read(r#"{"data":[],"has_more":true}"#).is_err(), "more to come and no cursor");
    assert!(read(r#"{"data":{}}"#).is_err());
}

#[test]
fn only_the_apis_own_envelope_counts() {
    assert_eq!(
        error_type(br#"{"type":"error","error":{"type":"not_found_error","message":"x"}}"#),
        Some(ErrorType::NotFound)
    );
    assert_eq!(
        error_type(br#"{"type":"error","request_id":"r","error":{"type":"new_error"}}"#),
        Some(ErrorType::Other)
    );
    assert_eq!(error_type(b"<html>not found</html>"), None);
    assert_eq!(error_type(br#"{"error":"not_found_error"}"#), None);
}
