//! What the testbed has to know of Go: which version is needed, and what a `go.mod` requires.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail, ensure};

use crate::Result;

/// Fails unless there is a Go that is new enough for `go_mod`.
pub(crate) fn check_version(folder: &Path, go_mod: &str) -> Result<()> {
    let needed = directive(go_mod, "go").context("a go.mod without a go line")?;
    let output = Command::new("go").args(["env", "GOVERSION"]).current_dir(folder).output();
    let found = match &output {
        Ok(output) if output.status.success() => {
            String::from_utf8_lossy(&output.stdout).into_owned()
        }
        Ok(output) => {
            bail!("go {needed} is needed: {}", String::from_utf8_lossy(&output.stderr).trim())
        }
        Err(_) => bail!("go {needed} is needed and no `go` is on the PATH"),
    };
    let found = found.trim().trim_start_matches("go");
    ensure!(numbers(found) >= numbers(needed), "go {needed} is needed, this is go {found}");
    Ok(())
}

/// `1.26.8` or `1.27rc1` as numbers that compare.
pub(crate) fn numbers(version: &str) -> Vec<u32> {
    version
        .split(|c: char| !c.is_ascii_digit())
        .map_while(|number| number.parse().ok())
        .take(3)
        .collect()
}

/// The value of a one-word directive such as `go 1.26.0`.
pub(crate) fn directive<'a>(go_mod: &'a str, name: &str) -> Option<&'a str> {
    go_mod.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')).map(str::trim)
}

/// The version of a directly required module.
pub(crate) fn required_version<'a>(go_mod: &'a str, module: &str) -> Option<&'a str> {
    let required = go_mod.lines().find_map(|line| {
        let line = line.trim().trim_start_matches("require ");
        line.strip_prefix(module)?.strip_prefix(' ')
    });
    required?.split_whitespace().next()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_required_module_is_found_on_its_own_line_and_in_a_block() {
        let go_mod = "module a\n\ngo 1.26.0\n\nrequire k8s.io/b v1.2.3\n\nrequire (\n\tk8s.io/c v0.4.0 // indirect\n)\n";
        assert_eq!(required_version(go_mod, "k8s.io/b"), Some("v1.2.3"));
        assert_eq!(required_version(go_mod, "k8s.io/c"), Some("v0.4.0"));
        assert_eq!(required_version(go_mod, "k8s.io"), None);
        assert_eq!(directive(go_mod, "go"), Some("1.26.0"));
    }

    #[test]
    fn go_versions_compare_as_numbers() {
        assert!(numbers("1.26.8") > numbers("1.26.0"));
        assert!(numbers("1.100.0") > numbers("1.26.0"));
        assert!(numbers("1.9") < numbers("1.26.0"));
        assert!(numbers("1.27rc1") > numbers("1.26.0"));
    }
}
