//! The pages that are there in two languages: neither is changed without the other.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a test that meets the impossible should stop there"
)]

use std::collections::BTreeSet;
use std::path::Path;

/// Each page in English, and in Chinese.
const PAIRS: [(&str, &str); 5] = [
    ("README.md", "docs/zh/README.md"),
    ("docs/conditions.md", "docs/zh/conditions.md"),
    ("docs/quickstart.md", "docs/zh/quickstart.md"),
    ("docs/troubleshooting.md", "docs/zh/troubleshooting.md"),
    ("tests/simulator/README.md", "tests/simulator/README.zh.md"),
];

struct Page {
    path: &'static str,
    text: String,
}

/// A heading, a row of a table, an item of a list, a paragraph or a block of code.
struct Piece<'a> {
    text: &'a str,
    /// What of it is the same in every language.
    shape: String,
}

#[test]
fn each_begins_with_a_link_to_the_other() {
    for (english, chinese) in pairs() {
        for (page, other, start, end) in [
            (&english, &chinese, "English | [简体中文](", ")"),
            (&chinese, &english, "[English](", ") | 简体中文"),
        ] {
            let line = page.text.lines().nth(2).unwrap();
            let target = line.strip_prefix(start).and_then(|rest| rest.strip_suffix(end));
            let target = target.unwrap_or_else(|| panic!("{}: {line}", page.path));
            assert_eq!(page.resolve(target), other.path);
        }
    }
}

#[test]
fn both_have_the_same_headings_tables_code_quotes_links_and_numbers() {
    for (english, chinese) in pairs() {
        let (ours, theirs) = (english.pieces(), chinese.pieces());
        for (ours, theirs) in ours.iter().zip(&theirs) {
            let both =
                format!("\n{}: {}\n\n{}: {}\n", english.path, ours.text, chinese.path, theirs.text);
            assert_eq!(ours.shape, theirs.shape, "{both}");
            // Not the other way round: Chinese has digits for some words.
            assert!(facts(ours.text).is_subset(&facts(theirs.text)), "{both}");
        }
        assert_eq!(ours.len(), theirs.len(), "{}: one ends before the other", english.path);
        assert!(ours.len() > 30, "{}: the pieces are found", english.path);
    }
}

#[test]
fn every_page_in_chinese_is_held_to_one_in_english() {
    for entry in in_root("docs/zh").read_dir().unwrap() {
        let path = format!("docs/zh/{}", entry.unwrap().file_name().to_str().unwrap());
        assert!(PAIRS.iter().any(|(_, chinese)| *chinese == path), "{path} is in no pair");
    }
}

#[test]
fn a_chinese_page_links_to_a_page_in_english_only_where_there_is_none_in_chinese() {
    for (_, page) in pairs() {
        let (_, body) = page.text.split_once(" | 简体中文").unwrap();
        for target in links(body) {
            let path = page.resolve(target.split('#').next().unwrap());
            assert!(PAIRS.iter().all(|(english, _)| path != *english), "{}: {target}", page.path);
        }
    }
}

fn pairs() -> [(Page, Page); 5] {
    PAIRS.map(|(english, chinese)| (Page::read(english), Page::read(chinese)))
}

impl Page {
    fn read(path: &'static str) -> Self {
        let text = read(path);
        assert!(!text.is_empty(), "{path} is not there");
        Self { path, text }
    }

    /// The file that a link leads to, from the root of the repository.
    fn resolve(&self, link: &str) -> String {
        if link.is_empty() {
            return self.path.to_owned();
        }
        let mut path: Vec<_> = self.path.split('/').collect();
        path.pop();
        for part in link.split('/') {
            match part {
                ".." => assert!(path.pop().is_some(), "{}: {link}", self.path),
                part => path.push(part),
            }
        }
        path.join("/")
    }

    fn pieces(&self) -> Vec<Piece<'_>> {
        let mut pieces = Vec::new();
        for (number, part) in self.text.split("```").enumerate() {
            if number % 2 == 1 {
                pieces.push(Piece { text: part, shape: code(part) });
                continue;
            }
            let texts = part.split("\n\n").flat_map(|text| text.split("\n- ")).map(str::trim);
            for text in texts.filter(|text| !text.is_empty()) {
                if text.starts_with('|') {
                    pieces.extend(text.lines().map(|text| Piece { text, shape: self.row(text) }));
                } else {
                    let level = text.chars().take_while(|first| *first == '#').count();
                    let shape = format!("{} {}", "#".repeat(level), self.said(text));
                    pieces.push(Piece { text, shape });
                }
            }
        }
        pieces
    }

    /// A row: what each cell says, and quotes, and the first as it is where it is code.
    fn row(&self, row: &str) -> String {
        let cells = row.split('|').map(str::trim).enumerate();
        let cells = cells.map(|(column, cell)| {
            let is_code = cell.starts_with('`') && cell.ends_with('`');
            if column == 1 && is_code {
                return cell.to_owned();
            }
            let quotes: Vec<_> = cell.split('"').skip(1).step_by(2).collect();
            format!("{} {quotes:?}", self.said(cell))
        });
        cells.collect::<Vec<_>>().join(" | ")
    }

    /// What a text says in code, and where it links to: the page in English, and which of its headings.
    fn said(&self, text: &str) -> String {
        let code: BTreeSet<_> = text.split('`').skip(1).step_by(2).collect();
        let links: BTreeSet<_> = links(text)
            .into_iter()
            .map(|target| {
                if target.contains("://") {
                    return target.to_owned();
                }
                let (file, fragment) = target.split_once('#').unwrap_or((target, ""));
                let path = self.resolve(file);
                let heading = heading(&read(&path), fragment);
                let pair = PAIRS.iter().find(|(_, chinese)| path == *chinese);
                format!("{} {heading:?}", pair.map_or(path.as_str(), |(english, _)| english))
            })
            .collect();
        format!("{code:?} {links:?}")
    }
}

fn in_root(path: &str) -> std::path::PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The text of a file. A folder and a picture have none.
fn read(path: &str) -> String {
    std::fs::read_to_string(in_root(path)).unwrap_or_default()
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

/// The numbers that a text says in digits, and words like Ready=True, outside of code.
fn facts(text: &str) -> BTreeSet<&str> {
    let words = text.split('`').step_by(2);
    let numbers = words
        .clone()
        .flat_map(|words| words.split(|digit: char| !digit.is_ascii_digit() && digit != ','))
        .map(|number| number.trim_matches(','))
        .filter(|number| !number.is_empty());
    let equations = words
        .flat_map(|words| words.split(|part: char| !part.is_ascii_alphanumeric() && part != '='))
        .filter(|word| word.contains('='));
    numbers.chain(equations).collect()
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
