//! The life of a resource, with its operator killed at each call that it makes to the remote and at each write to
//! Kubernetes: before it, with it on its way, after it. Whoever comes next ends where it would have ended, with no
//! needless write.

use std::time::Duration;

use apiserver::Entry;
use qoder_operator::leader::LeaseTimes;

use crate::{
    bed::{Bed, POLL, Setup, in_parallel, in_virtual_time},
    death::{Death, Moment, ON_THE_WAY},
    replicas::Replica,
};

const SECOND: Duration = Duration::from_secs(1);

/// Longer than it takes until a leader is followed, and what it has sent can land no more.
const PATIENCE: Duration = Duration::from_secs(300);

/// Renewed so rarely that most of what a leader writes is about the resource.
const LEASE_TIMES: LeaseTimes = LeaseTimes {
    lease_duration: Duration::from_secs(30),
    renew_deadline: Duration::from_secs(20),
    retry_period: Duration::from_secs(10),
};

/// Who goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heir {
    /// The same process, started again.
    Itself,
    /// A replica that has stood by.
    TheOther,
}

async fn until(bed: &Bed, is_so: impl Fn() -> bool) {
    bed.until_so(is_so, SECOND, PATIENCE).await;
}

/// Adopted, flipped, corrected, paused by the platform and resumed as was asked for, deleted.
async fn life(bed: &Bed, death: &Death) {
    let is = |ready: &'static str| move || bed.ready("r0") == ready;
    bed.apply("r0", 0, Some(true));
    until(bed, is("True InSync")).await;
    bed.flip("r0", false);
    until(bed, is("True InSync")).await;
    bed.simulator.set_paused(&bed.ids[0], true);
    until(bed, || bed.remote(0) == "active" && bed.ready("r0") == "True InSync").await;
    if death.has_happened() {
        // A late resume would lift what the platform does next; no client of this API can prevent that.
        bed.pass(ON_THE_WAY).await;
    }
    bed.simulator.pause_by_error(&bed.ids[0], "agent_archived_error");
    until(bed, is("False PausedByPlatform")).await;
    bed.annotate("r0", "resume-requested-at", "1");
    until(bed, is("True InSync")).await;
    bed.delete("r0");
    bed.pass(2 * POLL).await;
}

/// What is left of it.
#[derive(Debug, PartialEq)]
struct Left {
    /// Those that took effect, and how many others there were.
    writes: Vec<String>,
    refused: usize,
    /// Those that say how it is, and how many others there were, which say that it is not known or not done yet.
    statuses: Vec<String>,
    waiting: usize,
    events: Vec<String>,
    remote: String,
}

/// Generation and reason of Ready.
fn ready(entry: &Entry) -> String {
    let conditions = entry.body["status"]["conditions"].as_array().cloned().unwrap_or_default();
    let ready =
        conditions.into_iter().find(|condition| condition["type"] == "Ready").unwrap_or_default();
    format!("{} {}", ready["observedGeneration"], ready["reason"].as_str().unwrap_or_default())
}

async fn lived(at: Option<(usize, Moment)>, heir: Heir) -> (Left, Vec<String>) {
    let bed = Bed::prepare(Setup::with(2)).await;
    bed.slow_down();
    let first = Replica::start_with(&bed, "first", LEASE_TIMES);
    let death = first.wire.death.clone();
    if let Some((n, moment)) = at {
        death.set(n, moment);
    }
    let other = (heir == Heir::TheOther).then(|| Replica::start_with(&bed, "other", LEASE_TIMES));
    let mut again = None;
    {
        let mut life = std::pin::pin!(life(&bed, &death));
        tokio::select! {
            () = &mut life => assert!(at.is_none(), "it has not died"),
            () = death.happens() => {
                first.kill().await;
                again = other.is_none().then(|| Replica::start_with(&bed, "again", LEASE_TIMES));
                life.await;
            }
        }
    }
    drop((other, again));
    let (writes, refused): (Vec<_>, Vec<_>) =
        bed.writes().into_iter().partition(|write| write.ends_with(" 200"));
    let statuses = bed.status_writes("r0").into_iter().filter(|entry| entry.changed);
    let is_waiting = |status: &String| status.contains("Progressing") || status.contains("Pending");
    let (waiting, statuses): (Vec<_>, Vec<_>) =
        statuses.map(|entry| ready(&entry)).partition(is_waiting);
    let left = Left {
        writes,
        refused: refused.len(),
        statuses,
        waiting: waiting.len(),
        events: bed.events("r0"),
        remote: bed.remote(0),
    };
    (left, death.calls())
}

/// Killed at each call, at each moment of it.
fn killed_at_each_call(heir: Heir) {
    let (without, calls) = in_virtual_time(lived(None, heir));
    let effects = ["pause 0 200", "unpause 0 200", "unpause 0 200", "unpause 0 200"];
    assert_eq!(without.writes, effects);
    assert_eq!(without.statuses, ["1 InSync", "2 InSync", "2 PausedByPlatform", "2 InSync"]);
    assert_eq!((without.refused, without.waiting), (0, 0));
    let events = ["Paused", "Resumed", "DriftCorrected", "PausedByPlatform", "Resumed"];
    assert_eq!(without.events, events);
    for path in ["/pause", "/unpause", "/status", "/events", "/leases", "/lease"] {
        assert!(calls.iter().any(|call| call.ends_with(path)), "{path}: {calls:#?}");
    }

    let moments = [Moment::Before, Moment::OnTheWay, Moment::After];
    let points: Vec<_> = (0..calls.len()).flat_map(|n| moments.map(|moment| (n, moment))).collect();
    in_parallel(&points, |(n, moment)| {
        let (left, _) = in_virtual_time(lived(Some((*n, *moment)), heir));
        let at = format!("{moment:?} {n}, {}: {left:#?}", calls[*n]);
        assert_eq!(left.writes, without.writes, "{at}");
        assert_eq!(left.remote, without.remote, "{at}");
        assert_eq!(left.statuses, without.statuses, "{at}");
        // What lands when another one has done it already.
        assert!(left.refused <= usize::from(*moment == Moment::OnTheWay), "{at}");
        // The next one says that it does not know yet, and maybe that it is not done yet.
        assert!(left.waiting <= 2, "{at}");
        // An event that has not left is lost; none comes twice.
        assert!(is_without_one(&left.events, &without.events), "{at}");
    });
}

/// Whether it is the same, or the same without one.
fn is_without_one(some: &[String], all: &[String]) -> bool {
    let mut lacks = (0..all.len()).map(|n| [&all[..n], &all[n + 1..]].concat());
    some == all || lacks.any(|lack| lack == some)
}

#[test]
fn killed_at_any_call_and_started_again_it_ends_as_if_nothing_had_been() {
    killed_at_each_call(Heir::Itself);
}

#[test]
fn killed_at_any_call_it_is_followed_by_one_that_ends_as_if_nothing_had_been() {
    killed_at_each_call(Heir::TheOther);
}
