//! The shape of `src`: who may import whom, what the pure parts do without, where chance and the clock come
//! from. Read from the text, so that a slip is named by file and line.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the impossible should stop there"
)]

mod rules;
mod text;

use std::{
    fs,
    path::{Path, PathBuf},
};

use rules::{LAYERS, LONG, LONGEST, PURE, faults};

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = entries
        .flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect();
    files.sort();
    files
}

#[test]
fn the_source_keeps_its_shape() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut all = Vec::new();
    let mut faults_of_all = Vec::new();
    for path in files(&src) {
        let file = path.strip_prefix(&src).unwrap().to_str().unwrap().to_owned();
        if file.contains("_tests") || file.ends_with("/fixtures.rs") {
            continue;
        }
        faults_of_all.extend(faults(&file, &fs::read_to_string(&path).unwrap()));
        all.push(file);
    }
    let is_there = |name: &str| all.iter().any(|file| file.starts_with(name));
    for name in PURE.iter().chain(LONG.iter().map(|(file, _)| file)) {
        if !is_there(name) {
            faults_of_all.push(format!("src/{name}: there is no such file any more"));
        }
    }
    for (layer, _) in LAYERS {
        if !is_there(&format!("{layer}/")) && !is_there(&format!("{layer}.rs")) {
            faults_of_all.push(format!("src/{layer}: there is no such module any more"));
        }
    }
    assert!(faults_of_all.is_empty(), "\n{}", faults_of_all.join("\n"));
}

/// A check that finds nothing proves nothing: each rule finds what breaks it, on its line.
#[test]
fn each_rule_finds_what_breaks_it() {
    let long = "//\n".repeat(LONGEST + 1);
    let cases: [(&str, &str, &[usize]); 24] = [
        ("remote/cache.rs", "\nlet now = Instant::now();", &[2]),
        ("remote/remote.rs", "let now = Instant::now();", &[]),
        ("remote/x.rs", "\nuse crate::resources::Index;", &[2]),
        (
            "remote/x.rs",
            "use crate::{\n    api::{DeploymentId, Wish},\n    reconcile::{\n        decide::decide,\n        settle::{settle, Action as A},\n    },\n    times::Times,\n};",
            &[4, 5, 5],
        ),
        ("resources/x.rs", "fn f(r: &crate::controller::View) {}", &[1]),
        ("reconcile/x.rs", "use crate::{controller, resources::*};", &[1]),
        ("controller/x.rs", "use crate::{reconcile::driver::Reconciler, remote::Remote};", &[]),
        ("metrics.rs", "use crate::qoder::Operation;", &[]),
        ("metrics.rs", "use crate::qoder::Client;", &[1]),
        ("qoder/x.rs", "use crate::api::{DeploymentId, Wish};", &[1]),
        ("qoder/x.rs", "use k8s_openapi::jiff::Timestamp;", &[1]),
        ("new.rs", "", &[1]),
        ("remote/x.rs", "\nuse opentelemetry_sdk::trace::SpanData;", &[2]),
        ("remote/cache.rs", "use tracing::Span;", &[1]),
        ("api/x.rs", "use kube::{Client, ResourceExt as _};", &[1]),
        (
            "remote/cache.rs",
            "use tokio::{\n    sync::Notify,\n    time::{Instant, sleep},\n};",
            &[2, 3],
        ),
        ("resources/x.rs", "use std::collections::{BTreeMap, HashMap};", &[1]),
        ("qoder/x.rs", "let at = Timestamp::now();", &[1]),
        ("env.rs", "let at = Timestamp::now();", &[]),
        (
            "qoder/x.rs",
            "// Not Timestamp::now().\n#[cfg(test)]\nmod tests {\nuse crate::controller::View;",
            &[],
        ),
        (
            "remote/x.rs",
            "tokio::select! {\n    biased;\n}\n// Not biased: fair.\ntokio::select! {\n}",
            &[],
        ),
        ("remote/x.rs", "tokio::select! {\n    _ = a => {}", &[1]),
        ("remote/x.rs", &long, &[LONGEST + 1]),
        ("remote/remote.rs", "use super::super::api;", &[1]),
    ];
    for (file, text, lines) in cases {
        let found = faults(file, text);
        let at = |line: &usize| format!("src/{file}:{line}: ");
        assert_eq!(found.len(), lines.len(), "{text}\n{found:#?}");
        assert!(
            lines.iter().all(|line| found.iter().any(|one| one.starts_with(&at(line)))),
            "{found:#?}"
        );
    }
}
