//! What each file of values in `deploy/chart/ci` renders, to be read in a review.

use std::fs;

use testbed::tools::Helm;

use crate::helm::{CASES, case, chart, command, compare, run, template};

/// Without the CRD: that is compared to the repository's.
#[test]
fn each_case_renders_what_its_snapshot_has() {
    for (name, helm) in CASES.iter().flat_map(|name| Helm::ALL.map(|helm| (name, helm))) {
        let arguments = ["--values", &case(name), "--set", "crds.enabled=false"];
        let rendered = template(helm, &arguments).unwrap_or_else(|error| panic!("{error}"));
        compare(&format!("tests/chart/snapshots/{name}.yaml"), &rendered);
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
