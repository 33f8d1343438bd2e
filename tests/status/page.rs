//! `docs/messages.md` has every message, so that one can read them as a page.

use std::fmt::Write as _;

use qoder_operator::{
    api::{ConditionStatus, Reason, annotation},
    qoder::{Deployment, InvalidToken, TokenProblem, Verb},
    reconcile::{
        settle::{Kind, Ready},
        status::{Contents, render},
        waiting::Hindrance,
    },
    remote::{LastTry, Obstacle, Outcome},
    resources::Resource,
};

use super::{
    contents,
    inputs::{readys, remotes},
    memory, nothing, object, resource, time,
};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/messages.md");

const HEAD: &str = "# Messages

Every message that a condition of a `QoderDeployment` may have, for a deployment `dep_1`. [conditions.md](conditions.md) says when a reason is given.
A message says what has happened, how the last try ended where one has failed, what the resource waits for, and what to do. It never
repeats what the Qoder API or anything else answered but for the HTTP status.

`UPDATE_DOCS=1 cargo test --test status` writes this page.
";

/// What a resource with this reason may wait for.
fn hindrances(reason: Reason) -> Vec<Option<Hindrance>> {
    let obstacles = [Obstacle::Throttled, Obstacle::Outage].map(Hindrance::Obstacle);
    let last_try = |(outcome, code)| Hindrance::LastTry(LastTry { outcome, code });
    let mut may_wait_for: Vec<Hindrance> = Vec::new();
    match reason {
        Reason::Progressing => {
            may_wait_for.push(Hindrance::UnderWay);
            may_wait_for.extend(obstacles);
        }
        Reason::RemoteUnavailable => {
            let codes = ["dns", "connect", "tls", "timeout", "broken", "503", "401", "403"];
            may_wait_for.extend(codes.map(Hindrance::FirstRead));
            may_wait_for.extend(obstacles);
        }
        Reason::RemoteAnswerInvalid => {
            may_wait_for.extend(["invalid", "too_large", "404"].map(Hindrance::FirstRead));
        }
        Reason::PausePending | Reason::ResumePending => {
            let is_pause = reason == Reason::PausePending;
            may_wait_for.push(Hindrance::UnderWay);
            may_wait_for.extend(obstacles);
            may_wait_for.push(Hindrance::MayLand(if is_pause {
                Verb::Unpause
            } else {
                Verb::Pause
            }));
            may_wait_for.extend([Hindrance::Predecessor, Hindrance::Turn]);
            let ends = [
                (Outcome::Conflict, Some("409")),
                (Outcome::NotAsAsked, Some("200")),
                (Outcome::Ambiguous, Some("500")),
                (Outcome::Ambiguous, Some("timeout")),
                (Outcome::NotSent, Some("connect")),
                (Outcome::Unauthorized, Some("401")),
                (Outcome::NotTheApi, Some("403")),
                (Outcome::Unread, None),
            ];
            may_wait_for.extend(ends.map(last_try));
        }
        Reason::CredentialMissing => {
            let problems = [
                TokenProblem::NoFile,
                TokenProblem::Denied,
                TokenProblem::Unreadable,
                TokenProblem::Invalid(InvalidToken::Empty),
                TokenProblem::Invalid(InvalidToken::Character(0)),
                TokenProblem::Invalid(InvalidToken::TooLong),
            ];
            return problems.map(|problem| Some(Hindrance::Token(problem))).into();
        }
        Reason::WriteRefused => return vec![Some(last_try((Outcome::Refused, Some("403"))))],
        _ => {}
    }
    std::iter::once(None).chain(may_wait_for.into_iter().map(Some)).collect()
}

fn kind(Ready { status, kind, .. }: Ready) -> String {
    let beside = match kind {
        Kind::Done => "",
        Kind::Reconciling => ", Reconciling",
        Kind::Stalled => ", Stalled",
    };
    format!("Ready={}{beside}", status.as_str())
}

/// The resources that a message may differ for.
fn resources(reason: Reason) -> Vec<Resource> {
    let with_switch = |value: &str| {
        let mut object = object(&nothing());
        let switch = (annotation::RECONCILE.to_owned(), value.to_owned());
        object.metadata.annotations = Some([switch].into());
        resource(&object)
    };
    match reason {
        Reason::ReconcileDisabled => ["disabled", "off"].map(with_switch).into(),
        _ => vec![resource(&object(&nothing()))],
    }
}

/// Each message once, in the order in which it is found.
fn messages(ready: Ready, remotes: &[Option<Deployment>]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for resource in resources(ready.reason) {
        for hindrance in hindrances(ready.reason) {
            for last_known in remotes {
                for owner in [Some("older"), None] {
                    let contents = contents(ready, last_known.as_ref(), time(1));
                    let contents = Contents { hindrance, owner, ..contents };
                    let status = render(&resource, &memory(), contents);
                    let message = &status.conditions.first().unwrap().message;
                    if !found.contains(message) {
                        found.push(message.clone());
                    }
                }
            }
        }
    }
    found
}

#[tokio::test]
async fn every_message_is_on_the_page() {
    let (readys, remotes) = (readys(), remotes().await);
    let mut page = HEAD.to_owned();
    for reason in Reason::ALL {
        let Some(ready) = readys.iter().find(|ready| ready.reason == *reason) else { continue };
        write!(page, "\n## {}\n\n{}\n\n", reason.as_str(), kind(*ready)).unwrap();
        for message in messages(*ready, &remotes) {
            writeln!(page, "- {message}").unwrap();
        }
    }
    page.push_str("\n## The condition Paused\n\n");
    let mut of_paused = Vec::new();
    for last_known in &remotes {
        let ready = readys.iter().find(|ready| ready.status == ConditionStatus::True).unwrap();
        let contents = contents(*ready, last_known.as_ref(), time(1));
        let status = render(&resource(&object(&nothing())), &memory(), contents);
        let paused = status.conditions.last().unwrap();
        of_paused.push(format!("- {} `{}`: {}\n", paused.status, paused.reason, paused.message));
    }
    of_paused.sort();
    of_paused.dedup();
    page.push_str(&of_paused.concat());

    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(PAGE, &page).unwrap();
    }
    let stands = std::fs::read_to_string(PAGE).unwrap_or_default();
    assert!(
        stands == page,
        "docs/messages.md is old; UPDATE_DOCS=1 cargo test --test status writes it"
    );
}
