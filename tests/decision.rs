//! The decision and the settlement over the whole finite product of their inputs: the table row
//! by row is what the code is; here are the rules as properties, and that every status that can
//! come out keeps the conventions of kstatus and of conditions.

#![allow(
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test that meets the impossible should stop there"
)]

mod knowledge;

use std::sync::atomic::{AtomicU64, Ordering};

use knowledge::{ANSWERS, FAILURES};
use qoder_operator::{
    api::{ConditionStatus, DriftPolicy, Reason, Wish},
    qoder::Verb,
    reconcile::{
        decide::{Decision, Step, Verdict, decide},
        settle::{Action, Kind, Settled, settle},
        situation::{Age, BeforeWrite, CredentialState, Knowledge, Reached, Situation},
    },
    remote::{Answer, PausedBy, ReadFailure},
    resources::ReachedChange,
};

const BEFORE_WRITE: [BeforeWrite; 3] =
    [BeforeWrite::Nothing, BeforeWrite::Backoff, BeforeWrite::UnderWay];
const WISHES: [Wish; 3] = [Wish::Paused, Wish::Active, Wish::Unmanaged];

const ACTIONS: [Action; 5] = [
    Action::None,
    Action::Waiting { stuck: false },
    Action::Waiting { stuck: true },
    Action::UnderWay { stuck: false },
    Action::UnderWay { stuck: true },
];

/// Calls `check` with every situation there is, the credentials side by side.
fn for_all(check: impl Fn(&Situation) + Sync) {
    let ages = [Age::WithinGrace, Age::Stale];
    let credentials = [
        CredentialState::Usable,
        CredentialState::Missing,
        CredentialState::Rejected(Age::WithinGrace),
        CredentialState::Rejected(Age::Stale),
    ];
    let mut knowledge = vec![Knowledge::Nothing];
    knowledge.extend(FAILURES.iter().flat_map(|cause| {
        let all = ages.map(|age| [true, false].map(|due| (age, due)));
        all.into_iter().flatten().map(|(age, due)| Knowledge::Failed { cause: *cause, age, due })
    }));
    knowledge.extend(
        ANSWERS.iter().flat_map(|answer| {
            [true, false].map(|fresh| Knowledge::Known { answer: *answer, fresh })
        }),
    );
    let mut reached = vec![None];
    reached.extend(WISHES.iter().flat_map(|wish| {
        [true, false].map(|this_generation| Some(Reached { wish: *wish, this_generation }))
    }));

    std::thread::scope(|threads| {
        for credential in credentials {
            let (knowledge, reached, check) = (&knowledge, &reached, &check);
            threads.spawn(move || {
                for &knowledge in knowledge {
                    for &last_reached in reached {
                        for (wish, before) in each(WISHES, BEFORE_WRITE) {
                            for bits in 0..1 << 13 {
                                let mut situation =
                                    situation(credential, knowledge, last_reached, wish, bits);
                                situation.before_write = before;
                                check(&situation);
                            }
                        }
                    }
                }
            });
        }
    });
}

fn each<A: Copy, B: Copy>(first: [A; 3], second: [B; 3]) -> impl Iterator<Item = (A, B)> {
    first.into_iter().flat_map(move |a| second.map(|b| (a, b)))
}

fn situation(
    credential: CredentialState,
    knowledge: Knowledge,
    last_reached: Option<Reached>,
    wish: Wish,
    bits: u32,
) -> Situation {
    let bit = |n: u32| bits & (1 << n) != 0;
    Situation {
        credential,
        knowledge,
        last_reached,
        wish,
        policy: if bit(0) { DriftPolicy::Warn } else { DriftPolicy::Correct },
        deleting: bit(1),
        duplicate: bit(2),
        disabled: bit(3),
        reconcile_requested: bit(4),
        resume_requested: bit(5),
        foreign_write: bit(6),
        held: bit(7),
        writes_refused: bit(8),
        before_write: BeforeWrite::Nothing,
        pause_may_land: bit(9),
        unpause_may_land: bit(10),
        answered: bit(11),
        overdue: bit(12),
    }
}

/// What the table says, written a second time and the other way round: not as a path through
/// `if`s, but as the condition of each row, so that a slip in the one does not hide in the other.
fn rows(s: &Situation) -> [(bool, Verdict); 17] {
    let known =
        |wanted: Answer| matches!(s.knowledge, Knowledge::Known { answer, .. } if answer == wanted);
    let is_paused =
        known(Answer::Paused(PausedBy::Hand)) || known(Answer::Paused(PausedBy::Platform));
    let differs = match s.wish {
        Wish::Paused => known(Answer::Active),
        Wish::Active => is_paused,
        Wish::Unmanaged => false,
    };
    let verb = if s.wish == Wish::Paused { Verb::Pause } else { Verb::Unpause };
    let by_platform = known(Answer::Paused(PausedBy::Platform)) && s.wish == Wish::Active;
    let is_drift = differs && !s.is_open() && !s.is_resume_asked_for();
    let failed = match (s.credential, s.knowledge) {
        (CredentialState::Rejected(Age::WithinGrace), Knowledge::Failed { age, .. }) => {
            Some(Verdict::Unreadable(ReadFailure::Unauthorized, age))
        }
        (CredentialState::Rejected(Age::WithinGrace), _) => {
            Some(Verdict::Unreadable(ReadFailure::Unauthorized, Age::WithinGrace))
        }
        (_, Knowledge::Failed { cause, age, .. }) => Some(Verdict::Unreadable(cause, age)),
        _ => None,
    };
    [
        (s.deleting, Verdict::Deleting),
        (s.duplicate, Verdict::DuplicateOwner),
        (s.credential == CredentialState::Missing, Verdict::CredentialMissing),
        (s.credential == CredentialState::Rejected(Age::Stale), Verdict::CredentialRejected),
        (failed.is_none() && s.knowledge == Knowledge::Nothing, Verdict::Observing),
        (failed.is_some(), failed.unwrap_or(Verdict::Observing)),
        (known(Answer::Forbidden), Verdict::Forbidden),
        (known(Answer::NotFound), Verdict::NotFound),
        (known(Answer::Archived), Verdict::Archived),
        (s.disabled, Verdict::Disabled),
        (s.wish == Wish::Unmanaged, Verdict::Observed),
        (known(Answer::UnknownStatus), Verdict::UnknownStatus),
        (!differs, Verdict::InSync),
        (by_platform && !s.is_resume_asked_for(), Verdict::PausedByPlatform),
        (is_drift && !by_platform && s.policy == DriftPolicy::Warn, Verdict::DriftTolerated),
        (is_drift && !by_platform && s.held, Verdict::Contested),
        (true, if s.writes_refused { Verdict::WriteRefused } else { Verdict::Pending(verb) }),
    ]
}

/// The table, with what rules G and "new enough" put before it.
fn expected(s: &Situation) -> Decision {
    let (_, verdict) = rows(s).into_iter().find(|(fits, _)| *fits).unwrap();
    let nothing = |verdict| Decision { step: Step::Nothing, verdict };
    let Knowledge::Known { answer, fresh } = s.knowledge else {
        // Only who has a token looks, and only where nothing else is to be said.
        let may_look = !s.deleting && !s.duplicate && s.credential == CredentialState::Usable;
        let is_due =
            matches!(s.knowledge, Knowledge::Nothing | Knowledge::Failed { due: true, .. });
        let is_under_way = s.before_write == BeforeWrite::UnderWay;
        let looks = may_look && is_due && !is_under_way;
        let step = if looks { Step::Observe } else { Step::Nothing };
        return Decision { step, verdict };
    };
    let is_about_the_remote = !matches!(
        verdict,
        Verdict::Deleting
            | Verdict::DuplicateOwner
            | Verdict::CredentialMissing
            | Verdict::CredentialRejected
            | Verdict::Unreadable(..)
    );
    if let Verdict::Pending(verb) = verdict
        && s.before_write == BeforeWrite::Nothing
        && !s.opposite_may_land(verb)
    {
        return Decision { step: Step::Write(verb), verdict };
    }
    // The end of a write makes every read void that started before: none is asked for until then.
    let is_under_way = s.before_write == BeforeWrite::UnderWay;
    let is_awaited = is_under_way && matches!(verdict, Verdict::Pending(_));
    if is_about_the_remote && !fresh && !is_awaited {
        let step = if is_under_way { Step::Nothing } else { Step::Observe };
        return Decision { step, verdict: Verdict::Observing };
    }
    if verdict.is_ready() && s.may_still_change(answer) {
        return nothing(Verdict::MayStillChange);
    }
    nothing(verdict)
}

#[test]
fn the_whole_product_keeps_the_table_and_the_rules() {
    let situations = AtomicU64::new(0);
    for_all(|s| {
        situations.fetch_add(1, Ordering::Relaxed);
        let decision = decide(s);
        assert_eq!(decision, expected(s), "{s:#?}");
        check_rules(s, decision);
        for action in ACTIONS {
            check_settlement(s, decision, action, settle(s, decision, action));
        }
    });
    // 4 credentials, 31 states of knowledge, 7 memories, 3 wishes, 3 things before a write, 13 bits.
    assert_eq!(situations.into_inner(), 4 * 31 * 7 * 3 * 3 * (1 << 13));
}

fn check_rules(s: &Situation, Decision { step, verdict }: Decision) {
    if let Step::Write(verb) = step {
        let wanted = if verb == Verb::Pause { Wish::Paused } else { Wish::Active };
        assert_eq!(s.wish, wanted, "S1: no write that the wish does not ask for: {s:#?}");
        let Knowledge::Known { answer, .. } = s.knowledge else {
            panic!("no write without an observation: {s:#?}");
        };
        let from = if verb == Verb::Pause {
            answer == Answer::Active
        } else {
            matches!(answer, Answer::Paused(_))
        };
        assert!(from, "no write that the remote does not need: {s:#?}");
        assert!(!s.deleting && !s.duplicate && !s.disabled, "{s:#?}");
        assert_eq!(s.credential, CredentialState::Usable, "{s:#?}");
        assert!(!s.opposite_may_land(verb), "W: {s:#?}");
        assert!(!s.writes_refused && s.before_write == BeforeWrite::Nothing, "{s:#?}");
        if answer == Answer::Paused(PausedBy::Platform) {
            assert!(s.is_resume_asked_for(), "the platform's pause is not fought: {s:#?}");
        }
        if !s.is_open() && !s.is_resume_asked_for() {
            assert_eq!(s.policy, DriftPolicy::Correct, "Warn only reports drift: {s:#?}");
            assert!(!s.held, "a contested deployment is left alone: {s:#?}");
        }
    }
    if verdict.is_ready() {
        let Knowledge::Known { answer, fresh } = s.knowledge else {
            panic!("S4: Ready=True without an observation: {s:#?}");
        };
        assert!(fresh, "S4: Ready=True from an old observation: {s:#?}");
        assert!(!s.may_still_change(answer), "G: {s:#?}");
    }
    if verdict == Verdict::Contested || verdict == Verdict::DriftTolerated {
        assert!(!s.is_open(), "an open wish is never held, nor its opposite tolerated: {s:#?}");
    }
}

fn check_settlement(s: &Situation, decision: Decision, action: Action, settled: Settled) {
    if let Some(ready) = settled.ready {
        // Section 1 of the conventions: Reconciling or Stalled exactly where Ready is not True,
        // and Unknown only while work goes on.
        match ready.status {
            ConditionStatus::True => assert_eq!(ready.kind, Kind::Done, "{s:#?}"),
            ConditionStatus::False => assert_ne!(ready.kind, Kind::Done, "{s:#?}"),
            ConditionStatus::Unknown => assert_eq!(ready.kind, Kind::Reconciling, "{s:#?}"),
        }
        assert_eq!(decision.verdict.is_ready(), ready.status == ConditionStatus::True, "{s:#?}");
        let is_progress = matches!(
            ready.reason,
            Reason::Progressing
                | Reason::PausePending
                | Reason::ResumePending
                | Reason::RemoteUnavailable
                | Reason::RemoteAnswerInvalid
        );
        assert_eq!(is_progress, ready.kind == Kind::Reconciling, "{s:#?}");
    } else {
        let may_leave = match decision.verdict {
            Verdict::Deleting => true,
            Verdict::Observing | Verdict::MayStillChange => s.answered || !s.overdue,
            Verdict::Unreadable(_, Age::WithinGrace) => s.answered,
            // One status for one flip; but a generation does not wait for ever for an answer, and drift has one
            // already that is a lie as long as nothing is done about it.
            Verdict::Pending(_) => match action {
                Action::None => false,
                Action::UnderWay { stuck: true } => !s.answered && !s.overdue,
                Action::Waiting { stuck } => !(s.answered || s.overdue && stuck),
                Action::UnderWay { stuck: false } => true,
            },
            _ => false,
        };
        assert!(may_leave, "a verdict that nobody hears of: {decision:?} {action:?} {s:#?}");
    }
    assert_eq!(settled.progress.is_told, settled.ready.is_some(), "{s:#?}");
    if settled.progress.reconcile_handled && decision.verdict != Verdict::DuplicateOwner {
        let has_looked = matches!(s.knowledge, Knowledge::Known { fresh: true, .. });
        assert!(has_looked && settled.ready.is_some(), "an echo that nothing answered: {s:#?}");
        assert_eq!(decision.step, Step::Nothing, "an echo before the write: {s:#?}");
    }
    if settled.progress.reached == ReachedChange::Set {
        assert!(
            matches!(decision.verdict, Verdict::InSync | Verdict::Observed),
            "lastReached only with Ready=True InSync or Observed: {s:#?}"
        );
    }
    if !s.resume_requested || s.wish != Wish::Active {
        return;
    }
    if settled.progress.resume_handled {
        let is_active =
            matches!(s.knowledge, Knowledge::Known { answer: Answer::Active, fresh: true });
        assert!(is_active, "a resume request is not handled before it is met: {s:#?}");
        assert!(!s.pause_may_land, "nor while a lost pause could undo it: {s:#?}");
    }
}
