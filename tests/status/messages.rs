//! Messages: what they name, and what they never repeat.

use qoder_operator::{
    api::{ConditionType, Reason},
    reconcile::status::{Contents, render},
};

use super::{
    ID, contents,
    inputs::{REMOTE_TEXT, readys, remotes},
    memory, nothing, object, publish, resource, time,
};

#[tokio::test]
async fn messages_name_the_deployment_and_repeat_nothing_of_the_remote() {
    for remote in remotes().await {
        for ready in readys() {
            let status = publish(&nothing(), ready, remote.as_ref(), time(1));
            for condition in &status.conditions {
                let message = &condition.message;
                assert!(!message.contains(REMOTE_TEXT) && !message.contains('é'), "{message}");
                assert!(!message.contains("://"), "no URL: {message}");
                if condition.kind != ConditionType::Paused.as_str() {
                    assert!(message.starts_with(&format!("{ID}: ")), "{message}");
                }
            }
        }
    }
}

#[tokio::test]
async fn only_errors_of_the_platform_that_are_known_are_named() {
    let readys = readys();
    let ready = readys.iter().find(|ready| ready.reason == Reason::PausedByPlatform).unwrap();
    let mut named = 0;
    for remote in remotes().await {
        let reason = remote.as_ref().and_then(|remote| remote.paused_reason.as_ref());
        let error = reason.and_then(|reason| reason.error.as_deref());
        let is_known = error == Some("agent_archived_error");
        let status = publish(&nothing(), *ready, remote.as_ref(), time(1));
        let message = &status.conditions.first().unwrap().message;
        assert_eq!(message.contains("The error is agent_archived_error."), is_known, "{message}");
        named += u32::from(is_known);
    }
    assert_eq!(named, 1);
}

#[test]
fn the_owner_is_named_only_where_it_may_be_seen() {
    let readys = readys();
    let ready = readys.iter().find(|ready| ready.reason == Reason::DuplicateOwner).unwrap();
    for (owner, says) in
        [(Some("older"), "It is qoderdeployment/older in"), (None, "It is in another namespace.")]
    {
        let resource = resource(&object(&nothing()));
        let contents = Contents { owner, ..contents(*ready, None, time(1)) };
        let status = render(&resource, &memory(), contents);
        let message = &status.conditions.first().unwrap().message;
        assert!(message.contains(says), "{message}");
    }
}
