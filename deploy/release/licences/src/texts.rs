//! The licence texts that a package brings with it.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};

/// How the names of such files begin, in small letters.
const NAMES: [&str; 6] = ["license", "licence", "copying", "copyright", "notice", "unlicense"];

/// All of them, by their paths: also the one for a licence that we do not choose, for its notices, and those of what the
/// package has taken from others, in folders of their own.
pub fn of(folder: &Path) -> Result<Vec<String>> {
    let mut texts = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let entry = entry?;
            let (name, kind) =
                (entry.file_name().to_string_lossy().to_lowercase(), entry.file_type()?);
            if kind.is_dir() {
                folders.push(entry.path());
            } else if kind.is_file() && NAMES.iter().any(|start| name.starts_with(start)) {
                let text = fs::read(entry.path())?;
                texts.push((entry.path(), plain(&String::from_utf8_lossy(&text))));
            }
        }
    }
    texts.sort();
    Ok(texts.into_iter().map(|(_, text)| text).filter(|text| !text.is_empty()).collect())
}

/// Without what only an editor sees, so that the same text is found to be the same.
pub fn plain(text: &str) -> String {
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    lines.join("\n").trim_matches('\n').to_owned()
}
