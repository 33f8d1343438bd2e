//! The tables of the documents are what the code says, their links lead somewhere, and each of them is in the book.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

mod api;
#[path = "../catalogue/mod.rs"]
mod catalogue;
mod faults;
mod figures;
mod flags;
mod links;
mod shell;

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use clap::Parser as _;
use qoder_operator::{
    api::{ConditionStatus, ConditionType, DriftPolicy, Reason, Wish},
    config::{Cli, RunArgs},
    metrics::{Metrics, Snapshot},
    qoder::Verb,
    reconcile::{
        decide::{Decision, Step, Verdict},
        settle::{Action, Kind, settle},
        situation::{Age, BeforeWrite, CredentialState, Knowledge, Situation},
    },
    remote::ReadFailure,
    times::Times,
};
use testbed::exposition;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn write(path: &str, text: &str) {
    fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join(path), text).unwrap();
}

/// The rows below the header of the table that begins with this header.
fn table(path: &str, header: &str) -> Vec<String> {
    let text = read(path);
    let mut lines = text.lines().skip_while(|line| *line != header);
    assert!(lines.next().is_some(), "{path} has no table {header}");
    lines.skip(1).take_while(|line| line.starts_with('|')).map(str::to_owned).collect()
}

fn compare(path: &str, header: &str, expected: &[String]) {
    let table = table(path, header);
    assert!(table == expected, "{path} should have:\n{header}\n{}", expected.join("\n"));
}

/// The same, but `UPDATE_DOCS=1` writes the table.
fn generate(path: &str, header: &str, expected: &[String]) {
    let old = table(path, header);
    // Other tests read the page: it is not written without need.
    if std::env::var_os("UPDATE_DOCS").is_some() && old != expected {
        let mut lines: Vec<_> = read(path).lines().map(str::to_owned).collect();
        let first = lines.iter().position(|line| line == header).unwrap() + 2;
        lines.splice(first..first + old.len(), expected.iter().cloned());
        write(path, &(lines.join("\n") + "\n"));
    }
    compare(path, header, expected);
}

/// A first look at a resource that was not answered in time: every verdict has something to say.
const UNANSWERED: Situation = Situation {
    deleting: false,
    duplicate: false,
    credential: CredentialState::Usable,
    knowledge: Knowledge::Nothing,
    disabled: false,
    wish: Wish::Active,
    policy: DriftPolicy::Correct,
    last_reached: None,
    reconcile_requested: false,
    resume_requested: false,
    foreign_write: false,
    held: false,
    writes_refused: false,
    before_write: BeforeWrite::Nothing,
    pause_may_land: false,
    unpause_may_land: false,
    answered: false,
    overdue: true,
};

/// Each reason of the condition Ready, with its status and what accompanies it.
fn readiness() -> BTreeMap<&'static str, String> {
    let verdicts = [
        Verdict::DuplicateOwner,
        Verdict::CredentialMissing,
        Verdict::CredentialRejected,
        Verdict::Observing,
        Verdict::Unreadable(ReadFailure::Unavailable, Age::Stale),
        Verdict::Unreadable(ReadFailure::AnswerInvalid, Age::Stale),
        Verdict::Forbidden,
        Verdict::NotFound,
        Verdict::Archived,
        Verdict::Disabled,
        Verdict::Observed,
        Verdict::UnknownStatus,
        Verdict::InSync,
        Verdict::PausedByPlatform,
        Verdict::DriftTolerated,
        Verdict::Contested,
        Verdict::WriteRefused,
        Verdict::Pending(Verb::Pause),
        Verdict::Pending(Verb::Unpause),
    ];
    let settled = verdicts.map(|verdict| {
        let decision = Decision { step: Step::Nothing, verdict };
        let ready = settle(&UNANSWERED, decision, Action::None).ready.unwrap();
        let accompanied = match ready.kind {
            Kind::Done => "",
            Kind::Reconciling => ", Reconciling",
            Kind::Stalled => ", Stalled",
        };
        (ready.reason.as_str(), format!("Ready={}{accompanied}", ready.status.as_str()))
    });
    settled.into()
}

#[test]
fn every_reason_is_documented_in_the_codes_own_words() {
    let readiness = readiness();
    let expected: Vec<_> = Reason::ALL
        .iter()
        .map(|reason| {
            let paused = match reason {
                Reason::PausedManually | Reason::PausedByPlatform => Some("Paused=True"),
                Reason::Running => Some("Paused=False"),
                Reason::NotObserved => Some("Paused=Unknown"),
                _ => None,
            };
            let ready = readiness.get(reason.as_str()).map(String::as_str);
            let places: Vec<_> = [ready, paused].into_iter().flatten().collect();
            assert!(!places.is_empty(), "{} is in no condition", reason.as_str());
            let fix = if reason.fix().is_empty() { "-" } else { reason.fix() };
            let (name, meaning) = (reason.as_str(), reason.meaning());
            format!("| `{name}` | {} | {meaning} | {fix} |", places.join("; "))
        })
        .collect();
    compare("docs/conditions.md", "| reason | where | what it means | what to do |", &expected);

    let rows = table("README.md", "| READY | REASON | it means | you do |");
    for row in &rows {
        let cells: Vec<_> = row.split(" | ").collect();
        for reason in cells[1].split('`').skip(1).step_by(2) {
            let status = readiness.get(reason).and_then(|ready| ready.strip_prefix("Ready="));
            let status = status.and_then(|status| status.split(',').next());
            assert_eq!(status, cells[0].strip_prefix("| "), "README.md: {reason}");
        }
    }
    assert!(rows.len() >= 6, "{}", rows.len());
}

#[test]
fn the_symptoms_quote_messages_and_metrics_that_there_are() {
    let (messages, metrics) = (read("docs/messages.md"), read("docs/metrics.md"));
    let header = "| you see | the message says | in the log | metric | cause, and what to do |";
    let rows = table("docs/troubleshooting.md", header);
    for row in &rows {
        let cells: Vec<_> = row.split('|').map(str::trim).collect();
        let said: String = messages
            .split("\n## ")
            .filter(|section| cells[1].contains(&format!("`{}`", section.lines().next().unwrap())))
            .collect();
        for quoted in cells[2].split('"').skip(1).step_by(2) {
            assert!(said.contains(quoted), "no message of {} says {quoted}", cells[1]);
        }
        for name in cells[4].split('`').skip(1).step_by(2) {
            let name = name.split('{').next().unwrap();
            assert!(metrics.contains(&format!("`{name}`")), "there is no metric {name}");
        }
        for reason in cells[1].split('`').skip(1).step_by(2) {
            assert!(Reason::ALL.iter().any(|known| known.as_str() == reason), "no {reason}");
        }
    }
    assert!(rows.len() >= 12, "{}", rows.len());
}

#[test]
fn every_metric_is_documented_in_the_operators_own_words() {
    let conditions = ConditionType::ALL.into_iter().flat_map(|condition| {
        ConditionStatus::ALL.map(|status| (condition.as_str(), status.as_str(), 1))
    });
    let reasons = Reason::ALL.iter().filter(|reason| reason.is_of_ready());
    let snapshot = Snapshot {
        conditions: conditions.collect(),
        reasons: reasons.map(|reason| (reason.as_str(), 1)).collect(),
        ..Snapshot::default()
    };
    let text = Metrics::default().encode(&snapshot).unwrap();
    generate("docs/metrics.md", exposition::HEADER, &exposition::table(&text));
}

#[test]
fn the_layout_has_every_layer() {
    let layout = table("CONTRIBUTING.md", "| folder | what is in it |").join("\n");
    for folder in ["src", "tests"] {
        let entries = fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path()).filter(|path| path.is_dir());
        for name in paths.map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()) {
            let is_there = layout.contains(&format!("[{folder}/{name}]"))
                || layout.contains(&format!("`{name}`"))
                || name == "knowledge";
            assert!(is_there, "the layout of CONTRIBUTING.md lacks {folder}/{name}");
        }
    }
}

/// Each row whose time follows from the flags, as the default flags make it.
#[test]
fn the_times_by_default_are_documented() {
    let RunArgs { poll_interval, request_timeout, .. } =
        Cli::try_parse_from(["qoder-operator"]).unwrap().run;
    let times = Times { poll_interval, request_timeout };
    let text = |time: Duration| match time.as_secs() {
        seconds @ 0..=120 => format!("{seconds} s"),
        seconds @ 3600.. => format!("{} h", seconds / 3600),
        seconds if seconds % 60 == 0 => format!("{} min", seconds / 60),
        seconds => format!("{} min", f64::from(u32::try_from(seconds).unwrap()) / 60.0),
    };
    let range = |first, last| format!("{} to {}", text(first), text(last));
    let expected = [
        text(times.longest_blindness()),
        text(times.grace()),
        text(times.slow_look()),
        text(times.slow_look() + times.grace()),
        text(times.contested_window()),
        range(times.hold(0), times.hold(u32::MAX)),
        range(times.credential_probe(0), times.credential_probe(u32::MAX)),
        range(times.backoff(0, 0.0), times.backoff(u32::MAX, 0.0)),
        text(times.longest_wait()),
        text(times.breaker_probe()),
        text(times.request_lifetime()),
        text(Times::CONNECT.min(request_timeout)),
    ];
    let rows = table("docs/design.md", "| what follows from P and T | value | by default |");
    let documented: Vec<_> =
        rows.iter().map(|row| row.trim_end_matches(" |").rsplit(" | ").next().unwrap()).collect();
    assert_eq!(documented, expected);
}
