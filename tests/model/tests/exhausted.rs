//! Every small world is exhausted, and nothing is broken in it; and each planted bug is refuted by one.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the impossible should stop there"
)]

use std::{
    fs,
    time::{Duration, Instant},
};

use model::{Bug, SMALL, check};

/// Far more than any of them takes.
const LIMIT: Duration = Duration::from_secs(300);

#[test]
fn every_small_world_is_exhausted_and_nothing_is_broken_in_it() {
    let mut worlds = 0;
    for named in SMALL {
        let began = Instant::now();
        let checked = check(named.begin(None), None, LIMIT, 2);
        println!("{}: {} worlds in {:.1?}", named.name, checked.unique, began.elapsed());
        worlds += checked.unique;
        assert!(checked.broken.is_empty(), "{}: {:?}", named.name, checked.broken);
        assert!(checked.is_exhausted, "{}: cut off after {} worlds", named.name, checked.unique);
    }
    assert!(worlds > 1_000_000, "{worlds} worlds: something does not happen any more");
}

/// Which world refutes which bug.
const REFUTED: [(Bug, &str); 31] = [
    (Bug::ActsOnTheHeldCopy, "2 flips"),
    (Bug::DoesNotDecideAgain, "2 flips"),
    (Bug::StoredMemoryOnly, "2 humans"),
    (Bug::DoesNotWait, "2 flips"),
    (Bug::DoesNotWaitWithPauses, "1 flip, 1 zombie"),
    (Bug::DoesNotWaitWithResumes, "1 flip, 1 zombie"),
    (Bug::DoesNotGate, "2 flips"),
    (Bug::SendsTwoAtATime, "2 flips"),
    (Bug::ReadsCountFromTheirAnswer, "2 flips"),
    (Bug::AnyReadIsFresh, "2 flips"),
    (Bug::AbsenceIsNotFound, "1 flip, 1 failed look, 1 gap in a list"),
    (Bug::LostIsNotSent, "1 flip, 1 loss"),
    (Bug::LostIsDone, "1 flip, 1 loss"),
    (Bug::ConflictIsNothing, "1 flip, 1 human"),
    (Bug::ReachedBeforeTheAct, "1 flip, 1 loss"),
    (Bug::NothingIsReached, "2 flips"),
    (Bug::ReachedInSpiteOfAll, "2 flips"),
    (Bug::RequestsAreNeverHandled, "1 resume request, 1 platform pause"),
    (Bug::RequestsAreHandledAtOnce, "1 resume request, 1 platform pause"),
    (Bug::ErrorPauseIsManual, "2 flips"),
    (Bug::ArchivedIsPaused, "1 flip, 1 archive"),
    (Bug::DriftComesBeforeThePlatform, "1 flip, 1 platform pause"),
    (Bug::OpenByWishOnly, "2 flips"),
    (Bug::EveryWishIsOpen, "1 flip, 1 human"),
    (Bug::DuplicatesAct, "a second resource"),
    (Bug::DisabledActs, "1 switch, 1 change of policy, 1 human"),
    (Bug::UnmanagedIsActive, "1 switch, 1 change of policy, 1 human"),
    (Bug::WarnCorrects, "1 human, 1 platform pause"),
    (Bug::PlatformPauseIsLifted, "1 human, 1 platform pause"),
    (Bug::StatusHasNoVersion, "1 re-creation"),
    (Bug::NoStartRule, "1 flip, 1 crash"),
];

/// None of these worlds refutes them. docs/reliability.md says why.
const SURVIVING: [Bug; 4] = [
    Bug::AnswersCountFromTheirStart,
    Bug::ConflictIsDone,
    Bug::EveryStatusReplacesTheMemory,
    Bug::ForeignWritesAreForgotten,
];

#[test]
fn each_planted_bug_is_refuted_or_survives_as_documented() {
    let page = fs::read_to_string("../../docs/reliability.md").unwrap();
    let refuted = REFUTED.map(|(bug, world)| {
        let named = SMALL.into_iter().find(|named| named.name == world).unwrap();
        let checked = check(named.begin(Some(bug)), Some(bug), LIMIT, 1);
        let (property, path) =
            checked.broken.first().unwrap_or_else(|| panic!("{bug:?} survives in {world}"));
        format!("| `{bug:?}` | {world} | {property} | {} |", path.len())
    });
    let lacks: Vec<_> = refuted.iter().filter(|row| !page.contains(*row)).collect();
    assert!(lacks.is_empty(), "docs/reliability.md lacks {lacks:#?}");
    for bug in Bug::ALL {
        let is_refuted = REFUTED.iter().any(|(refuted, _)| *refuted == bug);
        assert_ne!(is_refuted, SURVIVING.contains(&bug), "{bug:?}");
        assert!(page.contains(&format!("`{bug:?}`")), "docs/reliability.md lacks {bug:?}");
    }
}
