//! Each fault of the catalogue once, over HTTP: the same end as without it, and the POSTs that the catalogue says.

use std::time::Duration;

use futures::{StreamExt as _, TryStreamExt as _, stream};
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use qoder_simulator::{Operation, Simulator};
use testbed::{Bed, Result};

use crate::{
    catalogue::{Given, REMOTE, Remote, Request},
    story::{Story, TOKEN, config, is, remote},
};

/// Long enough for what is looked at slowly, and for a breaker that has opened.
const PATIENCE: Duration = Duration::from_secs(90);
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);

fn given(story: &Story, n: usize, another: usize) -> Given {
    let soon = Timestamp::now() + SignedDuration::from_secs(4);
    Given {
        request_timeout: REQUEST_TIMEOUT,
        id: story.id(n),
        another: story.id(another),
        too_many: 100 << 20,
        soon: soon.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
    }
}

/// A story whose answers may take longer than usual, as some of the faults do.
async fn patient(name: &str, deployments: usize) -> Result<Story> {
    let simulator = Simulator::start(config(deployments)).await?;
    let bed = Bed::new(name).await?;
    let operator = bed.operator().base_url(&simulator.base_url()).token(TOKEN);
    let operator = operator.flag("request-timeout", "3s").start().await?;
    Ok(Story { operator, simulator, bed })
}

/// Waits until the pause of the `n`th deployment is reached, and looks at what it took: one effect, and no POST more
/// than the fault costs.
async fn is_paused_once(story: &Story, name: &str, n: usize, fault: Option<&Remote>) -> Result<()> {
    let is_done = |object: &_| is(object, "True", "InSync");
    let paused = story.bed.wait_until_for(PATIENCE, name, "in sync", is_done).await?;
    assert_eq!(remote(&paused), (Some("paused"), Some("manual")), "{name}");
    let id = story.id(n);
    let journal = story.simulator.journal().into_iter();
    let sent: Vec<_> = journal
        .filter(|entry| entry.id.as_ref() == Some(&id) && entry.operation == Operation::Pause)
        .map(|entry| (entry.status, entry.effect))
        .collect();
    let most = 1 + fault.map_or(0, Remote::posts);
    let least = 1 + fault.map_or(0, Remote::posts_at_least);
    assert!((least..=most).contains(&sent.len()), "{name}: {sent:?}, not {least} to {most}");
    assert_eq!(sent.iter().filter(|(_, effect)| *effect).count(), 1, "{name}: {sent:?}");
    Ok(())
}

#[tokio::test]
async fn whatever_happens_to_a_pause_it_takes_effect_once_and_costs_what_the_catalogue_says()
-> Result<()> {
    let faults: Vec<_> = REMOTE
        .iter()
        .filter(|fault| fault.request == Request::Post && fault.fault.is_some())
        .collect();
    let story = patient("post", faults.len() + 1).await?;
    for (n, fault) in faults.iter().enumerate() {
        let given = given(&story, n, faults.len());
        story.simulator.inject(fault.at(&given, Operation::Pause).unwrap());
    }
    for n in 0..faults.len() {
        story.apply(&format!("r{n}"), n, Some(true)).await?;
    }
    for (n, fault) in faults.iter().enumerate() {
        let done = is_paused_once(&story, &format!("r{n}"), n, Some(fault)).await;
        done.map_err(|error| error.context(fault.name))?;
    }
    assert_eq!(story.effects(faults.len()), 0, "nobody asked for the other one");
    story.polls(2).await?;
    let memory = story.operator.rss_kib()?;
    assert!(memory < 64 << 10, "bounded memory, not {memory} KiB");
    Ok(())
}

/// The fault meets the first look at a new resource, or the first list after it.
async fn looked_at(fault: &Remote) -> Result<()> {
    // For one, a GET is the cheapest look; for two a list is.
    let resources = if fault.request == Request::List { 2 } else { 1 };
    let story = patient("look", resources + 1).await?;
    let fault_of = fault.at(&given(&story, 0, resources), Operation::Pause).unwrap();
    story.simulator.inject(fault_of);
    for n in 0..resources {
        story.apply(&format!("r{n}"), n, Some(true)).await?;
    }
    let may_meet_it = |n| (n == 0).then_some(fault);
    for n in 0..resources {
        is_paused_once(&story, &format!("r{n}"), n, may_meet_it(n)).await?;
    }
    story.polls(3).await?;
    assert!(story.simulator.journal().iter().any(|entry| entry.fault.is_some()), "it was met");
    for n in 0..resources {
        is_paused_once(&story, &format!("r{n}"), n, may_meet_it(n)).await?;
    }
    let memory = story.operator.rss_kib()?;
    assert!(memory < 64 << 10, "bounded memory, not {memory} KiB");
    Ok(())
}

#[tokio::test]
async fn whatever_happens_to_a_look_the_pause_is_sent_once() -> Result<()> {
    let looks =
        REMOTE.iter().filter(|fault| fault.request != Request::Post && fault.fault.is_some());
    // A few operators at a time: they mostly wait.
    stream::iter(looks)
        .map(async |fault| {
            let context = || format!("{:?}: {}", fault.request, fault.name);
            looked_at(fault).await.map_err(|error| error.context(context()))
        })
        .buffer_unordered(6)
        .try_collect::<()>()
        .await
}
