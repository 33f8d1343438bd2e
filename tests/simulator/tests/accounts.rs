//! Accounts: many tests at one simulator, of which none sees another.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use std::error::Error;

use bytes::Bytes;
use common::{Answer, Outcome, ask, request, sim};
use qoder_simulator::{Config, Fault, Simulator};
use serde_json::{Value, json};

/// The main account, and one of the name `other`; both have a `dep_1`.
async fn two_accounts() -> Result<Simulator, Box<dyn Error>> {
    let deployments = vec![json!({"id": "dep_1"})];
    let simulator = Simulator::start(Config { deployments, ..Config::default() }).await?;
    let other = json!({"name": "other", "token": "pt-other", "deployments": [{"id": "dep_1"}]});
    let added = sim(&simulator, "POST", "accounts", other).await?;
    assert_eq!((added.status, added.json), (200, json!({"name": "other"})));
    Ok(simulator)
}

/// A request to the API with one token or another.
async fn call(
    simulator: &Simulator,
    token: &str,
    method: &str,
    path: &str,
) -> Result<Answer, Box<dyn Error>> {
    let mut request = request(method, path).body(Bytes::new())?;
    request.headers_mut().insert("authorization", format!("Bearer {token}").parse()?);
    Ok(simulator.handle(request).await?.into())
}

#[tokio::test(start_paused = true)]
async fn an_account_sees_nothing_of_another() -> Outcome {
    let simulator = two_accounts().await?;
    assert_eq!(ask(&simulator, "GET", "accounts").await?.json, json!({"names": ["other"]}));

    let paused = call(&simulator, "pt-other", "POST", "/deployments/dep_1/pause").await?;
    assert_eq!(paused.json["status"], "paused");
    assert_eq!(simulator.deployment("dep_1").unwrap_or_default()["status"], "active");
    let seen = ask(&simulator, "GET", "accounts/other/deployments/dep_1").await?.json;
    assert_eq!(seen["status"], "paused");
    assert_eq!(simulator.journal(), []);
    let journal = ask(&simulator, "GET", "accounts/other/journal?count=1").await?.json;
    assert_eq!(
        (&journal[0]["operation"], &journal[0]["authorized"]),
        (&json!("pause"), &json!(true))
    );

    simulator.inject(Fault::respond(503).always());
    let fault = json!({"times": null, "action": {"respond": {"status": 502}}});
    let handle = sim(&simulator, "POST", "accounts/other/faults", fault).await?.json;
    assert_eq!(handle, json!({"id": 1}));
    assert_eq!(call(&simulator, "pt-simulator", "GET", "/deployments").await?.status, 503);
    assert_eq!(call(&simulator, "pt-other", "GET", "/deployments").await?.status, 502);
    ask(&simulator, "DELETE", "accounts/other/faults/1").await?;
    assert_eq!(call(&simulator, "pt-other", "GET", "/deployments").await?.status, 200);
    simulator.clear_faults();

    sim(&simulator, "PATCH", "accounts/other/settings", json!({"reads_per_second": 1})).await?;
    assert_eq!(simulator.settings().reads_per_second, 0);
    for status in [200, 429] {
        assert_eq!(call(&simulator, "pt-other", "GET", "/deployments").await?.status, status);
        assert_eq!(call(&simulator, "pt-simulator", "GET", "/deployments").await?.status, 200);
    }

    sim(&simulator, "POST", "accounts/other/clock", json!({"held": true})).await?;
    assert_eq!(ask(&simulator, "GET", "clock").await?.json["held"], false);
    let verified = sim(&simulator, "POST", "accounts/other/verify", json!({"calls": []})).await?;
    assert_eq!(verified.status, 422);

    simulator.set_paused("dep_1", true);
    ask(&simulator, "POST", "accounts/other/reset").await?;
    let seen = ask(&simulator, "GET", "accounts/other/deployments/dep_1").await?.json;
    assert_eq!(seen["status"], "active");
    assert_eq!(simulator.deployment("dep_1").unwrap_or_default()["status"], "paused");
    Ok(())
}

#[tokio::test]
async fn who_has_no_known_token_is_in_the_main_account() -> Outcome {
    let simulator = two_accounts().await?;
    assert_eq!(call(&simulator, "pt-unknown", "GET", "/deployments").await?.status, 401);
    assert_eq!(simulator.journal().len(), 1);
    Ok(())
}

#[tokio::test]
async fn a_token_is_of_one_account() -> Outcome {
    let simulator = two_accounts().await?;
    let taken = async |method: &str, path: &str, body: Value| -> Outcome {
        let refused = sim(&simulator, method, path, body).await?;
        let error = refused.error();
        assert!(refused.status == 400 && error.contains("another account"), "{path}: {error}");
        Ok(())
    };
    for token in ["pt-simulator", "pt-other"] {
        taken("POST", "accounts", json!({"name": "third", "token": token})).await?;
    }
    taken("PUT", "tokens", json!([{"token": "pt-main"}, {"token": "pt-other"}])).await?;
    taken("PUT", "accounts/other/tokens", json!([{"token": "pt-simulator"}])).await?;
    assert_eq!(call(&simulator, "pt-simulator", "GET", "/deployments").await?.status, 200);
    // A token that was replaced comes back with a reset.
    let replaced = sim(&simulator, "PUT", "tokens", json!([{"token": "pt-new"}])).await?;
    assert_eq!(replaced.status, 200);
    taken("POST", "accounts", json!({"name": "third", "token": "pt-simulator"})).await?;
    taken("PUT", "accounts/other/tokens", json!([{"token": "pt-new"}])).await?;
    let own = json!([{"token": "pt-other", "read_only": true}]);
    assert_eq!(sim(&simulator, "PUT", "accounts/other/tokens", own).await?.status, 200);
    assert_eq!(call(&simulator, "pt-other", "POST", "/deployments/dep_1/run").await?.status, 403);

    let accounts = vec![("other".to_owned(), "pt-simulator".to_owned())];
    let twice = Simulator::start(Config { accounts, ..Config::default() }).await;
    assert!(twice.is_err_and(|error| error.to_string().contains("another account")));
    Ok(())
}

#[tokio::test]
async fn an_account_can_be_dropped_while_its_requests_hang() -> Outcome {
    let simulator = two_accounts().await?;
    let fault = json!({"action": "hang_before"});
    sim(&simulator, "POST", "accounts/other/faults", fault).await?;
    let own = simulator.clone();
    let hanging = tokio::spawn(async move {
        call(&own, "pt-other", "POST", "/deployments/dep_1/pause").await.is_ok()
    });
    let arrived = ask(&simulator, "GET", "accounts/other/journal?count=1").await?.json;
    assert_eq!(arrived[0]["finished"], false);
    assert_eq!(ask(&simulator, "DELETE", "accounts/other").await?.status, 200);
    assert_eq!(ask(&simulator, "GET", "accounts").await?.json, json!({"names": []}));
    assert_eq!(call(&simulator, "pt-other", "GET", "/deployments").await?.status, 401);
    assert!(!hanging.is_finished());
    hanging.abort();
    // Its name and its token are free.
    let again = json!({"name": "other", "token": "pt-other"});
    assert_eq!(sim(&simulator, "POST", "accounts", again).await?.status, 200);
    assert_eq!(call(&simulator, "pt-other", "GET", "/deployments").await?.ids(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_an_account_is_refused() -> Outcome {
    let simulator = two_accounts().await?;
    for (method, path, body, status, reason) in [
        (
            "POST",
            "accounts",
            json!({"name": "other", "token": "pt-3"}),
            400,
            "there is an account other",
        ),
        ("POST", "accounts", json!({"name": "a/b", "token": "pt-3"}), 400, "letters, digits"),
        ("POST", "accounts", json!({"name": "", "token": "pt-3"}), 400, "letters, digits"),
        // Clients take them for steps in a path.
        ("POST", "accounts", json!({"name": ".", "token": "pt-3"}), 400, "letters, digits"),
        ("POST", "accounts", json!({"name": "..", "token": "pt-3"}), 400, "letters, digits"),
        ("POST", "accounts", json!({"name": "third", "token": "two words"}), 400, "visible ASCII"),
        ("POST", "accounts", json!({"name": "third"}), 400, "token"),
        ("POST", "accounts", json!({"name": "third", "token": "pt-3", "tokn": 1}), 400, "tokn"),
        (
            "POST",
            "accounts",
            json!({"name": "third", "token": "pt-3", "deployments": [{"staus": 1}]}),
            400,
            "staus",
        ),
        ("DELETE", "accounts/third", json!({}), 404, "no account third"),
        ("GET", "accounts/third/journal", json!({}), 404, "no account third"),
        ("POST", "accounts/other/faults", json!({"connection": "reset"}), 400, "POST /_sim/faults"),
    ] {
        let refused = sim(&simulator, method, path, body).await?;
        let told = refused.error().contains(reason);
        assert!(refused.status == status && told, "{method} {path}: {}", refused.error());
    }
    assert_eq!(ask(&simulator, "GET", "accounts").await?.json, json!({"names": ["other"]}));
    Ok(())
}

#[tokio::test]
async fn a_token_that_was_revoked_is_refused_in_its_own_account() -> Outcome {
    let simulator = two_accounts().await?;
    let rotated = sim(&simulator, "PUT", "accounts/other/tokens", json!([{"token": "pt-new"}]));
    assert_eq!(rotated.await?.status, 200);
    for (token, status) in [("pt-other", 401), ("pt-new", 200)] {
        let answer = call(&simulator, token, "GET", "/deployments/dep_1").await?;
        assert_eq!(answer.status, status, "{token}");
    }
    let calls = json!({"calls": [{"operation": "get", "status": 401}, {"operation": "get", "status": 200}], "order": "as_given"});
    let verified = sim(&simulator, "POST", "accounts/other/verify", calls).await?;
    assert_eq!(verified.status, 200, "{}", verified.error());
    assert_eq!(simulator.journal(), []);

    // It is accepted anew where it is given, also to another account.
    sim(&simulator, "PUT", "tokens", json!([{"token": "pt-simulator"}])).await?;
    let third = json!({"name": "third", "token": "pt-third"});
    assert_eq!(sim(&simulator, "POST", "accounts", third).await?.status, 200);
    for name in ["other", "third"] {
        let taken = json!([{"token": "pt-revoked"}]);
        sim(&simulator, "PUT", &format!("accounts/{name}/tokens"), taken).await?;
        sim(&simulator, "PUT", &format!("accounts/{name}/tokens"), json!([])).await?;
    }
    let again = json!([{"token": "pt-revoked"}]);
    assert_eq!(sim(&simulator, "PUT", "accounts/third/tokens", again).await?.status, 200);
    assert_eq!(call(&simulator, "pt-revoked", "GET", "/deployments").await?.status, 200);
    Ok(())
}
