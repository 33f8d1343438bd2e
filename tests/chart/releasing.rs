//! The scripts of `deploy/release`: what a tag has to be, and the files that it becomes.

use std::{env, fs, path::Path, process::Command};

use testbed::tools::Helm;

use crate::helm::{self, container, root, run};

const REGISTRY: &str = "ghcr.io/example";

fn script(name: &str) -> Command {
    Command::new(root().join("deploy/release").join(name))
}

#[test]
fn a_tag_is_the_version_of_everything_and_the_changelog_tells_of_it() {
    let version = env!("CARGO_PKG_VERSION");
    let refused = run(script("check.sh").arg("v9.9.9")).unwrap_err();
    assert_eq!(refused, format!("Cargo.toml has the version {version}, and the tag says 9.9.9\n"));
    let told = run(script("notes.sh").arg("Unreleased")).unwrap();
    assert!(told.contains("### Added") && !told.contains("\n## "), "{told}");
    let untold = run(script("notes.sh").arg("9.9.9")).unwrap_err();
    assert_eq!(untold, "CHANGELOG.md has no part for 9.9.9\n");
}

#[test]
fn the_files_of_a_release_name_the_image_by_its_digest() {
    for helm in [Helm::V3, Helm::V4] {
        let digest = format!("sha256:{}", "1".repeat(64));
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("release-{helm:?}"));
        let mut files = script("files.sh");
        let path = env::var_os("PATH").unwrap();
        let program = helm::command(helm).get_program().to_owned();
        let paths = [Path::new(&program).parent().unwrap().to_owned()];
        let paths = paths.into_iter().chain(env::split_paths(&path));
        files.env("PATH", env::join_paths(paths).unwrap());
        run(files.args(["1.2.3", REGISTRY, &digest]).arg(&folder)).unwrap();

        let archive = folder.join("qoder-operator-1.2.3.tgz").display().to_string();
        let arguments = ["template", "x", &archive, "--skip-tests"];
        let rendered = helm::objects(&run(helm::command(helm).args(arguments)).unwrap());
        let image = format!("{REGISTRY}/qoder-operator@{digest}");
        assert_eq!(container(&rendered)["image"], image);
        let one = helm::objects(&fs::read_to_string(folder.join("install.yaml")).unwrap());
        let image = format!("{REGISTRY}/qoder-operator:1.2.3@{digest}");
        assert_eq!(container(&one)["image"], image);
        let crd = |folder: &Path| fs::read_to_string(folder.join("qoderdeployments.yaml")).unwrap();
        assert_eq!(crd(&folder), crd(&root().join("crds")));
    }
}
