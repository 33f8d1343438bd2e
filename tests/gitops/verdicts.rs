//! The verdicts, side by side: kstatus, Flux with expressions, Argo CD with each of its health scripts.

use std::fmt::Write as _;

use serde_json::Value;
use testbed::gitops::{expressions, kstatus, lua};

use super::{assert_is, documents, read, resources};

const HEAD: &str = "\
# Verdicts

What each tool says of a [resource for every reason](resources.yaml). `UPDATE_DOCS=1 cargo test --test gitops` writes this page.

| resource | Flux and Helm | Argo CD | with the Suspended variant | its actions |
| --- | --- | --- | --- | --- |
";

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn health(file: &str) -> Vec<Value> {
    lua(&read(&format!("deploy/gitops/argo-cd/{file}")), &resources()).unwrap()
}

#[test]
fn every_verdict_is_on_the_page() {
    let kstatus = kstatus(&resources()).unwrap();
    let [plain, suspended] = ["health.lua", "health-suspended.lua"].map(health);
    let discovered = health("actions/discovery.lua");
    let mut page = HEAD.to_owned();
    for (n, resource) in resources().iter().enumerate() {
        let enabled = discovered[n].as_object().unwrap().iter();
        let enabled = enabled.filter(|(_, action)| action["disabled"] == false);
        let actions: Vec<_> = enabled.map(|(name, _)| name.as_str()).collect();
        let columns = [
            text(&resource["metadata"]["name"]),
            text(&kstatus[n]),
            text(&plain[n]["status"]),
            text(&suspended[n]["status"]),
            &actions.join(", "),
        ];
        writeln!(page, "| {} |", columns.join(" | ")).unwrap();
    }
    assert_is("tests/gitops/verdicts.md", &page);
}

/// Ready is what all of them wait for, and Stalled what they give up at. The page has no say in this.
#[test]
fn all_tools_agree_with_the_conditions() {
    let resources = resources();
    let kstatus = kstatus(&resources).unwrap();
    let health = health("health.lua");
    for (n, resource) in resources.iter().enumerate() {
        let is_answered =
            resource["status"]["observedGeneration"] == resource["metadata"]["generation"];
        let holds = |kind: &str| {
            let conditions = resource["status"]["conditions"].as_array();
            let mut conditions = conditions.into_iter().flatten();
            conditions.any(|condition| condition["type"] == kind && condition["status"] == "True")
        };
        let expected = match (is_answered, holds("Ready"), holds("Stalled")) {
            (true, true, false) => ("Current", "Healthy"),
            (true, false, true) => ("Failed", "Degraded"),
            _ => ("InProgress", "Progressing"),
        };
        assert_eq!((text(&kstatus[n]), text(&health[n]["status"])), expected, "{resource}");
    }
}

/// What stands in expressions.yaml for this kind.
fn shipped_expressions() -> Value {
    let documents = documents("deploy/gitops/flux/expressions.yaml");
    let [kustomization] = documents.as_slice() else { panic!("one document") };
    let checks = kustomization["spec"]["healthCheckExprs"].as_array().unwrap();
    let [check] = checks.as_slice() else { panic!("one kind") };

    // But for them, the two files are one.
    let mut without = kustomization.clone();
    without["spec"].as_object_mut().unwrap().remove("healthCheckExprs");
    assert_eq!(super::documents("deploy/gitops/flux/wait.yaml"), [without]);
    check.clone()
}

#[test]
fn the_expressions_say_what_kstatus_says_but_for_a_pause_by_the_platform() {
    let (check, resources) = (shipped_expressions(), resources());
    for resource in &resources {
        for field in ["apiVersion", "kind"] {
            assert_eq!(check[field], resource[field]);
        }
    }
    let mut expected = kstatus(&resources).unwrap();
    let is_that_one = |resource: &Value| resource["metadata"]["name"] == "paused-by-platform";
    let n = resources.iter().position(is_that_one).unwrap();
    assert_eq!(std::mem::replace(&mut expected[n], "Current".into()), "Failed");
    assert_eq!(expressions(&check, &resources).unwrap(), expected);
}

#[test]
fn flux_has_a_verdict_before_the_operator_has_any() {
    // A resource that was made before the CRD had its default has no status at all.
    let mut resource = resources()[0].clone();
    resource.as_object_mut().unwrap().remove("status");
    let resource = [resource];
    assert_eq!(kstatus(&resource).unwrap(), ["Current"], "which is why the schema has a default");
    let script = read("deploy/gitops/argo-cd/health.lua");
    assert_eq!(lua(&script, &resource).unwrap()[0]["status"], "Progressing");
}
