//! Every fault of the catalogue that a request to the remote can have, alone and with each other one, on consecutive
//! requests: the same end as without them, and the writes that the catalogue says.

use std::time::Duration;

use qoder_simulator::Operation;
use serde_json::json;

use crate::{
    bed::{Bed, POLL, Setup, TIMES, in_parallel, in_virtual_time},
    catalogue::{Given, REMOTE, Remote, Request},
    wire::Kind,
};

const SECOND: Duration = Duration::from_secs(1);

/// Longer than it takes until what was refused twice is tried again.
const PATIENCE: Duration = Duration::from_secs(40 * 60);

/// How often it is looked at whether a step is done: a look costs more than what happens in between.
const LOOK: Duration = Duration::from_secs(10);

/// The first request of its kind meets the first fault, the next one the second.
fn inject(bed: &Bed, operation: Operation, faults: &[&Remote]) {
    let given = Given {
        request_timeout: TIMES.request_timeout,
        id: bed.ids[0].clone(),
        another: bed.ids[1].clone(),
        too_many: 9 << 20,
        // For the second of two this has passed.
        soon: "Wed, 01 Jul 2026 02:00:20 GMT".to_owned(),
    };
    for (n, fault) in faults.iter().enumerate() {
        if let Some(fault) = fault.at(&given, operation) {
            bed.simulator.inject(fault);
            continue;
        }
        let kind = match fault.request {
            Request::Post => Kind::Write,
            Request::Get => Kind::Get,
            Request::List => Kind::List,
        };
        let others = faults[..n].iter();
        let others = others.filter(|other| other.request == fault.request && other.fault.is_some());
        bed.wire.refuse(kind, others.count());
    }
}

async fn until(bed: &Bed, is_so: impl Fn() -> bool) {
    bed.until_so(is_so, LOOK, PATIENCE).await;
}

/// What it took.
#[derive(Debug, PartialEq)]
struct Taken {
    posts: usize,
    effects: usize,
    statuses: usize,
}

/// A deployment is adopted: looked at, and paused or resumed. Someone undoes that; a list shows it, and it is done again.
/// Then someone asks for a look. In the end each fault has been met.
async fn adopted_and_corrected(wish: bool, faults: &[&Remote]) -> Taken {
    let mut bed = Bed::prepare(Setup::with(2)).await;
    bed.run();
    bed.apply("r1", 1, Some(false));
    bed.until("r1", "True InSync", 2 * SECOND).await;
    bed.forget();
    bed.slow_down();
    let (state, operation) =
        if wish { ("paused", Operation::Pause) } else { ("active", Operation::Unpause) };
    bed.simulator.set_paused(&bed.ids[0], !wish);
    // Also an answer that shows what was before shows that.
    bed.simulator.patch(&bed.ids[0], json!({ "name": "another" }));
    inject(&bed, operation, faults);

    let is_done = || bed.remote(0) == state && bed.ready("r0") == "True InSync";
    bed.apply("r0", 0, Some(wish));
    until(&bed, is_done).await;
    bed.pass(5 * POLL).await;
    assert!(is_done(), "{}", bed.ready("r0"));
    bed.simulator.set_paused(&bed.ids[0], !wish);
    until(&bed, is_done).await;
    // Nothing else needs a second GET where the first one is answered with what is not so.
    bed.annotate("r0", "reconcile-requested-at", "1");
    until(&bed, || bed.object("r0")["status"]["lastHandledReconcileRequest"] == "1").await;
    until(&bed, is_done).await;
    let before = (bed.server.writes().len(), bed.writes().len());
    bed.pass(3 * POLL).await;
    assert_eq!((bed.server.writes().len(), bed.writes().len()), before, "it is calm");
    let pending = bed.simulator.pending_faults();
    assert!(pending.is_empty() && !bed.wire.is_refusal_pending(), "not met: {pending:?}");

    let journal = bed.simulator.journal();
    let effects: Vec<_> =
        journal.iter().filter(|entry| entry.effect).map(|entry| entry.at).collect();
    let statuses: Vec<_> =
        bed.status_writes("r0").into_iter().filter(|entry| entry.changed).collect();
    let first =
        statuses.iter().find(|entry| entry.body.to_string().contains("\"InSync\"")).unwrap();
    assert!(first.at >= effects[0], "it said so before it was so");
    Taken { posts: bed.writes().len(), effects: effects.len(), statuses: statuses.len() }
}

#[test]
fn each_fault_costs_what_the_catalogue_says() {
    for wish in [true, false] {
        let without = in_virtual_time(adopted_and_corrected(wish, &[]));
        assert_eq!(without, Taken { posts: 2, effects: 2, statuses: 2 });
        in_parallel(&REMOTE, |fault| {
            let Remote { request, name, statuses, .. } = fault;
            let taken = in_virtual_time(adopted_and_corrected(wish, &[fault]));
            let posts = without.posts + fault.posts();
            let expected = Taken { posts, effects: 2, statuses: without.statuses + statuses };
            assert_eq!(taken, expected, "{request:?} {name}, paused: {wish}");
        });
    }
}

/// Each pair of these kinds of request, of those that do not look like another one.
fn each_pair_of(pairs: &[(Request, Request)]) {
    let of = |request: Request| {
        REMOTE.iter().filter(move |fault| fault.request == request && fault.like.is_none())
    };
    let pairs = pairs.iter().flat_map(|(a, b)| of(*a).flat_map(|a| of(*b).map(move |b| (a, b))));
    let pairs: Vec<_> = pairs.collect();
    assert!(pairs.len() > 300, "{}", pairs.len());
    in_parallel(&pairs, |(a, b)| {
        let names = format!("{:?} {}, {:?} {}", a.request, a.name, b.request, b.name);
        let taken = in_virtual_time(adopted_and_corrected(true, &[a, b]));
        let most = 2 + a.posts() + b.posts_of_a_later_one();
        let least = 2 + a.posts_at_least() + b.posts_at_least();
        assert!((least..=most).contains(&taken.posts), "{names}: {taken:?}, not {least} to {most}");
        assert_eq!(taken.effects, 2, "{names}");
        // The second one may meet the correction, which has a status to take back.
        assert!(taken.statuses <= 2 + 2 * 2, "{names}: {taken:?}");
    });
}

/// On consecutive POSTs: both of one wish, or one of each, as it comes.
#[test]
fn any_two_faults_of_posts_cost_what_each_of_them_does() {
    each_pair_of(&[(Request::Post, Request::Post)]);
}

#[test]
fn any_fault_of_a_post_and_any_of_a_look_cost_what_each_of_them_does() {
    each_pair_of(&[(Request::Post, Request::Get), (Request::Post, Request::List)]);
}

#[test]
fn any_two_faults_of_looks_cost_what_each_of_them_does() {
    let looks = [Request::Get, Request::List];
    each_pair_of(&[(looks[0], looks[0]), (looks[0], looks[1]), (looks[1], looks[1])]);
}
