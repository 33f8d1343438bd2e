//! Faults with handles: counted, taken back and released, what they match, sequences, chance, several at once.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use std::error::Error;
use std::time::Duration;

use bytes::Bytes;
use common::{Outcome, arrived, ask, get, in_dialect, post, request, sim, soon, verb};
use qoder_simulator::{
    Action, Config, ConnectionCut, ConnectionFault, Dialect, Fault, Operation, Simulator,
};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

async fn dep_1() -> std::io::Result<Simulator> {
    let deployments = vec![json!({"id": "dep_1"})];
    Simulator::start(Config { deployments, ..Config::default() }).await
}

/// Sets a fault over HTTP, and gives its handle.
async fn set(simulator: &Simulator, fault: Value) -> Result<String, Box<dyn Error>> {
    let answer = sim(simulator, "POST", "faults", fault).await?;
    assert_eq!(answer.status, 200, "{}", answer.error());
    Ok(answer.json["id"].to_string())
}

#[tokio::test]
async fn a_fault_is_counted_and_read_by_its_handle_also_when_it_is_spent() -> Outcome {
    let simulator = dep_1().await?;
    let fault =
        json!({"operation": "list", "times": 2, "skip": 1, "action": {"respond": {"status": 503}}});
    let id = set(&simulator, fault).await?;
    let handle = format!("faults/{id}");
    for (status, hits, spent, waiting) in
        [(200, 0, false, 1), (503, 1, false, 1), (503, 2, true, 0), (200, 2, true, 0)]
    {
        assert_eq!(get(&simulator, "/deployments").await?.status, status);
        let seen = ask(&simulator, "GET", &handle).await?.json;
        assert_eq!((&seen["hits"], &seen["spent"]), (&json!(hits), &json!(spent)));
        let all = ask(&simulator, "GET", "faults").await?.json;
        assert_eq!(all.as_array().map(Vec::len), Some(waiting));
    }
    let met: Vec<_> = simulator.journal().iter().map(|entry| entry.fault).collect();
    assert_eq!(met, [None, Some(1), Some(1), None]);
    let seen = ask(&simulator, "DELETE", &handle).await?.json;
    assert_eq!(
        (&seen["hits"], &seen["fault"]["action"]["respond"]["status"]),
        (&json!(2), &json!(503))
    );
    assert_eq!(ask(&simulator, "GET", &handle).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn a_fault_of_one_deployment_has_its_handle_too() -> Outcome {
    let simulator = dep_1().await?;
    let given = json!({"operation": "pause", "id": "dep_1", "action": "reset_after"});
    let handle = format!("faults/{}", set(&simulator, given).await?);
    let seen = ask(&simulator, "GET", "faults").await?.json;
    let fault = json!({
        "operation": "pause", "id": "dep_1", "action": "reset_after", "times": 1, "skip": 0, "seed": 0,
    });
    assert_eq!(seen, json!([{"id": 1, "hits": 0, "spent": false, "fault": fault}]));
    assert_eq!(ask(&simulator, "GET", &handle).await?.json, seen[0]);
    Ok(())
}

#[tokio::test]
async fn one_fault_is_taken_back_and_the_others_stay() -> Outcome {
    let simulator = dep_1().await?;
    let first = set(&simulator, json!({"action": {"respond": {"status": 502}}})).await?;
    let second = set(&simulator, json!({"action": {"respond": {"status": 503}}})).await?;
    assert_ne!(first, second);
    let taken = ask(&simulator, "DELETE", &format!("faults/{first}")).await?.json;
    assert_eq!((&taken["id"], &taken["hits"]), (&json!(1), &json!(0)));
    assert_eq!(get(&simulator, "/deployments").await?.status, 503);
    for (method, path, status, reason) in [
        ("GET", "faults/9", 404, "no fault 9"),
        ("DELETE", "faults/1", 404, "no fault 1"),
        ("POST", "faults/9/release", 404, "no fault 9"),
        ("GET", "faults/first", 400, "is a number"),
    ] {
        let refused = ask(&simulator, method, path).await?;
        let told = refused.error().contains(reason);
        assert!(refused.status == status && told, "{path}: {}", refused.error());
    }
    Ok(())
}

#[tokio::test]
async fn spent_faults_are_kept_for_a_while_only() -> Outcome {
    let simulator = dep_1().await?;
    for _ in 0..150 {
        set(&simulator, json!({"action": {"respond": {"status": 503}}})).await?;
        get(&simulator, "/deployments").await?;
    }
    for (id, status) in [(1, 404), (49, 404), (51, 200), (150, 200)] {
        assert_eq!(ask(&simulator, "GET", &format!("faults/{id}")).await?.status, status, "{id}");
    }
    Ok(())
}

#[tokio::test]
async fn what_hangs_is_released() -> Outcome {
    for (action, effect_before) in [("hang_before", false), ("hang_after", true)] {
        let simulator = dep_1().await?;
        let id = set(&simulator, json!({"action": action})).await?;
        let own = simulator.clone();
        let hanging = tokio::spawn(async move {
            verb(&own, "dep_1", "pause").await.map_err(|error| error.to_string())
        });
        arrived(&simulator, 1).await?;
        assert_eq!(simulator.journal()[0].effect, effect_before, "{action}");
        assert!(!hanging.is_finished());
        assert_eq!(ask(&simulator, "POST", &format!("faults/{id}/release")).await?.status, 200);
        assert_eq!(soon(hanging).await???.json["status"], "paused", "{action}");
        let entry = simulator.journal().swap_remove(0);
        assert_eq!((entry.status, entry.effect, entry.finished), (Some(200), true, true));
    }
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn what_is_released_before_it_hangs_does_not_hang() -> Outcome {
    for action in ["hang_before", "hang_after"] {
        let config = Config { latency: Duration::from_secs(1), ..Config::with_deployments(1) };
        let simulator = Simulator::start(config).await?;
        let id = set(&simulator, json!({"action": action})).await?;
        let own = simulator.clone();
        let late = tokio::spawn(async move {
            get(&own, "/deployments").await.map_err(|error| error.to_string())
        });
        arrived(&simulator, 1).await?;
        assert_eq!(ask(&simulator, "POST", &format!("faults/{id}/release")).await?.status, 200);
        assert_eq!(soon(late).await???.status, 200, "{action}");
    }
    Ok(())
}

#[tokio::test]
async fn of_the_faults_that_are_spent_the_last_hundred_can_be_read() -> Outcome {
    let simulator = dep_1().await?;
    for _ in 0..150 {
        set(&simulator, json!({"action": "ok"})).await?;
    }
    for _ in 0..149 {
        get(&simulator, "/deployments").await?;
    }
    for (id, status) in [(1, 404), (49, 404), (50, 200), (149, 200), (150, 200)] {
        assert_eq!(ask(&simulator, "GET", &format!("faults/{id}")).await?.status, status, "{id}");
    }
    Ok(())
}

/// What a fault matches; method, path, headers and body of a request; whether it meets the fault.
type Case = (
    Value,
    &'static str,
    &'static str,
    &'static [(&'static str, &'static str)],
    &'static str,
    bool,
);

#[tokio::test]
async fn a_fault_finds_its_token_headers_query_and_body() -> Outcome {
    let simulator = dep_1().await?;
    let send = async |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        let mut request = request(method, path).body(Bytes::from(body.to_owned()))?;
        for (name, value) in headers {
            request.headers_mut().insert(http::HeaderName::try_from(*name)?, value.parse()?);
        }
        Ok::<_, Box<dyn Error>>(simulator.handle(request).await?.status().as_u16())
    };
    let list = "/deployments";
    let search = "/deployments/search";
    let cases: [Case; 15] = [
        (json!({"token": "pt-simulator"}), "GET", list, &[], "", true),
        (json!({"token": "pt-other"}), "GET", list, &[], "", false),
        (
            json!({"token": "pt-other"}),
            "GET",
            list,
            &[("authorization", "Bearer pt-other")],
            "",
            true,
        ),
        (
            json!({"headers": {"User-Agent": "a/1"}}),
            "GET",
            list,
            &[("user-agent", "a/1")],
            "",
            true,
        ),
        (
            json!({"headers": {"user-agent": "a/1"}}),
            "GET",
            list,
            &[("user-agent", "a/12")],
            "",
            false,
        ),
        (json!({"headers": {"x-a": "1", "x-b": "2"}}), "GET", list, &[("x-a", "1")], "", false),
        (
            json!({"query": {"status": "active"}}),
            "GET",
            "/deployments?status=active&limit=1",
            &[],
            "",
            true,
        ),
        (
            json!({"query": {"status": "active"}}),
            "GET",
            "/deployments?status=paused",
            &[],
            "",
            false,
        ),
        (json!({"query": {"name": "a b"}}), "GET", "/deployments?name=a%20b", &[], "", true),
        (json!({"query": {"name": "a b"}}), "GET", list, &[], "", false),
        (
            json!({"body": {"a": {"b": 1}}}),
            "POST",
            search,
            &[],
            r#"{"a": {"b": 1, "c": 2}, "d": 3}"#,
            true,
        ),
        (json!({"body": {"a": {"b": 1}}}), "POST", search, &[], r#"{"a": {"b": 2}}"#, false),
        (json!({"body": {}}), "POST", search, &[], "no JSON", false),
        (json!({"operation": "get", "id": "dep_1"}), "GET", "/deployments/dep_1", &[], "", true),
        (json!({"operation": "get", "id": "dep_1"}), "GET", "/deployments/dep_2", &[], "", false),
    ];
    for (part, method, path, headers, body, meets) in cases {
        let mut fault = json!({"action": {"respond": {"status": 418}}});
        let fields = fault.as_object_mut().ok_or("no object")?;
        fields.extend(part.as_object().cloned().unwrap_or_default());
        simulator.clear_faults();
        set(&simulator, fault).await?;
        let met = send(method, path, headers, body).await? == 418;
        assert_eq!(met, meets, "{part} {method} {path} {headers:?} {body}");
    }
    Ok(())
}

#[tokio::test]
async fn a_sequence_goes_through_its_steps_as_often_as_it_is_told() -> Outcome {
    let simulator = dep_1().await?;
    let steps = json!([{"respond": {"status": 503}}, "ok", {"respond": {"status": 429}}]);
    for (times, expected) in [
        (json!(1), [503, 200, 429, 200, 200, 200, 200]),
        (json!(2), [503, 200, 429, 503, 200, 429, 200]),
        (Value::Null, [503, 200, 429, 503, 200, 429, 503]),
    ] {
        simulator.clear_faults();
        let id = set(&simulator, json!({"operation": "list", "times": times, "sequence": steps}))
            .await?;
        let mut statuses = [0; 7];
        for status in &mut statuses {
            *status = get(&simulator, "/deployments").await?.status;
        }
        assert_eq!(statuses, expected, "{times}");
        let hits = ask(&simulator, "GET", &format!("faults/{id}")).await?.json["hits"].clone();
        assert_eq!(hits, times.as_u64().map_or(7, |times| times * 3), "each step is a hit");
    }
    let rust = dep_1().await?;
    rust.inject(Fault::sequence([Action::Ok, Action::ResetBefore]).on(Operation::Get));
    assert_eq!(get(&rust, "/deployments/dep_1").await?.status, 200);
    let cut = rust.handle(request("GET", "/deployments/dep_1").body(Bytes::new())?).await;
    assert_eq!(cut.err(), Some(ConnectionCut::Reset));
    Ok(())
}

#[tokio::test]
async fn chance_is_the_same_with_the_same_seed() -> Outcome {
    let choices = async |seed: u64| {
        let simulator = dep_1().await?;
        let action = json!({"respond": {"status": 503}});
        let fault = json!({"times": null, "probability": 0.5, "seed": seed, "action": action});
        let id = set(&simulator, fault).await?;
        let mut statuses = Vec::new();
        for _ in 0..64 {
            statuses.push(get(&simulator, "/deployments").await?.status);
        }
        let hits = ask(&simulator, "GET", &format!("faults/{id}")).await?.json["hits"].clone();
        assert_eq!(hits, statuses.iter().filter(|status| **status == 503).count());
        Ok::<_, Box<dyn Error>>(statuses)
    };
    let first = choices(7).await?;
    assert_eq!(first, choices(7).await?);
    assert_ne!(first, choices(8).await?);
    Ok(())
}

#[tokio::test]
async fn what_chance_lets_pass_is_taken_by_the_next_fault() -> Outcome {
    let simulator = dep_1().await?;
    simulator.inject(Fault::respond(502).always().chance(0.0, 1));
    simulator.inject(Fault::respond(503));
    assert_eq!(get(&simulator, "/deployments").await?.status, 503);
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn several_things_go_wrong_at_once_in_the_documented_order() -> Outcome {
    let simulator = dep_1().await?;
    let second = Duration::from_secs(1);
    let pause = async || {
        let request = request("POST", "/deployments/dep_1/pause").body(Bytes::new())?;
        Ok::<_, Box<dyn Error>>(timeout(second * 60, simulator.handle(request)).await)
    };

    // Late, then instead of the effect, then cut: whatever the order in which it is given.
    let start = Instant::now();
    set(
        &simulator,
        json!({"action": ["truncate", {"respond": {"status": 503}}, {"delay_ms": 1000}]}),
    )
    .await?;
    assert_eq!(pause().await??.err(), Some(ConnectionCut::Body));
    assert_eq!((start.elapsed(), simulator.journal()[0].status), (second, Some(503)));
    assert!(!simulator.journal()[0].effect);

    // Of two of one kind the first counts.
    let start = Instant::now();
    let twice = json!([{"delay_ms": 1000}, {"delay_ms": 5000}, {"respond": {"status": 503}}, "reset_before"]);
    set(&simulator, json!({"action": twice})).await?;
    assert_eq!(
        (pause().await??.map(|answer| answer.status().as_u16()), start.elapsed()),
        (Ok(503), second)
    );

    // Late even without its client, and then the connection is reset.
    set(&simulator, json!({"action": ["reset_after", {"zombie_ms": 1000}]})).await?;
    assert_eq!(pause().await??.err(), Some(ConnectionCut::Reset));
    assert_eq!(simulator.deployment("dep_1").unwrap_or_default()["status"], "paused");

    // A stale page is merged with, then loses an item, then has one twice.
    simulator.add(json!({"id": "dep_2"}))?;
    let data = json!([{"id": "dep_7"}, {"id": "dep_8"}, {"id": "dep_9"}]);
    let page = json!([{"duplicate_item": "dep_9"}, {"drop_item": "dep_7"}, "stale", {"merge": {"data": data}}]);
    set(&simulator, json!({"operation": "list", "action": page})).await?;
    let seen = get(&simulator, "/deployments").await?;
    assert_eq!(
        (seen.ids(), &seen.json["first_id"]),
        (vec!["dep_8", "dep_9", "dep_9"], &json!("dep_1"))
    );

    // Empty is empty, and an empty answer may hang.
    set(&simulator, json!({"action": ["hang_after", "empty", {"merge": {"status": 7}}]})).await?;
    assert!(pause().await?.is_err());
    simulator.inject(Fault::empty().and(Action::Merge(json!({"status": 7}))));
    assert_eq!(get(&simulator, "/deployments/dep_1").await?.text, "");
    Ok(())
}

#[tokio::test]
async fn what_can_never_happen_is_refused() -> Outcome {
    let simulator = dep_1().await?;
    let ok = json!("reset_before");
    for (fault, reason) in [
        (json!({}), "one of action, sequence and connection"),
        (json!({"action": []}), "no action at all"),
        (json!({"action": ok, "sequence": []}), "a sequence of no steps"),
        (json!({"sequence": [ok, []]}), "no action at all"),
        (json!({"action": ok, "sequence": [ok]}), "one of action, sequence and connection"),
        (json!({"action": ok, "connection": "reset"}), "one of action, sequence and connection"),
        (
            json!({"action": ok, "operation": "list", "id": "dep_1"}),
            "list has no deployment in its path",
        ),
        (json!({"action": ok, "probability": 1.5}), "0 to 1"),
        (json!({"action": ok, "headers": {"two words": "x"}}), "two words"),
        (json!({"action": ok, "headers": {"x-a": "line\nbreak"}}), "header x-a"),
        (json!({"action": ok, "hedaers": {}}), "hedaers"),
        (json!({"action": [ok, "stale"], "operation": "pause"}), "only with get, list, search"),
        (json!({"sequence": [ok, {"drop_item": "dep_1"}], "operation": "get"}), "only with list"),
        (json!({"sequence": [ok, {"respond": {"status": 100}}]}), "100"),
        (json!({"action": {"respond": {"status": 503}, "delay_ms": 5}}), "single key"),
        (json!({"action": ["hang_after", {"zombie_ms": 5}]}), "cannot hang"),
        (json!({"connection": {"bytes_per_second": 0}}), "1 or more"),
        (json!({"connection": "reset", "operation": "list"}), "only times and skip"),
        (json!({"connection": "reset", "probability": 0.5}), "only times and skip"),
        (json!({"connection": "explode"}), "explode"),
    ] {
        let refused = sim(&simulator, "POST", "faults", fault.clone()).await?;
        assert!(
            refused.status == 400 && refused.error().contains(reason),
            "{fault}: {}",
            refused.error()
        );
    }
    assert_eq!(ask(&simulator, "GET", "faults").await?.json, json!([]));
    let connection = Fault::connection(ConnectionFault::Reset);
    assert_eq!(connection.clone().times(3).skip(1).check(), Ok(()));
    assert!(connection.on(Operation::List).check().is_err());
    Ok(())
}

#[tokio::test]
async fn a_fault_of_connections_takes_no_request() -> Outcome {
    let simulator = dep_1().await?;
    set(&simulator, json!({"connection": "reset"})).await?;
    assert_eq!(post(&simulator, "/deployments/dep_1/pause", json!({})).await?.status, 200);
    assert_eq!(ask(&simulator, "GET", "faults/1").await?.json["hits"], 0);
    Ok(())
}

#[tokio::test]
async fn an_answer_is_written_as_one_would_write_it() -> Outcome {
    let simulator = dep_1().await?;
    for headers in [json!({"retry-after": "3"}), json!([["retry-after", "3"]])] {
        let respond = json!({"status": 503, "headers": headers, "body": {"busy": true}});
        set(&simulator, json!({"action": {"respond": respond}})).await?;
        let answer = get(&simulator, "/deployments/dep_1").await?;
        assert_eq!((answer.status, &answer.json), (503, &json!({"busy": true})));
        assert_eq!(answer.headers["retry-after"], "3");
        assert_eq!(answer.headers["content-type"], "application/json");
    }
    let respond = json!({"status": 503, "headers": {"retry-after": 3}});
    let refused =
        sim(&simulator, "POST", "faults", json!({"action": {"respond": respond}})).await?;
    assert_eq!(refused.status, 400);
    assert!(
        refused.error().contains(r#"headers must be like {"retry-after": "3"}"#),
        "{}",
        refused.error()
    );
    Ok(())
}

#[tokio::test]
async fn the_request_id_of_a_gateway_stays() -> Outcome {
    let simulator = dep_1().await?;
    simulator.inject(Fault::respond(503).header("x-request-id", "gateway-1"));
    let answer = get(&simulator, "/deployments").await?;
    let ids: Vec<_> = answer.headers.get_all("x-request-id").iter().collect();
    assert_eq!(ids, ["gateway-1"]);
    Ok(())
}

#[tokio::test]
async fn pages_go_wrong_behind_each_kind_of_cursor() -> Outcome {
    let simulator = in_dialect(Dialect::D2, 3).await?;
    let ids = simulator.ids();
    for cursor in ["after_id", "page"] {
        let path = format!("/deployments?limit=1&{cursor}={}", ids[1]);
        simulator.inject(Fault::new(Action::CursorLoop));
        let page = get(&simulator, &path).await?;
        assert_eq!((page.ids(), &page.json["next_page"]), (vec![&*ids[0]], &json!(ids[1])));
        simulator.inject(Fault::new(Action::EndlessPages));
        assert_eq!(get(&simulator, &path).await?.ids(), [&*ids[2]], "{cursor}");
    }
    Ok(())
}

#[tokio::test]
async fn a_header_is_found_in_any_of_its_lines() -> Outcome {
    let simulator = dep_1().await?;
    set(&simulator, json!({"headers": {"accept": "b"}, "action": {"respond": {"status": 418}}}))
        .await?;
    let list = request("GET", "/deployments").header("accept", "a").header("accept", "b");
    assert_eq!(simulator.handle(list.body(Bytes::new())?).await?.status(), 418);
    Ok(())
}
