//! Random edits, faults and delays on both sides, with one oracle: when everything has been delivered and four
//! polls have passed, every status is true and complete and every wish reached; and then nothing more happens.

use std::{collections::BTreeMap, time::Duration};

use apiserver::{Failure, Match, Rule, Verb};
use proptest::{collection::vec, prelude::*};
use qoder_simulator::{Fault, Operation};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, sleep_until};

use crate::{
    bed::{Bed, NAMESPACE, POLL, Setup, TIMES, in_virtual_time},
    wire::{Held, Kind, Moment},
};

/// Deployments of the account, and names of resources: two for each of the first two, one for the third.
const DEPLOYMENTS: usize = 3;
const RESOURCES: [(&str, usize); 5] = [("a", 0), ("b", 0), ("c", 1), ("d", 1), ("e", 2)];

/// What can happen.
#[derive(Debug, Clone)]
enum Step {
    /// The resource is there from now on, or says this from now on.
    Apply(usize, Option<bool>),
    Delete(usize),
    AskForReconcile(usize),
    AskForResume(usize),
    /// Somebody else changes the remote.
    Toggle(usize, bool),
    FailRun(usize),
    Rename(usize),
    Archive(usize),
    /// For so long, in milliseconds.
    HoldRemote(Kind, Moment, u64),
    FailRemote(Box<Fault>),
    HoldWatches(u64),
    CutWatches,
    ExpireWatches,
    SilenceWatches,
    FailKubernetes(Verb, usize),
    StopKubernetes(u64),
    /// The statuses of one resource, for so long.
    HoldStatus(usize, bool, u64),
    SilenceStatus(usize, usize),
    RefuseStatus(usize, usize),
    Latency(u64, u64),
    Touch(usize),
    Crash,
    Restart,
}

fn steps() -> impl Strategy<Value = Step> {
    let resource = 0..RESOURCES.len();
    let deployment = 0..DEPLOYMENTS;
    let wish = prop_oneof![3 => Just(Some(true)), 3 => Just(Some(false)), 1 => Just(None)];
    let kind = prop::sample::select(vec![Kind::Get, Kind::List, Kind::Write, Kind::Write]);
    let moment = prop::sample::select(vec![Moment::Before, Moment::After]);
    let operation = prop::sample::select(vec![
        Operation::Get,
        Operation::List,
        Operation::Pause,
        Operation::Unpause,
    ]);
    let verb = prop::sample::select(vec![Verb::Get, Verb::Patch, Verb::Patch, Verb::Watch]);
    let edits = prop_oneof![
        6 => (resource.clone(), wish).prop_map(|(r, wish)| Step::Apply(r, wish)),
        2 => resource.clone().prop_map(Step::Delete),
        1 => resource.clone().prop_map(Step::AskForReconcile),
        1 => resource.prop_map(Step::AskForResume),
    ];
    let remote = prop_oneof![
        2 => (deployment.clone(), any::<bool>()).prop_map(|(d, paused)| Step::Toggle(d, paused)),
        1 => deployment.clone().prop_map(Step::FailRun),
        1 => deployment.clone().prop_map(Step::Rename),
        1 => deployment.prop_map(Step::Archive),
    ];
    let faults = prop_oneof![
        3 => (kind, moment, 10..20_000_u64).prop_map(|(k, m, ms)| Step::HoldRemote(k, m, ms)),
        3 => (operation, answers()).prop_map(|(o, fault)| Step::FailRemote(Box::new(fault.on(o)))),
        3 => (10..30_000_u64).prop_map(Step::HoldWatches),
        1 => Just(Step::CutWatches),
        1 => Just(Step::ExpireWatches),
        1 => Just(Step::SilenceWatches),
        3 => (verb, 0..6_usize).prop_map(|(v, how)| Step::FailKubernetes(v, how)),
        1 => (100..20_000_u64).prop_map(Step::StopKubernetes),
        4 => (0..RESOURCES.len(), any::<bool>(), 10..12_000_u64).prop_map(|(r, b, ms)| Step::HoldStatus(r, b, ms)),
        2 => (0..RESOURCES.len(), 1..4_usize).prop_map(|(r, n)| Step::SilenceStatus(r, n)),
        2 => (0..RESOURCES.len(), 1..4_usize).prop_map(|(r, n)| Step::RefuseStatus(r, n)),
        2 => (0..400_u64, 0..400_u64).prop_map(|(a, b)| Step::Latency(a, b)),
        2 => (0..RESOURCES.len()).prop_map(Step::Touch),
        1 => Just(Step::Crash),
        1 => Just(Step::Restart),
    ];
    prop_oneof![8 => edits, 3 => remote, 6 => faults]
}

fn answers() -> impl Strategy<Value = Fault> {
    prop::sample::select(vec![
        Fault::respond(401),
        Fault::respond(403).html(),
        Fault::respond(409),
        Fault::respond(429),
        Fault::respond(429).header("retry-after", "7"),
        Fault::respond(500),
        Fault::respond(503).header("retry-after", "5"),
        Fault::reset_before(),
        Fault::reset_after(),
        Fault::hang_before(),
        Fault::hang_after(),
        Fault::truncate(),
        Fault::empty(),
    ])
}

proptest! {
    #![proptest_config(cases(1_100))]

    #[test]
    fn everything_converges_after_edits_and_delays(
        steps in vec((0..40_000_u64, steps()), 1..14), seed in any::<u64>()
    ) {
        in_virtual_time(converges(steps, seed))?;
    }

    #[test]
    fn everything_converges_after_bursts_at_one_moment(
        steps in vec((0..40_u64, steps()), 1..14), seed in any::<u64>()
    ) {
        in_virtual_time(converges(steps, seed))?;
    }
}

fn cases(count: u32) -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        max_shrink_iters: 400,
        ..ProptestConfig::with_cases(count)
    }
}

/// What is held at present, and until when.
#[derive(Default)]
struct Trouble {
    remote: Vec<(Instant, Held)>,
    watches: Option<Instant>,
    server: Option<Instant>,
    rules: Vec<Rule>,
    timed: Vec<(Instant, Rule)>,
}

async fn converges(mut steps: Vec<(u64, Step)>, seed: u64) -> Result<(), TestCaseError> {
    steps.sort_by_key(|(at, _)| *at);
    let mut bed = Bed::prepare(Setup { seed, ..Setup::with(DEPLOYMENTS) }).await;
    bed.run();
    let mut trouble = Trouble::default();
    let start = Instant::now();
    for (count, (at, step)) in steps.into_iter().enumerate() {
        let at = start + Duration::from_millis(at);
        trouble.pass_until(&bed, at).await;
        trouble.happens(&mut bed, step, count).await;
    }
    let end = trouble.last().max(Instant::now());
    trouble.pass_until(&bed, end).await;
    bed.simulator.clear_faults();
    trouble.rules.iter().for_each(Rule::lift);

    // What was lost may still land for so long, and counts as delivered then.
    sleep(TIMES.request_lifetime() + 4 * POLL).await;
    let before = (bed.server.changes().len(), bed.writes().len());
    for (name, deployment) in RESOURCES {
        check(&bed, name, deployment)?;
    }
    sleep(3 * POLL).await;
    prop_assert_eq!((bed.server.changes().len(), bed.writes().len()), before, "it is calm");
    Ok(())
}

impl Trouble {
    fn last(&self) -> Instant {
        let ends = self.remote.iter().map(|(end, _)| *end);
        let ends = ends
            .chain(self.watches)
            .chain(self.server)
            .chain(self.timed.iter().map(|(end, _)| *end));
        ends.max().unwrap_or_else(Instant::now)
    }

    /// Lets time pass, and what is held go when its time has come.
    async fn pass_until(&mut self, bed: &Bed, until: Instant) {
        loop {
            let ends = self.remote.iter().map(|(end, _)| *end);
            let next = ends
                .chain(self.watches)
                .chain(self.server)
                .chain(self.timed.iter().map(|(end, _)| *end))
                .min();
            let Some(next) = next.filter(|next| *next <= until) else {
                sleep_until(until).await;
                return;
            };
            sleep_until(next).await;
            for (_, held) in self.remote.extract_if(.., |(end, _)| *end <= next) {
                held.release();
            }
            for (_, rule) in self.timed.extract_if(.., |(end, _)| *end <= next) {
                rule.lift();
            }
            if self.watches.is_some_and(|end| end <= next) {
                self.watches = None;
                bed.server.release_watches();
            }
            if self.server.is_some_and(|end| end <= next) {
                self.server = None;
                bed.server.start();
            }
        }
    }

    async fn happens(&mut self, bed: &mut Bed, step: Step, count: usize) {
        let after = |millis| Instant::now() + Duration::from_millis(millis);
        let token = format!("t{count}");
        let is_there = |r: usize| !bed.object(RESOURCES[r].0).is_null();
        let is_archived =
            |d: usize| !bed.simulator.deployment(&bed.ids[d]).unwrap()["archived_at"].is_null();
        match step {
            Step::Apply(r, paused) => {
                let (name, deployment) = RESOURCES[r];
                // An apply by the same manager that leaves the field out takes it away.
                bed.apply(name, deployment, paused);
            }
            Step::Delete(r) if is_there(r) => bed.delete(RESOURCES[r].0),
            Step::AskForReconcile(r) if is_there(r) => {
                bed.annotate(RESOURCES[r].0, "reconcile-requested-at", &token);
            }
            Step::AskForResume(r) if is_there(r) => {
                bed.annotate(RESOURCES[r].0, "resume-requested-at", &token);
            }
            Step::Touch(r) if is_there(r) => bed.annotate(RESOURCES[r].0, "touched", &token),
            Step::Delete(_) | Step::AskForReconcile(_) | Step::AskForResume(_) | Step::Touch(_) => {
            }
            // Nothing happens to an archived one, and it is looked at slowly.
            Step::Toggle(d, _) | Step::FailRun(d) | Step::Rename(d) if is_archived(d) => {}
            Step::Toggle(d, paused) => bed.simulator.set_paused(&bed.ids[d], paused),
            Step::FailRun(d) => {
                bed.simulator.pause_by_error(&bed.ids[d], "agent_archived_error");
            }
            Step::Rename(d) => bed.simulator.patch(&bed.ids[d], json!({ "name": token })),
            Step::Archive(d) => bed.simulator.archive(&bed.ids[d]),
            Step::HoldRemote(kind, moment, millis) => {
                self.remote.push((after(millis), bed.wire.hold(kind, moment)));
            }
            Step::FailRemote(fault) => bed.simulator.inject(*fault),
            Step::HoldWatches(millis) => {
                bed.server.hold_watches();
                self.watches = self.watches.max(Some(after(millis)));
            }
            Step::CutWatches => bed.server.watches().iter().for_each(apiserver::Watch::sever),
            Step::ExpireWatches => {
                bed.server.compact();
                bed.server.watches().iter().for_each(apiserver::Watch::expire);
            }
            Step::SilenceWatches => {
                bed.server.watches().iter().for_each(apiserver::Watch::silence);
            }
            Step::FailKubernetes(verb, how) => {
                let on = bed.server.on(Match::verb(verb).of("qoderdeployments"));
                self.rules.push(match how {
                    0 => on.drop_request(),
                    1 => on.drop_answer(),
                    2 => on.fail(Failure::internal()),
                    3 => on.fail_answer(Failure::internal()),
                    4 => on.silence_answer(),
                    _ => on.fail(Failure::new(404, "NotFound", "not found")),
                });
            }
            Step::StopKubernetes(millis) => {
                bed.server.stop();
                self.server = self.server.max(Some(after(millis)));
            }
            Step::HoldStatus(r, is_before, millis) => {
                let on = bed.server.on(Match::status_patches().name(RESOURCES[r].0)).always();
                let rule = if is_before { on.hold() } else { on.hold_answer() };
                self.timed.push((after(millis), rule));
            }
            Step::SilenceStatus(r, n) => {
                let on = bed.server.on(Match::status_patches().name(RESOURCES[r].0)).times(n);
                self.rules.push(on.silence_request());
            }
            Step::RefuseStatus(r, n) => {
                let on = bed.server.on(Match::status_patches().name(RESOURCES[r].0)).times(n);
                self.rules.push(on.fail(Failure::internal()));
            }
            Step::Latency(a, b) => {
                bed.server.set_latency(Duration::from_millis(a));
                let slow = qoder_simulator::Settings {
                    latency: Duration::from_millis(b),
                    ..bed.simulator.settings()
                };
                bed.simulator.set_settings(slow).unwrap();
            }
            Step::Crash => {
                bed.kill().await;
                bed.run();
            }
            Step::Restart => {
                // A call that is held keeps the old process from its end, as a Pod's grace would end it.
                let stopped = tokio::time::timeout(POLL, bed.stop()).await;
                if let Ok(stopped) = stopped {
                    stopped.unwrap();
                }
                bed.run();
            }
        }
    }
}

/// Whether the status of a resource is true and complete, and its wish reached.
fn check(bed: &Bed, name: &str, deployment: usize) -> Result<(), TestCaseError> {
    let object = bed.object(name);
    if object.is_null() {
        return Ok(());
    }
    let ready = bed.ready(name);
    let context = format!("{name}: {ready}\n{:#?}\n{object:#}", bed.calls());
    let status = &object["status"];
    let remote = bed.simulator.deployment(&bed.ids[deployment]).unwrap();
    prop_assert_eq!(
        &status["observedGeneration"],
        &object["metadata"]["generation"],
        "{}",
        context
    );

    let paused = object["spec"]["paused"].as_bool();
    let owner = owner(bed, deployment);
    if paused.is_some() && owner.as_deref() != Some(name) {
        prop_assert_eq!(&ready, "False DuplicateOwner", "{}", context);
        return Ok(());
    }
    for (ours, theirs) in [("status", "status"), ("name", "name")] {
        prop_assert_eq!(&status[ours], &remote[theirs], "{}", context);
    }
    let kind = remote.pointer("/paused_reason/type").cloned().unwrap_or_default();
    let seen = status.pointer("/pausedReason/type").cloned().unwrap_or_default();
    prop_assert_eq!(seen, kind.clone(), "{}", context);

    let is_paused = remote["status"] == "paused";
    let expected = match paused {
        _ if !remote["archived_at"].is_null() => "False RemoteArchived",
        None => "True Observed",
        Some(false) if is_paused && kind == "error" => "False PausedByPlatform",
        Some(_) => {
            prop_assert_eq!(Some(is_paused), paused, "{}", context);
            "True InSync"
        }
    };
    prop_assert_eq!(&ready, expected, "{}", context);

    let annotations = &object["metadata"]["annotations"];
    let asked = &annotations["cloud.qoder.com/reconcile-requested-at"];
    if !asked.is_null() {
        prop_assert_eq!(&status["lastHandledReconcileRequest"], asked, "{}", context);
    }
    Ok(())
}

/// The oldest of those that say `paused`, which is the one with the smallest uid among those of one second.
fn owner(bed: &Bed, deployment: usize) -> Option<String> {
    let names = RESOURCES.iter().filter(|(_, d)| *d == deployment).map(|(name, _)| *name);
    let candidates = names.filter_map(|name| {
        let object = bed.server.deployments().get(NAMESPACE, name)?;
        object["spec"]["paused"].as_bool()?;
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let metadata = &object["metadata"];
        Some(((text(&metadata["creationTimestamp"]), text(&metadata["uid"])), name.to_owned()))
    });
    let candidates: BTreeMap<_, _> = candidates.collect();
    candidates.into_values().next()
}
