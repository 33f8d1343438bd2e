//! The API server in memory: what it refuses changes nothing, and what it has taken, the operator reads.

use apiserver::ApiServer;
use http::{Method, Request};
use http_body_util::BodyExt as _;
use kube::{Client, client::Body};
use qoder_operator::{
    api::{DeploymentId, QoderDeployment},
    resources::version,
};
use serde_json::{Value, json};

const PATH: &str = "/apis/cloud.qoder.com/v1alpha1/namespaces/agents/qoderdeployments";

/// How a body is sent: the method, what follows the path, and the type of the body.
const WAYS: [(Method, &str, &str); 6] = [
    (Method::POST, "?fieldManager=fuzz", "application/json"),
    (Method::PUT, "/a", "application/json"),
    (Method::PATCH, "/a", "application/merge-patch+json"),
    (Method::PATCH, "/a/status", "application/merge-patch+json"),
    (Method::PATCH, "/a?fieldManager=fuzz&force=true", "application/apply-patch+yaml"),
    (
        Method::PATCH,
        "/a/status?fieldManager=fuzz&force=true&fieldValidation=Strict",
        "application/apply-patch+yaml",
    ),
];

/// The body of each request that can have one. It is refused or taken, and whatever is taken the operator can read.
pub fn server(data: &[u8]) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for (method, path, kind) in WAYS {
            let server = ApiServer::new();
            let object = json!({
                "metadata": { "namespace": "agents", "name": "a" },
                "spec": { "deploymentID": "dep_1", "paused": true },
            });
            let before = server.deployments().create(object).unwrap();
            let request = Request::builder().method(method.clone()).uri(format!("{PATH}{path}"));
            let request = request.header("content-type", kind).body(Body::from(data.to_vec()));
            let (code, answer) = send(&server.client(), request.unwrap()).await;
            let text = String::from_utf8_lossy(data);
            // An apply with a field that the schema does not have: a real server calls that an error of its own.
            let message = answer["message"].as_str().unwrap_or_default();
            let is_untyped = message.starts_with("failed to create typed patch object");
            let is_expected = (200..500).contains(&code) || code == 501 || is_untyped;
            assert!(is_expected, "{code} {method} {path} {text} {message}");
            let all = server.deployments().list();
            if code >= 300 {
                assert_eq!(all, [before], "{code}: what is refused changes nothing");
                assert_eq!((&answer["kind"], &answer["code"]), (&json!("Status"), &json!(code)));
                continue;
            }
            assert!(all.contains(&answer), "what is answered is what is stored");
            for stored in all {
                is_readable(&stored, &before);
            }
        }
    });
}

async fn send(client: &Client, request: Request<Body>) -> (u16, Value) {
    let answer = client.send(request).await.expect("an answer, and no panic");
    let code = answer.status().as_u16();
    let body = answer.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&body).expect("JSON"))
}

fn is_readable(stored: &Value, before: &Value) {
    let object: QoderDeployment = serde_json::from_value(stored.clone())
        .unwrap_or_else(|error| panic!("the operator cannot read {stored}: {error}"));
    assert!(DeploymentId::try_from(object.spec.deployment_id.as_str()).is_ok());
    assert!(object.metadata.uid.is_some() && object.metadata.name.is_some());
    assert_eq!(object.metadata.namespace.as_deref(), Some("agents"));
    let before: QoderDeployment = serde_json::from_value(before.clone()).unwrap();
    if object.metadata.uid == before.metadata.uid {
        assert!(version(&object) >= version(&before));
        assert!(object.metadata.generation >= before.metadata.generation);
        assert_eq!(object.spec.deployment_id, before.spec.deployment_id, "it is immutable");
    }
}
