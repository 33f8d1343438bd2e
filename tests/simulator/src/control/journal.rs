//! The journal over HTTP: read, waited for, verified.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Response, StatusCode, header};
use serde::Deserialize;
use serde_json::json;

use super::Done;
use super::request::{Asked, Refusal, bad, wait, wait_time};
use crate::account::Account;
use crate::exchange::Core;
use crate::journal::{Filter, Journal, verify};
use crate::route::Operation;
use crate::server::body;

/// How many entries are written at once.
const TOGETHER: usize = 64;
/// How many entries are no longer there for want of room.
const DROPPED: &str = "x-sim-dropped";

/// Which entries, and how many to wait for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Ask {
    #[serde(default)]
    since: u64,
    count: Option<usize>,
    timeout_ms: Option<u64>,
    operation: Option<Operation>,
    id: Option<String>,
    status: Option<u16>,
    effect: Option<bool>,
    finished: Option<bool>,
}

pub(super) async fn answer(
    account: &Account,
    asked: &Asked<'_>,
    segments: &[&str],
) -> Result<Done, Refusal> {
    match (asked.method(), segments) {
        ("GET", []) => {
            let ask: Ask = asked.query()?;
            let Ask { since, count, timeout_ms, operation, id, status, effect, finished } = ask;
            let filter = Filter { operation, id, status, effect, finished };
            // A reset may come while it is waited.
            let journal = || Arc::clone(&account.core().journal);
            match count {
                Some(count) => {
                    let is_so = || journal().count(since, &filter) >= count;
                    wait(account.changed(), wait_time(timeout_ms), is_so).await;
                }
                None if timeout_ms.is_some() => {
                    return Err(bad("timeout_ms is how long to wait for count entries: count=1"));
                }
                None => {}
            }
            Ok(Done::Stream(stream(journal(), since, filter)))
        }
        ("DELETE", []) => {
            account.core().journal.clear();
            Ok(json!({}).into())
        }
        _ => Err(asked.unknown()),
    }
}

/// The entries as a JSON array, a few at a time: all at once are many megabytes.
fn stream(journal: Arc<Journal>, since: u64, filter: Filter) -> Response<body::Body> {
    let dropped = HeaderValue::from(journal.dropped(since));
    // What comes meanwhile is not in it: it might never end.
    let last = journal.last_seq();
    let body = body::in_pieces(|mut sender| async move {
        let (mut seq, mut before) = (since, b'[');
        loop {
            let mut entries = journal.after(seq, &filter, TOGETHER);
            entries.retain(|entry| entry.seq <= last);
            let Some(newest) = entries.last() else { break };
            seq = newest.seq;
            let mut piece = Vec::new();
            for entry in &entries {
                piece.push(before);
                // What is serialised into memory cannot fail.
                let _ = serde_json::to_writer(&mut piece, entry);
                before = b',';
            }
            sender.send_data(piece.into()).await?;
        }
        let end: &[u8] = if before == b'[' { b"[]" } else { b"]" };
        sender.send_data(Bytes::from_static(end)).await
    });
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(DROPPED, dropped);
    response
}

/// Compares the journal with what a test expects.
pub(super) fn verify(core: &Core, asked: &Asked<'_>) -> Result<Done, Refusal> {
    let example = r#"{"calls": [{"operation": "pause", "id": "dep_1"}], "only": ["pause"]}"#;
    let expected: verify::Expectation = asked.read(example)?;
    let dropped = core.journal.dropped(expected.since);
    if dropped > 0 {
        let message = format!(
            "{dropped} entries are no longer in the journal: --journal sets how many are kept"
        );
        return Err(Refusal::new(StatusCode::CONFLICT, message));
    }
    core.journal
        .look(expected.since, |entries| verify::verify(&expected, entries))
        .map_err(|difference| Refusal::new(StatusCode::UNPROCESSABLE_ENTITY, difference))?;
    Ok(json!({}).into())
}
