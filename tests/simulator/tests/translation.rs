//! The README and the one in Chinese: neither is changed without the other, and the links of both lead somewhere.

use std::collections::BTreeSet;
use std::path::Path;

const ENGLISH: &str = include_str!("../README.md");
const CHINESE: &str = include_str!("../README.zh.md");

/// A heading, a row of a table, a paragraph or a block of code.
struct Piece<'a> {
    text: &'a str,
    /// What of it is the same in every language.
    shape: String,
}

#[test]
fn each_begins_with_a_link_to_the_other() {
    assert!(ENGLISH.starts_with("# qoder-simulator\n\nEnglish | [简体中文](README.zh.md)\n\n"));
    assert!(CHINESE.starts_with("# qoder-simulator\n\n[English](README.md) | 简体中文\n\n"));
}

#[test]
fn both_have_the_same_headings_tables_code_links_and_numbers() {
    let (english, chinese) = (pieces(ENGLISH), pieces(CHINESE));
    for (ours, theirs) in english.iter().zip(&chinese) {
        let both = format!("\nREADME.md: {}\n\nREADME.zh.md: {}\n", ours.text, theirs.text);
        assert_eq!(ours.shape, theirs.shape, "{both}");
        // Not the other way round: Chinese has digits for some words.
        assert!(numbers(ours.text).is_subset(&numbers(theirs.text)), "{both}");
    }
    assert_eq!(english.len(), chinese.len(), "one ends before the other");
    assert!(english.len() > 100, "the pieces are found");
}

#[test]
fn their_links_lead_somewhere() {
    for page in [ENGLISH, CHINESE] {
        let targets = links(page);
        assert!(targets.len() > 10, "{targets:?}");
        for target in targets.into_iter().filter(|target| !target.contains("://")) {
            let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
            let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
            assert!(path.exists(), "{target}");
            if !fragment.is_empty() {
                let other = std::fs::read_to_string(path).unwrap_or_default();
                let page = if file.is_empty() { page } else { &other };
                assert!(heading(page, fragment).is_some(), "{target}");
            }
        }
    }
}

fn pieces(page: &str) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    for (number, part) in page.split("```").enumerate() {
        if number % 2 == 1 {
            pieces.push(Piece { text: part, shape: code(part) });
            continue;
        }
        for text in part.split("\n\n").map(str::trim).filter(|text| !text.is_empty()) {
            if text.starts_with('|') {
                pieces.extend(text.lines().map(|text| Piece { text, shape: row(page, text) }));
            } else {
                let level = text.chars().take_while(|first| *first == '#').count();
                let shape = format!("{} {}", "#".repeat(level), said(page, text));
                pieces.push(Piece { text, shape });
            }
        }
    }
    pieces
}

/// A block of code without its comments.
fn code(block: &str) -> String {
    let language = block.lines().next().unwrap_or_default();
    let mark = if ["sh", "python", "yaml"].contains(&language) { "#" } else { "//" };
    let lines = block.lines().map(|line| match line.strip_prefix(mark) {
        Some(_) => "",
        None => line.split(&format!(" {mark}")).next().unwrap_or_default(),
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// A row: what each cell says, and the first as it is where it is code.
fn row(page: &str, row: &str) -> String {
    let cells = row.split('|').map(str::trim).enumerate();
    let cells = cells.map(|(column, cell)| {
        let is_code = cell.starts_with('`') && cell.ends_with('`');
        if column == 1 && is_code { cell.to_owned() } else { said(page, cell) }
    });
    cells.collect::<Vec<_>>().join(" | ")
}

/// What a text says in code, and where it links to. A link within the page leads to a heading, which has another name in each language.
fn said(page: &str, text: &str) -> String {
    let code: BTreeSet<_> = text.split('`').skip(1).step_by(2).collect();
    let links: BTreeSet<_> = links(text)
        .into_iter()
        .map(|target| match target.strip_prefix('#') {
            Some(anchor) => format!("heading {:?}", heading(page, anchor)),
            None => target.replace(".zh.md", ".md"),
        })
        .collect();
    format!("{code:?} {links:?}")
}

/// The numbers that a text says in digits, outside of code.
fn numbers(text: &str) -> BTreeSet<&str> {
    let words = text.split('`').step_by(2);
    words
        .flat_map(|words| words.split(|digit: char| !digit.is_ascii_digit() && digit != ','))
        .map(|number| number.trim_matches(','))
        .filter(|number| !number.is_empty())
        .collect()
}

/// The targets of all links and pictures.
fn links(text: &str) -> Vec<&str> {
    let starts = [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')];
    let targets = starts.into_iter().flat_map(|(start, end)| {
        text.split(start).skip(1).filter_map(move |rest| rest.split(end).next())
    });
    targets.collect()
}

/// Which heading of a page a link leads to, by the rules of GitHub.
fn heading(page: &str, anchor: &str) -> Option<usize> {
    let prose = page.split("```").step_by(2);
    let mut headings = prose.flat_map(str::lines).filter(|line| line.starts_with('#'));
    headings.position(|heading| {
        let name = heading.trim_start_matches('#').trim().to_lowercase().replace(' ', "-");
        name.chars()
            .filter(|kept| kept.is_alphanumeric() || "-_".contains(*kept))
            .eq(anchor.chars())
    })
}
