use std::{collections::BTreeSet, time::Duration};

use proptest::prelude::*;

use super::*;

fn id(name: &str) -> DeploymentId {
    DeploymentId::try_from(format!("dep_{name}").as_str()).unwrap()
}

fn key(next: Next) -> String {
    match next {
        Next::Key(id, _) => id.to_string(),
        other => format!("{other:?}"),
    }
}

#[test]
fn nothing_about_one_deployment_runs_twice_at_once_and_nothing_is_lost() {
    let (ns, now) = (Arc::from("ns"), Instant::now());
    let mut queue = WorkQueue::default();
    queue.add(&id("a"), Lane::Report, &ns, now);
    assert_eq!(key(queue.next(now)), "dep_a");
    queue.add(&id("a"), Lane::Spec, &ns, now);
    queue.add(&id("a"), Lane::Report, &ns, now);
    assert_eq!(queue.next(now), Next::Idle, "it is being worked on");
    queue.done(&id("a"), now);
    assert_eq!(key(queue.next(now)), "dep_a", "it was added meanwhile");
    queue.done(&id("a"), now);
    assert_eq!(queue.next(now), Next::Idle);
}

#[test]
fn the_earliest_delay_counts_and_a_look_before_it_ends_it() {
    let (ns, now) = (Arc::from("ns"), Instant::now());
    let at = |seconds| now + Duration::from_secs(seconds);
    let mut queue = WorkQueue::default();
    queue.add_at(&id("a"), &ns, at(9));
    queue.add_at(&id("a"), &ns, at(5));
    queue.add_at(&id("a"), &ns, at(7));
    assert_eq!(queue.next(at(4)), Next::At(at(5)));
    assert_eq!(queue.next(at(5)), Next::Key(id("a"), at(5)));
    queue.done(&id("a"), at(5));
    assert_eq!(queue.next(at(20)), Next::Idle);

    queue.add_at(&id("a"), &ns, at(30));
    queue.add(&id("a"), Lane::Spec, &ns, at(21));
    assert_eq!(key(queue.next(at(21))), "dep_a");
    queue.done(&id("a"), at(21));
    assert_eq!(queue.next(at(40)), Next::Idle, "the look at 21 has settled it");
}

#[test]
fn a_delayed_key_goes_behind_those_whose_event_has_come() {
    let (ns, now) = (Arc::from("ns"), Instant::now());
    let at = |seconds| now + Duration::from_secs(seconds);
    let mut queue = WorkQueue::default();
    queue.add_at(&id("late"), &ns, at(1));
    queue.add(&id("drift"), Lane::Drift, &ns, at(2));
    queue.add(&id("spec"), Lane::Spec, &ns, at(2));
    let order = [(); 3].map(|()| key(queue.next(at(3))));
    assert_eq!(order, ["dep_spec", "dep_drift", "dep_late"]);
}

/// What may happen to the queue.
#[derive(Debug, Clone, Copy)]
enum Step {
    Add(u8, Lane),
    /// So many seconds from now.
    AddLater(u8, u64),
    Next,
    Done(u8),
    /// So many seconds pass.
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let lane = prop::sample::select(vec![Lane::Spec, Lane::Drift, Lane::Report]);
    prop_oneof![
        (0..5_u8, lane).prop_map(|(key, lane)| Step::Add(key, lane)),
        (0..5_u8, 1..9_u64).prop_map(|(key, seconds)| Step::AddLater(key, seconds)),
        Just(Step::Next),
        (0..5_u8).prop_map(Step::Done),
        (1..4_u64).prop_map(Step::Wait),
    ]
}

/// What the queue owes, told without lanes and order.
#[derive(Default)]
struct Owed {
    now: BTreeSet<DeploymentId>,
    later: BTreeMap<DeploymentId, Instant>,
    working: BTreeSet<DeploymentId>,
}

impl Owed {
    /// Asks for the next key, and checks the answer.
    fn next(&mut self, queue: &mut WorkQueue, now: Instant) -> Result<Next, TestCaseError> {
        self.later.retain(|id, at| {
            let is_due = *at <= now;
            if is_due {
                self.now.insert(id.clone());
            }
            !is_due
        });
        let next = queue.next(now);
        if let Next::Key(id, _) = &next {
            prop_assert!(self.working.insert(id.clone()), "{id} is being worked on");
            prop_assert!(self.now.remove(id), "nobody asked for {id}");
            self.later.remove(id);
        } else {
            prop_assert!(self.now.is_subset(&self.working), "{:?} wait", self.now);
            let first = self.later.values().min();
            prop_assert_eq!(&next, &first.map_or(Next::Idle, |at| Next::At(*at)));
        }
        Ok(next)
    }

    fn done(&mut self, queue: &mut WorkQueue, id: &DeploymentId, now: Instant) {
        if self.working.remove(id) {
            queue.done(id, now);
        }
    }
}

proptest! {
    /// Whatever comes in whatever order: what was asked for is handed out, after it was asked for,
    /// and to one at a time.
    #[test]
    fn nothing_is_lost_and_nothing_runs_twice_at_once(steps in prop::collection::vec(step(), 1..200)) {
        let ns = Arc::from("ns");
        let key = |n: u8| id(&n.to_string());
        let (mut queue, mut owed, mut now) = (WorkQueue::default(), Owed::default(), Instant::now());
        for step in steps {
            match step {
                Step::Add(n, lane) => {
                    queue.add(&key(n), lane, &ns, now);
                    owed.now.insert(key(n));
                }
                Step::AddLater(n, seconds) => {
                    let at = now + Duration::from_secs(seconds);
                    queue.add_at(&key(n), &ns, at);
                    let first = owed.later.entry(key(n)).or_insert(at);
                    *first = at.min(*first);
                }
                Step::Next => drop(owed.next(&mut queue, now)?),
                Step::Done(n) => owed.done(&mut queue, &key(n), now),
                Step::Wait(seconds) => now += Duration::from_secs(seconds),
            }
        }
        now += Duration::from_secs(9);
        for id in owed.working.clone() {
            owed.done(&mut queue, &id, now);
        }
        while let Next::Key(id, _) = owed.next(&mut queue, now)? {
            owed.done(&mut queue, &id, now);
        }
        prop_assert!(owed.now.is_empty() && owed.later.is_empty());
    }
}

#[test]
fn nothing_is_kept_of_a_key_that_is_forgotten() {
    let mut queue = WorkQueue::default();
    let now = Instant::now();
    assert_eq!([queue.failed(&id("a")), queue.failed(&id("a"))], [0, 1]);
    queue.add_at(&id("a"), &Arc::from("ns"), now + Duration::from_secs(9));
    queue.forget(&id("a"));
    assert_eq!(queue.next(now), Next::Idle, "not even a time to look again");
    assert_eq!(queue.failed(&id("a")), 0, "nor how often it has failed");
}
