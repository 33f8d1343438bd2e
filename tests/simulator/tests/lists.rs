//! Lists: order, filters, limits and both kinds of cursors, in both dialects.
#![allow(clippy::indexing_slicing, reason = "a missing field fails the test")]

mod common;

use bytes::Bytes;
use common::{Answer, Outcome, get, in_dialect, with_deployments};
use qoder_simulator::{Config, Dialect, Simulator};
use serde_json::{Value, json};

#[tokio::test]
async fn pages_follow_one_another_to_the_end_in_both_dialects() -> Outcome {
    for (dialect, cursor) in [
        (Dialect::D1, "after_id"),
        (Dialect::D1, "page"),
        (Dialect::D2, "after_id"),
        (Dialect::D2, "page"),
    ] {
        let simulator = in_dialect(dialect, 5).await?;
        let newest_first: Vec<_> = simulator.ids().into_iter().rev().collect();
        let mut seen = Vec::new();
        let mut path = "/deployments?limit=2".to_owned();
        loop {
            let page = get(&simulator, &path).await?;
            seen.extend(page.ids().into_iter().map(ToOwned::to_owned));
            assert_eq!(page.json["last_id"], json!(seen.last()));
            if page.json["has_more"] == false {
                assert_eq!(page.json["next_page"], Value::Null);
                break;
            }
            let next = page.json["next_page"].as_str().ok_or("no next page")?;
            path = format!("/deployments?limit=2&{cursor}={next}");
        }
        assert_eq!(seen, newest_first);
        assert_eq!(simulator.journal().len(), 3);
    }
    Ok(())
}

#[tokio::test]
async fn before_id_leads_back_to_the_newest() -> Outcome {
    let simulator = with_deployments(5).await?;
    let ids: Vec<_> = simulator.ids().into_iter().rev().collect();
    let page = get(&simulator, &format!("/deployments?limit=2&before_id={}", ids[3])).await?;
    assert_eq!((page.ids(), &page.json["has_more"]), (vec![&*ids[1], &*ids[2]], &json!(true)));
    let page = get(&simulator, &format!("/deployments?limit=2&before_id={}", ids[1])).await?;
    assert_eq!((page.ids(), &page.json["has_more"]), (vec![&*ids[0]], &json!(false)));
    Ok(())
}

#[tokio::test]
async fn a_cursor_that_names_nothing_is_named() -> Outcome {
    let simulator = in_dialect(Dialect::D2, 1).await?;
    for path in ["/deployments", "/deployment_runs"] {
        for param in ["page", "after_id", "before_id"] {
            let answer = get(&simulator, &format!("{path}?{param}=zzz")).await?;
            assert_eq!((answer.status, &answer.json["error"]["param"]), (400, &json!(param)));
        }
    }
    Ok(())
}

#[tokio::test]
async fn runs_are_filtered_by_their_time_with_and_without_the_ends() -> Outcome {
    let simulator = in_dialect(Dialect::D2, 1).await?;
    let path = format!("/deployments/{}/run", simulator.ids().concat());
    let run = common::post(&simulator, &path, json!({})).await?.json;
    let exact = simulator.settings();
    simulator.set_settings(qoder_simulator::Settings { dialect: Dialect::D1, ..exact })?;
    let time = get(&simulator, "/deployment_runs").await?.json["data"][0]["created_at"].clone();
    let time = time.as_str().ok_or("no time")?;
    assert!(run["id"].is_string());
    for (filter, count) in [("gte", 1), ("lte", 1), ("gt", 0), ("lt", 0)] {
        let runs =
            get(&simulator, &format!("/deployment_runs?created_at[{filter}]={time}")).await?;
        assert_eq!(runs.ids().len(), count, "{filter}");
    }
    for (filter, count) in [
        ("triggered_after", 0),
        ("triggered_before", 1),
        ("created_at[gt]", 0),
        ("created_at[lt]", 1),
    ] {
        let runs =
            get(&simulator, &format!("/deployment_runs?{filter}=2100-01-01T00:00:00Z")).await?;
        assert_eq!(runs.ids().len(), count, "{filter}");
    }
    let [past, future] = ["2000-01-01T00:00:00Z", "2100-01-01T00:00:00Z"];
    for (one, other) in [
        (("created_at[gte]", past), ("triggered_after", future)),
        (("created_at[gte]", future), ("triggered_after", past)),
        (("created_at[lte]", past), ("triggered_before", future)),
        (("created_at[lte]", future), ("triggered_before", past)),
    ] {
        let query = format!("{}={}&{}={}", one.0, one.1, other.0, other.1);
        assert_eq!(get(&simulator, &format!("/deployment_runs?{query}")).await?.ids(), [""; 0]);
    }
    Ok(())
}

#[tokio::test]
async fn a_stale_list_is_one_state_that_was() -> Outcome {
    let simulator = with_deployments(2).await?;
    let ids = simulator.ids();
    let seen = async |simulator: &Simulator| -> Result<_, Box<dyn std::error::Error>> {
        simulator.inject(qoder_simulator::Fault::stale());
        let page = get(simulator, "/deployments").await?.json;
        let statuses = page["data"].as_array().into_iter().flatten();
        Ok(statuses.map(|item| (item["id"].clone(), item["status"].clone())).collect::<Vec<_>>())
    };
    let [old, new] = [&ids[0], &ids[1]].map(|id| json!(id));
    let [active, paused] = ["active", "paused"].map(|status| json!(status));
    assert_eq!(
        seen(&simulator).await?,
        [(new.clone(), active.clone()), (old.clone(), active.clone())]
    );
    common::verb(&simulator, &ids[0], "pause").await?;
    assert_eq!(
        seen(&simulator).await?,
        [(new.clone(), active.clone()), (old.clone(), active.clone())]
    );
    common::post(&simulator, "/deployments", common::minimal("late")).await?;
    assert_eq!(
        seen(&simulator).await?,
        [(new.clone(), active.clone()), (old.clone(), paused.clone())]
    );
    Ok(())
}

#[tokio::test]
async fn an_empty_page_has_no_ids() -> Outcome {
    let simulator = with_deployments(0).await?;
    let page = get(&simulator, "/deployments").await?;
    let empty = json!({"data": [], "first_id": null, "last_id": null, "has_more": false, "next_page": null});
    assert_eq!(page.json, empty);
    Ok(())
}

#[tokio::test]
async fn limits_have_the_bounds_of_the_dialect() -> Outcome {
    for (dialect, limit, status) in [
        (Dialect::D1, "1000", 200),
        (Dialect::D1, "1001", 400),
        (Dialect::D2, "100", 200),
        (Dialect::D2, "101", 400),
        (Dialect::D2, "0", 400),
        (Dialect::D2, "many", 400),
    ] {
        let simulator = in_dialect(dialect, 21).await?;
        let page = get(&simulator, &format!("/deployments?limit={limit}")).await?;
        assert_eq!(page.status, status, "{dialect:?} {limit}");
        assert_eq!(get(&simulator, "/deployments").await?.ids().len(), 20);
    }
    Ok(())
}

#[tokio::test]
async fn several_cursors_exclude_each_other_in_d2_only() -> Outcome {
    for (dialect, status) in [(Dialect::D1, 200), (Dialect::D2, 400)] {
        let simulator = in_dialect(dialect, 3).await?;
        let id = &simulator.ids()[1];
        let page = get(&simulator, &format!("/deployments?after_id={id}&before_id={id}")).await?;
        assert_eq!(page.status, status, "{dialect:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_cursor_that_names_nothing_is_refused() -> Outcome {
    let simulator = with_deployments(1).await?;
    let page = get(&simulator, "/deployments?after_id=dep_unknown").await?;
    assert_eq!((page.status, page.error_type()), (400, "invalid_request_error"));
    Ok(())
}

/// Three deployments: an active one, a paused one with another agent, an archived one.
async fn three(dialect: Dialect) -> Result<Simulator, Box<dyn std::error::Error>> {
    let simulator = in_dialect(dialect, 0).await?;
    simulator.add(json!({"id": "dep_a", "created_at": "2026-06-01T00:00:00Z", "name": "Alpha", "metadata": {"team": "core"}}))?;
    simulator.add(json!({"id": "dep_p", "created_at": "2026-06-02T00:00:00Z", "status": "paused", "agent": {"id": "agent_2"}}))?;
    simulator.add(json!({"id": "dep_x", "created_at": "2026-06-03T00:00:00Z", "archived_at": "2026-06-04T00:00:00Z"}))?;
    Ok(simulator)
}

#[tokio::test]
async fn filters_select() -> Outcome {
    for (query, ids) in [
        ("", vec!["dep_p", "dep_a"]),
        ("include_archived=true", vec!["dep_x", "dep_p", "dep_a"]),
        ("include_archived=false", vec!["dep_p", "dep_a"]),
        ("status=active", vec!["dep_a"]),
        ("status=paused", vec!["dep_p"]),
        ("status=active&include_archived=true", vec!["dep_x", "dep_a"]),
        ("agent_id=agent_2", vec!["dep_p"]),
        ("agent_id=agent_3", vec![]),
        ("created_at[gte]=2026-06-02T00:00:00Z", vec!["dep_p"]),
        ("created_at%5Blte%5D=2026-06-01T08:00:00%2B08:00", vec!["dep_a"]),
        ("created_at[gte]=2026-06-02T08:00:01%2B08:00", vec![]),
    ] {
        let simulator = three(Dialect::D2).await?;
        let page = get(&simulator, &format!("/deployments?{query}")).await?;
        assert_eq!(page.ids(), ids, "{query}");
    }
    for query in ["status=archived", "include_archived=1", "created_at[gte]=yesterday"] {
        let simulator = three(Dialect::D2).await?;
        let page = get(&simulator, &format!("/deployments?{query}")).await?;
        assert_eq!(page.status, 400, "{query}");
    }
    Ok(())
}

#[tokio::test]
async fn d1_has_no_filter_by_time() -> Outcome {
    let simulator = three(Dialect::D1).await?;
    let page = get(&simulator, "/deployments?created_at[gte]=2030-01-01T00:00:00Z").await?;
    assert_eq!(page.ids(), ["dep_p", "dep_a"]);
    Ok(())
}

async fn search(
    simulator: &Simulator,
    beta: Option<&str>,
    filter: Value,
) -> Result<Answer, Box<dyn std::error::Error>> {
    let mut request = common::request("POST", "/deployments/search");
    if let Some(beta) = beta {
        request = request.header("x-qoder-beta", beta);
    }
    let request = request.body(Bytes::from(filter.to_string()))?;
    Ok(simulator.handle(request).await?.into())
}

#[tokio::test]
async fn search_needs_its_header_and_counts() -> Outcome {
    let simulator = three(Dialect::D2).await?;
    assert_eq!(search(&simulator, None, json!({})).await?.status, 400);
    let mut in_lines = common::request("POST", "/deployments/search").body(Bytes::new())?;
    for beta in ["other", "search-2026-08-31"] {
        in_lines.headers_mut().append("x-qoder-beta", beta.parse()?);
    }
    assert_eq!(simulator.handle(in_lines).await?.status(), 200);
    let beta = Some("other, search-2026-08-31");
    let found =
        search(&simulator, beta, json!({"metadata": {"team": "core"}, "name": "aLPH"})).await?;
    assert_eq!((found.ids(), &found.json["total"]), (vec!["dep_a"], &json!(1)));
    let first = search(&simulator, beta, json!({"limit": 1, "include_archived": true})).await?;
    assert_eq!((first.ids(), &first.json["total"]), (vec!["dep_x"], &json!(3)));
    let page = first.json["next_page"].clone();
    let second = search(&simulator, beta, json!({"limit": 1, "page": page})).await?;
    assert_eq!((second.ids(), second.json.get("total")), (vec!["dep_p"], Some(&Value::Null)));
    assert_eq!(search(&simulator, beta, json!({"color": "red"})).await?.status, 400);
    assert!(simulator.journal().iter().all(|entry| !entry.effect));
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn more_than_ten_searches_at_once_are_refused() -> Outcome {
    let config = Config { latency: std::time::Duration::from_secs(1), ..Config::default() };
    let simulator = Simulator::start(config).await?;
    let mut searches = tokio::task::JoinSet::new();
    for _ in 0..11 {
        let simulator = simulator.clone();
        searches.spawn(async move {
            let answer = search(&simulator, Some("search-2026-08-31"), json!({})).await;
            answer.map_or(0, |answer| answer.status)
        });
    }
    let mut statuses = searches.join_all().await;
    statuses.sort_unstable();
    assert_eq!(statuses, [vec![200; 10], vec![429]].concat());
    Ok(())
}

#[tokio::test]
async fn seeds_that_cannot_be_used_are_refused_with_a_reason() -> Outcome {
    let simulator = with_deployments(0).await?;
    simulator.add(json!({"id": "dep_1"}))?;
    for (seed, reason) in [
        (json!("dep_2"), "JSON object"),
        (json!({"id": "dep_1"}), "another deployment"),
        (json!({"id": "depl_2"}), "dep_"),
        (json!({"paused": true}), "\"paused\" is not a field"),
        (json!({"status": "Paused"}), "active or paused"),
        (json!({"name": null}), "name must not be null"),
        (json!({"created_at": "today"}), "created_at"),
        (json!({"schedule": {"expression": "0 0"}}), "schedule"),
        (json!({"schedule": "daily"}), "schedule must be an object"),
    ] {
        let refused = simulator.add(seed.clone()).err().ok_or("accepted")?;
        assert!(refused.to_string().contains(reason), "{seed}: {refused}");
    }
    let by_error = simulator
        .add(json!({"paused_reason": {"type": "error", "error": {"type": "unknown_error"}}}))?;
    assert_eq!(simulator.deployment(&by_error).unwrap_or_default()["status"], "paused");
    Ok(())
}

#[tokio::test]
async fn ten_thousand_deployments_are_listed_page_by_page() -> Outcome {
    let simulator = with_deployments(10_000).await?;
    let oldest = simulator.ids()[0].clone();
    simulator.set_paused(&oldest, true);
    let paused = get(&simulator, "/deployments?limit=1000&status=paused").await?;
    assert_eq!(paused.ids(), [oldest.as_str()]);
    let (mut seen, mut cursor) = (std::collections::HashSet::new(), String::new());
    for _ in 0..10 {
        let page = get(&simulator, &format!("/deployments?limit=1000{cursor}")).await?;
        seen.extend(page.ids().into_iter().map(ToOwned::to_owned));
        cursor = format!("&after_id={}", page.json["last_id"].as_str().unwrap_or_default());
    }
    assert_eq!(seen.len(), 10_000);
    Ok(())
}
