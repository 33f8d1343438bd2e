use super::*;
use crate::qoder::Verb;

/// Everything that can be counted, counted once.
fn exercised() -> String {
    let metrics = Metrics::default();
    metrics.api_call(Operation::Write(Verb::Pause), "200", Duration::from_millis(3));
    drop(metrics.reconcile_started());
    metrics.reconcile_ended("error", Duration::from_millis(3));
    metrics.key_waited(Duration::from_millis(1));
    metrics.drift("corrected");
    metrics.conflict("already_reconciled");
    metrics.time_to_effect.observe(0.1);
    metrics.status_writes.inc();
    let conditions = vec![("Ready", "True", 2)];
    metrics.encode(&Snapshot { conditions, ..Snapshot::default() }).unwrap()
}

/// Which suffixes the samples of a family may have, by the specification of `OpenMetrics`.
fn suffixes(kind: &str) -> &'static [&'static str] {
    match kind {
        "counter" => &["_total"],
        "gauge" => &[""],
        "histogram" => &["_bucket", "_sum", "_count"],
        "info" => &["_info"],
        other => panic!("{other}: a type that is not used here"),
    }
}

#[test]
fn the_text_is_open_metrics_and_the_names_are_as_dashboards_know_them() {
    let text = exercised();
    let mut lines = text.lines();
    assert_eq!(lines.next_back(), Some("# EOF"));
    let (mut family, mut allowed) = (String::new(), &[][..]);
    let mut families = 0;
    for line in lines {
        if let Some(comment) = line.strip_prefix("# ") {
            let [keyword, name, rest] = comment.splitn(3, ' ').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            match keyword {
                "HELP" => {
                    families += 1;
                    family = name.to_owned();
                    let prefixes = [
                        "qoder_",
                        "controller_runtime_",
                        "workqueue_",
                        "leader_election_",
                        "process_",
                    ];
                    assert!(prefixes.iter().any(|prefix| name.starts_with(prefix)), "{name}");
                    assert!(!name.ends_with("_total"), "{name}: that is the sample's suffix");
                    assert!(rest.len() > 5, "{name}: no help");
                }
                "TYPE" => {
                    assert_eq!(name, family);
                    allowed = suffixes(rest);
                }
                "UNIT" => assert!(name == family && name.ends_with(rest), "{line}"),
                other => panic!("{other}"),
            }
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap();
        value.parse::<f64>().unwrap();
        let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
        let suffix = name.strip_prefix(&family).unwrap_or_else(|| panic!("{line}: no family"));
        assert!(allowed.contains(&suffix), "{line}: not a sample of its family");
        assert!(labels.ends_with('}'), "{line}");
    }
    assert!(families >= 15, "{families} families only");
}

/// `increase()` misses the first event of a series that is born with it.
#[test]
fn every_series_is_there_from_the_start() {
    let series = |text: &str| -> Vec<String> {
        let samples = text.lines().filter(|line| !line.starts_with('#'));
        let series = samples.map(|line| line.rsplit_once(' ').unwrap().0.to_owned());
        let series: std::collections::BTreeSet<_> = series.collect();
        series.into_iter().collect()
    };
    let snapshot = || {
        let conditions = vec![("Ready", "True", 0)];
        Snapshot { conditions, ..Snapshot::default() }
    };
    let fresh = series(&Metrics::default().encode(&snapshot()).unwrap());
    assert_eq!(fresh, series(&exercised()));
    let sample = r#"qoder_api_requests_total{operation="list",code="401"} 0"#;
    assert!(Metrics::default().encode(&snapshot()).unwrap().contains(sample));
}

/// Those of the clients of Prometheus for other languages, and of this process: it has used time, memory and files.
#[cfg(target_os = "linux")]
#[test]
fn the_process_says_what_it_uses() {
    let text = exercised();
    for name in [
        "process_cpu_seconds_total",
        "process_start_time_seconds",
        "process_resident_memory_bytes",
        "process_virtual_memory_bytes",
        "process_virtual_memory_max_bytes",
        "process_open_fds",
        "process_max_fds",
    ] {
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        let value: f64 = value.unwrap_or_else(|| panic!("no {name} in\n{text}")).parse().unwrap();
        assert!(value > 0.0 || name == "process_cpu_seconds_total", "{name} {value}");
    }
}

#[test]
fn the_lease_has_the_name_that_it_was_given() {
    let snapshot = Snapshot { leads: true, ..Snapshot::default() };
    let text = Metrics::new("blue").encode(&snapshot).unwrap();
    assert!(text.contains("leader_election_master_status{name=\"blue\"} 1"), "{text}");
}

#[test]
fn the_samples_have_their_well_known_names() {
    let text = exercised();
    for sample in [
        r#"qoder_api_requests_total{operation="pause",code="200"} 1"#,
        r#"controller_runtime_reconcile_total{controller="qoderdeployment",result="error"} 1"#,
        r#"controller_runtime_reconcile_errors_total{controller="qoderdeployment"} 1"#,
        r#"controller_runtime_active_workers{controller="qoderdeployment"} 0"#,
        r#"workqueue_depth{name="qoderdeployment"} 0"#,
        "workqueue_queue_duration_seconds_count{name=\"qoderdeployment\"} 1",
        r#"qoder_drift_total{action="corrected"} 1"#,
        r#"qoder_conflict_total{meaning="already_reconciled"} 1"#,
        r#"qoder_deployments{condition="Ready",status="True"} 2"#,
        "qoder_status_writes_total 1",
        "qoder_observation_age_seconds 0.0",
        "qoder_operator_build_info",
    ] {
        assert!(text.contains(sample), "{sample} is not in\n{text}");
    }
}
