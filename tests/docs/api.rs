//! docs/api.md: the reference below its first part is made of the CRD, and its examples are resources.

use qoder_operator::api::{
    QoderDeployment,
    annotation::{RECONCILE, RECONCILE_REQUESTED_AT, RESUME_REQUESTED_AT},
};
use serde_json::Value;

use super::{read, table, write};

const PAGE: &str = "docs/api.md";
const MARK: &str = "<!-- From here on made of crds/qoderdeployments.yaml: UPDATE_DOCS=1 cargo test --test docs -->\n";

#[test]
fn the_reference_is_what_the_crd_says() {
    let crd: Value = serde_yaml_ng::from_str(&read("crds/qoderdeployments.yaml")).unwrap();
    let page = read(PAGE);
    let (by_hand, generated) = page.split_once(MARK).unwrap();
    let expected = reference(&crd["spec"]);
    if std::env::var_os("UPDATE_DOCS").is_some() && generated != expected {
        write(PAGE, &format!("{by_hand}{MARK}{expected}"));
    } else {
        assert!(generated == expected, "{PAGE} should have:\n{expected}");
    }
}

fn reference(crd: &Value) -> String {
    let [version] = crd["versions"].as_array().unwrap().as_slice() else { panic!("one version") };
    let schema = &version["schema"]["openAPIV3Schema"];
    let mut lines = Vec::new();
    let mut say = |text: &str| lines.extend(text.lines().map(str::to_owned));

    say("\n## Names\n\n| what | value |\n| --- | --- |");
    let names = &crd["names"];
    for (what, value) in [
        ("group", &crd["group"]),
        ("version", &version["name"]),
        ("kind", &names["kind"]),
        ("plural", &names["plural"]),
        ("singular", &names["singular"]),
        ("short name", &names["shortNames"][0]),
        ("category", &names["categories"][0]),
        ("scope", &crd["scope"]),
    ] {
        say(&format!("| {what} | {} |", code(words(value))));
    }
    for part in ["spec", "status"] {
        let schema = &schema["properties"][part];
        let default = schema.get("default").map(|value| code(&value.to_string()));
        let default = default.map(|value| format!(" By default it is {value}."));
        let description = words(&schema["description"]);
        say(&format!("\n## {part}\n\n{description}{}\n\n", default.unwrap_or_default()));
        say("| field | type | bounds | what it is |\n| --- | --- | --- | --- |");
        rows(part, schema, &mut say);
    }
    say(
        "\n## Columns\n\nWhat `kubectl get qdep` shows. Some columns are there with `-o wide` only.\n\n",
    );
    say("| column | wide | what it is | path |\n| --- | --- | --- | --- |");
    for column in version["additionalPrinterColumns"].as_array().unwrap() {
        let wide = if column["priority"].as_i64() == Some(1) { "yes" } else { "" };
        let name = words(&column["name"]).to_uppercase();
        let (description, path) = (words(&column["description"]), code(words(&column["jsonPath"])));
        say(&format!("| {name} | {wide} | {description} | {path} |"));
    }
    say("\n## Field selectors\n\nWhat `--field-selector` takes beside name and namespace:\n\n");
    for field in version["selectableFields"].as_array().unwrap() {
        say(&format!("- {}", code(words(&field["jsonPath"]).trim_start_matches('.'))));
    }
    lines.join("\n") + "\n"
}

/// One row for each field below this one.
fn rows(path: &str, schema: &Value, say: &mut impl FnMut(&str)) {
    let (schema, path) = match schema.get("items") {
        Some(items) => (items, format!("{path}[]")),
        None => (schema, path.to_owned()),
    };
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().collect();
    for (name, field) in schema["properties"].as_object().into_iter().flatten() {
        let is_required = required.iter().any(|required| *required == name);
        let bounds: Vec<_> =
            is_required.then(|| "required".to_owned()).into_iter().chain(bounds(field)).collect();
        let path = format!("{path}.{name}");
        let kind = field["format"].as_str().unwrap_or_else(|| words(&field["type"]));
        let description = words(&field["description"]);
        say(&format!("| `{path}` | {kind} | {} | {description} |", bounds.join("; ")));
        rows(&path, field, say);
    }
}

fn bounds(field: &Value) -> Vec<String> {
    let mut bounds = Vec::new();
    if let Some(values) = field["enum"].as_array() {
        let values: Vec<_> = values.iter().map(|value| code(words(value))).collect();
        bounds.push(format!("one of {}", values.join(", ")));
    }
    for (key, says) in [
        ("minimum", "at least"),
        ("minLength", "min. length"),
        ("maxLength", "max. length"),
        ("maxItems", "max. items"),
    ] {
        if let Some(bound) = field[key].as_f64() {
            bounds.push(format!("{says} {bound}"));
        }
    }
    if let Some(pattern) = field["pattern"].as_str() {
        bounds.push(code(pattern));
    }
    if let Some(keys) = field["x-kubernetes-list-map-keys"].as_array() {
        bounds.push(format!("one for each {}", code(words(&keys[0]))));
    }
    let rules = field["x-kubernetes-validations"].as_array().into_iter().flatten();
    bounds.extend(rules.map(|rule| match words(&rule["rule"]) {
        "self == oldSelf" => "immutable".to_owned(),
        rule => {
            let pattern =
                rule.strip_prefix("self.matches('").and_then(|rest| rest.strip_suffix("')"));
            code(pattern.unwrap_or(rule))
        }
    }));
    bounds
}

fn words(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

/// A span of code in a cell of a table.
fn code(text: &str) -> String {
    format!("`{}`", text.replace('|', "\\|"))
}

#[test]
fn every_annotation_is_documented() {
    let rows = table(PAGE, "| annotation | value | what it asks for | echoed in |");
    let said: Vec<_> = rows.iter().map(|row| row.split('`').nth(1).unwrap()).collect();
    assert_eq!(said, [RECONCILE, RECONCILE_REQUESTED_AT, RESUME_REQUESTED_AT]);
}

#[test]
fn the_examples_are_resources() {
    for path in [PAGE, "docs/concepts.md", "docs/introduction.md"] {
        let text = read(path);
        let examples =
            text.split("```yaml\n").skip(1).map(|rest| rest.split("```").next().unwrap());
        for example in examples {
            let written: Value = serde_yaml_ng::from_str(example).unwrap();
            let read: QoderDeployment = serde_yaml_ng::from_str(example).unwrap();
            assert_eq!(serde_json::to_value(read.spec).unwrap(), written["spec"], "{path}");
        }
    }
}
