//! The token: news for all who wait, whatever they wait for.

use std::time::Duration;

use apiserver::{Match, Rule, Verb};
use qoder_operator::qoder::TokenSource;
use qoder_simulator::{Fault, Operation, Token};

use crate::{
    bed::{Bed, POLL, Setup, TOKEN, in_virtual_time},
    waits::fleet,
};

const SECOND: Duration = Duration::from_secs(1);

/// An operator that reads its token from a file.
struct WithFile {
    bed: Bed,
    file: tempfile::NamedTempFile,
}

impl WithFile {
    async fn new(deployments: usize, token: &str) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), token).unwrap();
        let token = TokenSource::File(file.path().to_owned());
        let mut bed = Bed::prepare(Setup { token, ..Setup::with(deployments) }).await;
        bed.run();
        for i in 0..deployments {
            bed.apply(&format!("r{i}"), i, Some(false));
        }
        Self { bed, file }
    }

    fn write(&self, token: &str) {
        std::fs::write(self.file.path(), token).unwrap();
    }
}

#[test]
fn a_new_token_is_tried_at_once_on_what_the_old_one_was_refused() {
    in_virtual_time(async {
        let old = Token::new("pt-old-fake").read_only();
        let story = WithFile::new(4, "pt-old-fake").await;
        let bed = &story.bed;
        let refused = old.forbid(&bed.ids[1]);
        bed.simulator.accept_tokens([refused, Token::new("pt-new-fake")]);
        bed.until("r0", "True InSync", 5 * SECOND).await;
        bed.until("r1", "False Forbidden", 2 * POLL).await;
        bed.flip("r0", true);
        bed.until("r0", "False WriteRefused", 5 * SECOND).await;
        bed.pass(SECOND).await;
        story.write("pt-new-fake");
        // The file is read every ten seconds.
        bed.pass(12 * SECOND).await;
        assert_eq!(bed.ready("r0"), "True InSync");
        assert_eq!(bed.ready("r1"), "True InSync");
    });
}

#[test]
fn a_rejected_token_is_probed_although_nothing_is_left_to_read() {
    in_virtual_time(async {
        let bed = Bed::with(3).await;
        bed.simulator.archive(&bed.ids[0]);
        bed.apply("archived", 0, Some(false));
        bed.apply("live", 1, Some(false));
        bed.apply("other", 2, Some(false));
        bed.until("archived", "False RemoteArchived", 2 * POLL).await;
        bed.forget();
        bed.simulator.inject(Fault::respond(401).always());
        bed.pass(POLL).await;
        assert_eq!(bed.calls(), ["list 401"]);
        // No list and no GET is due any more.
        bed.delete("live");
        bed.delete("other");
        bed.until("archived", "False CredentialRejected", 6 * POLL).await;
        bed.simulator.clear_faults();
        bed.until("archived", "False RemoteArchived", 21 * POLL).await;
    });
}

#[test]
fn a_token_that_comes_during_an_outage_leaves_no_status_that_says_there_is_none() {
    in_virtual_time(async {
        let story = WithFile::new(2, "").await;
        let bed = &story.bed;
        bed.until("r0", "False CredentialMissing", 5 * SECOND).await;
        bed.simulator.inject(Fault::respond(503).always());
        bed.pass(60 * SECOND).await;
        story.write(TOKEN);
        bed.pass(15 * SECOND).await;
        for name in ["r0", "r1"] {
            assert!(bed.ready(name).starts_with("Unknown"), "{}", bed.ready(name));
        }
        bed.simulator.clear_faults();
        bed.until("r0", "True InSync", 2 * POLL).await;
    });
}

/// A pause that has its permit, and waits for its fresh read.
async fn with_a_permit() -> (Bed, Rule) {
    let bed = fleet(3).await;
    let read = Match::verb(Verb::Get).of("qoderdeployments").name("r0");
    let read = bed.server.on(read).hold_answer();
    bed.flip("r0", true);
    read.arrived().await;
    (bed, read)
}

#[test]
fn a_write_with_a_permit_is_not_sent_with_a_token_that_was_rejected_since() {
    in_virtual_time(async {
        let (bed, read) = with_a_permit().await;
        bed.simulator.inject(Fault::respond(401).on(Operation::Pause));
        bed.flip("r1", true);
        bed.pass(SECOND / 2).await;
        read.release();
        bed.pass(POLL / 2).await;
        assert_eq!(bed.writes(), ["pause 1 401"], "the one that has met it");
        bed.until("r0", "True InSync", 2 * POLL).await;
        bed.until("r1", "True InSync", 2 * POLL).await;
    });
}

#[test]
fn a_write_with_a_permit_is_not_sent_after_the_api_has_closed_for_a_while() {
    let closed = [
        Fault::respond(429).header("retry-after", "20"),
        Fault::respond(503).header("retry-after", "20"),
    ];
    for fault in closed {
        in_virtual_time(async {
            let (bed, read) = with_a_permit().await;
            bed.simulator.inject(fault.on(Operation::Pause));
            bed.flip("r1", true);
            bed.pass(SECOND / 2).await;
            read.release();
            bed.pass(15 * SECOND).await;
            assert_eq!(bed.writes().len(), 1, "the one that has met it: {:?}", bed.writes());
            bed.until("r0", "True InSync", POLL).await;
        });
    }
}
