//! The text of a file as this test reads it: what is shipped of it, without comments, and its paths.

/// One line of a file, without its comment.
pub fn code(line: &str) -> &str {
    line.split_once("//").map_or(line, |(code, _)| code)
}

/// The part of a file that is shipped: tests in the file come last.
pub fn shipped(text: &str) -> &str {
    text.split_once("#[cfg(test)]\nmod tests {").map_or(text, |(shipped, _)| shipped)
}

/// The paths that begin with one of these crates, in `use` trees and elsewhere, with their lines.
pub fn paths(text: &str, root: &str) -> Vec<(usize, String)> {
    let text: String = text.lines().flat_map(|line| [code(line), "\n"]).collect();
    let mut paths = Vec::new();
    let begins = format!("{root}::");
    for (at, _) in text.match_indices(&begins) {
        let before = text[..at].chars().next_back();
        if before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == ':') {
            continue;
        }
        let mut rest = at + begins.len();
        tree(&text, &mut rest, root, &mut paths);
    }
    paths
}

/// One `use` tree from this place on; leaves the place behind it.
fn tree(text: &str, at: &mut usize, prefix: &str, paths: &mut Vec<(usize, String)>) {
    let rest = text[*at..].trim_start();
    *at = text.len() - rest.len();
    if rest.starts_with('{') {
        *at += 1;
        while !text[*at..].trim_start().starts_with('}') && !text[*at..].trim_start().is_empty() {
            tree(text, at, prefix, paths);
            let rest = text[*at..].trim_start();
            *at = text.len() - rest.len() + usize::from(rest.starts_with(','));
        }
        *at = text.len() - text[*at..].trim_start().len() + 1;
        return;
    }
    let line = text[..*at].matches('\n').count() + 1;
    let name = rest.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '*')).next().unwrap();
    *at += name.len().max(1);
    let path = format!("{prefix}::{name}");
    if text[*at..].starts_with("::") {
        *at += 2;
        return tree(text, at, &path, paths);
    }
    if let Some(alias) = text[*at..].strip_prefix(" as ") {
        let name = alias.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(alias.len());
        *at += " as ".len() + name;
    }
    paths.push((line, path));
}

/// Whether a path is this one, or within it.
pub fn is_within(path: &str, allowed: &str) -> bool {
    path.strip_prefix(allowed).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}
