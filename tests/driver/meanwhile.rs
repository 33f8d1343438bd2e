//! Somebody else acts at any moment of a flip: before its fresh read, before its effect, before its answer, after it.

use std::time::Duration;

use apiserver::{Match, Verb};

use crate::{
    bed::{Bed, POLL, in_virtual_time},
    waits::fleet,
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    Pause,
    Resume,
    PauseByPlatform,
    Archive,
    Delete,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum When {
    BeforeTheRead,
    BeforeTheEffect,
    BeforeTheAnswer,
    After,
}

impl Act {
    fn happens(self, bed: &Bed) {
        let id = &bed.ids[0];
        match self {
            Self::Pause => bed.simulator.set_paused(id, true),
            Self::Resume => bed.simulator.set_paused(id, false),
            Self::PauseByPlatform => bed.simulator.pause_by_error(id, "agent_archived_error"),
            Self::Archive => bed.simulator.archive(id),
            Self::Delete => bed.delete("r0"),
        }
    }
}

/// How it ends: the writes, Ready, and the remote.
fn expected(paused: bool, act: Act, when: When) -> (Vec<&'static str>, &'static str, &'static str) {
    let (verb, refused) =
        if paused { ("pause 0 200", "pause 0 409") } else { ("unpause 0 200", "unpause 0 409") };
    let (wished, other) = if paused { ("paused", "active") } else { ("active", "paused") };
    let is_done = when >= When::BeforeTheAnswer;
    let is_as_wished =
        matches!(act, Act::Pause | Act::PauseByPlatform) && paused || act == Act::Resume && !paused;
    match act {
        // Nobody wishes anything any more, and what was sent was wished then.
        Act::Delete if when == When::BeforeTheRead => (vec![], "none", other),
        Act::Delete => (vec![verb], "none", wished),
        Act::Archive if is_done => (vec![verb], "False RemoteArchived", wished),
        Act::Archive => (vec![refused], "False RemoteArchived", other),
        // What the platform does after it is not undone. What it has done just before is: nobody can know.
        Act::PauseByPlatform if !paused && is_done => (vec![verb], "False PausedByPlatform", other),
        Act::PauseByPlatform if !paused => (vec![verb], "True InSync", wished),
        _ if is_as_wished && is_done => (vec![verb], "True InSync", wished),
        _ if is_as_wished => (vec![refused], "True InSync", wished),
        // Drift, corrected within a poll.
        _ if is_done => (vec![verb, verb], "True InSync", wished),
        _ => (vec![verb], "True InSync", wished),
    }
}

async fn flipped(paused: bool, act: Act, when: When) {
    let bed = fleet(2).await;
    if !paused {
        bed.flip("r0", true);
        bed.until("r0", "True InSync", SECOND).await;
        bed.forget();
    }
    let post = match when {
        When::BeforeTheEffect => Some(bed.wire.hold(Kind::Write, Moment::Before)),
        When::BeforeTheAnswer => Some(bed.wire.hold(Kind::Write, Moment::After)),
        When::BeforeTheRead | When::After => None,
    };
    let before_it = Match::verb(Verb::Get).of("qoderdeployments").name("r0");
    let read = (when == When::BeforeTheRead).then(|| bed.server.on(before_it).hold());
    bed.flip("r0", paused);
    match &read {
        Some(read) => read.arrived().await,
        None => bed.pass(SECOND).await,
    }
    act.happens(&bed);
    drop(post);
    if let Some(read) = read {
        read.release();
    }
    bed.pass(2 * POLL + SECOND).await;
    let (writes, said, remote) = expected(paused, act, when);
    let case = format!("paused: {paused}, {act:?} {when:?}: {:?}", bed.calls());
    assert_eq!(bed.writes(), writes, "{case}");
    assert_eq!((bed.ready("r0"), bed.remote(0)), (said.to_owned(), remote.to_owned()), "{case}");
    let before = bed.server.writes().len();
    bed.pass(3 * POLL).await;
    assert_eq!((bed.server.writes().len(), bed.writes().len()), (before, writes.len()), "{case}");
}

#[test]
fn whoever_acts_at_any_moment_of_a_flip_nothing_is_fought_and_nothing_sent_twice() {
    let acts = [Act::Pause, Act::Resume, Act::PauseByPlatform, Act::Archive, Act::Delete];
    let moments = [When::BeforeTheRead, When::BeforeTheEffect, When::BeforeTheAnswer, When::After];
    for paused in [true, false] {
        for act in acts {
            for when in moments {
                in_virtual_time(flipped(paused, act, when));
            }
        }
    }
}
