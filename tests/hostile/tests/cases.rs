//! The seeds of the fuzzer, and what it has found before, by the same properties.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets the impossible should stop there"
)]

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use hostile::TARGETS;

/// Fewer seeds show too little.
const SEEDS: usize = 4;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz")
}

/// The files of a folder, in order; none where it is not there.
fn files(folder: &str, target: &str) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(fuzz().join(folder).join(target)) else { return Vec::new() };
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

#[test]
fn every_seed_and_every_case_that_was_found_has_the_property_of_its_target() {
    let mut broken = Vec::new();
    for (name, target) in TARGETS {
        let seeds = files("corpus", name);
        assert!(seeds.len() >= SEEDS, "fuzz/corpus/{name} has {} seeds", seeds.len());
        for file in seeds.into_iter().chain(files("found", name)) {
            let bytes = fs::read(&file).unwrap();
            if catch_unwind(AssertUnwindSafe(|| target(&bytes))).is_err() {
                broken.push(file);
            }
        }
    }
    assert!(broken.is_empty(), "what is above was said of {broken:#?}");
}

/// A target that is not built is not fuzzed, and a case in a folder of another name is not run.
#[test]
fn the_fuzzer_has_exactly_these_targets_and_folders() {
    let names = TARGETS.map(|(name, _)| name.to_owned());
    let manifest = fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    let built = |line: &str| Some(line.strip_prefix("name = \"")?.trim_end_matches('"').to_owned());
    let built: Vec<_> =
        manifest.split("[[bin]]").skip(1).map(|bin| bin.lines().find_map(built)).collect();
    assert_eq!(built, names.clone().map(Some));
    for (name, _) in TARGETS {
        let target = fs::read_to_string(fuzz().join(format!("targets/{name}.rs"))).unwrap();
        assert!(target.contains(&format!("hostile::{name}(data)")), "targets/{name}.rs");
    }
    for folder in ["corpus", "found"] {
        let entries = fs::read_dir(fuzz().join(folder)).unwrap();
        for entry in entries.map(|entry| entry.unwrap()).filter(|entry| entry.path().is_dir()) {
            let name = entry.file_name().into_string().unwrap();
            assert!(names.contains(&name), "fuzz/{folder}/{name}");
        }
    }
}
