use super::*;

fn read(json: &str) -> Result<Page, ApiError> {
    page(json.as_bytes())
}

/// The ids of the entries that were told apart; in parentheses those that make no sense.
fn ids(body: &[u8]) -> Vec<String> {
    let items = page(body).unwrap_or_else(|error| panic!("{error}")).items;
    let show = |item| match item {
        Item::Deployment(id, _) => id.to_string(),
        Item::Invalid(id) => format!("({id})"),
    };
    items.into_iter().map(show).collect()
}

#[test]
fn an_entry_that_makes_no_sense_does_not_spoil_the_others() {
    let deep = "[".repeat(100_000) + &"]".repeat(100_000);
    let deep_status = format!(r#"{{"id":"dep_2","status":{deep}}}"#);
    for (entry, shown) in [
        (&br#"{"id":"dep_2","status":1}"#[..], Some("(dep_2)")),
        (br#"{"id":"dep_2"}"#, Some("(dep_2)")),
        (br#"{"id":"dep_2","status":"paused","status":"active"}"#, Some("(dep_2)")),
        (br#"{"id":"dep_2","status":"active","archived_at":"soon"}"#, Some("(dep_2)")),
        (b"{\"id\":\"dep_2\",\"status\":\"\xff\"}", Some("(dep_2)")),
        (deep_status.as_bytes(), Some("(dep_2)")),
        (b"{\"id\":\"dep_2\",\"status\":\"active\",\"name\":\"\xff\\ud83d\"}", Some("dep_2")),
        (b"{\"\\ud83d\":1,\"\xff\":2,\"id\":\"dep_2\",\"status\":\"active\"}", Some("dep_2")),
        (br#"{"id":"dep_2","id":"dep_2","status":"active"}"#, None),
        (b"{\"id\":\"dep_2\xff\",\"status\":\"active\"}", None),
        (br#"{"id":7,"status":"active"}"#, None),
        (br#"{"status":"active"}"#, None),
        (br"{}", None),
        (br"7", None),
        (br"null", None),
        (br#""dep_2""#, None),
        (br#""\ud83d""#, None),
        (b"\"\xff\"", None),
        (br#"["dep_2"]"#, None),
        (deep.as_bytes(), None),
    ] {
        let good = br#"{"id":"dep_1","status":"active"}"#;
        let body = [b"{\"data\":[", entry, b",", &good[..], b"]}"].concat();
        let expected: Vec<_> = shown.into_iter().chain(["dep_1"]).collect();
        assert_eq!(
            ids(&body),
            expected,
            "{}",
            String::from_utf8_lossy(&entry[..entry.len().min(80)])
        );
    }
}

#[test]
fn the_cursor_of_both_generations_is_preferred() {
    let next = |json: &str| read(json).unwrap_or_else(|error| panic!("{json}: {error}")).next;
    let after = |id: &str| Some(Cursor::AfterId(id.to_owned()));
    let opaque = Some(Cursor::Page("p".to_owned()));
    for (json, expected) in [
        (r#"{"data":[],"has_more":true,"last_id":"dep_9","next_page":"p"}"#, after("dep_9")),
        (r#"{"has_more":true,"last_id":"dep_9","data":[]}"#, after("dep_9")),
        (r#"{"data":[],"has_more":true,"last_id":"d\u0065p_9"}"#, after("dep_9")),
        (r#"{"data":[],"has_more":true,"last_id":null,"next_page":"p"}"#, opaque.clone()),
        (r#"{"data":[],"has_more":true,"last_id":"","next_page":"p"}"#, opaque.clone()),
        (r#"{"data":[],"has_more":true,"last_id":7,"next_page":"p"}"#, opaque.clone()),
        (r#"{"data":[],"has_more":true,"last_id":"\ud83d","next_page":"p"}"#, opaque.clone()),
        (r#"{"data":[],"has_more":true,"last_id":"a","last_id":"b","next_page":"p"}"#, opaque),
        (r#"{"data":[],"first_id":null,"last_id":null,"has_more":false,"next_page":null}"#, None),
        (r#"{"data":[],"has_more":false,"last_id":"dep_9","next_page":"p"}"#, None),
        (r#"{"data":[],"has_more":null,"last_id":7,"next_page":{}}"#, None),
        (r#"{"data":[],"first_id":7,"last_id":[],"next_page":"\ud83d","total":"\ud83d"}"#, None),
    ] {
        assert_eq!(next(json), expected, "{json}");
    }
    let cut = page(b"{\"data\":[],\"has_more\":true,\"last_id\":\"\xff\",\"next_page\":\"p\"}");
    assert_eq!(cut.unwrap().next, Some(Cursor::Page("p".to_owned())), "never half a cursor");
}

#[test]
fn a_page_that_cannot_be_followed_is_no_page() {
    let long = "x".repeat(MAX_CURSOR + 1);
    for json in [
        "",
        "[]",
        "null",
        r#"{"data":{}}"#,
        r#"{"data":null}"#,
        r#"{"data":"x"}"#,
        r#"{"has_more":false}"#,
        r#"{"data":[],"data":[]}"#,
        r#"{"data":[]}{}"#,
        r#"{"data":[{"id":"dep_1","status":"active"}"#,
        r#"{"data":[],"has_more":"true","last_id":"dep_9"}"#,
        r#"{"data":[],"has_more":1,"last_id":"dep_9"}"#,
        r#"{"data":[],"has_more":false,"has_more":true,"last_id":"dep_9"}"#,
        r#"{"data":[],"has_more":true}"#,
        r#"{"data":[],"has_more":true,"last_id":null,"next_page":""}"#,
        &format!(r#"{{"data":[],"has_more":true,"last_id":"{long}"}}"#),
    ] {
        assert!(matches!(read(json), Err(ApiError::Invalid(_))), "{json}");
    }
}

#[test]
fn a_page_has_no_more_entries_than_the_api_could_give() {
    let of = |count: usize| {
        let entries = vec![r#"{"id":"dep_1","status":"active"}"#; count].join(",");
        read(&format!(r#"{{"data":[{entries}]}}"#))
    };
    assert_eq!(of(MAX_ENTRIES).unwrap().items.len(), MAX_ENTRIES);
    assert!(of(MAX_ENTRIES + 1).is_err());
    let nonsense = vec!["7"; 10 * MAX_ENTRIES].join(",");
    assert!(read(&format!(r#"{{"data":[{nonsense}]}}"#)).unwrap().items.is_empty());
}

#[test]
fn entries_of_a_page_share_the_schedule_that_is_the_same() {
    let entry = |n, expression| {
        format!(
            r#"{{"id":"dep_{n}","status":"active","schedule":{{"expression":"{expression}"}}}}"#
        )
    };
    let entries = [entry(1, "0 9 * * *"), entry(2, "0 7 * * *"), entry(3, "0 9 * * *")].join(",");
    let page = read(&format!(r#"{{"data":[{entries}],"has_more":false}}"#)).unwrap();
    let schedules: Vec<_> = page
        .items
        .iter()
        .filter_map(|item| match item {
            Item::Deployment(_, found) => found.schedule.as_ref(),
            Item::Invalid(_) => None,
        })
        .collect();
    assert_eq!(&*schedules[1].expression, "0 7 * * *");
    assert!(Arc::ptr_eq(schedules[0], schedules[2]));
}
