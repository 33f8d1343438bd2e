//! How long the server asks to wait.

use std::time::Duration;

use http::{HeaderName, HeaderValue, StatusCode};
use jiff::{Timestamp, fmt::rfc2822::DateTimePrinter};
use qoder_operator::{
    qoder::{ApiError, Token, TokenSource},
    remote::{Account, Admission, Rates},
    times::Times,
};
use tokio::time::Instant;

use crate::answer::{Answer, now};

/// Headers, one on each line: `retry-after: 3`. Whatever they ask for, the wait is bounded; and it is what they say.
pub fn retry_after(data: &[u8]) {
    let headers: Vec<_> = data.split(|byte| *byte == b'\n').filter_map(header).collect();
    let wait = ask(StatusCode::TOO_MANY_REQUESTS, headers.clone());
    let number = |name: &str| {
        let (_, value) = headers.iter().find(|(header, _)| header == name)?;
        value.to_str().ok()?.trim().parse().ok()
    };
    let millis = number("retry-after-ms").map(Duration::from_millis);
    let said = millis.or_else(|| number("retry-after").map(Duration::from_secs));
    if said.is_some() {
        assert_eq!(wait, said);
    } else if let Some(wait) = wait {
        // A date, to the second; and the clock has gone on.
        let again = date(wait).expect("a date that was printed");
        let passed = wait.checked_sub(again).expect("no later than before");
        assert!(passed < Duration::from_secs(2), "{wait:?} {again:?}");
    }
    for status in [StatusCode::TOO_MANY_REQUESTS, StatusCode::SERVICE_UNAVAILABLE] {
        is_bounded(status, wait);
    }
}

fn header(line: &[u8]) -> Option<(HeaderName, HeaderValue)> {
    let colon = line.iter().position(|byte| *byte == b':')?;
    let name = HeaderName::from_bytes(&line[..colon]).ok()?;
    Some((name, HeaderValue::from_bytes(line[colon + 1..].trim_ascii()).ok()?))
}

fn ask(status: StatusCode, headers: Vec<(HeaderName, HeaderValue)>) -> Option<Duration> {
    match (Answer { status, headers, ..Answer::ok(b"") }).of_get() {
        Err(error @ ApiError::Status { .. }) => error.retry_after(),
        other => panic!("{other:?}"),
    }
}

/// The wait that the date asks for which is so far away.
fn date(wait: Duration) -> Option<Duration> {
    let at: Timestamp = now().checked_add(wait).unwrap();
    let at = DateTimePrinter::new().timestamp_to_rfc9110_string(&at).unwrap();
    let header = (http::header::RETRY_AFTER, HeaderValue::from_str(&at).unwrap());
    ask(StatusCode::TOO_MANY_REQUESTS, vec![header])
}

/// What is asked for keeps nobody longer than the longest wait.
fn is_bounded(status: StatusCode, retry_after: Option<Duration>) {
    let times =
        Times { poll_interval: Duration::from_secs(30), request_timeout: Duration::from_secs(15) };
    let rates = Rates { reads_per_second: 50, writes_per_second: 20 };
    let source = TokenSource::Environment(Token::parse(b"pt-obviously-fake"));
    let mut account = Account::new(source, rates, times);
    let began = Instant::now();
    account.reload(began).unwrap();
    let admitted = |account: &mut Account, at| match account.admit_read(at) {
        Admission::Now(ticket) => Some(ticket),
        _ => None,
    };
    let ticket = admitted(&mut account, began).expect("the first read");
    let error = ApiError::Status { status, from_api: None, retry_after };
    account.ended(&ticket, Some(&error), began, 0.5);
    let latest = began + times.longest_wait() + Duration::from_millis(1);
    assert!(admitted(&mut account, latest).is_some(), "{retry_after:?} after {status}");
}
