//! Flags that come as environment variables, and lists in them.

use crate::{Check, listener::Listener};

#[test]
fn an_empty_variable_is_an_unset_one() {
    let api = Listener::start();
    let mut check = Check::named("empty-variables")
        .arg(&format!("--base-url={}", api.url("127.0.0.1")))
        .env("RUST_LOG", "");
    for variable in [
        "QODER_ALLOW_INSECURE_HTTP",
        "QODER_TOKEN_FILE",
        "QODER_WORKSPACE_ID",
        "QODER_NAMESPACES",
        "QODER_POLL_INTERVAL",
        "QODER_REQUEST_TIMEOUT",
        "QODER_READS_PER_SECOND",
        "QODER_WRITES_PER_SECOND",
        "QODER_LISTEN",
        "QODER_LOG_FORMAT",
    ] {
        check = check.env(variable, if variable.len() % 2 == 0 { "" } else { " \n" });
    }
    let checked = check.run();
    assert!(checked.out.contains("ok    token"), "{}{}", checked.out, checked.errors);
    assert!(checked.out.contains("in all namespaces"), "{}", checked.out);
    assert_eq!(api.requests(), ["GET /deployments?limit=1 HTTP/1.1"]);
    let warned = checked.errors.contains("\"level\":\"WARN\"");
    assert!(warned, "an empty RUST_LOG is the default: {}", checked.errors);
}

#[test]
fn an_empty_base_url_is_the_default() {
    let proxy = Listener::start();
    let mut check = Check::named("empty-base-url")
        .env("QODER_BASE_URL", "")
        .env("HTTPS_PROXY", &proxy.url("127.0.0.1"));
    let checked = check.run();
    assert_eq!(
        proxy.requests(),
        ["CONNECT api.qoder.com:443 HTTP/1.1"],
        "{}{}",
        checked.out,
        checked.errors
    );
}

#[test]
fn each_namespace_of_a_variable_is_looked_at_once() {
    let api = Listener::start();
    let mut check = Check::named("namespaces")
        .arg(&format!("--base-url={}", api.url("127.0.0.1")))
        .env("QODER_NAMESPACES", "agents, default,agents");
    let checked = check.run();
    for namespace in ["agents", "default"] {
        let line = format!("right to list qoderdeployments in {namespace}:");
        let lines = checked.out.matches(&line).count();
        assert_eq!(lines, 1, "{namespace}: {}{}", checked.out, checked.errors);
    }
}

#[test]
fn a_variable_with_an_empty_name_in_a_list_is_refused() {
    for list in ["agents,", ",agents", "agents,,default", ","] {
        let mut check = Check::named("empty-name").env("QODER_NAMESPACES", list);
        let checked = check.run();
        assert_eq!(checked.out, "", "{list}");
        assert!(checked.errors.contains("remove the comma"), "{list}: {}", checked.errors);
        assert_eq!(check.cluster.requests(), [""; 0], "{list}");
    }
}

#[test]
fn a_switch_is_on_with_any_of_the_usual_words() {
    for (word, is_on) in
        [("1", true), ("true", true), ("yes", true), ("0", false), ("false", false)]
    {
        let mut check = Check::named("switch")
            .env("QODER_BASE_URL", "http://nowhere.invalid/api/v1/cloud")
            .env("QODER_ALLOW_INSECURE_HTTP", word);
        let checked = check.run();
        let is_refused = checked.out.contains("the base URL must be https");
        assert_eq!(is_refused, !is_on, "{word}: {}{}", checked.out, checked.errors);
    }
}

#[test]
fn a_check_without_a_cluster_says_what_it_found_at_the_remote() {
    let api = Listener::start();
    let mut check = Check::named("no-cluster")
        .arg(&format!("--base-url={}", api.url("127.0.0.1")))
        .env("KUBECONFIG", "/nowhere/kubeconfig");
    let checked = check.run();
    assert!(checked.out.contains("ok    token"), "{}{}", checked.out, checked.errors);
    assert!(checked.out.contains("ok    token (the environment variable QODER_PAT)"));
    let tried = format!("(tried {})", api.url("127.0.0.1"));
    let remote: Vec<_> =
        checked.out.lines().filter(|line| line.starts_with("FAIL  Qoder API: ")).collect();
    assert!(remote.len() == 1 && remote[0].ends_with(&tried), "{}", checked.out);
    let kubernetes: Vec<_> =
        checked.out.lines().filter(|line| line.starts_with("FAIL  Kubernetes API: ")).collect();
    assert_eq!(kubernetes.len(), 1, "{}", checked.out);
    assert!(kubernetes[0].contains("failed to find out where Kubernetes is"), "{kubernetes:?}");
    assert!(checked.errors.contains("the operator could not work here"), "{}", checked.errors);
}

#[test]
fn help_names_the_variable_of_each_flag() {
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_qoder-operator"))
        .arg("--help")
        .env_remove("QODER_LISTEN")
        .output()
        .unwrap();
    let help = String::from_utf8(output.stdout).unwrap();
    for variable in ["QODER_BASE_URL", "QODER_NAMESPACES", "QODER_LISTEN", "QODER_LOG_FORMAT"] {
        assert!(help.contains(&format!("[env: {variable}=]")), "{variable}: {help}");
    }
}

#[test]
fn the_exit_code_says_how_it_ended() {
    for (line, code) in [
        ("crd", 0),
        ("check", 1),
        ("run", 1),
        ("check --poll-interval=2h", 2),
        ("crd --poll-interval=1m", 2),
        ("pause", 2),
    ] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_qoder-operator"))
            .args(line.split(' '))
            .env_clear()
            .env("KUBECONFIG", "/nowhere/kubeconfig")
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(code), "{line}: {output:?}");
    }
}

#[test]
fn a_flag_comes_before_its_variable() {
    let api = Listener::start();
    let mut check = Check::named("flag-first")
        .arg(&format!("--base-url={}", api.url("127.0.0.1")))
        .env("QODER_BASE_URL", "http://another.invalid");
    let checked = check.run();
    assert_eq!(api.requests(), ["GET /deployments?limit=1 HTTP/1.1"], "{}", checked.errors);
}

#[test]
fn with_an_election_the_rights_on_the_lease_are_checked_too() {
    for (word, count) in [("true", 3), ("false", 0)] {
        let check = Check::named("lease").env("QODER_LEADER_ELECT", word);
        let checked = check.env("QODER_LEASE_NAMESPACE", "here").run();
        let lines =
            checked.out.lines().filter(|line| line.contains("the Lease qoder-operator in here"));
        assert_eq!(lines.count(), count, "{}", checked.out);
    }
    let checked = Check::named("unsafe").env("QODER_RENEW_DEADLINE", "15s").run();
    let refused = "FAIL  leader election: --renew-deadline is to be at most nine tenths";
    assert!(checked.out.contains(refused), "{}", checked.out);
}

#[test]
fn without_a_token_the_api_is_not_tried_and_the_report_says_so() {
    let checked = Check::named("no-token").env("QODER_PAT", "").run();
    assert!(checked.out.contains("FAIL  token: the token is empty"), "{}", checked.out);
    assert!(checked.out.contains("SKIP  Qoder API: it needs a token"), "{}", checked.out);
    assert!(checked.errors.contains(" checks failed: the operator could not work here"));
}

#[test]
fn a_rust_log_that_cannot_be_read_is_told() {
    let checked = Check::named("rust-log").env("RUST_LOG", "operator=loud").run();
    assert!(checked.errors.contains("RUST_LOG cannot be read"), "{}", checked.errors);
}

#[test]
fn a_variable_that_no_flag_has_is_told() {
    let checked = Check::named("unknown-variable")
        .env("QODER_NAMESPACE", "agents")
        .env("QODER_OPERATOR_SERVICE_HOST", "10.0.0.1")
        .run();
    let told: Vec<_> =
        checked.errors.lines().filter(|line| line.contains("no flag has this variable")).collect();
    assert_eq!(told.len(), 1, "{}", checked.errors);
    assert!(told[0].contains("\"QODER_NAMESPACE\""), "{told:?}");
}
