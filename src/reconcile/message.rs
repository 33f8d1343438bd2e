//! The message of a condition: to which deployment what has happened, how a try ended, what it waits for, and what to
//! do. Our own words: no remote text, no URL, no token. `docs/messages.md` has them all. Pure.

use super::{status::Contents, waiting::Hindrance};
use crate::{
    api::Reason,
    qoder::{InvalidToken, TokenProblem, Verb},
    remote::{LastTry, Obstacle, Outcome},
    resources::Resource,
};

/// The errors for which the platform pauses a deployment (API page, section 2.7). A message names
/// no other: it would repeat remote text.
const PAUSING_ERRORS: [&str; 14] = [
    "environment_archived_error",
    "agent_archived_error",
    "environment_not_found_error",
    "vault_not_found_error",
    "vault_archived_error",
    "file_not_found_error",
    "session_resource_not_found_error",
    "workspace_archived_error",
    "organization_disabled_error",
    "memory_store_archived_error",
    "skill_not_found_error",
    "self_hosted_resources_unsupported_error",
    "mcp_egress_blocked_error",
    "unknown_error",
];

/// The message of Ready, and of the condition that goes with it.
pub(super) fn message(resource: &Resource, contents: Contents<'_>) -> String {
    let Contents { ready, hindrance, .. } = contents;
    let reason = ready.reason;
    let sentences = [
        reason.meaning().to_owned(),
        detail(resource, contents),
        hindrance.map(waits_for).unwrap_or_default(),
        fix(reason, hindrance).to_owned(),
    ];
    let mut message = format!("{}:", resource.deployment);
    for sentence in sentences.iter().filter(|sentence| !sentence.is_empty()) {
        message.push(' ');
        message.push_str(sentence);
    }
    message
}

/// What to do. Where what it waits for says that already, nothing.
fn fix(reason: Reason, hindrance: Option<Hindrance>) -> &'static str {
    match hindrance {
        Some(Hindrance::FirstRead("401") | Hindrance::Obstacle(Obstacle::Throttled))
            if reason == Reason::RemoteUnavailable =>
        {
            "The operator tries again by itself."
        }
        _ => reason.fix(),
    }
}

/// What is particular about this resource.
fn detail(resource: &Resource, Contents { ready, last_known, owner, .. }: Contents<'_>) -> String {
    match ready.reason {
        Reason::PausedByPlatform => {
            let error = last_known.and_then(|known| known.paused_reason.as_ref()?.error.as_deref());
            match (error, PAUSING_ERRORS.into_iter().find(|known| Some(*known) == error)) {
                (_, Some(kind)) => format!("The error is {kind}."),
                (Some(_), None) => {
                    "The API names an error that this operator does not know.".to_owned()
                }
                (None, None) => "The API names no error.".to_owned(),
            }
        }
        Reason::DuplicateOwner => match owner {
            Some(owner) => format!("It is qoderdeployment/{owner} in this namespace."),
            None => "It is in another namespace.".to_owned(),
        },
        Reason::ReconcileDisabled if resource.has_unknown_switch => {
            "Its value is not valid: use disabled or enabled.".to_owned()
        }
        _ => String::new(),
    }
}

fn waits_for(hindrance: Hindrance) -> String {
    let sentence = match hindrance {
        Hindrance::Obstacle(Obstacle::Throttled) => {
            "The Qoder API has asked the operator to wait (429 or Retry-After)."
        }
        Hindrance::Obstacle(Obstacle::Outage) => {
            "The last requests to the Qoder API have all failed: no answer, or HTTP 5xx."
        }
        Hindrance::UnderWay => {
            "The Qoder API has not answered the request in progress; the operator waits for it."
        }
        Hindrance::MayLand(verb) => {
            let verb = match verb {
                Verb::Pause => "pause",
                Verb::Unpause => "resume",
            };
            return format!(
                "An earlier request to {verb} it got no answer and may still take effect; the operator waits until it no longer can, four request timeouts at most."
            );
        }
        Hindrance::Predecessor => {
            "Another replica led before. What it has sent may still take effect; the operator waits until it no longer can, four request timeouts at most."
        }
        Hindrance::Turn => {
            "It waits for its turn: many pauses and resumes wait, and for a while none was served."
        }
        Hindrance::Token(problem) => token(problem),
        Hindrance::LastTry(last) => return last_try(last),
        Hindrance::FirstRead("401") => {
            "The Qoder API rejects the operator's token (401); if this lasts, put a valid token into the operator's Secret."
        }
        Hindrance::FirstRead(code) => {
            return format!("First error: {}; the log has the latest.", words(code));
        }
    };
    sentence.to_owned()
}

fn token(problem: TokenProblem) -> &'static str {
    match problem {
        TokenProblem::NotRead => "It was not read yet.",
        TokenProblem::NoFile => "The file that --token-file names does not exist.",
        TokenProblem::Denied => {
            "The operator has no permission to read the file that --token-file names: check its mode, and the fsGroup of the Pod."
        }
        TokenProblem::Unreadable => "The file that --token-file names cannot be read.",
        TokenProblem::Invalid(InvalidToken::Empty) => {
            "The token is empty, or neither --token-file nor QODER_PAT is set."
        }
        TokenProblem::Invalid(InvalidToken::Character(_)) => {
            "The token has a character that no token has: a line break, a space, or one outside ASCII; there may be an empty line at its end."
        }
        TokenProblem::Invalid(InvalidToken::TooLong) => "The token is too long to be one.",
    }
}

fn last_try(LastTry { outcome, code }: LastTry) -> String {
    let follows = match outcome {
        Outcome::Unread => {
            return "The operator could not read this resource from the Kubernetes API, and changes nothing without that; check its right to get qoderdeployments, and its log.".to_owned();
        }
        Outcome::Conflict | Outcome::NotAsAsked => {
            ", and the deployment has not changed; the operator reads it, and tries again"
        }
        Outcome::Ambiguous => {
            "; it may have been done or not, so the operator reads the deployment, and tries again"
        }
        Outcome::NotSent => "; the operator tries again",
        Outcome::Unauthorized => {
            ", although the token is accepted for reads; check that it may pause and resume"
        }
        Outcome::NotTheApi => {
            ", from something between the operator and the Qoder API; check proxies and --base-url"
        }
        // The others are no failures.
        Outcome::Refused | Outcome::Done | Outcome::NotServed | Outcome::Throttled => "",
    };
    format!("Last try: {}{follows}.", code.map_or_else(|| "no answer".to_owned(), words))
}

/// How a request ended, in words.
fn words(code: &str) -> String {
    let words = match code {
        "dns" => "name resolution failed",
        "tls" => "the TLS handshake failed",
        "connect" => "no connection",
        "timeout" => "no answer in time",
        "broken" => "the connection broke",
        "too_large" => "an answer that is too large",
        "invalid" => "an answer that is not one of the API",
        status => return format!("HTTP {status}"),
    };
    words.to_owned()
}
