//! What a person sees at three in the morning: for each cause the status, the event, the log, a metric and
//! `qoder-operator check` name it. `docs/troubleshooting.md` begins with these symptoms.

use std::process::Command;

use k8s_openapi::api::rbac::v1::RoleBinding;
use kube::api::{Api, DeleteParams, ListParams};
use qoder_simulator::{Fault, Simulator};
use serde_json::{Value, json};
use testbed::{Bed, Operator, Result};

use crate::story::{Story, TOKEN, condition, config, is, untrusted};

/// Where one cause is named.
struct Named<'a> {
    /// Status and reason of Ready.
    ready: (&'a str, &'a str),
    /// In its message.
    message: &'a str,
    /// A warning, for what concerns this resource or its credential.
    event: Option<&'a str>,
    /// Level and words of a line of the log.
    log: (&'a str, &'a str),
    /// A metric that is above 0.
    metric: &'a str,
    /// A line of `qoder-operator check`; `None`: nothing is wrong with the operator.
    check: Option<&'a str>,
}

/// An operator with these settings, which `check` has, too.
struct Settings<'a> {
    bed: &'a Bed,
    base_url: String,
    variables: Vec<(&'static str, String)>,
}

impl<'a> Settings<'a> {
    fn new(bed: &'a Bed, base_url: &str) -> Self {
        Self { bed, base_url: base_url.to_owned(), variables: Vec::new() }
    }

    /// Starts the operator, without waiting until it is ready.
    fn spawn(&self) -> Result<Operator> {
        let mut operator = self.bed.operator().base_url(&self.base_url);
        operator = operator.flag("token-file", &self.bed.token_file().to_string_lossy());
        for (name, value) in &self.variables {
            operator = operator.env(name, value);
        }
        operator.spawn()
    }

    fn check(&self) -> Result<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_qoder-operator"))
            .arg("check")
            .arg(format!("--namespace={}", self.bed.namespace()))
            .arg(format!("--base-url={}", self.base_url))
            .arg(format!("--token-file={}", self.bed.token_file().display()))
            .arg("--request-timeout=1s")
            .env("KUBECONFIG", self.bed.kubeconfig())
            .envs(self.variables.iter().map(|(name, value)| (*name, value.as_str())))
            .output()?;
        Ok(self.bed.searched("what check says", String::from_utf8(output.stdout)?))
    }
}

/// The lines of a JSON log with these words in their message or error.
fn lines(operator: &Operator, level: &str, words: &str) -> Vec<String> {
    let is_it = |line: &&str| {
        let line: Value = serde_json::from_str(line).unwrap_or_default();
        let text = |field: &str| line[field].as_str().unwrap_or_default().to_owned();
        text("level") == level && (text("message") + &text("error") + &text("why")).contains(words)
    };
    operator.log().lines().filter(is_it).map(str::to_owned).collect()
}

/// A story of this name in which `nightly` is as desired.
async fn in_sync(name: &str) -> Result<Story> {
    let story = Story::with(name, 1).await?;
    resource(&story.bed, &story.simulator).await?;
    story.until("nightly", "True", "InSync").await?;
    Ok(story)
}

/// Waits until the resource `nightly` says so, and looks at all the rest.
async fn is_named(settings: &Settings<'_>, operator: &Operator, named: Named<'_>) -> Result<()> {
    let bed = settings.bed;
    let (status, reason) = named.ready;
    let holds = |object: &_| is(object, status, reason);
    let object = bed.wait_until("nightly", &format!("{status} {reason}"), holds).await?;
    let message = &condition(&object, "Ready").unwrap().message;
    assert!(message.contains(named.message), "{message}");

    if let Some(event) = named.event {
        let told = testbed::eventually(testbed::bed::DEADLINE, async || {
            let mut events = bed.events("nightly").await?.into_iter();
            Ok(events.find(|one| one.reason.as_deref() == Some(event)))
        });
        let told = told.await?.unwrap_or_else(|| panic!("no event {event}"));
        assert_eq!(told.note.as_ref(), Some(message), "the event has the same message");
    }
    let (level, words) = named.log;
    let told = lines(operator, level, words);
    assert!(!told.is_empty(), "{level} {words}: {}", operator.log());

    let metrics = operator.metrics().await?;
    let value = metrics.get(named.metric).copied();
    assert!(value.is_some_and(|value| value > 0.0), "{}: {value:?}", named.metric);

    let checked = settings.check()?;
    match named.check {
        Some(words) => {
            let mut failed = checked.lines().filter(|line| line.starts_with("FAIL"));
            assert!(failed.any(|line| line.contains(words)), "{words}: {checked}");
        }
        None => assert!(!checked.contains("FAIL"), "{checked}"),
    }
    Ok(())
}

async fn resource(bed: &Bed, simulator: &Simulator) -> Result<()> {
    let id = &simulator.ids()[0];
    bed.apply("nightly", json!({ "deploymentID": id, "paused": false })).await?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_token() -> Result<()> {
    let simulator = Simulator::start(config(1)).await?;
    let bed = Bed::new("no-token").await?;
    let settings = Settings::new(&bed, &simulator.base_url());
    resource(&bed, &simulator).await?;
    let named = Named {
        ready: ("False", "CredentialMissing"),
        message: "The file that --token-file names does not exist.",
        event: Some("CredentialMissing"),
        log: ("ERROR", "failed to read the token file"),
        metric: "qoder_ready_reason{reason=\"CredentialMissing\"}",
        check: Some("token: failed to read the token file"),
    };
    is_named(&settings, &settings.spawn()?, named).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_is_wrong() -> Result<()> {
    let simulator = Simulator::start(config(1)).await?;
    let bed = Bed::new("wrong-token").await?;
    bed.write_token("pt-another-fake")?;
    let settings = Settings::new(&bed, &simulator.base_url());
    resource(&bed, &simulator).await?;
    let named = Named {
        ready: ("False", "CredentialRejected"),
        message: "rejects the operator's token (401)",
        event: Some("CredentialRejected"),
        log: ("WARN", "401"),
        metric: "qoder_api_requests_total{operation=\"get\",code=\"401\"}",
        check: Some("Qoder API: the Qoder API answered 401"),
    };
    is_named(&settings, &settings.spawn()?, named).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_operator_has_no_rights() -> Result<()> {
    let simulator = Simulator::start(config(1)).await?;
    let bed = Bed::new("no-rights").await?;
    bed.write_token(TOKEN)?;
    let rights = Api::<RoleBinding>::namespaced(bed.client(), bed.namespace());
    for binding in rights.list(&ListParams::default()).await? {
        rights.delete(&binding.metadata.name.unwrap(), &DeleteParams::default()).await?;
    }
    resource(&bed, &simulator).await?;
    let settings = Settings::new(&bed, &simulator.base_url());
    // An authorizer sees a change when its watch does.
    let checked = testbed::eventually(testbed::bed::DEADLINE, async || {
        let checked = settings.check()?;
        Ok(checked.contains("FAIL  right to list qoderdeployments").then_some(checked))
    });
    let checked = checked.await?.expect("a check that misses the right");
    assert!(checked.contains("apply deploy/base/rbac.yaml"), "{checked}");

    let operator = settings.spawn()?;
    let failed = testbed::eventually(testbed::bed::DEADLINE, async || {
        let errors = operator.metrics().await?.get("qoder_watch_errors_total").copied();
        Ok(errors.filter(|errors| *errors > 1.0))
    });
    failed.await?.expect("a metric of the watch that fails");
    let told = lines(&operator, "WARN", "apply deploy/base/rbac.yaml");
    assert_eq!(told.len(), 1, "{}", operator.log());
    let unready = operator.not_ready().await?;
    assert!(unready.contains("403 Forbidden"), "{unready}");
    let untouched = bed.get("nightly").await?.status.unwrap();
    assert_eq!(untouched.observed_generation, -1, "nobody has answered it");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_is_down_at_the_start_and_later() -> Result<()> {
    let story = in_sync("down").await?;
    let settings = Settings::new(&story.bed, &story.simulator.base_url());
    let named = || Named {
        ready: ("Unknown", "RemoteUnavailable"),
        message: "First error: no connection; the log has the latest.",
        event: None,
        log: ("WARN", "Connection refused"),
        metric: "qoder_api_requests_total{operation=\"get\",code=\"connect\"}",
        check: Some("Qoder API: failed to connect: "),
    };
    story.simulator.shutdown().await;
    is_named(&settings, &story.operator, named()).await?;

    story.bed.delete("nightly").await?;
    resource(&story.bed, &story.simulator).await?;
    story.operator.terminate().await?;
    is_named(&settings, &settings.spawn()?, named()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_name_of_the_api_cannot_be_resolved() -> Result<()> {
    let simulator = Simulator::start(config(1)).await?;
    let bed = Bed::new("no-name").await?;
    bed.write_token(TOKEN)?;
    resource(&bed, &simulator).await?;
    // No name has a label of that length: no name server is asked.
    let url = format!("http://{}.invalid/api/v1/cloud", "a".repeat(64));
    let mut settings = Settings::new(&bed, &url);
    settings.variables.push(("QODER_ALLOW_INSECURE_HTTP", "true".to_owned()));
    let named = Named {
        ready: ("Unknown", "RemoteUnavailable"),
        message: "First error: name resolution failed; the log has the latest.",
        event: None,
        log: ("WARN", "failed to resolve the name"),
        metric: "qoder_api_requests_total{operation=\"get\",code=\"dns\"}",
        check: Some("check the host in --base-url"),
    };
    is_named(&settings, &settings.spawn()?, named).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_vouches_for_the_certificate_of_the_api() -> Result<()> {
    let bed = Bed::new("unknown-ca").await?;
    bed.write_token(TOKEN)?;
    let (simulator, _) = untrusted(&bed).await?;
    resource(&bed, &simulator).await?;
    let settings = Settings::new(&bed, &simulator.base_url());
    let named = Named {
        ready: ("Unknown", "RemoteUnavailable"),
        message: "First error: the TLS handshake failed; the log has the latest.",
        event: None,
        log: ("WARN", "certificate"),
        metric: "qoder_api_requests_total{operation=\"get\",code=\"tls\"}",
        check: Some("is the certificate of an authority that the operator trusts"),
    };
    is_named(&settings, &settings.spawn()?, named).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_answers_403_in_the_apis_place() -> Result<()> {
    let story = in_sync("gateway").await?;
    story.simulator.inject(Fault::respond(403).html().always());
    let settings = Settings::new(&story.bed, &story.simulator.base_url());
    let named = Named {
        ready: ("Unknown", "RemoteUnavailable"),
        message: "First error: HTTP 403; the log has the latest.",
        event: None,
        log: ("WARN", "403 Forbidden without the API's error envelope"),
        metric: "qoder_api_requests_total{operation=\"get\",code=\"403\"}",
        check: Some("something between the operator and the Qoder API answered"),
    };
    is_named(&settings, &story.operator, named).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_answers_429_for_ten_minutes() -> Result<()> {
    let story = in_sync("throttled").await?;
    story.simulator.inject(Fault::respond(429).header("retry-after", "600").always());
    let settings = Settings::new(&story.bed, &story.simulator.base_url());
    let named = Named {
        ready: ("Unknown", "RemoteUnavailable"),
        message: "The Qoder API has asked the operator to wait (429 or Retry-After).",
        event: None,
        log: ("WARN", "has asked the operator to wait (429 or Retry-After)"),
        metric: "qoder_api_requests_total{operation=\"get\",code=\"429\"}",
        check: Some("Qoder API: the Qoder API answered 429"),
    };
    is_named(&settings, &story.operator, named).await?;
    assert_eq!(lines(&story.operator, "WARN", "has asked the operator to wait").len(), 1);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_deployment_is_archived() -> Result<()> {
    let story = in_sync("archived").await?;
    story.simulator.archive(&story.id(0));
    let settings = Settings::new(&story.bed, &story.simulator.base_url());
    let named = Named {
        ready: ("False", "RemoteArchived"),
        message: "is archived",
        event: Some("RemoteArchived"),
        log: ("INFO", "is archived"),
        metric: "qoder_ready_reason{reason=\"RemoteArchived\"}",
        check: None,
    };
    is_named(&settings, &story.operator, named).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_platform_has_paused_it() -> Result<()> {
    let story = in_sync("platform-pause").await?;
    story.simulator.pause_by_error(&story.id(0), "vault_not_found_error");
    let settings = Settings::new(&story.bed, &story.simulator.base_url());
    let named = Named {
        ready: ("False", "PausedByPlatform"),
        message: "The error is vault_not_found_error.",
        event: Some("PausedByPlatform"),
        log: ("INFO", "vault_not_found_error"),
        metric: "qoder_ready_reason{reason=\"PausedByPlatform\"}",
        check: None,
    };
    is_named(&settings, &story.operator, named).await
}

#[tokio::test(flavor = "multi_thread")]
async fn someone_else_keeps_changing_it() -> Result<()> {
    let story = in_sync("contested").await?;
    for corrections in 1..=3 {
        story.simulator.set_paused(&story.id(0), true);
        story.until_calls("a correction", |_| story.effects(0) == corrections).await?;
    }
    story.until("nightly", "True", "InSync").await?;
    story.simulator.set_paused(&story.id(0), true);
    let settings = Settings::new(&story.bed, &story.simulator.base_url());
    let named = Named {
        ready: ("False", "Contested"),
        message: "Find who changes it",
        event: Some("Contested"),
        log: ("INFO", "Someone else keeps changing the deployment"),
        metric: "qoder_drift_total{action=\"held\"}",
        check: None,
    };
    is_named(&settings, &story.operator, named).await
}

#[tokio::test(flavor = "multi_thread")]
async fn the_resource_is_in_a_namespace_that_nobody_watches() -> Result<()> {
    let story = Story::with("watched", 2).await?;
    let elsewhere = Bed::new("elsewhere").await?;
    resource(&elsewhere, &story.simulator).await?;
    story.apply("watched", 1, Some(true)).await?;
    story.until("watched", "True", "InSync").await?;
    let untouched = elsewhere.get("nightly").await?.status.unwrap();
    assert_eq!((untouched.observed_generation, untouched.conditions.len()), (-1, 0));
    let banner = lines(&story.operator, "INFO", "starting");
    assert!(banner.len() == 1 && banner[0].contains(story.bed.namespace()), "{banner:?}");
    let metrics = story.operator.metrics().await?;
    assert_eq!(metrics.get("qoder_observed_deployments"), Some(&1.0));
    let settings = Settings::new(&story.bed, &story.simulator.base_url());
    let checked = settings.check()?;
    assert!(checked.contains(&format!("in {}", story.bed.namespace())), "{checked}");
    assert!(!checked.contains(elsewhere.namespace()), "{checked}");
    Ok(())
}
