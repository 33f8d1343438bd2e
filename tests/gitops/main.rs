//! What Argo CD, Flux and Helm say of a resource for every reason, by the shipped files of `deploy/gitops`; and what `kubeconform` says of manifests by the shipped schema.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

mod argo_cd;
mod manifests;
mod schema;
mod verdicts;

use std::{fs, path::PathBuf};

use serde::Deserialize as _;
use serde_json::Value;

fn path(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(path)
}

fn read(file: &str) -> String {
    let path = path(file);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// The documents of a YAML file.
fn documents(file: &str) -> Vec<Value> {
    let text = read(file);
    serde_yaml_ng::Deserializer::from_str(&text)
        .map(|document| Value::deserialize(document).unwrap())
        .collect()
}

/// A resource for every reason, as `tests/status` has recorded it.
fn resources() -> Vec<Value> {
    documents("tests/gitops/resources.yaml")
}

/// Compares a file with what it should say; with `UPDATE_DOCS` it is written.
fn assert_is(file: &str, expected: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(path(file), expected).unwrap();
    }
    let stands = fs::read_to_string(path(file)).unwrap_or_default();
    assert!(
        stands == expected,
        "{file} is old: UPDATE_DOCS=1 cargo test --test gitops writes it; look at the difference"
    );
}
