//! The table of values in the chart's README is made of the comments in `values.yaml`.

use std::fs;

use crate::helm::{chart, compare};

const HEADER: &str = "| value | default | what it is |\n| --- | --- | --- |\n";

/// A row for each value: the lines above it say what it is.
fn rows(values: &str) -> Vec<String> {
    let mut rows = Vec::new();
    let (mut path, mut comment) = (Vec::new(), Vec::new());
    for line in values.lines() {
        let text = line.trim_start();
        let depth = (line.len() - text.len()) / 2;
        if let Some(said) = text.strip_prefix("# ") {
            comment.push(said);
            continue;
        }
        let Some((key, value)) =
            text.split_once(": ").or(text.strip_suffix(':').map(|key| (key, "")))
        else {
            comment.clear();
            continue;
        };
        path.truncate(depth);
        path.push(key);
        if !value.is_empty() {
            assert!(!comment.is_empty(), "no comment says what {} is", path.join("."));
            rows.push(format!("| `{}` | `{value}` | {} |", path.join("."), comment.join(" ")));
        }
        comment.clear();
    }
    rows
}

#[test]
fn every_value_is_documented() {
    let values = fs::read_to_string(format!("{}/values.yaml", chart())).unwrap();
    let path = format!("{}/README.md", chart());
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(HEADER).expect("a table of values");
    let after = rest.lines().skip_while(|line| line.starts_with('|'));
    let after: String = after.flat_map(|line| [line, "\n"]).collect();
    let written = format!("{before}{HEADER}{}\n{after}", rows(&values).join("\n"));
    compare("deploy/chart/README.md", &written);
}
