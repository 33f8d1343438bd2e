//! What each file of values in `deploy/chart/ci` renders, to be read in a review.

use std::fs;

use testbed::tools::Helm;

use crate::helm::{CASES, case, chart, command, objects, root, run, template};

/// Without the CRD: that is compared to the repository's.
#[test]
fn each_case_renders_what_its_snapshot_has() {
    for name in CASES {
        let arguments = ["--values", &case(name), "--set", "crds.enabled=false"];
        let rendered = template(Helm::V4, &arguments).unwrap_or_else(|error| panic!("{error}"));
        let path = root().join(format!("tests/chart/snapshots/{name}.yaml"));
        if std::env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&path, &rendered).unwrap();
        }
        let stands = fs::read_to_string(&path).unwrap_or_default();
        assert!(
            stands == rendered,
            "{} is old; UPDATE_DOCS=1 cargo test --test chart writes it:\n{rendered}",
            path.display()
        );
        // Helm 3 may write it in another way, and means the same.
        let of_helm_3 = template(Helm::V3, &arguments).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(objects(&of_helm_3), objects(&rendered), "{name}");
    }
}

#[test]
fn each_file_of_values_is_a_case() {
    let files = fs::read_dir(format!("{}/ci", chart())).unwrap();
    let mut names: Vec<_> =
        files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    assert_eq!(names, CASES.map(|name| format!("{name}-values.yaml")));
}

#[test]
fn each_case_is_free_of_lint() {
    for helm in Helm::ALL {
        for name in CASES {
            let linted =
                run(command(helm).args(["lint", "--strict", &chart(), "--values", &case(name)]));
            let linted = linted.unwrap_or_else(|error| panic!("{helm:?} {name}: {error}"));
            assert!(linted.contains("1 chart(s) linted, 0 chart(s) failed"), "{linted}");
            assert!(!linted.contains("[WARNING]"), "{linted}");
        }
    }
}
