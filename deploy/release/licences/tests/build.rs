//! Two builds, one program: as the Containerfile has the shipped ones built. What is built here is the smallest of the
//! workspace; `deploy/release/reproducible.sh` does it with the shipped ones, which takes a quarter of an hour.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets the impossible should stop there"
)]

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// The sources and a home of cargo in a folder of this name, and what is built there.
fn built(name: &str) -> (PathBuf, Vec<u8>) {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    let (sources, home) = (folder.join("sources"), folder.join("home"));
    fs::create_dir_all(&sources).unwrap();
    fs::create_dir_all(home.join("registry")).unwrap();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    for part in ["Cargo.toml", "Cargo.lock", "LICENSE", "deny.toml", "src", "tests", "deploy"] {
        let mut copy = Command::new("cp");
        copy.arg("-r").arg(root.join(part)).arg(&sources);
        assert!(copy.status().unwrap().success(), "{part}");
    }
    // What is downloaded already is taken from there. The crates are unpacked in this home.
    let old = env::var_os("CARGO_HOME").map(PathBuf::from);
    let old = old.or_else(|| Some(Path::new(&env::var_os("HOME")?).join(".cargo"))).unwrap();
    for part in ["index", "cache"] {
        symlink(old.join("registry").join(part), home.join("registry").join(part)).unwrap();
    }
    let mut build = Command::new(sources.join("deploy/release/build.sh"));
    build.arg("licences").env("CARGO_HOME", &home).env_remove("CARGO_TARGET_DIR");
    let output = build.output().expect("failed to run build.sh");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let program = fs::read(sources.join("target/release/licences")).unwrap();
    fs::remove_dir_all(&folder).unwrap();
    (folder, program)
}

#[test]
fn the_same_sources_give_the_same_program_without_a_path_of_the_machine() {
    let (folder, one) = built("one");
    let (_, other) = built("quite-another-place");
    let text = String::from_utf8_lossy(&one);
    assert!(text.contains("/crates/serde_json-"), "paths of crates are in it");
    assert!(!text.contains(folder.to_str().unwrap()), "{}", folder.display());
    assert!(one == other, "{} and {} bytes", one.len(), other.len());
}
