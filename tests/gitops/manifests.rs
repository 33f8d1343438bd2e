//! `kubeconform`, as docs/gitops.md runs it: it takes every manifest that is shipped, and refuses what is mistaken.

use std::process::Output;

use testbed::gitops::{documented, output_of, shell};

/// The line of docs/gitops.md, about this text or these files.
fn kubeconform(files: &str, input: &str) -> Output {
    let line = documented("kubeconform ").unwrap();
    let (line, _) = line.rsplit_once(' ').unwrap();
    output_of(&mut shell(&format!("{line} {files}")).unwrap(), input).unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[test]
fn every_example_is_valid() {
    let readme = crate::read("README.md");
    let example = readme.split("```yaml\n").nth(1).unwrap().split("```").next().unwrap();
    let output = kubeconform("", example);
    assert!(output.status.success(), "{}", said(&output));

    for (file, count) in [("deploy/simulator/samples.yaml", 3), ("tests/gitops/resources.yaml", 25)]
    {
        let output = kubeconform(file, "");
        let expected = format!(
            "{count} resources found in 1 file - Valid: {count}, Invalid: 0, Errors: 0, Skipped: 0"
        );
        assert!(said(&output).contains(&expected), "{file}: {}", said(&output));
        assert!(output.status.success());
    }
}

#[test]
fn what_is_mistaken_is_refused() {
    let right = "\
apiVersion: cloud.qoder.com/v1alpha1
kind: QoderDeployment
metadata:
  name: nightly-report
  annotations:
    cloud.qoder.com/resume-requested-at: \"1\"
    example.com/owner: reports
spec:
  deploymentID: dep_019ec55a2b687b3f94eee77dd77e4b2a
  paused: true
";
    let output = kubeconform("", right);
    assert!(output.status.success(), "{}", said(&output));
    for (is, becomes, because) in [
        ("paused: true", "pause: true", "additional properties 'pause' not allowed"),
        ("paused: true", "paused: \"yes\"", "got string, want boolean"),
        ("paused: true", "paused: null", "got null, want boolean"),
        ("paused: true", "driftPolicy: warn", "value must be one of 'Correct', 'Warn'"),
        ("deploymentID", "deploymentId", "missing property 'deploymentID'"),
        ("dep_019ec55a2b687b3f94eee77dd77e4b2a", "nightly-report", "does not match pattern"),
        (
            "resume-requested-at",
            "resume-requested",
            "invalid propertyName 'cloud.qoder.com/resume-requested'",
        ),
        ("resume-requested-at: \"1\"", "resume-requested-at: 1", "got number, want string"),
        (
            "resume-requested-at: \"1\"",
            "reconcile: off",
            "value must be one of 'enabled', 'disabled'",
        ),
        ("v1alpha1", "v1", "could not find schema for QoderDeployment"),
    ] {
        assert_eq!(right.matches(is).count(), 1, "{is}");
        let output = kubeconform("", &right.replace(is, becomes));
        assert!(!output.status.success(), "{becomes} is let pass");
        assert!(said(&output).contains(because), "{becomes}: {}", said(&output));
    }
}
