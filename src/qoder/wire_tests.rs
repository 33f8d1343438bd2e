use super::*;
use crate::qoder::{Item, MAX_TEXT, page};

const ID: &str = "dep_019ec55a2b687b3f94eee77dd77e4b2a";

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

fn id() -> DeploymentId {
    DeploymentId::try_from(ID).unwrap()
}

fn nightly() -> Deployment {
    Deployment {
        status: RemoteStatus::Paused,
        paused_reason: Some(PausedReason { kind: "manual".into(), error: None }.into()),
        archived_at: None,
        name: Some("nightly".into()),
        schedule: Some(
            Schedule { expression: "30 9 * * 1-5".into(), timezone: Some("Asia/Shanghai".into()) }
                .into(),
        ),
    }
}

/// An answer in which this text stands in place of that. Bytes: it may be no UTF-8.
fn replaced(answer: &str, old: &str, new: &[u8]) -> Vec<u8> {
    let (before, after) = answer.split_once(old).unwrap();
    [before.as_bytes(), new, after.as_bytes()].concat()
}

/// What a GET and a page make of it, in both generations: all the same, or it panics. `None`: the
/// GET is invalid, and the page knows of whom.
fn read(old: &str, new: &[u8]) -> Option<Deployment> {
    let show = || format!("{old} -> {}", String::from_utf8_lossy(new));
    let read = [FIRST_GENERATION, SECOND_GENERATION].map(|answer| {
        let answer = replaced(answer, old, new);
        let got = match deployment(&answer, &id()) {
            Ok(got) => Some(got),
            Err(ApiError::Invalid(_)) => None,
            Err(other) => panic!("{other}"),
        };

        let other = br#"{"id":"dep_1","status":"active"}"#;
        let body = [b"{\"data\":[", &other[..], b",", &answer, b",", other, b"]}"].concat();
        let mut items =
            page::page(&body).unwrap_or_else(|error| panic!("{}: {error}", show())).items;
        assert_eq!(items.len(), 3, "{}: no entry is lost", show());
        let listed = items.remove(1);
        assert!(
            items
                .iter()
                .all(|item| matches!(item, Item::Deployment(id, _) if id.as_str() == "dep_1"))
        );
        match &got {
            Some(got) => assert_eq!(listed, Item::Deployment(id(), got.clone()), "{}", show()),
            None => assert_eq!(listed, Item::Invalid(id()), "{}", show()),
        }
        got
    });
    let [first, second] = read;
    assert_eq!(first, second, "{}", show());
    first
}

const STATUS: &str = r#""status":"paused""#;
const REASON: &str = r#""paused_reason":{"type":"manual"}"#;
const ARCHIVED: &str = r#""archived_at":null"#;
const NAME: &str = r#""name":"nightly""#;
const EXPRESSION: &str = r#""expression":"30 9 * * 1-5""#;
const TIMEZONE: &str = r#""timezone":"Asia/Shanghai""#;

#[test]
fn both_generations_read_the_same() {
    assert_eq!(read("}", b"}"), Some(nightly()));
}

#[test]
fn a_status_must_be_text_and_may_be_of_a_later_api() {
    let status = |json: &[u8]| read(STATUS, json).map(|found| found.status.as_str().to_owned());
    assert_eq!(status(br#""status":"active""#).unwrap(), "active");
    assert_eq!(status(br#""status" : "p\u0061used""#).unwrap(), "paused");
    assert_eq!(status(br#""status":"Paused""#).unwrap(), "Paused");
    assert_eq!(status(br#""status":"""#).unwrap(), "");
    for nonsense in [
        &br#""x":1"#[..],
        br#""status":null"#,
        br#""status":7"#,
        br#""status":["paused"]"#,
        br#""status":{"paused":true}"#,
        br#""status":"\ud83d""#,
        b"\"status\":\"pau\xffsed\"",
        br#""status":"paused","status":"active""#,
        br#""status":"paused","x":1,"status":"paused""#,
    ] {
        assert_eq!(status(nonsense), None, "{}", String::from_utf8_lossy(nonsense));
    }
}

#[test]
fn archived_at_is_a_time_or_nothing() {
    let archived = |json: &[u8]| read(ARCHIVED, json).map(|found| found.archived_at);
    for live in [&br#""archived_at":null"#[..], br#""archived_at":"""#, br#""x":1"#] {
        assert_eq!(archived(live), Some(None), "{}", String::from_utf8_lossy(live));
    }
    let time = "2026-06-14T08:58:01Z".parse::<Timestamp>().unwrap();
    for at in ["2026-06-14T08:58:01Z", "2026-06-14T16:58:01+08:00", "2026-06-14T08:58:01.000Z"] {
        let json = format!(r#""archived_at":"{at}""#);
        assert_eq!(archived(json.as_bytes()), Some(Some(time)), "{at}");
    }
    for nonsense in [
        &br#""archived_at":false"#[..],
        br#""archived_at":true"#,
        br#""archived_at":0"#,
        br#""archived_at":1781427481"#,
        br#""archived_at":{}"#,
        br#""archived_at":[]"#,
        br#""archived_at":" ""#,
        br#""archived_at":"soon""#,
        br#""archived_at":"null""#,
        br#""archived_at":"2026-06-14""#,
        br#""archived_at":"2026-06-14T08:58:01""#,
        br#""archived_at":"\ud83d""#,
        b"\"archived_at\":\"\xff\"",
        br#""archived_at":null,"archived_at":"2026-06-14T08:58:01Z""#,
        br#""archived_at":null,"archived_at":null"#,
    ] {
        assert_eq!(archived(nonsense), None, "{}", String::from_utf8_lossy(nonsense));
    }
}

#[test]
fn a_reason_that_cannot_be_read_is_a_reason_and_not_manual() {
    let reason = |json: &[u8]| read(REASON, json).unwrap().paused_reason;
    let is = |kind: &str, error: Option<&str>| {
        Some(PausedReason { kind: kind.into(), error: error.map(Into::into) }.into())
    };
    let unknown = is("", None);
    for (json, expected) in [
        (&br#""paused_reason":null"#[..], None),
        (br#""x":1"#, None),
        (br#""paused_reason":{"type":"manual","by":"\ud83d"}"#, is("manual", None)),
        (br#""paused_reason":{"type":"later"}"#, is("later", None)),
        (br#""paused_reason":{"type":"error","error":{"type":"e"}}"#, is("error", Some("e"))),
        (br#""paused_reason":{"type":"error","error":null}"#, is("error", None)),
        (br#""paused_reason":{"type":"error","error":"e"}"#, is("error", None)),
        (br#""paused_reason":{"type":"error","error":{"type":7}}"#, is("error", None)),
        (br#""paused_reason":{"type":"error","error":{}}"#, is("error", None)),
        (br#""paused_reason":{}"#, unknown.clone()),
        (br#""paused_reason":{"type":null}"#, unknown.clone()),
        (br#""paused_reason":{"type":["manual"]}"#, unknown.clone()),
        (br#""paused_reason":"manual""#, unknown.clone()),
        (br#""paused_reason":"""#, unknown.clone()),
        (br#""paused_reason":["manual"]"#, unknown.clone()),
        (br#""paused_reason":[{"type":"manual"}]"#, unknown.clone()),
        (br#""paused_reason":false"#, unknown.clone()),
        (br#""paused_reason":0"#, unknown.clone()),
        (br#""paused_reason":{"type":"error","type":"manual"}"#, unknown.clone()),
        (br#""paused_reason":null,"paused_reason":{"type":"manual"}"#, unknown),
        (b"\"paused_reason\":{\"type\":\"manual\xff\"}", is("manual\u{fffd}", None)),
    ] {
        assert_eq!(reason(json), expected, "{}", String::from_utf8_lossy(json));
    }
    let half = reason(br#""paused_reason":{"type":"\ud83dmanual"}"#).unwrap();
    assert_ne!(&*half.kind, "manual");
}

#[test]
fn a_name_is_shown_as_far_as_it_can_be_read() {
    for (json, name) in [
        (&br#""name":"\ud83d\ude00 \"n\"""#[..], Some("😀 \"n\"")),
        (br#""name":"a\ud83d""#, Some("a\u{fffd}\u{fffd}\u{fffd}")),
        (b"\"name\":\"a\xff\"", Some("a\u{fffd}")),
        (b"\"name\":\"\xf0\x9f\"", Some("\u{fffd}")),
        (br#""name":"""#, Some("")),
        (br#""name":null"#, None),
        (br#""name":7"#, None),
        (br#""name":1e999"#, None),
        (br#""name":{"a":"\ud83d"}"#, None),
        (br#""name":["\ud83d",[]]"#, None),
        (br#""name":"a","name":"b""#, None),
        (br#""x":1"#, None),
    ] {
        let expected = Deployment { name: name.map(Into::into), ..nightly() };
        assert_eq!(read(NAME, json), Some(expected), "{}", String::from_utf8_lossy(json));
    }
}

#[test]
fn a_schedule_is_shown_as_far_as_it_can_be_read() {
    let schedule = |old, new: &[u8]| read(old, new).unwrap().schedule.unwrap();
    for json in [
        &br#""expression":null"#[..],
        br#""expression":7"#,
        br#""expression":{}"#,
        br#""x":1"#,
        br#""expression":"1","expression":"2""#,
    ] {
        let found = schedule(EXPRESSION, json);
        assert_eq!((&*found.expression, found.timezone.as_deref()), ("", Some("Asia/Shanghai")));
    }
    assert_eq!(schedule(EXPRESSION, b"\"expression\":\"* \xff\"").expression, "* \u{fffd}".into());
    for json in [&br#""timezone":null"#[..], br#""timezone":8"#, br#""x":1"#] {
        let found = schedule(TIMEZONE, json);
        assert_eq!((&*found.expression, found.timezone.as_deref()), ("30 9 * * 1-5", None));
    }
    for json in ["null", "7", r#""30 9 * * 1-5""#, "[]", "false"] {
        // The whole object, in both generations: of the new text the old one is a field of no interest.
        let json = format!(r#""schedule":{json},"x":{{"#);
        let expected = Deployment { schedule: None, ..nightly() };
        assert_eq!(read(r#""schedule":{"#, json.as_bytes()), Some(expected), "{json}");
    }
}

#[test]
fn what_is_not_needed_cannot_make_an_answer_invalid() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let (deep_object, close) = (r#"{"a":"#.repeat(100_000), "}".repeat(100_000));
    for json in [
        br#""type":7"#.to_vec(),
        br#""type":null,"type":{}"#.to_vec(),
        br#""type":"\udc00""#.to_vec(),
        br#""\ud83d":0"#.to_vec(),
        b"\"\xff\":\"\xff\xfe\"".to_vec(),
        br#""x":-1e-999999999999"#.to_vec(),
        format!(r#""x":{deep}"#).into_bytes(),
        format!(r#""x":{deep_object}7{close}"#).into_bytes(),
    ] {
        assert_eq!(read(r#""type":"deployment""#, &json), Some(nightly()));
    }
    for json in [format!(r#""name":{deep}"#), format!(r#""name":{deep_object}7{close}"#)] {
        assert_eq!(read(NAME, json.as_bytes()), Some(Deployment { name: None, ..nightly() }));
    }
    let reason = format!(r#""paused_reason":{{"error":{deep}}}"#);
    assert_eq!(read(REASON, reason.as_bytes()).unwrap().paused_reason.unwrap().kind, "".into());
}

#[test]
fn an_answer_that_makes_no_sense_is_an_error_and_never_a_guess() {
    for (json, what) in [
        ("", "empty"),
        ("[]", "not an object"),
        (r#"{"id":"dep_019ec55a2b687b3f94eee77dd77e4b2a","status":"act"#, "cut short"),
        (r#"{"id":"dep_019ec55a2b687b3f94eee77dd77e4b2a","status":"active"}{}"#, "two answers"),
        (r#"{"id":"dep_other","status":"active"}"#, "another deployment"),
        (r#"{"id":"../x","status":"active"}"#, "no id"),
        (r#"{"id":7,"status":"active"}"#, "id of the wrong type"),
        (r#"{"status":"active"}"#, "without an id"),
        (
            r#"{"id":"dep_019ec55a2b687b3f94eee77dd77e4b2a","id":"dep_1","status":"active"}"#,
            "two ids",
        ),
    ] {
        assert!(matches!(deployment(json.as_bytes(), &id()), Err(ApiError::Invalid(_))), "{what}");
    }
}

#[test]
fn kept_text_is_bounded() {
    let long = "é".repeat(2 * MAX_TEXT);
    let bounded: Box<str> = "é".repeat(MAX_TEXT).into();
    let json = format!(
        r#"{{"id":"{ID}","status":"{long}","name":"{long}","paused_reason":{{"type":"{long}",
            "error":{{"type":"{long}"}}}},"schedule":{{"expression":"{long}","timezone":"{long}"}}}}"#
    );
    let found = deployment(json.as_bytes(), &id()).unwrap();
    let expected = Deployment {
        status: RemoteStatus::Other(bounded.clone()),
        paused_reason: Some(
            PausedReason { kind: bounded.clone(), error: Some(bounded.clone()) }.into(),
        ),
        archived_at: None,
        name: Some(bounded.clone()),
        schedule: Some(Schedule { expression: bounded.clone(), timezone: Some(bounded) }.into()),
    };
    assert_eq!(found, expected);
    assert_eq!(RemoteStatus::from(&*long), found.status);
}
