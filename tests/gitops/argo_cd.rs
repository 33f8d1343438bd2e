//! What is given to Argo CD: the patches of its config map have the scripts, and the scripts keep to their libraries.

use serde_json::{Value, json};
use testbed::gitops::lua;

use super::{assert_is, documents, read, resources};

const FOLDER: &str = "deploy/gitops/argo-cd";
const HEALTH: &str = "resource.customizations.health.cloud.qoder.com_QoderDeployment";
const ACTIONS: &str = "resource.customizations.actions.cloud.qoder.com_QoderDeployment";

/// A text as the block of a YAML mapping, so many levels deep.
fn block(key: &str, text: &str, depth: usize) -> String {
    let indent = "  ".repeat(depth);
    let lines = text.lines().map(|line| match line {
        "" => "\n".to_owned(),
        line => format!("{indent}  {line}\n"),
    });
    format!("{indent}{key}: |\n{}", lines.collect::<String>())
}

fn script(file: &str) -> String {
    read(&format!("{FOLDER}/{file}"))
}

fn actions() -> String {
    let mut actions = block("discovery.lua", &script("actions/discovery.lua"), 0);
    actions.push_str("definitions:\n");
    for name in ["pause", "resume", "reconcile"] {
        actions.extend(["- name: ", name, "\n"]);
        actions.push_str(&block("action.lua", &script(&format!("actions/{name}.lua")), 1));
    }
    actions
}

#[test]
fn the_patches_of_the_config_map_have_the_scripts() {
    let head = "# Written from the Lua files beside it by `UPDATE_DOCS=1 cargo test --test gitops`; do not edit.\ndata:\n";
    let health = |file| format!("{head}{}", block(HEALTH, &script(file), 1));
    let whole = format!("{}{}", health("health.lua"), block(ACTIONS, &actions(), 1));
    assert_is(&format!("{FOLDER}/argocd-cm.patch.yaml"), &whole);
    let suspended = health("health-suspended.lua");
    assert_is(&format!("{FOLDER}/argocd-cm-suspended.patch.yaml"), &suspended);

    // As Argo CD reads them.
    let [whole] =
        <[Value; 1]>::try_from(documents(&format!("{FOLDER}/argocd-cm.patch.yaml"))).unwrap();
    assert_eq!(whole["data"].as_object().unwrap().len(), 2);
    assert_eq!(whole["data"][HEALTH], script("health.lua"));
    let actions: Value = serde_yaml_ng::from_str(whole["data"][ACTIONS].as_str().unwrap()).unwrap();
    assert_eq!(actions["discovery.lua"], script("actions/discovery.lua"));
    for (n, name) in ["pause", "resume", "reconcile"].into_iter().enumerate() {
        let definition =
            json!({ "name": name, "action.lua": script(&format!("actions/{name}.lua")) });
        assert_eq!(actions["definitions"][n], definition);
    }
}

#[test]
fn a_script_has_no_library_that_argo_cd_does_not_give_it() {
    for name in ["string", "math", "io", "debug", "coroutine", "os"] {
        let script = format!("return {{ there = {name} ~= nil }}");
        assert_eq!(lua(&script, &resources()[..1]).unwrap(), [json!({ "there": false })], "{name}");
    }
    let safe = "local os = require('os') return { there = os.date ~= nil, exit = os.exit ~= nil }";
    assert_eq!(lua(safe, &resources()[..1]).unwrap(), [json!({ "there": true, "exit": false })]);
}

#[test]
fn health_has_the_message_that_says_what_to_do() {
    let resources = resources();
    let health = lua(&script("health.lua"), &resources).unwrap();
    for (resource, health) in resources.iter().zip(health) {
        let name = resource["metadata"]["name"].as_str().unwrap();
        let conditions = resource["status"]["conditions"].as_array();
        let message = match (name, conditions) {
            ("new" | "changed-since", _) => {
                "the operator has not answered this generation yet".to_owned()
            }
            (_, Some(conditions)) => {
                let ready = conditions[0]["message"].as_str().unwrap();
                let is_done = conditions[0]["status"] == "True";
                let is_paused = conditions.last().unwrap()["status"] == "True";
                format!("{}{ready}", if is_done && is_paused { "paused; " } else { "" })
            }
            (_, None) => panic!("{name} has no conditions"),
        };
        assert_eq!(health["message"], message, "{name}");
    }
}

/// An action may change what it says, and nothing else.
#[test]
fn an_action_changes_what_it_says_on_every_resource() {
    let resources = resources();
    for (name, spec, annotation) in [
        ("pause", Some(true), None),
        ("resume", Some(false), Some("cloud.qoder.com/resume-requested-at")),
        ("reconcile", None, Some("cloud.qoder.com/reconcile-requested-at")),
    ] {
        let after = lua(&script(&format!("actions/{name}.lua")), &resources).unwrap();
        for (before, mut after) in resources.iter().zip(after) {
            let mut expected = before.clone();
            if let Some(paused) = spec {
                expected["spec"]["paused"] = json!(paused);
            }
            if let Some(key) = annotation {
                let value = after["metadata"]["annotations"][key].take();
                let value = value.as_str().unwrap_or_else(|| panic!("{name}: {after}"));
                value.parse::<jiff::Timestamp>().unwrap_or_else(|error| panic!("{value}: {error}"));
                expected["metadata"]["annotations"][key] = Value::Null;
            }
            assert_eq!(after, expected, "{name}");
        }
    }
}
