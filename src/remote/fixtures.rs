//! What the tests of this folder are made of.

use std::{path::PathBuf, time::Duration};

use http::StatusCode;
use tokio::time::Instant;

use super::{
    account::{Account, Admission, Ticket},
    budget::Rates,
    observation::{Answer, Observed},
    write::{End, Outcome, Requester, Write},
};
use crate::{
    api::DeploymentId,
    qoder::{ApiError, Deployment, ErrorType, RemoteStatus, Token, TokenSource, Verb},
    times::Times,
};

pub const TIMES: Times =
    Times { poll_interval: Duration::from_secs(30), request_timeout: Duration::from_secs(15) };
pub const RATES: Rates = Rates { reads_per_second: 50, writes_per_second: 20 };
pub const SECOND: Duration = Duration::from_secs(1);
/// The space between two reads.
pub const SPACE: Duration = Duration::from_millis(20);

pub fn id(n: u32) -> DeploymentId {
    DeploymentId::try_from(format!("dep_{n}").as_str()).unwrap()
}

pub fn account() -> Account {
    account_of(TokenSource::Environment(Token::parse(b"pt-obviously-fake")))
}

pub fn account_of(source: TokenSource) -> Account {
    let mut account = Account::new(source, RATES, TIMES);
    assert!(account.reload(Instant::now()).unwrap());
    account
}

/// A read that is admitted now.
pub fn send_read(account: &mut Account, now: Instant) -> Ticket {
    match account.admit_read(now) {
        Admission::Now(ticket) => ticket,
        Admission::At(at) => panic!("not before {:?}", at - now),
        Admission::Closed => panic!("closed"),
    }
}

/// When the next read may be sent, so long as nothing ends.
pub fn next_read(account: &mut Account, now: Instant) -> Option<Instant> {
    match account.admit_read(now) {
        Admission::Now(ticket) => {
            account.let_go(&ticket);
            Some(now)
        }
        Admission::At(at) => Some(at),
        Admission::Closed => None,
    }
}

/// Reads in flight, and when the last one was sent.
pub fn send_reads(account: &mut Account, count: u32, start: Instant) -> (Vec<Ticket>, Instant) {
    let at = |n: u32| start + SPACE * n;
    ((0..count).map(|n| send_read(account, at(n))).collect(), at(count - 1))
}

/// An answer from something between us and the API.
pub fn status(status: u16) -> ApiError {
    answer(status, None, None)
}

pub fn answer(status: u16, from_api: Option<ErrorType>, retry_after: Option<Duration>) -> ApiError {
    let status = StatusCode::from_u16(status).unwrap();
    ApiError::Status { status, from_api, retry_after }
}

pub fn deployment(status: RemoteStatus) -> Deployment {
    Deployment { status, paused_reason: None, archived_at: None, name: None, schedule: None }
}

/// What a read says that started then.
pub fn read(answer: Answer, started: Instant) -> Observed {
    Observed { answer, started, valid_from: started, epoch: 1, is_written: false }
}

/// Generation 1 of the resource with this uid.
pub fn of(uid: &str) -> Requester {
    Requester { uid: uid.into(), generation: 1 }
}

pub fn write(requester: &Requester, verb: Verb) -> Write {
    Write { id: id(1), verb, requester: requester.clone(), is_drift: false }
}

pub fn end(outcome: Outcome, at: Instant) -> End {
    End { outcome, code: Some("418"), at, epoch: 1, jitter: 0.0 }
}

/// A file with a token, which goes with the value.
pub struct TokenFile(PathBuf);

impl TokenFile {
    pub fn new(token: &str) -> Self {
        let file = Self(std::env::temp_dir().join(uuid::Uuid::new_v4().to_string()));
        file.set(token);
        file
    }

    pub fn set(&self, token: &str) {
        std::fs::write(&self.0, token).unwrap();
    }

    pub fn source(&self) -> TokenSource {
        TokenSource::File(self.0.clone())
    }
}

impl Drop for TokenFile {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}
