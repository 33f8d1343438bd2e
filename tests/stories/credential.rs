//! The token: rejected, replaced, of too few rights.

use futures::future::try_join_all;
use qoder_simulator::{Simulator, Token};
use serde_json::json;
use testbed::{Bed, Result};

use crate::story::{Story, TOKEN, condition, config, is};

#[tokio::test]
async fn a_rejected_token_costs_few_probes_and_a_new_one_heals_all_without_a_restart() -> Result<()>
{
    const FLEET: usize = 10;
    let story = Story::with("rejected", FLEET).await?;
    for n in 0..FLEET {
        story.apply(&format!("r{n}"), n, Some(true)).await?;
    }
    for n in 0..FLEET {
        story.until(&format!("r{n}"), "True", "InSync").await?;
    }
    story.simulator.accept_tokens([Token::new("pt-the-next-fake")]);
    story.simulator.clear_journal();
    for n in 0..FLEET {
        let stalled = story.until(&format!("r{n}"), "False", "CredentialRejected").await?;
        assert_eq!(condition(&stalled, "Paused").unwrap().status, "True", "what was seen last");
    }
    let calls = story.calls();
    assert!(calls.iter().all(|call| call.ends_with("401")), "{calls:?}");
    assert!(calls.len() <= 4, "one for the account, and probes after 1, 2 and 4 s: {calls:?}");
    story.until_warned("r0", "CredentialRejected").await?;

    story.bed.write_token("pt-the-next-fake\n")?;
    for n in 0..FLEET {
        story.until(&format!("r{n}"), "True", "InSync").await?;
    }
    assert_eq!(story.writes(), [""; 0], "nothing had to be done");
    Ok(())
}

#[tokio::test]
async fn without_a_token_nothing_is_sent_and_every_resource_says_so() -> Result<()> {
    let story = Story::with("missing", 1).await?;
    story.apply("nightly", 0, Some(true)).await?;
    story.until("nightly", "True", "InSync").await?;
    story.bed.write_token("")?;
    story.until("nightly", "False", "CredentialMissing").await?;
    story.simulator.clear_journal();
    story.bed.set_paused("nightly", Some(false)).await?;
    story.until("nightly", "False", "CredentialMissing").await?;
    assert_eq!(story.calls(), [""; 0]);

    story.bed.write_token(TOKEN)?;
    story.until("nightly", "True", "InSync").await?;
    assert_eq!(story.writes(), ["unpause 200"]);
    Ok(())
}

#[tokio::test]
async fn a_token_that_may_only_read_is_refused_once_and_not_in_a_loop() -> Result<()> {
    let story = Story::with("read-only", 1).await?;
    story.simulator.accept_tokens([Token::new(TOKEN).read_only()]);
    story.apply("nightly", 0, Some(true)).await?;
    story.until("nightly", "False", "WriteRefused").await?;
    story.polls(4).await?;
    assert_eq!(story.writes(), ["pause 403"]);

    // Reads go on: someone who may pauses it.
    story.simulator.set_paused(&story.id(0), true);
    story.until("nightly", "True", "InSync").await?;

    // A new generation is tried at once.
    story.simulator.accept_tokens([Token::new(TOKEN)]);
    story.bed.set_paused("nightly", Some(false)).await?;
    story.until("nightly", "True", "InSync").await?;
    assert_eq!(story.writes(), ["pause 403", "unpause 200"]);
    Ok(())
}

/// What may be in the file of the token, by name; and whether it is one.
fn contents() -> Vec<(&'static str, Option<Vec<u8>>, bool)> {
    let with = |after: &str| Some(format!("{TOKEN}{after}").into_bytes());
    vec![
        ("no-file", None, false),
        ("empty", Some(Vec::new()), false),
        ("newline-only", Some(b"\n".to_vec()), false),
        ("trailing-newline", with("\n"), true),
        ("two-newlines", with("\n\n"), false),
        ("inner-newline", with("\npt-fake"), false),
        ("not-ascii", with("\u{fc}"), false),
        ("not-text", Some(vec![0xff, 0xfe, 0]), false),
        ("one-mebibyte", Some(vec![b'a'; 1 << 20]), false),
    ]
}

/// What is no token is never sent, and told; and the file is read again and again until it is one.
async fn begins_with(name: &str, content: Option<Vec<u8>>, is_token: bool) -> Result<()> {
    let simulator = Simulator::start(config(1)).await?;
    let bed = Bed::new(name).await?;
    if let Some(content) = content {
        std::fs::write(bed.token_file(), content)?;
    }
    let operator = bed.operator().base_url(&simulator.base_url());
    let operator = operator.flag("token-file", &bed.token_file().to_string_lossy()).spawn()?;
    let story = Story { operator, simulator, bed };
    story.bed.apply("nightly", json!({ "deploymentID": story.id(0), "paused": true })).await?;
    if !is_token {
        story.until("nightly", "False", "CredentialMissing").await?;
        assert_eq!(story.calls(), [""; 0], "{name}");
        story.bed.write_token(TOKEN)?;
    }
    story.until("nightly", "True", "InSync").await?;
    assert_eq!(story.writes(), ["pause 200"], "{name}");
    let statuses = story.bed.status_writes("nightly").await?;
    // One more where it takes longer than three seconds from the token to the pause.
    let least = if is_token { 1 } else { 2 };
    assert!((least..=least + 1).contains(&statuses), "{name}: {statuses}");

    // It is deleted, and comes back.
    if name == "trailing-newline" {
        std::fs::remove_file(story.bed.token_file())?;
        story.until("nightly", "False", "CredentialMissing").await?;
        story.bed.write_token(TOKEN)?;
        story.bed.wait_until("nightly", "in sync", |object| is(object, "True", "InSync")).await?;
        assert_eq!(story.writes(), ["pause 200"], "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn whatever_is_in_the_file_of_the_token_only_a_token_is_sent() -> Result<()> {
    // They mostly wait for the next look at the file.
    let contents = contents().into_iter();
    let stories = contents.map(|(name, content, is_token)| begins_with(name, content, is_token));
    try_join_all(stories).await.map(drop)
}
