//! `licences FOLDER PROGRAM...` writes `FOLDER/PROGRAM.txt` for each program: the licences and the texts of all that is
//! linked into it on this platform. Beside them it puts the licence of the project and those of the standard library.
//! It fails where `deny.toml` does not allow a licence, or a text is missing. It runs anywhere in the workspace.

mod cargo;
mod spdx;
mod texts;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use anyhow::{Context as _, Result, bail, ensure};

use self::cargo::{Id, Package};

const DENY: &str = include_str!("../../../../deny.toml");
/// That of the project. Also the text of crates that are under this licence and bring no text.
const APACHE: &str = include_str!("../../../../LICENSE");
/// The C library, as its repository has it. It comes with the toolchain, which has no text of it.
const MUSL: &str = include_str!("../musl.txt");
/// Of the standard library and of what it is built from; a page that comes with the toolchain.
const STANDARD_LIBRARY: &str = "share/doc/rust/COPYRIGHT-library.html";

fn main() -> Result<()> {
    let mut arguments = env::args().skip(1);
    let Some(folder) = arguments.next() else {
        bail!("usage: licences FOLDER PROGRAM...");
    };
    let folder = Path::new(&folder);
    fs::create_dir_all(folder)?;
    let packages = cargo::packages()?;
    let mut faults = refused(&packages);
    for program in arguments {
        let parts = cargo::parts(&program)?;
        match document(&program, &parts, &packages)? {
            Ok(text) => fs::write(folder.join(format!("{program}.txt")), text)?,
            Err(missing) => faults.extend(missing),
        }
    }
    ensure!(faults.is_empty(), "{}", faults.join("\n"));
    fs::write(folder.join("LICENSE"), APACHE)?;
    let page = cargo::sysroot()?.join(STANDARD_LIBRARY);
    fs::copy(&page, folder.join("rust-standard-library.html"))
        .with_context(|| format!("no licences of the standard library: {}", page.display()))?;
    Ok(())
}

/// The strings of `allow = [...]` in `deny.toml`.
fn allowed() -> BTreeSet<&'static str> {
    let list = DENY.split_once("\nallow = [").and_then(|(_, rest)| rest.split_once(']'));
    let (list, _) = list.unwrap_or_default();
    list.split('"').skip(1).step_by(2).collect()
}

/// What may not be used, for the tests neither.
fn refused(packages: &BTreeMap<Id, Package>) -> Vec<String> {
    let allowed = allowed();
    let refused = packages.iter().filter(|(_, package)| !spdx::is_met(&package.licence, &allowed));
    let refused = refused.map(|((name, version), package)| {
        format!("{name} {version}: deny.toml does not allow its licence, {:?}", package.licence)
    });
    refused.collect()
}

/// The page of a program, or which of its parts lack a text.
fn document(
    program: &str,
    parts: &BTreeSet<Id>,
    packages: &BTreeMap<Id, Package>,
) -> Result<Result<String, Vec<String>>> {
    let apache = texts::plain(APACHE);
    let mut list = String::new();
    let mut carriers: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut missing = Vec::new();
    for id in parts {
        let package = packages.get(id).with_context(|| format!("cargo does not know {id:?}"))?;
        let name = format!("{} {}", id.0, id.1);
        writeln!(list, "{name}: {}", package.licence)?;
        let mut own = if package.is_ours { Vec::new() } else { texts::of(&package.folder)? };
        let is_apache = spdx::is_met(&package.licence, &BTreeSet::from(["Apache-2.0"]));
        if own.is_empty() && (package.is_ours || is_apache) {
            own.push(apache.clone());
        }
        if own.is_empty() {
            missing.push(format!("{name}: it brings no text of its licence, {}", package.licence));
        }
        for text in own {
            carriers.entry(text).or_default().push(name.clone());
        }
    }
    if !missing.is_empty() {
        return Ok(Err(missing));
    }
    carriers.entry(texts::plain(MUSL)).or_default().push("musl".to_owned());
    let mut page = format!(
        "What {program} is made of, and under which licences. The texts are below. Those of Rust's standard library are\n\
         in rust-standard-library.html.\n\n{list}musl: MIT\n"
    );
    for (text, of) in carriers {
        write!(page, "\n{}\n{}\n\n{text}\n", "=".repeat(80), of.join("\n"))?;
    }
    Ok(Ok(page))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test that meets the impossible should stop there")]
mod tests {
    use super::*;

    /// A package with a folder of its own, in which these files are.
    fn package(name: &str, licence: &str, files: &[(&str, &str)]) -> (Id, Package) {
        let folder = env::temp_dir().join(format!("licences-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        for (file, text) in files {
            fs::write(folder.join(file), text).unwrap();
        }
        let package = Package { licence: licence.to_owned(), folder, is_ours: false };
        ((name.to_owned(), "1.0.0".to_owned()), package)
    }

    fn document_of(packages: [(Id, Package); 2]) -> Result<String, Vec<String>> {
        let packages = BTreeMap::from(packages);
        let document = document("it", &packages.keys().cloned().collect(), &packages).unwrap();
        for package in packages.values() {
            fs::remove_dir_all(&package.folder).unwrap();
        }
        document
    }

    #[test]
    fn a_licence_that_is_not_allowed_is_named() {
        let packages = [("good", "MIT OR GPL-3.0"), ("bad", "GPL-3.0"), ("none", "")];
        let packages = packages.map(|(name, licence)| package(name, licence, &[]));
        for (_, package) in &packages {
            fs::remove_dir_all(&package.folder).unwrap();
        }
        let expected = [
            "bad 1.0.0: deny.toml does not allow its licence, \"GPL-3.0\"",
            "none 1.0.0: deny.toml does not allow its licence, \"\"",
        ];
        assert_eq!(refused(&packages.into()), expected);
    }

    #[test]
    fn a_text_that_two_bring_is_there_once_with_both_names() {
        let text = "MIT License\n\nCopyright Somebody\n";
        let one = package("one", "MIT", &[("LICENSE", text), ("NOTICE.md", "By one.")]);
        let two =
            package("two", "MIT", &[("license-mit.txt", "MIT License\r\n\r\nCopyright Somebody")]);
        let taken = two.1.folder.join("src/taken");
        fs::create_dir_all(&taken).unwrap();
        fs::write(taken.join("LICENSE"), "By somebody else.").unwrap();
        let page = document_of([one, two]).unwrap();
        assert!(
            page.contains("\none 1.0.0\ntwo 1.0.0\n\nMIT License\n\nCopyright Somebody\n"),
            "{page}"
        );
        assert!(page.contains("\none 1.0.0\n\nBy one.\n"), "{page}");
        assert!(page.contains("\ntwo 1.0.0\n\nBy somebody else.\n"), "{page}");
    }

    #[test]
    fn a_text_that_is_missing_is_named_unless_it_is_the_one_that_all_know() {
        let apache = package("apache", "MIT OR Apache-2.0", &[("README.md", "It is free.")]);
        let mit = package("mit", "MIT", &[("src.rs", "")]);
        let missing = document_of([apache, mit]).unwrap_err();
        assert_eq!(missing, ["mit 1.0.0: it brings no text of its licence, MIT"]);
    }
}
