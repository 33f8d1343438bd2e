//! What cargo knows of the packages of this workspace and of what they are built from.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::Command;
use std::{env, str};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The name and the version of a package, as `cargo tree` prints them.
pub type Id = (String, String);

/// What Cargo.toml says of a package.
#[derive(Debug)]
pub struct Package {
    /// An SPDX expression.
    pub licence: String,
    pub folder: PathBuf,
    /// Of this workspace: not somebody else's.
    pub is_ours: bool,
}

/// Every package that the lock file names for this platform, for tests too. Those of others need not even be downloaded.
pub fn packages() -> Result<BTreeMap<Id, Package>> {
    let version = output("rustc", &["--version", "--verbose"])?;
    let host = version.lines().find_map(|line| line.strip_prefix("host: "));
    let platform = ["--filter-platform", host.context("rustc does not say its host")?];
    let text = cargo(&[&["metadata", "--format-version=1"], &platform[..]].concat())?;
    let metadata: Value = serde_json::from_str(&text)?;
    let packages = metadata.get("packages").and_then(Value::as_array);
    packages.context("no packages")?.iter().map(package).collect()
}

fn package(package: &Value) -> Result<(Id, Package)> {
    let text = |key| package.get(key).and_then(Value::as_str).map(str::to_owned);
    let required = |key| text(key).with_context(|| format!("a package without {key}: {package}"));
    let manifest = PathBuf::from(required("manifest_path")?);
    let folder = manifest.parent().context("a manifest without a folder")?.to_owned();
    let known = Package {
        licence: text("license").unwrap_or_default(),
        folder,
        is_ours: text("source").is_none(),
    };
    Ok(((required("name")?, required("version")?), known))
}

/// What a program is made of: its package, and all that it depends on but for tests and build scripts. The crates of
/// macros are among them, for they write code that is linked.
pub fn parts(program: &str) -> Result<BTreeSet<Id>> {
    let tree = ["tree", "--edges=normal", "--prefix=none", "--format={p}", "--package", program];
    let text = cargo(&tree)?;
    let ids = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        Some((words.next()?.to_owned(), words.next()?.strip_prefix('v')?.to_owned()))
    });
    Ok(ids.collect())
}

/// Where rustc and what comes with it are.
pub fn sysroot() -> Result<PathBuf> {
    Ok(output("rustc", &["--print=sysroot"])?.trim().into())
}

fn cargo(arguments: &[&str]) -> Result<String> {
    let (command, rest) = arguments.split_first().context("no command")?;
    output(
        &env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned()),
        &[&[command, "--locked"], rest].concat(),
    )
}

fn output(program: &str, arguments: &[&str]) -> Result<String> {
    let output = Command::new(program).args(arguments).output();
    let output = output.with_context(|| format!("failed to run {program}"))?;
    let error = str::from_utf8(&output.stderr).unwrap_or_default();
    ensure!(output.status.success(), "{program} {}: {error}", arguments.join(" "));
    Ok(String::from_utf8(output.stdout)?)
}
