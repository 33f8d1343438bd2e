//! The pages of what is shipped: they are made as the Containerfile has them made.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a test that meets the impossible should stop there"
)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAMS: [&str; 2] = ["qoder-operator", "qoder-simulator"];

fn output(command: &mut Command) -> String {
    let output = command.current_dir(env!("CARGO_MANIFEST_DIR")).output().expect("failed to run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn made(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = fs::remove_dir_all(&folder);
    output(Command::new(env!("CARGO_BIN_EXE_licences")).arg(&folder).args(PROGRAMS));
    folder
}

/// `name version` of each package in what `cargo tree` prints of a program.
fn tree(program: &str, edges: &str) -> BTreeSet<String> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["tree", "--locked", "--prefix=none", "--format={p}", "--package", program]);
    let text = output(cargo.args(["--edges", edges]));
    let parts = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some(format!("{} {}", words.next()?, words.next()?.strip_prefix('v')?))
    });
    parts.collect()
}

#[test]
fn each_crate_that_is_linked_is_named_and_none_that_only_a_test_has() {
    let folder = made("named");
    for program in PROGRAMS {
        let page = fs::read_to_string(folder.join(format!("{program}.txt"))).unwrap();
        let (list, _) = page.split_once("\n\n====").unwrap();
        let lines = list.lines().filter_map(|line| line.split_once(": "));
        let named: BTreeSet<_> = lines.map(|(name, _)| name.to_owned()).collect();

        let mut expected = tree(program, "normal");
        let of_tests: Vec<_> = tree(program, "normal,dev").difference(&expected).cloned().collect();
        assert!(of_tests.len() > 2, "{program}: {of_tests:?}");
        assert!(expected.len() > 50, "{program}: {} crates", expected.len());
        for name in of_tests {
            assert!(!page.contains(&format!("\n{name}\n")), "{program}: {name}");
        }
        expected.insert("musl".to_owned());
        assert_eq!(named, expected, "{program}");
    }
}

#[test]
fn each_has_a_text_and_so_have_the_c_library_and_the_standard_library() {
    let folder = made("texts");
    let page = fs::read_to_string(folder.join("qoder-operator.txt")).unwrap();
    let (list, texts) = page.split_once("\n\n====").unwrap();
    for (name, _) in list.lines().filter_map(|line| line.split_once(": ")) {
        assert!(texts.contains(&format!("\n{name}\n")), "{name} has no text");
    }
    for section in page.split(&"=".repeat(80)).skip(1) {
        let (names, text) = section.split_once("\n\n").unwrap();
        assert!(!text.trim().is_empty(), "{names}: an empty text");
    }
    for notice in [
        "Copyright (c) 2016, Joseph Birr-Pixton",
        "Copyright © 2005-2020 Rich Felker, et al.",
        "Apache License\n                           Version 2.0",
        "UNICODE LICENSE V3",
        "Copyright 2015-2020 the fiat-crypto authors",
    ] {
        assert!(texts.contains(notice), "no {notice}");
    }
    let library = fs::read_to_string(folder.join("rust-standard-library.html")).unwrap();
    assert!(library.contains("The Rust Standard Library is dual-licensed"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let licence = fs::read_to_string(root.join("LICENSE")).unwrap();
    assert_eq!(fs::read_to_string(folder.join("LICENSE")).unwrap(), licence);
}

/// A file of the checkout would have its mode, which is another one with another umask: another image.
#[test]
fn an_image_has_nothing_but_what_the_build_has_made() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../..");
    let file = fs::read_to_string(root.join("Containerfile")).unwrap();
    let images: Vec<_> = file.split("\nFROM scratch AS ").skip(1).collect();
    assert_eq!(images.len(), PROGRAMS.len());
    for (image, program) in images.iter().zip(["qoder-simulator", "qoder-operator"]) {
        let copied: Vec<_> = image.lines().filter(|line| line.starts_with("COPY ")).collect();
        assert!(copied.iter().all(|line| line.starts_with("COPY --from=build /")), "{copied:?}");
        let licences = format!(
            "COPY --from=build /licenses/LICENSE /licenses/{program}.txt /licenses/rust-standard-library.html /licenses/"
        );
        assert!(copied.contains(&licences.as_str()), "{copied:?}");
    }
}
