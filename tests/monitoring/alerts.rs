//! The alerts: their unit tests, their runbooks, and that no reason of Ready is without one.

use std::{collections::BTreeSet, fs, process::Command};

use qoder_operator::api::Reason;
use serde_json::Value;
use testbed::Result;

use crate::{is_documented, metrics_of, read, tool};

fn spec() -> Value {
    let rules: Value = serde_yaml_ng::from_str(&read("deploy/monitoring/rules.yaml")).unwrap();
    assert_eq!(rules["kind"], "PrometheusRule");
    rules["spec"].clone()
}

fn alerts() -> Vec<Value> {
    let alerts = spec()["groups"][0]["rules"].as_array().unwrap().clone();
    assert!(alerts.len() >= 13, "{}", alerts.len());
    alerts
}

fn text<'a>(value: &'a Value, what: &str) -> &'a str {
    value.as_str().unwrap_or_else(|| panic!("{what} is {value}"))
}

#[test]
fn the_unit_tests_of_the_alerts_pass() -> Result<()> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("rules.yaml"), serde_yaml_ng::to_string(&spec())?)?;
    fs::write(folder.path().join("rules_test.yaml"), read("deploy/monitoring/rules_test.yaml"))?;
    for arguments in [
        ["check", "rules", "--lint-fatal", "rules.yaml"].as_slice(),
        &["test", "rules", "rules_test.yaml"],
    ] {
        let output =
            Command::new(tool("promtool")?).args(arguments).current_dir(&folder).output()?;
        let said = [output.stdout, output.stderr].concat();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
    }
    Ok(())
}

#[test]
fn every_alert_has_a_unit_test_a_severity_a_metric_and_a_runbook() {
    let (tests, runbooks) = (read("deploy/monitoring/rules_test.yaml"), read("docs/runbooks.md"));
    let mut headings: Vec<_> =
        runbooks.lines().filter_map(|line| line.strip_prefix("## ")).collect();
    for alert in alerts() {
        let name = text(&alert["alert"], "alert");
        let tested = format!("    alertname: {name}\n    exp_alerts:\n    - exp_labels:");
        assert!(tests.contains(&tested), "{name} has no unit test in which it fires");
        let severity = text(&alert["labels"]["severity"], name);
        assert!(["critical", "warning", "info"].contains(&severity), "{name}: {severity}");
        let metrics = metrics_of(text(&alert["expr"], name)).into_iter();
        let unknown: Vec<_> = metrics.filter(|metric| !is_documented(metric)).collect();
        assert!(unknown.is_empty(), "{name}: there is no {unknown:?}");
        for annotation in ["summary", "description"] {
            assert!(!text(&alert["annotations"][annotation], name).is_empty());
        }

        let url = text(&alert["annotations"]["runbook_url"], name);
        let (page, anchor) = url.split_once('#').unwrap();
        assert!(page.ends_with("/docs/runbooks.md"), "{name}: {url}");
        assert_eq!(anchor, name.to_lowercase(), "an anchor is made of the heading");
        let place = headings.iter().position(|heading| *heading == name);
        headings.remove(place.unwrap_or_else(|| panic!("no runbook of {name}")));
        let (_, rest) = runbooks.split_once(&format!("## {name}\n")).unwrap();
        let section = rest.split("\n## ").next().unwrap();
        assert!(section.contains("```sh\nkubectl "), "the runbook of {name} has nothing to type");
    }
    assert_eq!(headings, [""; 0], "runbooks without an alert");
}

/// What is in braces after a metric's name is a label's value: `reason=~"A|B"`.
fn reasons_of(expression: &str) -> Vec<&str> {
    let mut parts = expression.split("reason=");
    parts.next();
    parts.flat_map(|part| part.split('"').nth(1).unwrap().split('|')).collect()
}

#[test]
fn every_reason_that_is_not_well_has_an_alert_and_no_other_has_one() {
    let alerts = alerts();
    let named: BTreeSet<_> =
        alerts.iter().flat_map(|alert| reasons_of(alert["expr"].as_str().unwrap())).collect();
    let well = ["InSync", "Observed", "ReconcileDisabled", "DriftTolerated"];
    // A deployment that is not read: the age of its observation says so.
    let unread = ["RemoteUnavailable", "RemoteAnswerInvalid"];
    let all = Reason::ALL.iter().filter(|reason| reason.is_of_ready()).map(|one| one.as_str());
    let expected: BTreeSet<_> =
        all.filter(|reason| !well.contains(reason) && !unread.contains(reason)).collect();
    assert_eq!(named, expected);
}

/// Each command names a resource, a label or a path that the manifests have.
#[test]
fn the_runbooks_type_what_there_is() {
    let runbooks = read("docs/runbooks.md");
    let manifests = ["deployment", "service", "rbac", "secret.example"]
        .map(|name| read(&format!("deploy/base/{name}.yaml")))
        .concat();
    for name in [
        "qoder-token",
        "app.kubernetes.io/component: operator",
        "name: qoder-operator",
        "namespace: qoder-operator",
        "containerPort: 8080",
    ] {
        assert!(manifests.contains(name), "{name}");
    }
    for line in runbooks.lines() {
        for word in line.split(['"', '\'', ' ', ',', '`']) {
            let Some(annotation) = word.strip_prefix("cloud.qoder.com/") else { continue };
            let annotation = annotation.split('=').next().unwrap();
            assert!(
                read("docs/api.md").contains(&format!("`cloud.qoder.com/{annotation}`")),
                "{word}"
            );
        }
        if let Some((_, variables)) = line.split_once("set env deploy/qoder-operator ") {
            for variable in variables.split(' ').map(|pair| pair.split('=').next().unwrap()) {
                assert!(read("docs/flags.md").contains(&format!("`{variable}`")), "{variable}");
            }
        }
        for manifest in line.split('`').filter(|word| word.starts_with("deploy/")) {
            assert!(crate::repository().join(manifest).exists(), "{manifest}");
        }
    }
}
