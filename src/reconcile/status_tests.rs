use super::*;
use crate::{
    api::Wish,
    resources::{
        Progress, ReachedChange,
        resource::{Request, tests::resource},
    },
};
use tokio::time::Instant;

const IN_SYNC: Ready =
    Ready { status: ConditionStatus::True, reason: Reason::InSync, kind: Kind::Done };

#[test]
fn a_restart_remembers_what_the_status_says() {
    let now = Instant::now();
    let request = || Some(Box::new(Request { value: "now".into(), seen: now }));
    let resource =
        Resource { resume_request: request(), reconcile_request: request(), ..resource(now) };
    let progress = Progress {
        reached: ReachedChange::Set,
        resume_handled: true,
        reconcile_handled: true,
        is_told: true,
    };
    let memory = resource.memory.after(progress, &resource.asked());
    assert_eq!(memory.last_reached.map(|reached| reached.desired), Some(Wish::Paused));
    assert!(memory.resume_handled.is_some() && memory.reconcile_handled.is_some());
    let contents = Contents {
        ready: IN_SYNC,
        last_known: None,
        owner: None,
        hindrance: None,
        now: Timestamp::UNIX_EPOCH,
    };
    assert_eq!(Memory::of(&render(&resource, &memory, contents)), memory);
}
