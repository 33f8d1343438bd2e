//! `qoder-operator check`: whether the operator could work with these flags here, and what to do
//! where it could not. Changes nothing.

use std::fmt;

use k8s_openapi::api::authorization::v1::{
    ResourceAttributes, SelfSubjectAccessReview, SelfSubjectAccessReviewSpec,
};
use kube::{
    Api, Client as Kubernetes, Resource as _, api::PostParams, core::GroupVersionKind, discovery,
};

use crate::{
    api::QoderDeployment,
    chain::Chain,
    qoder::{ApiError, Client, ListQuery, Scope, TokenSource},
};

/// Everything that the shipped rules allow, and that the operator needs: verb, group, resource,
/// subresource.
const RIGHTS: [(&str, &str, &str, &str); 6] = [
    ("get", "cloud.qoder.com", "qoderdeployments", ""),
    ("list", "cloud.qoder.com", "qoderdeployments", ""),
    ("watch", "cloud.qoder.com", "qoderdeployments", ""),
    ("patch", "cloud.qoder.com", "qoderdeployments", "status"),
    ("create", "events.k8s.io", "events", ""),
    ("patch", "events.k8s.io", "events", ""),
];

/// What is not looked at without the Kubernetes API, and why.
pub const NEEDS_KUBERNETES: (&str, &str) =
    ("CustomResourceDefinition and rights", "they need the Kubernetes API");

/// How the line begins of what was not looked at.
const SKIPPED: &str = "SKIP";

/// What was found, line by line.
#[derive(Default)]
pub struct Report {
    lines: Vec<String>,
    failures: usize,
}

impl Report {
    /// One thing that was looked at; if it is not as it should be, why.
    pub fn say(&mut self, what: &str, found: Result<(), String>) {
        match found {
            Ok(()) => self.lines.push(format!("ok    {what}")),
            Err(why) => {
                self.failures += 1;
                self.lines.push(format!("FAIL  {what}: {why}"));
            }
        }
    }

    /// The same, with what was tried.
    fn say_of(&mut self, what: &str, tried: &dyn fmt::Display, found: Result<(), String>) {
        match found {
            Ok(()) => self.say(&format!("{what} ({tried})"), Ok(())),
            Err(why) => self.say(what, Err(format!("{why} (tried {tried})"))),
        }
    }

    /// What was not looked at, and why.
    pub fn skip(&mut self, what: &str, why: &str) {
        self.lines.push(format!("{SKIPPED}  {what}: {why}"));
    }

    /// Whether the operator could work.
    ///
    /// # Errors
    /// How many checks have failed.
    pub fn result(&self) -> Result<(), String> {
        match self.failures {
            0 => Ok(()),
            1 => Err("one check failed: the operator could not work here".to_owned()),
            failures => Err(format!(
                "{failures} of {} checks failed: the operator could not work here",
                self.lines.iter().filter(|line| !line.starts_with(SKIPPED)).count()
            )),
        }
    }

    #[must_use]
    pub fn text(&self) -> String {
        let all_is_well = "all is well, as far as one read can show; whether the token may pause and resume was not tried";
        let last = (self.failures == 0).then(|| all_is_well.to_owned());
        let lines: Vec<_> = self.lines.iter().cloned().chain(last).collect();
        lines.join("\n")
    }
}

/// Checks the token and the API behind the base URL, with one read of one deployment.
pub async fn check_remote(report: &mut Report, source: &TokenSource, client: &Client) {
    let token = match source.load() {
        Ok(token) => token,
        Err(error) => {
            let why = format!("{}; see --token-file and QODER_PAT", Chain(&error));
            report.say_of("token", source, Err(why));
            return report.skip("Qoder API", "it needs a token");
        }
    };
    report.say_of("token", source, Ok(()));
    let query = ListQuery { scope: Scope::Live, limit: 1, cursor: None };
    let listed = client.list(&token, &query).await;
    let listed = listed.map(drop).map_err(|error| advice(&error));
    report.say_of("Qoder API", &client.base_url().as_str(), listed);
}

fn advice(error: &ApiError) -> String {
    let advice = match error.status().map(|status| status.as_u16()) {
        Some(300..=499) if !error.is_from_api() => {
            "something between the operator and the Qoder API answered: check proxies and --base-url, which ends in /api/v1/cloud"
        }
        Some(401) => "the token is not valid here; is it of this region and not revoked?",
        Some(403) => "the token may not list deployments",
        Some(404) => "check --base-url: it ends in /api/v1/cloud",
        Some(429 | 500..) => "try again later",
        Some(_) => "check --base-url and proxies",
        None => match error.code() {
            "dns" => "check the host in --base-url, the name servers, and proxies",
            "tls" => {
                "is the certificate of an authority that the operator trusts, and the time right?"
            }
            "invalid" => {
                "something that is not the Qoder API may have answered: check proxies and --base-url, which ends in /api/v1/cloud"
            }
            _ => "check --base-url, proxies and the network",
        },
    };
    format!("{}; {advice}", Chain(error))
}

/// The Lease of an election.
pub struct LeaseOf<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
}

/// Checks that the CRD is served and that the rights suffice in these namespaces (none: in all), and for the Lease of
/// an election.
pub async fn check_kubernetes(
    report: &mut Report,
    client: &Kubernetes,
    namespaces: &[String],
    lease: Option<LeaseOf<'_>>,
) {
    let version = QoderDeployment::api_version(&());
    let kind = GroupVersionKind {
        group: QoderDeployment::group(&()).into_owned(),
        version: QoderDeployment::version(&()).into_owned(),
        kind: QoderDeployment::kind(&()).into_owned(),
    };
    let served = discovery::pinned_kind(client, &kind);
    let served = served.await.map(drop);
    if let Err(error) = &served
        && !matches!(error, kube::Error::Api(_) | kube::Error::Discovery(_))
    {
        let why = format!("{}; check its address in the kubeconfig, and the network", Chain(error));
        report.say("Kubernetes API", Err(why));
        return report.skip(NEEDS_KUBERNETES.0, NEEDS_KUBERNETES.1);
    }
    let served = served.map_err(|error| {
        format!("{version} is not served ({}); apply crds/qoderdeployments.yaml", Chain(&error))
    });
    report.say("CustomResourceDefinition", served);

    let everywhere = [None];
    let namespaces: Vec<_> = namespaces.iter().map(|name| Some(name.clone())).collect();
    for namespace in if namespaces.is_empty() { &everywhere[..] } else { &namespaces[..] } {
        let place = namespace.as_deref().unwrap_or("all namespaces");
        for (verb, group, resource, subresource) in RIGHTS {
            let object = [resource, subresource].join("/");
            let what = format!("right to {verb} {} in {place}", object.trim_end_matches('/'));
            let asked = ResourceAttributes {
                namespace: namespace.clone(),
                verb: Some(verb.to_owned()),
                group: Some(group.to_owned()),
                resource: Some(resource.to_owned()),
                subresource: Some(subresource.to_owned()).filter(|name| !name.is_empty()),
                ..ResourceAttributes::default()
            };
            report.say(&what, may(client, asked).await);
        }
    }
    let Some(LeaseOf { namespace, name }) = lease else { return };
    for verb in ["get", "update", "create"] {
        let asked = ResourceAttributes {
            namespace: Some(namespace.to_owned()),
            verb: Some(verb.to_owned()),
            group: Some("coordination.k8s.io".to_owned()),
            resource: Some("leases".to_owned()),
            // A name cannot limit create.
            name: Some(name.to_owned()).filter(|_| verb != "create"),
            ..ResourceAttributes::default()
        };
        let what = format!("right to {verb} the Lease {name} in {namespace}");
        report.say(&what, may(client, asked).await);
    }
}

async fn may(client: &Kubernetes, asked: ResourceAttributes) -> Result<(), String> {
    let spec =
        SelfSubjectAccessReviewSpec { resource_attributes: Some(asked), ..Default::default() };
    let review = SelfSubjectAccessReview { spec, ..SelfSubjectAccessReview::default() };
    let api: Api<SelfSubjectAccessReview> = Api::all(client.clone());
    let answer = api.create(&PostParams::default(), &review).await;
    match answer {
        Ok(review) if review.status.as_ref().is_some_and(|status| status.allowed) => Ok(()),
        Ok(_) => Err("it is missing; apply deploy/base/rbac.yaml, or deploy/namespaced/rbac.yaml where the operator serves one namespace".to_owned()),
        Err(error) => Err(format!("the API server did not say ({})", Chain(&error))),
    }
}
