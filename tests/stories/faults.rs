//! Things go wrong on the way to the API and in it: no wrong status, nothing fought, converged
//! after, and the next resource is not affected.

use std::time::Duration;

use qoder_operator::api::QoderDeployment;
use qoder_simulator::{Config, Dialect, Entry, Fault, Operation};
use serde_json::json;
use testbed::{Bed, Result};

use crate::story::{Story, TOKEN, condition, config, remote, start, untrusted};

#[tokio::test]
async fn a_retry_after_is_honoured_in_both_forms() -> Result<()> {
    let story = Story::with("retry-after", 1).await?;
    story.apply("nightly", 0, Some(true)).await?;
    story.until("nightly", "True", "InSync").await?;
    for paused in [false, true] {
        story.simulator.clear_journal();
        let value = if paused { http_date_in(8) } else { "1".to_owned() };
        let operation = if paused { Operation::Pause } else { Operation::Unpause };
        story.simulator.inject(Fault::respond(429).header("retry-after", value).on(operation));
        story.bed.set_paused("nightly", Some(paused)).await?;
        story.until("nightly", "True", "InSync").await?;
        let journal = story.simulator.journal();
        let refused = journal.iter().position(|entry| entry.status == Some(429)).unwrap();
        // Of the eight seconds of the date, one is lost to whole seconds and some pass before the
        // call.
        let waited = journal[refused + 1].at.saturating_sub(journal[refused].at);
        let least = Duration::from_millis(if paused { 3_000 } else { 900 });
        assert!(waited >= least, "{waited:?}: {:?}", story.calls());
        assert_eq!(story.writes().len(), 2);
    }
    // One for each flip, one that says what the longer wait is for, and maybe one more when the last look is four
    // polls old.
    let writes = story.bed.status_writes("nightly").await?;
    assert!((4..=5).contains(&writes), "{writes}");
    Ok(())
}

fn http_date_in(seconds: i64) -> String {
    let at =
        k8s_openapi::jiff::Timestamp::now() + k8s_openapi::jiff::SignedDuration::from_secs(seconds);
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

#[tokio::test]
async fn an_outage_turns_nothing_red_before_the_grace_and_everything_is_well_after() -> Result<()> {
    let story = Story::with("outage", 2).await?;
    for (n, name) in ["one", "two"].into_iter().enumerate() {
        story.apply(name, n, Some(true)).await?;
        story.until(name, "True", "InSync").await?;
    }
    let before = story.bed.get("one").await?;
    story.simulator.inject(Fault::respond(503).html().always());
    story.polls(2).await?;
    assert_eq!(story.bed.get("one").await?.status, before.status, "within the grace");
    story.until("one", "Unknown", "RemoteUnavailable").await?;
    let unknown = story.until("two", "Unknown", "RemoteUnavailable").await?;
    assert_eq!(remote(&unknown), (Some("paused"), Some("manual")), "what was seen last");
    assert_eq!(condition(&unknown, "Paused").unwrap().status, "True");

    // A wish of now is not acted upon before the remote is seen again.
    story.bed.set_paused("one", Some(false)).await?;
    story.until("one", "Unknown", "RemoteUnavailable").await?;
    assert_eq!(story.writes(), ["pause 200"; 2]);
    story.simulator.clear_faults();
    story.until("one", "True", "InSync").await?;
    story.until("two", "True", "InSync").await?;
    assert_eq!(story.writes(), ["pause 200", "pause 200", "unpause 200"]);
    Ok(())
}

#[tokio::test]
async fn a_lost_pause_that_lands_late_is_not_reported_as_gone_before_it_can_land_no_more()
-> Result<()> {
    let story = Story::with("zombie", 1).await?;
    story.apply("nightly", 0, Some(false)).await?;
    story.until("nightly", "True", "InSync").await?;
    // The pause is given up after 1 s and takes effect after 2 s; meanwhile the user wants it
    // active again.
    story.simulator.inject(Fault::zombie(Duration::from_secs(2)).on(Operation::Pause));
    story.bed.set_paused("nightly", Some(true)).await?;
    let is_sent =
        |entries: &[Entry]| entries.iter().any(|entry| entry.operation == Operation::Pause);
    story.until_calls("the pause", is_sent).await?;
    let flipped = story.bed.set_paused("nightly", Some(false)).await?;
    let settled = story.until("nightly", "True", "InSync").await?;
    assert_eq!(settled.metadata.generation, flipped.metadata.generation);
    assert_eq!(remote(&settled), (Some("active"), None));
    assert_eq!(story.simulator.deployment(&story.id(0)).unwrap()["status"], "active");
    assert_eq!(story.writes(), ["pause -", "unpause 200"], "the late pause was seen and undone");
    Ok(())
}

/// Whether a part of an answer arrived, and then the end.
fn half_arrived(story: &Story) -> bool {
    let log = story.operator.log();
    let mut ends = log.split("it ended after ").skip(1);
    ends.any(|end| !end.starts_with("0 bytes"))
}

/// Each way in which a read can go wrong, what the status then says, and of which page.
fn faults_of_a_read() -> Vec<(&'static str, Fault, &'static str, &'static str)> {
    vec![
        ("truncated", Fault::truncate(), "Unknown", "RemoteUnavailable"),
        ("empty", Fault::empty(), "Unknown", "RemoteAnswerInvalid"),
        ("wrong-types", Fault::merge(json!({ "status": 7 })), "Unknown", "RemoteAnswerInvalid"),
        (
            "another-id",
            Fault::merge(json!({ "id": "dep_another" })),
            "Unknown",
            "RemoteAnswerInvalid",
        ),
        ("oversized", Fault::oversized(2 << 20), "Unknown", "RemoteAnswerInvalid"),
        ("endless", Fault::endless(), "Unknown", "RemoteAnswerInvalid"),
        ("dripping", Fault::drip(Duration::from_millis(100)), "Unknown", "RemoteUnavailable"),
        (
            "a-later-status",
            Fault::merge(json!({ "status": "snoozed" })),
            "False",
            "UnknownRemoteStatus",
        ),
    ]
}

#[tokio::test]
async fn a_bad_answer_has_a_clear_reason_and_heals() -> Result<()> {
    for (name, fault, status, reason) in faults_of_a_read() {
        let story = Story::with(name, 1).await?;
        story.simulator.inject(fault.on(Operation::Get).always());
        story.apply("nightly", 0, Some(true)).await?;
        story.until("nightly", status, reason).await?;
        story.simulator.clear_faults();
        story.until("nightly", "True", "InSync").await?;
        assert_eq!(story.writes(), ["pause 200"], "{name}");
        assert_eq!(name == "truncated", half_arrived(&story), "{name}");
        let memory = story.operator.rss_kib()?;
        assert!(memory < 64 << 10, "{name}: bounded memory, not {memory} KiB");
    }
    Ok(())
}

#[tokio::test]
async fn one_bad_item_in_a_list_does_not_spoil_the_others() -> Result<()> {
    let story = Story::with("bad-item", 3).await?;
    for n in 0..3 {
        story.apply(&format!("r{n}"), n, Some(true)).await?;
    }
    for n in 0..3 {
        story.until(&format!("r{n}"), "True", "InSync").await?;
    }
    let before = story.bed.get("r1").await?;
    story.simulator.patch(&story.id(0), json!({ "status": { "nested": true } }));
    story.until("r0", "Unknown", "RemoteAnswerInvalid").await?;
    story.simulator.set_paused(&story.id(2), false);
    story
        .until_calls("a correction", |entries| {
            entries.iter().filter(|entry| entry.effect).count() == 4
        })
        .await?;
    assert_eq!(story.bed.get("r1").await?.status, before.status);
    Ok(())
}

#[tokio::test]
async fn a_list_without_an_end_is_no_answer() -> Result<()> {
    for (fault, is_half) in [
        (Fault::cursor_loop(), false),
        (Fault::truncate(), true),
        (Fault::respond(200).body("[]"), false),
    ] {
        let story = Story::with("endless-list", 2).await?;
        story.simulator.inject(fault.on(Operation::List).always());
        story.apply("one", 0, Some(true)).await?;
        story.apply("two", 1, Some(true)).await?;
        let is_told = |object: &QoderDeployment| {
            condition(object, "Ready")
                .is_some_and(|ready| ready.status == "Unknown" || ready.reason == "InSync")
        };
        story.bed.wait_until("one", "told", is_told).await?;
        story.simulator.clear_faults();
        story.until("one", "True", "InSync").await?;
        story.until("two", "True", "InSync").await?;
        assert_eq!(story.writes(), ["pause 200"; 2]);
        assert_eq!(half_arrived(&story), is_half);
    }
    Ok(())
}

#[tokio::test]
async fn both_generations_of_the_api_are_spoken() -> Result<()> {
    for dialect in [Dialect::D1, Dialect::D2] {
        // More than a page of either generation's safe size.
        let config = Config { dialect, ..config(130) };
        let story = Story::of("dialect", config).await?;
        // The oldest are on the last page.
        for (n, name) in ["one", "two", "three"].into_iter().enumerate() {
            story.apply(name, n, Some(true)).await?;
        }
        for name in ["one", "two", "three"] {
            story.until(name, "True", "InSync").await?;
        }
        story.simulator.set_paused(&story.id(0), false);
        story
            .until_calls("a correction", |entries| {
                entries.iter().filter(|entry| entry.effect).count() == 4
            })
            .await?;
        assert_eq!(story.writes(), ["pause 200"; 4]);
    }
    Ok(())
}

#[tokio::test]
async fn over_tls_only_a_trusted_server_gets_the_token() -> Result<()> {
    let bed = Bed::new("tls").await?;
    let (simulator, certificate) = untrusted(&bed).await?;

    let operator = start(&bed, &simulator).await?;
    let mut story = Story { operator, simulator, bed };
    story.apply("nightly", 0, Some(true)).await?;
    story.until("nightly", "Unknown", "RemoteUnavailable").await?;
    assert_eq!(story.calls(), [""; 0], "no request to a server that nobody vouches for");

    // By file, and as the chart does: by folders, of which another one has the public authorities.
    let folder = story.bed.folder().join("authorities");
    std::fs::create_dir(&folder)?;
    std::fs::copy(&certificate, folder.join("ca.crt"))?;
    let folders = format!("/etc/ssl/certs:{}", folder.display());
    for (variable, value, paused, write) in [
        ("SSL_CERT_FILE", certificate.to_string_lossy().as_ref(), true, "pause 200"),
        ("SSL_CERT_DIR", &folders, false, "unpause 200"),
    ] {
        story.operator.terminate().await?;
        let trusting = story.bed.operator().base_url(&story.simulator.base_url()).token(TOKEN);
        story.operator = trusting.env(variable, value).start().await?;
        story.apply("nightly", 0, Some(paused)).await?;
        story.until("nightly", "True", "InSync").await?;
        assert_eq!(story.writes().last().map(String::as_str), Some(write), "{variable}");
    }
    Ok(())
}
