//! Every dependency has a licence that `deny.toml` allows. `cargo deny` checks the same and more;
//! this needs no tool.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets the impossible should stop there"
)]

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

const DENY: &str = include_str!("../deny.toml");

/// The strings of `allow = [...]` in `deny.toml`.
fn allowed() -> BTreeSet<&'static str> {
    let (_, list) = DENY.split_once("\nallow = [").expect("deny.toml has a list of licences");
    let (list, _) = list.split_once(']').expect("the list ends");
    list.split('"').skip(1).step_by(2).collect()
}

/// Whether an SPDX expression can be met with these licences alone. `AND` binds before `OR`; the
/// slash is how old manifests wrote `OR`.
fn is_met(expression: &str, by: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any(&mut words, by);
    met && words.next().is_none()
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, by: &BTreeSet<&str>) -> bool {
    let mut met = all(words, by);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, by);
    }
    met
}

fn all(words: &mut Words<'_>, by: &BTreeSet<&str>) -> bool {
    let mut met = one(words, by);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, by);
    }
    met
}

fn one(words: &mut Words<'_>, by: &BTreeSet<&str>) -> bool {
    let Some(word) = words.next() else {
        return false;
    };
    if word == "(" {
        let met = any(words, by);
        return met & words.next_if_eq(&")").is_some();
    }
    match words.next_if_eq(&"WITH").and_then(|_| words.next()) {
        Some(exception) => by.contains(format!("{word} WITH {exception}").as_str()),
        None => by.contains(word),
    }
}

#[test]
fn an_expression_is_met_as_spdx_says() {
    let by = BTreeSet::from(["A", "B", "A WITH X"]);
    for good in
        ["A", "A OR C", "C OR A", "C/A", "A AND B", "(C OR A) AND B", "A WITH X", "C AND D OR A"]
    {
        assert!(is_met(good, &by), "{good}");
    }
    for bad in
        ["", "C", "A AND C", "C OR D", "A WITH Y", "(A OR B) AND C", "(A", "A B", "C AND (A OR B)"]
    {
        assert!(!is_met(bad, &by), "{bad}");
    }
}

#[test]
fn every_dependency_has_a_licence_that_is_allowed() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        // What is shipped runs there; other platforms' crates need not even be downloaded.
        .args(["--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("failed to run cargo");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();

    let packages = metadata.get("packages").and_then(Value::as_array).unwrap();
    assert!(packages.len() > 100, "cargo knows of {} packages only", packages.len());
    let allowed = allowed();
    let refused: Vec<_> = packages
        .iter()
        .map(|package| (package["name"].as_str().unwrap(), package["license"].as_str()))
        .filter(|(_, licence)| !licence.is_some_and(|licence| is_met(licence, &allowed)))
        .collect();
    assert!(refused.is_empty(), "not allowed by deny.toml: {refused:?}");
}
