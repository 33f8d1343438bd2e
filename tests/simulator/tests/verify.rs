//! Verification: whether a client's calls are those that were expected.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use bytes::Bytes;
use common::{Answer, Outcome, ask, get, request, sim, verb};
use qoder_simulator::{Config, Simulator};
use serde_json::{Value, json};

/// Two deployments, and these calls: list, pause of both, pause of the first again.
async fn after_some_calls() -> Result<Simulator, Box<dyn std::error::Error>> {
    let deployments = vec![json!({"id": "dep_1"}), json!({"id": "dep_2"})];
    let config = Config { deployments, journal: 100, ..Config::default() };
    let simulator = Simulator::start(config).await?;
    get(&simulator, "/deployments").await?;
    for id in ["dep_1", "dep_2", "dep_1"] {
        verb(&simulator, id, "pause").await?;
    }
    Ok(simulator)
}

async fn verify(
    simulator: &Simulator,
    expected: Value,
) -> Result<Answer, Box<dyn std::error::Error>> {
    sim(simulator, "POST", "verify", expected).await
}

#[tokio::test]
async fn calls_are_compared_in_any_order_or_as_given_exactly_or_at_least() -> Outcome {
    let simulator = after_some_calls().await?;
    let list = json!({"operation": "list"});
    let pause = json!({"operation": "pause"});
    let first = json!({"operation": "pause", "id": "dep_1"});
    let second = json!({"operation": "pause", "id": "dep_2"});
    let refused = json!({"operation": "pause", "status": 409});
    let given = json!("as_given");
    for (expected, status) in [
        (json!({"calls": [first, first, second, list]}), 200),
        (json!({"calls": [{}, {}, {}, {}]}), 200),
        (json!({"calls": [{}, {}, {}]}), 422),
        (json!({"calls": [{}, {}, {}, {}, {}], "amount": "at_least"}), 422),
        (json!({"calls": [first, second, list]}), 422),
        (json!({"calls": [first, second, list], "amount": "at_least"}), 200),
        (json!({"calls": [], "amount": "at_least"}), 200),
        (json!({"calls": []}), 422),
        (json!({"calls": [], "only": ["archive"]}), 200),
        (json!({"calls": [pause, pause, pause], "only": ["pause"]}), 200),
        (json!({"calls": [refused], "since": 3}), 200),
        (json!({"calls": [list, first, second, refused], "order": given}), 200),
        (json!({"calls": [list, second, first, first], "order": given}), 422),
        (json!({"calls": [second, refused], "order": given, "amount": "at_least"}), 200),
        (json!({"calls": [refused, second], "order": given, "amount": "at_least"}), 422),
        (json!({"calls": [{"effect": true}, {"effect": true}], "amount": "at_least"}), 200),
        (json!({"calls": [{"finished": false}], "amount": "at_least"}), 422),
        // The broad ones must leave to the narrow ones what those need.
        (json!({"calls": [pause, {"id": "dep_1"}, {"status": 409}, list]}), 200),
        (json!({"calls": [{}, {}, {"effect": true}, {"effect": true}]}), 200),
    ] {
        let answer = verify(&simulator, expected.clone()).await?;
        assert_eq!(answer.status, status, "{expected}: {}", answer.error());
    }
    Ok(())
}

#[tokio::test]
async fn a_difference_is_readable() -> Outcome {
    let simulator = after_some_calls().await?;
    let unpause = json!({"operation": "unpause", "id": "dep_2", "status": 200, "effect": true});
    let calls = json!([unpause, {"operation": "pause", "id": "dep_1"}, {"id": "dep_3"}]);
    let exactly = verify(&simulator, json!({"calls": calls, "only": ["pause", "unpause"]})).await?;
    let expected = "\
the calls are not those that were expected:
- unpause dep_2 200 with effect
- any operation dep_3
  pause dep_1 200 with effect (entry 2)
+ pause dep_2 200 with effect (entry 3)
+ pause dep_1 409 without effect (entry 4)
";
    assert_eq!(exactly.error(), expected);
    let at_least =
        json!({"calls": [{"operation": "list", "finished": false}], "amount": "at_least"});
    let at_least = verify(&simulator, at_least).await?;
    let expected = "\
the calls are not those that were expected:
- list unfinished
  list 200 without effect (entry 1)
  pause dep_1 200 with effect (entry 2)
  pause dep_2 200 with effect (entry 3)
  pause dep_1 409 without effect (entry 4)
";
    assert_eq!((at_least.status, at_least.error()), (422, expected));
    Ok(())
}

#[tokio::test]
async fn many_calls_of_one_kind_are_no_trouble() -> Outcome {
    let config = Config { journal: 1000, ..Config::default() };
    let simulator = Simulator::start(config).await?;
    for _ in 0..1000 {
        simulator.handle(request("GET", "/deployments").body(Bytes::new())?).await?;
    }
    let mut calls = vec![json!({"operation": "list"}); 1000];
    assert_eq!(verify(&simulator, json!({"calls": calls})).await?.status, 200);
    calls.extend(calls.clone());
    let refused = verify(&simulator, json!({"calls": calls})).await?;
    assert_eq!(refused.error().lines().filter(|line| line.starts_with("- list")).count(), 1000);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_verified_is_refused() -> Outcome {
    let simulator = after_some_calls().await?;
    for (expected, reason) in [
        (json!({"calls": [{"operaton": "list"}]}), "operaton"),
        (json!({"calls": [{"operation": "puase"}]}), "puase"),
        (json!({"calls": [], "ordr": "any"}), "ordr"),
        (json!({"calls": [], "order": "backwards"}), "backwards"),
        (json!({"only": ["list"]}), "calls"),
    ] {
        let refused = verify(&simulator, expected).await?;
        let told = refused.error().contains(reason) && refused.error().contains("like {\"calls\"");
        assert!(refused.status == 400 && told, "{}", refused.error());
    }
    assert!(ask(&simulator, "POST", "verify").await?.error().contains("a body is needed"));
    for _ in 0..97 {
        get(&simulator, "/deployments").await?;
    }
    let dropped = verify(&simulator, json!({"calls": [], "amount": "at_least"})).await?;
    assert_eq!(dropped.status, 409, "what is no longer there cannot be verified");
    assert!(dropped.error().contains("--journal"), "{}", dropped.error());
    let since = verify(&simulator, json!({"calls": [], "amount": "at_least", "since": 1})).await?;
    assert_eq!(since.status, 200);
    Ok(())
}
