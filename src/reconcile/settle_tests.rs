//! When a request to reconcile is echoed, and when a write on its way is told of.

use super::*;
use crate::{
    api::DriftPolicy,
    reconcile::{
        decide::{Step, decide},
        situation::{BeforeWrite, CredentialState, Reached},
    },
    remote::PausedBy,
};

/// A pause that is reached, and stays: freshly looked at, with a reconcile requested since.
const CALM: Situation = Situation {
    deleting: false,
    duplicate: false,
    credential: CredentialState::Usable,
    knowledge: saw(Answer::Paused(PausedBy::Hand)),
    disabled: false,
    wish: Wish::Paused,
    policy: DriftPolicy::Correct,
    last_reached: Some(Reached { wish: Wish::Paused, this_generation: true }),
    reconcile_requested: true,
    resume_requested: false,
    foreign_write: false,
    held: false,
    writes_refused: false,
    before_write: BeforeWrite::Nothing,
    pause_may_land: false,
    unpause_may_land: false,
    answered: true,
    overdue: false,
};

const ACTIONS: [Action; 5] = [
    Action::None,
    Action::Waiting { stuck: false },
    Action::Waiting { stuck: true },
    Action::UnderWay { stuck: false },
    Action::UnderWay { stuck: true },
];

const fn saw(answer: Answer) -> Knowledge {
    Knowledge::Known { answer, fresh: true }
}

/// Settles with this verdict.
fn settled(s: &Situation, verdict: Verdict, action: Action) -> Settled {
    settle(s, Decision { step: Step::Nothing, verdict }, action)
}

/// What each final verdict looks like once a fresh look has answered the request.
fn answers() -> Vec<(Verdict, Situation)> {
    let active = Situation { wish: Wish::Active, last_reached: None, ..CALM };
    vec![
        (Verdict::Forbidden, Situation { knowledge: saw(Answer::Forbidden), ..CALM }),
        (Verdict::NotFound, Situation { knowledge: saw(Answer::NotFound), ..CALM }),
        (Verdict::Archived, Situation { knowledge: saw(Answer::Archived), ..CALM }),
        (Verdict::UnknownStatus, Situation { knowledge: saw(Answer::UnknownStatus), ..CALM }),
        (Verdict::Disabled, Situation { disabled: true, ..CALM }),
        (Verdict::Observed, Situation { wish: Wish::Unmanaged, ..CALM }),
        (Verdict::InSync, CALM),
        (
            Verdict::PausedByPlatform,
            Situation { knowledge: saw(Answer::Paused(PausedBy::Platform)), ..active },
        ),
        (
            Verdict::WriteRefused,
            Situation { knowledge: saw(Answer::Active), writes_refused: true, ..CALM },
        ),
    ]
}

#[test]
fn a_reconcile_request_is_echoed_with_whatever_a_fresh_look_has_found() {
    for (verdict, s) in answers() {
        let decision = decide(&s);
        assert_eq!(decision.verdict, verdict);
        for action in ACTIONS {
            let settled = settle(&s, decision, action);
            assert!(settled.progress.reconcile_handled, "{verdict:?} {action:?}");
            assert!(settled.ready.is_some(), "an echo comes with what it echoes: {verdict:?}");
        }
    }
    // The request itself makes these two impossible, until it is handled: then they stay so.
    for verdict in [Verdict::Contested, Verdict::DriftTolerated] {
        let s = Situation { knowledge: saw(Answer::Active), ..CALM };
        assert!(settled(&s, verdict, Action::None).progress.reconcile_handled, "{verdict:?}");
    }
    // Who owns nothing needs no look.
    let s = Situation { duplicate: true, knowledge: Knowledge::Nothing, ..CALM };
    assert!(settle(&s, decide(&s), Action::None).progress.reconcile_handled);
}

#[test]
fn a_look_that_is_older_than_the_request_echoes_nothing() {
    let final_verdicts =
        answers().into_iter().chain([(Verdict::Contested, CALM), (Verdict::DriftTolerated, CALM)]);
    for (verdict, s) in final_verdicts {
        let Knowledge::Known { answer, .. } = s.knowledge else { panic!("{verdict:?}") };
        let failed =
            Knowledge::Failed { cause: ReadFailure::Unavailable, age: Age::Stale, due: true };
        for knowledge in [Knowledge::Known { answer, fresh: false }, Knowledge::Nothing, failed] {
            let s = Situation { knowledge, ..s };
            for action in ACTIONS {
                let settled = settled(&s, verdict, action);
                assert!(!settled.progress.reconcile_handled, "{verdict:?} {knowledge:?}");
            }
        }
    }
}

#[test]
fn what_is_still_to_be_done_is_no_answer() {
    for verdict in [
        Verdict::Deleting,
        Verdict::CredentialMissing,
        Verdict::CredentialRejected,
        Verdict::Observing,
        Verdict::Unreadable(ReadFailure::Unavailable, Age::WithinGrace),
        Verdict::Unreadable(ReadFailure::Unauthorized, Age::Stale),
        Verdict::MayStillChange,
        Verdict::Pending(Verb::Pause),
        Verdict::Pending(Verb::Unpause),
    ] {
        for action in ACTIONS {
            for (_, s) in answers() {
                let settled = settled(&s, verdict, action);
                assert!(!settled.progress.reconcile_handled, "{verdict:?} {action:?}");
            }
        }
    }
}

/// What is said of a write that is pending, of a generation and of drift.
fn pending(verb: Verb, (answered, overdue): (bool, bool), action: Action) -> Option<Reason> {
    let s = Situation { answered, overdue, ..CALM };
    let ready = settled(&s, Verdict::Pending(verb), action).ready?;
    assert_eq!((ready.status, ready.kind), (ConditionStatus::False, Kind::Reconciling));
    Some(ready.reason)
}

#[test]
fn a_write_that_stands_still_is_told_of_when_a_new_generation_has_waited_for_three_seconds() {
    for (verb, reason) in
        [(Verb::Pause, Reason::PausePending), (Verb::Unpause, Reason::ResumePending)]
    {
        for stuck in [false, true] {
            let waits = |when| pending(verb, when, Action::Waiting { stuck });
            assert_eq!(waits((false, false)), None, "one status for one flip");
            let told = stuck.then_some(reason);
            assert_eq!(waits((false, true)), told, "also when it takes its turn in a long row");
            // Drift: what stands is a lie as long as nothing is done about it.
            assert_eq!(waits((true, false)), Some(reason));
            assert_eq!(waits((true, true)), Some(reason));
        }
        for when in [(false, false), (false, true), (true, false), (true, true)] {
            assert_eq!(pending(verb, when, Action::None), Some(reason), "nothing is on its way");
        }
    }
}

#[test]
fn a_write_under_way_is_told_of_when_it_does_not_end() {
    for (verb, reason) in
        [(Verb::Pause, Reason::PausePending), (Verb::Unpause, Reason::ResumePending)]
    {
        let under_way = |when, stuck| pending(verb, when, Action::UnderWay { stuck });
        for when in [(false, false), (false, true), (true, false), (true, true)] {
            assert_eq!(under_way(when, false), None, "its answer will be there in a moment");
        }
        assert_eq!(under_way((false, false), true), None, "the generation is not late yet");
        for when in [(false, true), (true, false), (true, true)] {
            assert_eq!(under_way(when, true), Some(reason));
        }
    }
}

#[test]
fn what_was_reached_is_remembered_with_the_two_verdicts_that_say_so() {
    for (verdict, s) in answers() {
        let expected = match verdict {
            Verdict::InSync | Verdict::Observed => ReachedChange::Set,
            _ => ReachedChange::Keep,
        };
        assert_eq!(settled(&s, verdict, Action::None).progress.reached, expected, "{verdict:?}");
    }
    let another = settled(&CALM, Verdict::DuplicateOwner, Action::None);
    assert_eq!(another.progress.reached, ReachedChange::Clear);
}

#[test]
fn a_status_that_echoes_a_request_says_what_holds_once_it_is_handled() {
    let refused = Situation { knowledge: saw(Answer::Active), writes_refused: true, ..CALM };
    for (s, reason) in [
        (refused, Reason::WriteRefused),
        (Situation { held: true, ..refused }, Reason::Contested),
        (Situation { policy: DriftPolicy::Warn, ..refused }, Reason::DriftTolerated),
    ] {
        let decision = decide(&s);
        assert_eq!(decision.verdict, Verdict::WriteRefused, "the request makes the wish open");
        let settled = conclude(&s, decision, Action::None);
        assert!(settled.progress.reconcile_handled);
        assert_eq!(settled.ready.unwrap().reason, reason);
    }
}

#[test]
fn a_request_that_is_not_handled_is_settled_as_it_is() {
    let drift = Situation {
        knowledge: saw(Answer::Active),
        policy: DriftPolicy::Warn,
        before_write: BeforeWrite::UnderWay,
        ..CALM
    };
    let late = Action::UnderWay { stuck: true };
    let pending = conclude(&drift, decide(&drift), late);
    assert!(!pending.progress.reconcile_handled);
    assert_eq!(pending.ready.unwrap().reason, Reason::PausePending);
    // It would be tolerated without the request, which is to write it once.
    let tolerated = Situation { reconcile_requested: false, ..drift };
    let tolerated = conclude(&tolerated, decide(&tolerated), Action::None);
    assert_eq!(tolerated.ready.unwrap().reason, Reason::DriftTolerated);
}

#[test]
fn a_resume_request_is_handled_where_nothing_is_to_be_resumed_or_it_is_active() {
    let paused = saw(Answer::Paused(PausedBy::Platform));
    let old = Knowledge::Known { answer: Answer::Active, fresh: false };
    for (wish, knowledge, pause_may_land, is_handled) in [
        (Wish::Paused, paused, false, true),
        (Wish::Unmanaged, paused, false, true),
        (Wish::Active, paused, false, false),
        (Wish::Active, saw(Answer::Active), false, true),
        (Wish::Active, saw(Answer::Active), true, false),
        (Wish::Active, old, false, false),
    ] {
        let s = Situation { knowledge, wish, pause_may_land, ..CALM };
        let handled = settle(&s, decide(&s), Action::None).progress.resume_handled;
        assert_eq!(handled, is_handled, "{s:?}");
    }
}

#[test]
fn a_read_that_fails_is_told_of_after_the_grace_or_where_nothing_stands() {
    for (age, answered, is_told) in [
        (Age::WithinGrace, true, false),
        (Age::WithinGrace, false, true),
        (Age::Stale, true, true),
        (Age::Stale, false, true),
    ] {
        let s = Situation { answered, ..CALM };
        let ready =
            settled(&s, Verdict::Unreadable(ReadFailure::Unavailable, age), Action::None).ready;
        let expected = is_told.then_some(Reason::RemoteUnavailable);
        assert_eq!(ready.map(|ready| ready.reason), expected, "{age:?} {answered}");
    }
}
