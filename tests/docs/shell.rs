//! What people paste.

use std::{collections::BTreeSet, path::Path};

use super::{links::pages, read};

/// The blocks of shell of a page.
fn blocks(page: &str) -> Vec<String> {
    let text = read(page);
    let fenced = text.split("```").skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    let shell = fenced.filter(|(language, _)| language.split(' ').next() == Some("sh"));
    shell.map(|(_, script)| script.to_owned()).collect()
}

fn all_pages() -> Vec<String> {
    let mut all = [pages("docs"), pages("docs/zh")].concat();
    all.push("README.md".to_owned());
    all
}

/// At a prompt zsh takes a comment for more arguments, and an apostrophe in it for the begin of a string.
#[test]
fn no_comment_is_pasted() {
    // That one is saved as a script.
    let is_script = |block: &&String| block.starts_with("# test.sh: ");
    let mut count = 0;
    for page in all_pages() {
        for block in blocks(&page).iter().filter(|block| !is_script(block)) {
            count += 1;
            let mut lines = block.lines();
            assert!(
                !lines.any(|line| line.starts_with('#') || line.contains(" #")),
                "{page}:\n{block}"
            );
        }
    }
    assert!(count > 80, "{count} blocks");
}

#[test]
fn the_token_goes_into_the_secret_in_one_way() {
    let mut ways = BTreeSet::new();
    let mut count = 0;
    for page in all_pages() {
        for block in blocks(&page) {
            let own = block.replace("north-", "qoder-");
            if let Some((_, rest)) = own.split_once("create secret generic qoder-token --from-file")
            {
                count += 1;
                ways.insert(rest.to_owned());
            }
        }
    }
    assert_eq!(ways.len(), 1, "{ways:#?}");
    assert!(count >= 6, "{count} pages");
}

#[test]
fn the_readme_installs_as_the_page_does() {
    let [image, helm, ..] = &blocks("docs/install.md")[..] else { panic!("no blocks") };
    assert!(blocks("README.md").contains(&format!("{image}{helm}")), "{image}{helm}");
}

/// Most pages are about a Pod, which no test has. What they name is what the manifests and the repository have.
#[test]
fn the_objects_and_files_that_are_named_are_there() {
    let deployments =
        ["deploy/qoder-operator", "deployment/qoder-operator", "deployment/qoder-simulator"];
    let mut count = 0;
    for page in all_pages() {
        for block in blocks(&page) {
            let words: Vec<_> = block.split_whitespace().collect();
            for (before, word) in words.iter().zip(&words[1..]) {
                let is_there = match *before {
                    "exec" | "port-forward" | "scale" | "status" | "env" => {
                        deployments.contains(word)
                    }
                    "secret" => ["generic", "qoder-token"].contains(word),
                    "--" => *word == "/qoder-operator",
                    // A copy that the page makes is not there yet.
                    _ if word.starts_with("deploy/")
                        && !word.contains("/west")
                        && !word.contains('$') =>
                    {
                        Path::new(env!("CARGO_MANIFEST_DIR")).join(word).exists()
                    }
                    _ => continue,
                };
                count += 1;
                assert!(is_there, "{page}: {before} {word}");
            }
        }
    }
    assert!(count > 40, "{count} names");
}
