use std::time::Duration;

use tokio::{
    task::JoinHandle,
    time::{sleep, timeout},
};

use super::*;
use crate::resources::{Source, resource::tests::resource};

const SECOND: Duration = Duration::from_secs(1);

/// A queue for one deployment, and someone who takes one key and says when.
fn queue() -> (Arc<Queue>, DeploymentId) {
    let mut index = Index::default();
    let resource = resource(Instant::now());
    let id = resource.deployment.clone();
    index.apply(resource, Source::Watch);
    (Arc::new(Queue::new(Arc::new(Mutex::new(index)), Arc::default())), id)
}

async fn taker(queue: &Arc<Queue>) -> JoinHandle<Instant> {
    let queue = Arc::clone(queue);
    let taker = tokio::spawn(async move {
        queue.next().await;
        Instant::now()
    });
    // It waits by now.
    sleep(SECOND / 10).await;
    taker
}

/// When it has got one; within a minute.
async fn taken(taker: JoinHandle<Instant>) -> Instant {
    timeout(60 * SECOND, taker).await.expect("nobody has woken it").unwrap()
}

#[tokio::test(start_paused = true)]
async fn who_waits_for_a_key_is_woken_by_each_way_in_which_one_becomes_ready() {
    let (queue, id) = queue();
    let first = taker(&queue).await;
    let now = Instant::now();
    queue.add(&id, Lane::Spec);
    assert_eq!(taken(first).await, now);

    // It is added again while it is worked on, and ready when that is done.
    queue.add(&id, Lane::Spec);
    let second = taker(&queue).await;
    let now = Instant::now();
    queue.done(&id);
    assert_eq!(taken(second).await, now);
    queue.done(&id);

    for wait in [10 * SECOND, SECOND] {
        let third = taker(&queue).await;
        let at = Instant::now() + wait;
        queue.add_at(&id, at);
        assert_eq!(taken(third).await, at, "nobody waited for anything");
        queue.done(&id);
    }
    queue.add_at(&id, Instant::now() + 10 * SECOND);
    let fourth = taker(&queue).await;
    let at = Instant::now() + SECOND;
    queue.add_at(&id, at);
    assert_eq!(taken(fourth).await, at, "earlier than what was waited for");
}

#[tokio::test(start_paused = true)]
async fn failures_are_counted_in_a_row_and_what_nothing_names_is_forgotten() {
    let (queue, id) = queue();
    assert_eq!([queue.failed(&id), queue.failed(&id)], [0, 1]);
    queue.succeeded(&id);
    assert_eq!(queue.failed(&id), 0);

    queue.add_at(&id, Instant::now() + SECOND);
    assert_eq!((queue.is_named(&id), queue.depth()), (true, 0), "it is not ready yet");
    let resource = lock(&queue.index).bound(&id)[0].clone();
    lock(&queue.index).remove_uid(&resource.key, &resource.uid);
    queue.add(&id, Lane::Spec);
    assert_eq!((queue.is_named(&id), queue.depth()), (false, 0));
    assert!(!taker(&queue).await.is_finished());
    sleep(10 * SECOND).await;
    assert_eq!(queue.failed(&id), 0, "its failures are forgotten, too");
}

#[tokio::test(start_paused = true)]
async fn no_trace_outlives_its_term() {
    let _here = tracing::subscriber::set_default(tracing_subscriber::registry());
    let (queue, id) = queue();
    // A test beside this one may just be registering the span, for nobody.
    while queue.traces.of(&id).is_none() {
        tracing::callsite::rebuild_interest_cache();
        queue.traces.begin(&id, Cause::Watch);
    }
    queue.end_term();
    assert!(queue.traces.of(&id).is_none());
}

#[tokio::test(start_paused = true)]
async fn in_a_new_term_nobody_is_at_work() {
    let (queue, id) = queue();
    // As it comes with a list of the remote.
    queue.add(&DeploymentId::try_from(id.as_str()).unwrap(), Lane::Spec);
    assert_eq!(queue.depth(), 1);
    let (next, _) = queue.next().await;
    assert!(std::ptr::eq(next.as_str(), id.as_str()), "a second copy of the id");
    assert_eq!(queue.depth(), 0);
    queue.failed(&id);
    queue.begin_term();
    // It is not waited for until who worked on it in the last term is done, nor for its backoff.
    let now = Instant::now();
    assert_eq!(taken(taker(&queue).await).await, now);
    assert_eq!(queue.failed(&id), 0);
}
