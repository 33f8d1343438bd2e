//! Random worlds, as a story of what has happened.

use proptest::{collection::vec, option, prelude::*, sample::select};

use super::*;
use crate::api::DriftPolicy;

/// Something that has happened, at a time within the story.
#[derive(Debug, Clone, Copy)]
enum Happening {
    Saw(Answer),
    Listed,
    /// A read failed, with its retry after so many parts of P.
    Failed(f64),
    Wrote {
        outcome: Outcome,
        verb: Verb,
        is_drift: bool,
        by: Requesting,
    },
    /// Three corrections of drift.
    Fought,
    /// Another token came, or the worth of the present one changed.
    Token(Token),
    /// This generation, or the request, was first seen.
    Generation,
    ReconcileRequest,
    ResumeRequest,
}

#[derive(Debug, Clone, Copy)]
enum Token {
    Another,
    Gone,
    Rejected,
}

/// For whom a write was.
#[derive(Debug, Clone, Copy)]
enum Requesting {
    This,
    EarlierGeneration,
    AnotherResource,
}

/// What does not depend on time.
#[derive(Debug, Clone)]
#[allow(clippy::struct_excessive_bools, reason = "each is a part of a situation, named as there")]
struct Still {
    wish: Wish,
    policy: DriftPolicy,
    disabled: bool,
    deleting: bool,
    older: bool,
    is_answered: bool,
    says: Option<Reason>,
    has_status: bool,
    last_reached: Option<(Wish, bool)>,
    handled: (bool, bool),
}

/// A world, and a time after everything that has happened in it.
#[derive(Debug, Clone)]
pub struct Story {
    times: (u64, u64),
    still: Still,
    /// How long the story is, in one of several units, and how much of it has happened when.
    span: (u8, f64),
    happenings: Vec<(f64, Happening)>,
    under_way: Option<(f64, Verb)>,
    pub is_waiting: bool,
    pub is_published: bool,
    /// Lists go on to look.
    pub is_polled: bool,
}

const OUTCOMES: [Outcome; 11] = [
    Outcome::Done,
    Outcome::NotAsAsked,
    Outcome::NotServed,
    Outcome::Throttled,
    Outcome::Unauthorized,
    Outcome::NotSent,
    Outcome::Unread,
    Outcome::Conflict,
    Outcome::Ambiguous,
    Outcome::NotTheApi,
    Outcome::Refused,
];
const WISHES: [Wish; 3] = [Wish::Paused, Wish::Active, Wish::Unmanaged];
const VERBS: [Verb; 2] = [Verb::Pause, Verb::Unpause];

fn happening() -> impl Strategy<Value = Happening> {
    let by = vec![
        Requesting::This,
        Requesting::This,
        Requesting::EarlierGeneration,
        Requesting::AnotherResource,
    ];
    let token = select(vec![Token::Another, Token::Gone, Token::Rejected]);
    let wrote = (select(&OUTCOMES[..]), select(&VERBS[..]), any::<bool>(), select(by));
    prop_oneof![
        4 => select(&ANSWERS[..]).prop_map(Happening::Saw),
        1 => Just(Happening::Listed),
        2 => (0.01..4.0).prop_map(Happening::Failed),
        4 => wrote.prop_map(|(outcome, verb, is_drift, by)| {
            Happening::Wrote { outcome, verb, is_drift, by }
        }),
        1 => Just(Happening::Fought),
        1 => token.prop_map(Happening::Token),
        1 => Just(Happening::Generation),
        1 => Just(Happening::ReconcileRequest),
        1 => Just(Happening::ResumeRequest),
    ]
}

fn still() -> impl Strategy<Value = Still> {
    let rarely = || prop::bool::weighted(0.1);
    let policies = select(vec![DriftPolicy::Correct, DriftPolicy::Warn]);
    let reached = option::of((select(&WISHES[..]), any::<bool>()));
    let spec = (select(&WISHES[..]), policies, rarely(), rarely(), rarely());
    let says = option::of(select(Reason::ALL));
    let memory = (any::<bool>(), says, any::<bool>(), reached, any::<(bool, bool)>());
    (spec, memory).prop_map(|(spec, memory)| {
        let (wish, policy, disabled, deleting, older) = spec;
        let (is_answered, says, has_status, last_reached, handled) = memory;
        Still {
            wish,
            policy,
            disabled,
            deleting,
            older,
            is_answered,
            says,
            has_status,
            last_reached,
            handled,
        }
    })
}

/// Worlds at every P from 1 s to 1 h and every T from 100 ms to 5 min.
pub fn story() -> impl Strategy<Value = Story> {
    let of_a_second = prop_oneof![Just(1000_u64), 1000..60_000_u64, 1000..3_600_000_u64];
    let timeout = prop_oneof![100..20_000_u64, 100..300_000_u64];
    let under_way = option::weighted(0.2, (0.0..1.0, select(&VERBS[..])));
    (
        (of_a_second, timeout),
        still(),
        (0..5_u8, 0.01..1.0),
        vec((0.0..1.0, happening()), 0..9),
        under_way,
        any::<(bool, bool, bool)>(),
    )
        .prop_map(
            |(
                times,
                still,
                span,
                mut happenings,
                under_way,
                (is_waiting, is_published, is_polled),
            )| {
                happenings.sort_by(|one: &(f64, Happening), other| one.0.total_cmp(&other.0));
                Story {
                    times,
                    still,
                    span,
                    happenings,
                    under_way,
                    is_waiting,
                    is_published,
                    is_polled,
                }
            },
        )
}

impl Story {
    fn times(&self) -> Times {
        let (poll, timeout) = self.times;
        Times {
            poll_interval: Duration::from_millis(poll),
            request_timeout: Duration::from_millis(timeout),
        }
    }

    /// The world, and now.
    pub fn world(&self, start: Instant) -> (World, Instant) {
        let times = self.times();
        let (unit, part) = self.span;
        let unit = match unit {
            0 => 10 * SECOND,
            1 => times.longest_blindness(),
            2 => times.slow_look(),
            3 => times.request_lifetime(),
            _ => times.hold_memory(),
        };
        let span = unit.mul_f64(part);
        let mut world = World { times, ..World::new(start) };
        self.still.set(&mut world);
        for (at, happening) in &self.happenings {
            happening.happens(&mut world, start + span.mul_f64(*at));
        }
        if let Some((at, verb)) = self.under_way {
            world.write_begins(verb, start + span.mul_f64(at));
        }
        let resource = &mut world.resource;
        if self.still.handled.0 {
            resource.memory.reconcile_handled = Some("now".into());
        }
        if self.still.handled.1 {
            resource.memory.resume_handled = Some("now".into());
        }
        (world, start + span)
    }
}

impl Still {
    fn set(&self, world: &mut World) {
        let resource = &mut world.resource;
        resource.wish = self.wish;
        resource.policy = self.policy;
        resource.disabled = self.disabled;
        resource.deleting = self.deleting;
        resource.memory.has_status = self.has_status;
        resource.memory.last_reached = self
            .last_reached
            .map(|(wish, is_this)| LastReached { desired: wish, generation: i64::from(is_this) });
        if self.is_answered {
            resource.published.observed_generation = resource.generation;
            resource.published.ready = self.says.map(|reason| (ConditionStatus::True, reason));
        }
        if self.older {
            world.older = Some(Resource { uid: "older".into(), ..world.resource.clone() });
        }
    }
}

impl Happening {
    fn happens(self, world: &mut World, at: Instant) {
        match self {
            Self::Saw(answer) => world.sees(answer, at),
            Self::Listed => world.lists(at),
            Self::Failed(part) => world.fails(at, world.times.poll_interval.mul_f64(part)),
            Self::Wrote { outcome, verb, is_drift, by } => {
                let mut requester = world.resource.requester();
                match by {
                    Requesting::This => {}
                    Requesting::EarlierGeneration => requester.generation -= 1,
                    Requesting::AnotherResource => requester.uid = "older".into(),
                }
                world.write_ends_for(requester, (outcome, verb), is_drift, at);
            }
            Self::Fought => world.is_contested(at),
            Self::Token(token) => {
                let credential = &mut world.credential;
                credential.since = Some(at);
                credential.worth = match token {
                    Token::Another => Worth::Usable,
                    Token::Gone => Worth::Missing(TokenProblem::NoFile),
                    Token::Rejected => Worth::Rejected { since: at },
                };
                credential.epoch += u32::from(!matches!(token, Token::Rejected));
            }
            Self::Generation => world.resource.generation_seen = at,
            Self::ReconcileRequest => world.resource.reconcile_request = requested(at),
            Self::ResumeRequest => world.resource.resume_request = requested(at),
        }
    }
}
