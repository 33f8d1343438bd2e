//! What a status is made of: every condition Ready that can be settled, and every kind of remote.

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use qoder_operator::{
    api::{DeploymentId, DriftPolicy, Wish},
    env::Env,
    qoder::{BaseUrl, Client, Deployment, SendError, Token, Transport},
    reconcile::{
        decide::decide,
        settle::{Action, Ready, settle},
        situation::{Age, BeforeWrite, CredentialState, Knowledge, Reached, Situation},
    },
};
use serde_json::{Value, json};

use super::{
    ID,
    knowledge::{ANSWERS, FAILURES},
};

/// What every free text of the remote begins with. It has no place in a message.
pub const REMOTE_TEXT: &str = "https://remote.example/said-so";

/// Every kind of situation: the knowledge and wishes as a product, the rest one at a time.
fn situations() -> Vec<Situation> {
    let calm = Situation {
        deleting: false,
        duplicate: false,
        credential: CredentialState::Usable,
        knowledge: Knowledge::Nothing,
        disabled: false,
        wish: Wish::Paused,
        policy: DriftPolicy::Correct,
        last_reached: None,
        reconcile_requested: false,
        resume_requested: false,
        foreign_write: false,
        held: false,
        writes_refused: false,
        before_write: BeforeWrite::Nothing,
        pause_may_land: false,
        unpause_may_land: false,
        answered: false,
        overdue: false,
    };
    let changes: [fn(&mut Situation); 15] = [
        |_| {},
        |s| s.duplicate = true,
        |s| s.credential = CredentialState::Missing,
        |s| s.credential = CredentialState::Rejected(Age::WithinGrace),
        |s| s.credential = CredentialState::Rejected(Age::Stale),
        |s| s.disabled = true,
        |s| s.policy = DriftPolicy::Warn,
        |s| s.held = true,
        |s| s.writes_refused = true,
        |s| s.before_write = BeforeWrite::Backoff,
        |s| s.before_write = BeforeWrite::UnderWay,
        |s| s.pause_may_land = true,
        |s| s.unpause_may_land = true,
        |s| s.answered = true,
        |s| s.overdue = true,
    ];
    let mut knowledge = vec![Knowledge::Nothing];
    knowledge.extend(FAILURES.map(|cause| Knowledge::Failed {
        cause,
        age: Age::Stale,
        due: false,
    }));
    knowledge.extend(ANSWERS.map(|answer| Knowledge::Known { answer, fresh: true }));

    let mut situations = Vec::new();
    for &knowledge in &knowledge {
        for wish in [Wish::Paused, Wish::Active, Wish::Unmanaged] {
            for last_reached in [None, Some(Reached { wish, this_generation: true })] {
                for change in changes {
                    let mut situation = Situation { knowledge, wish, last_reached, ..calm };
                    change(&mut situation);
                    situations.push(situation);
                }
            }
        }
    }
    situations
}

/// Every condition Ready that can be settled, once.
pub fn readys() -> Vec<Ready> {
    let mut readys = Vec::new();
    for situation in situations() {
        let decision = decide(&situation);
        for action in
            [Action::None, Action::Waiting { stuck: true }, Action::UnderWay { stuck: true }]
        {
            let ready = settle(&situation, decision, action).ready;
            readys.extend(ready.filter(|ready| !readys.contains(ready)));
        }
    }
    readys
}

/// A transport that has one answer to everything.
struct Canned(Bytes);

impl Transport for Canned {
    fn send(&self, _: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        Box::pin(async { Ok(Response::new(self.0.clone())) })
    }
}

/// What the shipped client makes of a deployment with these fields.
pub async fn remote(fields: Value) -> Option<Deployment> {
    let long = format!("{REMOTE_TEXT}{}", "é".repeat(1000));
    let mut object = json!({
        "id": ID, "name": long, "schedule": { "expression": long, "timezone": long },
    });
    object.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
    let transport = Arc::new(Canned(object.to_string().into()));
    let base_url = BaseUrl::parse("http://127.0.0.1:1/api/v1/cloud", false).unwrap();
    let token = Token::parse(b"pt-obviously-fake").unwrap();
    let id = DeploymentId::try_from(ID).unwrap();
    let env = Env::seeded(0, k8s_openapi::jiff::Timestamp::UNIX_EPOCH);
    Some(Client::new(transport, base_url, None, env).get(&token, &id).await.unwrap())
}

/// Everything that can be known of a remote.
pub async fn remotes() -> Vec<Option<Deployment>> {
    let long = format!("{REMOTE_TEXT}{}", "é".repeat(1000));
    let paused = |reason: Value| json!({ "status": "paused", "paused_reason": reason });
    vec![
        None,
        remote(json!({ "status": "active", "paused_reason": null })).await,
        remote(paused(json!({ "type": "manual" }))).await,
        remote(paused(json!({ "type": "error", "error": { "type": "agent_archived_error" } })))
            .await,
        remote(paused(json!({ "type": "error", "error": { "type": long } }))).await,
        remote(paused(json!({ "type": long }))).await,
        remote(json!({ "status": long, "paused_reason": { "type": long } })).await,
        remote(json!({ "status": "active", "archived_at": "2026-06-14T08:58:01Z" })).await,
    ]
}
