//! The bugs of `planted/` fit the source as it is, and docs/reliability.md has a row for each.

#![allow(clippy::unwrap_used, reason = "a test that meets the impossible should stop there")]

use std::{collections::BTreeSet, fs, path::Path, process::Command};

#[test]
fn each_bug_can_be_planted_and_is_in_the_table() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut names = BTreeSet::new();
    for entry in fs::read_dir("planted").unwrap() {
        let path = entry.unwrap().path().canonicalize().unwrap();
        let fits =
            Command::new("git").args(["apply", "--check"]).arg(&path).current_dir(&root).status();
        assert!(fits.unwrap().success(), "{} does not fit the source", path.display());
        names.insert(path.file_stem().unwrap().to_str().unwrap().to_owned());
    }
    let page = fs::read_to_string(root.join("docs/reliability.md")).unwrap();
    let table = page.split("<!-- planted -->").nth(1).unwrap().split("\n## ").next().unwrap();
    let rows = table.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let rows: BTreeSet<_> = rows.map(ToOwned::to_owned).collect();
    assert!(rows.len() >= 25, "{rows:?}");
    assert_eq!(rows, names);
}
