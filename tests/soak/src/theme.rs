//! How what happens in a world is drawn.

use std::time::Duration;

use fastrand::Rng;

use crate::{
    net::{Class, Fate},
    script::{Answer, NAMES, Step},
};

pub fn as_millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

fn millis(rng: &mut Rng, least: u64, most: u64) -> Duration {
    // Short ones are as likely as long ones of ten times their length.
    let bits = rng.u32(0..=3);
    Duration::from_millis(rng.u64(least..=(most >> (2 * bits)).max(least + 1)))
}

pub fn one_of<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

/// What a seed is about: few things, so that these meet.
pub struct Theme {
    pub deployments: usize,
    pub resources: usize,
    pub is_pair: bool,
    /// How often something is drawn of each kind, by [`Theme::step`].
    pub weights: [u32; 5],
    /// All trouble is that the remote does what it was asked for long after that was given up, and that processes are told
    /// to end.
    pub is_late: bool,
}

impl Theme {
    /// What a seed is about.
    pub fn draw(rng: &mut Rng, is_pair: bool) -> Self {
        let (deployments, resources) = one_of(
            rng,
            &[(1, 1), (1, 2), (2, 2), (2, 3), (4, 6), (4, 6), (NAMES.len(), NAMES.len())],
        );
        let mut weight = |usual: u32| usual * one_of(rng, &[0, 1, 1, 4]);
        let weights = [40, weight(16), weight(18), weight(18), weight(8)];
        Self { deployments, resources, is_pair, weights, is_late: false }
    }

    /// The next thing that happens.
    pub fn step(&self, rng: &mut Rng) -> Step {
        let mut drawn = rng.u32(..self.weights.iter().sum::<u32>());
        let kind = self.weights.iter().position(|weight| {
            let is_it = drawn < *weight;
            drawn = drawn.saturating_sub(*weight);
            is_it
        });
        match kind {
            Some(1) => self.other(rng),
            Some(2) if self.is_late => late(rng),
            Some(2) => remote(rng),
            Some(3) => kubernetes(rng),
            Some(4) if self.is_late => Step::Stop(rng.usize(..2), millis(rng, 10, 60_000)),
            Some(4) => process(rng, self.is_pair),
            _ => self.edit(rng),
        }
    }

    fn edit(&self, rng: &mut Rng) -> Step {
        let resource = rng.usize(..self.resources);
        match rng.u32(..40) {
            0..24 => {
                let paused = one_of(rng, &[Some(true), Some(true), Some(false), Some(false), None]);
                let is_another = rng.u8(..6) == 0;
                let deployment = if is_another {
                    rng.usize(..self.deployments)
                } else {
                    resource % self.deployments
                };
                Step::Apply { resource, deployment, paused, warns: rng.u8(..4) == 0 }
            }
            24..28 => Step::Delete(resource),
            28..32 => Step::Annotate(resource, "cloud.qoder.com/reconcile-requested-at"),
            32..36 => Step::Annotate(resource, "cloud.qoder.com/resume-requested-at"),
            36 => Step::Annotate(resource, "example.com/touched"),
            37 => Step::ApplyAll(rng.bool()),
            _ => Step::Disable(resource, rng.u8(..3) == 0),
        }
    }

    fn other(&self, rng: &mut Rng) -> Step {
        let deployment = rng.usize(..self.deployments);
        match rng.u32(..60) {
            0..30 => Step::Toggle(deployment, rng.bool()),
            30..40 => Step::FailRun(deployment),
            40..48 => Step::Messages {
                class: Class::Post,
                fate: Fate::RunFails(Duration::from_millis(rng.u64(10..14_000))),
                skip: rng.usize(..2),
                times: 1,
            },
            48..59 => Step::Rename(deployment),
            _ => Step::Archive(deployment),
        }
    }
}

fn fate(rng: &mut Rng, longest: u64) -> Fate {
    match rng.u32(..7) {
        0 => Fate::Refused,
        1 => Fate::LostBefore,
        2 => Fate::LostAfter,
        3 => Fate::SilentBefore,
        4 => Fate::SilentAfter,
        5 => Fate::Late(millis(rng, 10, longest)),
        _ => Fate::LateAnswer(millis(rng, 10, longest)),
    }
}

/// A request that takes effect after nobody waits for it any more. It may for four request timeouts, and not for longer.
fn late(rng: &mut Rng) -> Step {
    let by = Duration::from_millis(rng.u64(15_000..55_000));
    Step::Messages { class: Class::Post, fate: Fate::Late(by), skip: 0, times: 1 }
}

fn remote(rng: &mut Rng) -> Step {
    let class = one_of(rng, &[Class::Get, Class::List, Class::Post, Class::Post]);
    match rng.u32(..16) {
        // A request may take effect for four request timeouts, and not for longer.
        0..5 => Step::Messages {
            class,
            fate: fate(rng, 55_000),
            skip: rng.usize(..2),
            times: rng.usize(1..3),
        },
        5..11 => Step::Answers { class, answer: answer(rng), times: rng.u64(1..4) },
        11 => Step::RemoteAway(millis(rng, 100, 80_000)),
        12 => Step::Slow {
            remote: millis(rng, 10, 3_000),
            kubernetes: millis(rng, 10, 1_000),
            lasts: millis(rng, 1_000, 80_000),
        },
        13 => Step::Lag { by: millis(rng, 10, 1_500), lasts: millis(rng, 1_000, 80_000) },
        14 => Step::Revoke(millis(rng, 100, 60_000)),
        _ => Step::Limit { writes: rng.u32(1..3), lasts: millis(rng, 1_000, 80_000) },
    }
}

fn answer(rng: &mut Rng) -> Answer {
    one_of(
        rng,
        &[
            Answer::Refuses(400),
            Answer::Refuses(401),
            Answer::Refuses(403),
            Answer::Refuses(409),
            Answer::Refuses(429),
            Answer::Refuses(500),
            Answer::Gateway(403),
            Answer::Gateway(404),
            Answer::Gateway(502),
            Answer::Gateway(503),
            Answer::Gateway(504),
            Answer::RetryAfter(429, "7"),
            Answer::RetryAfter(503, "5"),
            Answer::RetryAfter(429, "Wed, 01 Jul 2026 02:03:00 GMT"),
            Answer::RetryAfter(429, "soon"),
            Answer::Empty,
            Answer::Truncated,
            Answer::WrongType,
            Answer::UnknownStatus,
            Answer::AnotherId,
            Answer::Stale,
            Answer::CursorLoop,
            Answer::Redirect,
            Answer::Oversized,
        ],
    )
}

fn kubernetes(rng: &mut Rng) -> Step {
    let class = one_of(
        rng,
        &[Class::Read, Class::Status, Class::Status, Class::Watch, Class::Event, Class::Lease],
    );
    match rng.u32(..18) {
        0..6 => Step::Messages {
            class,
            fate: fate(rng, 20_000),
            skip: rng.usize(..3),
            times: rng.usize(1..4),
        },
        6..10 => Step::Messages {
            class,
            fate: Fate::Answered(one_of(rng, &[403, 404, 409, 422, 429, 500, 503, 504])),
            skip: rng.usize(..3),
            times: rng.usize(1..4),
        },
        10..13 => Step::HoldWatches(millis(rng, 10, 60_000)),
        13 => Step::CutWatches,
        14 => Step::ExpireWatches,
        15 => Step::SilenceWatches,
        _ => Step::ServerAway(millis(rng, 100, 80_000)),
    }
}

fn process(rng: &mut Rng, is_pair: bool) -> Step {
    let replica = if is_pair { rng.usize(..2) } else { 0 };
    match rng.u32(..8) {
        0..2 => Step::Kill(replica, millis(rng, 10, 60_000)),
        2..4 => Step::Stop(replica, millis(rng, 10, 60_000)),
        4 if is_pair => Step::Freeze(replica, millis(rng, 10, 80_000)),
        5 => Step::Suspend(millis(rng, 10, 80_000)),
        _ => Step::CutOff(replica, millis(rng, 10, 80_000)),
    }
}
