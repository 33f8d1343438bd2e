//! The command line, and the durations in it.

use std::{ffi::OsStr, os::unix::ffi::OsStrExt as _, time::Duration};

use clap::Parser as _;
use jiff::SignedDuration;
use qoder_operator::config::{Cli, Command, RunArgs};

const SECOND: Duration = Duration::from_secs(1);

fn parse(args: &[&OsStr]) -> Result<Cli, clap::Error> {
    Cli::try_parse_from([OsStr::new("qoder-operator")].iter().chain(args))
}

/// An argument on each line. What is accepted is within its bounds, and fits together.
pub fn flags(data: &[u8]) {
    let args: Vec<_> = data.split(|byte| *byte == b'\n').map(OsStr::from_bytes).collect();
    let Ok(cli) = parse(&args) else { return };
    match &cli.command {
        None => is_sound(&cli.run),
        Some(Command::Run(run) | Command::Check(run)) => is_sound(run),
        Some(Command::Crd) => {}
    }
}

fn is_sound(run: &RunArgs) {
    assert!((SECOND..=3600 * SECOND).contains(&run.poll_interval));
    assert!((SECOND / 10..=300 * SECOND).contains(&run.request_timeout));
    assert!((1..=1000).contains(&run.reads_per_second));
    assert!((1..=1000).contains(&run.writes_per_second));
    let namespaces = run.namespaces();
    assert!(namespaces.is_sorted_by(|a, b| a < b), "each once: {namespaces:?}");
    for name in namespaces.iter().chain(&run.lease.lease_namespace) {
        assert!(is_label(name), "{name:?}");
    }
    let name = &run.lease.lease_name;
    assert!(name.len() <= 253 && !name.starts_with(['-', '.']) && !name.ends_with(['-', '.']));
    assert!(name.bytes().all(|byte| byte == b'.' || is_of_label(byte)), "{name:?}");
    if let Some(id) = &run.workspace_id {
        assert!(!id.is_empty() && !id.as_bytes().contains(&b'\n'));
    }
    if let Ok(url) = run.checked_base_url() {
        let is_http = url.as_str().starts_with("http://");
        assert!(is_http || url.as_str().starts_with("https://"), "{url:?}");
        assert!(!is_http || url.is_loopback() || run.allow_insecure_http, "{url:?}");
        assert!(!url.as_str().contains(['@', '?', '#']) && !url.as_str().ends_with('/'), "{url:?}");
    }
    if let Ok(times) = run.lease.times() {
        assert!(times.retry_period >= SECOND / 10);
        assert!(times.retry_period * 2 <= times.renew_deadline);
        assert!(times.renew_deadline * 10 <= times.lease_duration * 9);
        assert!((SECOND..=3600 * SECOND).contains(&times.lease_duration));
        assert_eq!(times.lease_duration.subsec_nanos(), 0);
    }
}

fn is_of_label(byte: u8) -> bool {
    byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-'
}

fn is_label(name: &str) -> bool {
    (1..=63).contains(&name.len())
        && name.bytes().all(is_of_label)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

/// A duration. What is accepted prints back the same, in each way in which this operator prints one.
pub fn durations(data: &[u8]) {
    let read = |flag: &str, text: &[u8]| {
        let arg = [flag.as_bytes(), b"=", text].concat();
        parse(&[OsStr::from_bytes(&arg)]).map(|cli| cli.run)
    };
    let poll = |text: &[u8]| read("--poll-interval", text).map(|run| run.poll_interval);
    let lease = |text: &[u8]| read("--lease-duration", text).map(|run| run.lease.lease_duration);
    if let Ok(lease) = lease(data) {
        assert!(lease <= 3600 * SECOND);
        // Both flags take the same texts, each within its bounds.
        assert_eq!(poll(data).is_ok(), lease >= SECOND);
    }
    match poll(data) {
        Ok(found) => {
            assert!((SECOND..=3600 * SECOND).contains(&found));
            assert_eq!(lease(data).ok(), Some(found));
            let signed = SignedDuration::try_from(found).unwrap();
            for text in [format!("{signed:#}"), signed.to_string()] {
                assert_eq!(poll(text.as_bytes()).ok(), Some(found), "{text}");
            }
        }
        Err(error) => {
            let said = error.to_string();
            assert!(said.contains("poll-interval") || std::str::from_utf8(data).is_err(), "{said}");
        }
    }
}
