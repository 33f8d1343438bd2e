//! Links of all pages, the table of contents of the book, and the address that its links to the repository have.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Component, Path, PathBuf},
};

use super::read;

const SUMMARY: &str = "docs/SUMMARY.md";

/// The pages in a folder, by their paths in the repository.
pub fn pages(folder: &str) -> Vec<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let entries = path.read_dir().unwrap().map(|entry| entry.unwrap().file_name());
    let names = entries.map(|name| name.to_str().unwrap().to_owned());
    let mut pages: Vec<_> = names
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "md"))
        .map(|name| format!("{folder}/{name}").trim_start_matches("./").to_owned())
        .collect();
    pages.sort();
    pages
}

/// This folder and all below it.
fn folders(folder: &str) -> Vec<String> {
    let entries = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder).read_dir().unwrap();
    let below = entries.map(|entry| entry.unwrap()).filter(|entry| entry.path().is_dir());
    let below = below.map(|entry| format!("{folder}/{}", entry.file_name().to_str().unwrap()));
    std::iter::once(folder.to_owned()).chain(below.flat_map(|folder| folders(&folder))).collect()
}

/// What is no code: neither a block nor a span.
fn prose(text: &str) -> String {
    text.split("```").step_by(2).flat_map(|part| part.split('`').step_by(2)).collect()
}

/// The targets of links and pictures.
fn links(text: &str) -> Vec<String> {
    let text = prose(text);
    let targets = [("](", ')'), ("src=\"", '"'), ("srcset=\"", '"')];
    let of = |(begin, end)| {
        text.split(begin).skip(1).filter_map(move |rest: &str| rest.split(end).next())
    };
    targets.into_iter().flat_map(of).map(str::to_owned).collect()
}

/// The anchors of the headings, as GitHub and mdBook make them.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    let lines = text.split("```").step_by(2).flat_map(str::lines);
    let headings = lines.filter_map(|line| {
        line.trim_start_matches('#').strip_prefix(' ').filter(|_| line.starts_with('#'))
    });
    headings
        .map(|heading| {
            let name = heading.trim().to_lowercase().replace(' ', "-");
            let name: String = name
                .chars()
                .filter(|kept| kept.is_alphanumeric() || "-_".contains(*kept))
                .collect();
            let before = seen.entry(name.clone()).or_default();
            *before += 1;
            if *before == 1 { name } else { format!("{name}-{}", *before - 1) }
        })
        .collect()
}

/// The file that a link of a page leads to, from the root of the repository.
fn resolve(page: &str, link: &str) -> PathBuf {
    let mut path = PathBuf::new();
    for part in Path::new(page).parent().unwrap().join(link).components() {
        match part {
            Component::ParentDir => assert!(path.pop(), "{page} links to {link}"),
            part => path.push(part),
        }
    }
    path
}

#[test]
fn links_lead_to_files_and_to_headings() {
    let below = ["docs", "deploy", "tests"].into_iter().flat_map(folders);
    let mut count = 0;
    for page in below.chain([".".to_owned()]).flat_map(|folder| pages(&folder)) {
        for link in links(&read(&page)) {
            if link.contains("://") {
                continue;
            }
            count += 1;
            let (file, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = if file.is_empty() { PathBuf::from(&page) } else { resolve(&page, file) };
            assert!(
                Path::new(env!("CARGO_MANIFEST_DIR")).join(&target).exists(),
                "{page} links to {link}"
            );
            if !anchor.is_empty() {
                let anchors = anchors(&read(target.to_str().unwrap()));
                assert!(
                    anchors.contains(anchor),
                    "{page} links to {link}, which has only {anchors:?}"
                );
            }
        }
    }
    assert!(count > 150, "{count} links");
}

#[test]
fn every_page_is_in_the_summary_once() {
    let mut listed: Vec<_> = links(&read(SUMMARY))
        .iter()
        .map(|link| resolve(SUMMARY, link).display().to_string())
        .collect();
    listed.sort();
    let mut pages = [pages("docs"), pages("docs/zh")].concat();
    pages.retain(|page| page != SUMMARY);
    pages.sort();
    assert_eq!(listed, pages);
}

/// It is a placeholder in both until the project has a home.
#[test]
fn the_book_and_the_runbooks_are_of_one_repository() {
    let book = read("docs/book.toml");
    let address = book.lines().find_map(|line| line.strip_prefix("git-repository-url = ")).unwrap();
    let rules = read("deploy/monitoring/rules.yaml");
    let urls: Vec<_> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("runbook_url: ")).collect();
    assert!(urls.len() > 10, "{urls:?}");
    for url in urls {
        let page = format!("{}/docs/runbooks.md#", address.trim_matches('"'));
        assert!(url.starts_with(&page), "{url} is not in {page}");
    }
}
