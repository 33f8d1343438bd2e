//! The deployment is archived, unknown, out of reach, or behind a wrong address.

use qoder_simulator::{Config, Fault, Operation, Quirks, Token};
use serde_json::json;
use testbed::Result;

use crate::story::{Story, TOKEN, condition, config};

#[tokio::test]
async fn an_archived_deployment_is_left_alone_whenever_it_was_archived() -> Result<()> {
    let story = Story::with("archived", 2).await?;
    // Before.
    story.simulator.archive(&story.id(0));
    story.apply("before", 0, Some(true)).await?;
    let stalled = story.until("before", "False", "RemoteArchived").await?;
    assert_eq!(condition(&stalled, "Stalled").unwrap().status, "True");
    assert!(stalled.status.unwrap().archived_time.is_some());
    // After.
    story.apply("after", 1, Some(true)).await?;
    story.until("after", "True", "InSync").await?;
    story.simulator.archive(&story.id(1));
    story.until("after", "False", "RemoteArchived").await?;
    story.until_warned("after", "RemoteArchived").await?;
    story.bed.set_paused("after", Some(false)).await?;
    story.until("after", "False", "RemoteArchived").await?;
    assert_eq!(story.writes(), ["pause 200"], "no write after it is known");
    Ok(())
}

#[tokio::test]
async fn archived_during_the_call_whatever_the_api_answers() -> Result<()> {
    for status in [409, 400, 404] {
        let quirks = Quirks { archived_verb_status: status, ..Quirks::default() };
        let config = Config { quirks, ..config(1) };
        let story = Story::of("archived-during", config).await?;
        // Our look still shows it alive.
        story.simulator.archive(&story.id(0));
        story.simulator.inject(Fault::stale().on(Operation::Get));
        story.apply("nightly", 0, Some(true)).await?;
        story.until("nightly", "False", "RemoteArchived").await?;
        assert_eq!(
            story.calls()[..3],
            ["get 200".to_owned(), format!("pause {status}"), "get 200".to_owned()]
        );
        assert_eq!(story.writes().len(), 1);
    }
    Ok(())
}

#[tokio::test]
async fn an_unknown_id_stalls_and_heals() -> Result<()> {
    let story = Story::with("unknown", 2).await?;
    let id = "dep_019f00000000700080000000000000ff";
    story.apply("other", 0, Some(false)).await?;
    story.apply("another", 1, Some(false)).await?;
    story.bed.apply("nightly", json!({ "deploymentID": id, "paused": true })).await?;
    let stalled = story.until("nightly", "False", "RemoteNotFound").await?;
    assert_eq!(condition(&stalled, "Stalled").unwrap().status, "True");
    assert_eq!(condition(&stalled, "Paused").unwrap().status, "Unknown");
    story.until_warned("nightly", "RemoteNotFound").await?;
    story.simulator.add(json!({ "id": id }))?;
    story.until("nightly", "True", "InSync").await?;
    assert_eq!(story.writes(), ["pause 200"]);

    // And a deployment that vanishes later is seen to vanish: absence from a list is a reason to
    // look, and only the look is an answer.
    story.simulator.delete(id);
    story.until("nightly", "False", "RemoteNotFound").await?;
    assert_eq!(story.writes(), ["pause 200"]);
    Ok(())
}

#[tokio::test]
async fn many_that_vanish_at_once_get_one_look_each() -> Result<()> {
    const FLEET: usize = 6;
    let story = Story::with("vanished", FLEET).await?;
    for n in 0..FLEET {
        story.apply(&format!("r{n}"), n, Some(false)).await?;
    }
    for n in 0..FLEET {
        story.until(&format!("r{n}"), "True", "InSync").await?;
    }
    story.simulator.clear_journal();
    for n in 0..FLEET - 1 {
        story.simulator.archive(&story.id(n));
    }
    for n in 0..FLEET - 1 {
        story.until(&format!("r{n}"), "False", "RemoteArchived").await?;
    }
    story.polls(3).await?;
    let gone: Vec<_> = (0..FLEET - 1).map(|n| Some(story.id(n))).collect();
    let journal = story.simulator.journal();
    let looks = journal.iter().filter(|entry| gone.contains(&entry.id)).count();
    assert_eq!(looks, FLEET - 1, "{:?}", story.calls());
    assert_eq!(story.writes(), [""; 0]);
    Ok(())
}

#[tokio::test]
async fn absence_from_a_list_is_not_absence() -> Result<()> {
    let story = Story::with("page-shift", 2).await?;
    story.apply("stays", 0, Some(true)).await?;
    story.apply("other", 1, Some(true)).await?;
    story.until("stays", "True", "InSync").await?;
    story.until("other", "True", "InSync").await?;
    let before = story.bed.get("stays").await?;
    story.simulator.inject(Fault::drop_item(story.id(0)).on(Operation::List).times(3));
    story.polls(4).await?;
    assert_eq!(story.bed.get("stays").await?.status, before.status);
    assert_eq!(story.writes(), ["pause 200"; 2]);
    Ok(())
}

#[tokio::test]
async fn a_404_that_is_not_the_apis_is_no_answer_and_comes_with_a_hint() -> Result<()> {
    let story = Story::with("wrong-url", 1).await?;
    story.simulator.inject(Fault::respond(404).html().always());
    story.apply("nightly", 0, Some(true)).await?;
    let unknown = story.until("nightly", "Unknown", "RemoteAnswerInvalid").await?;
    let reconciling = condition(&unknown, "Reconciling").unwrap();
    assert!(reconciling.message.contains("--base-url"), "{}", reconciling.message);
    story.simulator.clear_faults();
    story.until("nightly", "True", "InSync").await?;
    assert_eq!(story.writes(), ["pause 200"]);
    Ok(())
}

#[tokio::test]
async fn a_deployment_that_the_token_may_not_read_is_forbidden_and_the_others_go_on() -> Result<()>
{
    let story = Story::with("forbidden", 2).await?;
    story.simulator.accept_tokens([Token::new(TOKEN).forbid(story.id(0))]);
    story.apply("theirs", 0, Some(true)).await?;
    story.apply("ours", 1, Some(true)).await?;
    story.until("theirs", "False", "Forbidden").await?;
    story.until("ours", "True", "InSync").await?;
    assert_eq!(story.writes(), ["pause 200"]);
    Ok(())
}
