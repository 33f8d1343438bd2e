//! The token: rejected, replaced, of too few rights.

use qoder_simulator::Token;
use testbed::Result;

use crate::story::{Story, TOKEN, condition};

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
