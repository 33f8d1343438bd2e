//! Step 3, the pure half: what the end of a write means for the memory of writes. The driver
//! sends; here it is decided what may be concluded.

use tokio::time::Instant;

use super::{ledger::Writes, resource::Resource};
use crate::{
    qoder::{ApiError, Verb},
    times::Times,
};

/// What a failed write lets us conclude ("Outcomes of a POST").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Failed {
    /// Nothing was done, and the account knows why: 401, 429.
    NotServed,
    /// Nothing was sent: connect, DNS or TLS failed.
    NotSent,
    /// 409: already reconciled, if a look confirms it.
    Conflict,
    /// It may have been done, or be done later: timeout, reset, 5xx, a 2xx that makes no sense.
    Ambiguous,
    /// 403, other 4xx, redirects: refused, if a look does not explain it.
    Refused,
}

/// Sorts the failure of a write.
#[must_use]
pub fn sort(error: &ApiError) -> Failed {
    match (error, error.status().map(|status| status.as_u16())) {
        (_, Some(401 | 429)) => Failed::NotServed,
        (_, Some(409)) => Failed::Conflict,
        (_, Some(408 | 500..)) => Failed::Ambiguous,
        (_, Some(_)) => Failed::Refused,
        (error, None) if error.not_sent() => Failed::NotSent,
        (_, None) => Failed::Ambiguous,
    }
}

/// Notes the failure of a write that ended at `now` and was sent with the token of `epoch`.
/// `jitter` is in 0..1.
pub fn note_failure(
    writes: &mut Writes,
    failed: Failed,
    (resource, verb, epoch): (&Resource, Verb, u64),
    (now, times, jitter): (Instant, &Times, f64),
) {
    match failed {
        Failed::NotServed => return,
        Failed::NotSent => {}
        Failed::Conflict => {
            writes.ended(resource, now);
            writes.conflicted();
        }
        Failed::Ambiguous => {
            writes.ended(resource, now);
            writes.lost(verb, now, times);
        }
        Failed::Refused => {
            writes.ended(resource, now);
            writes.refused(resource, epoch, now, times);
            return;
        }
    }
    writes.failed(resource, now, times, jitter);
}

#[cfg(test)]
mod tests {
    use http::StatusCode;

    use super::*;
    use crate::qoder::SendError;

    #[test]
    fn each_way_to_fail_says_what_may_be_concluded() {
        let status = |code| {
            let status = StatusCode::from_u16(code).unwrap();
            sort(&ApiError::Status { status, from_api: None, retry_after: None })
        };
        for code in [401, 429] {
            assert_eq!(status(code), Failed::NotServed, "{code}");
        }
        assert_eq!(status(409), Failed::Conflict);
        for code in [408, 500, 502, 503, 504, 529] {
            assert_eq!(status(code), Failed::Ambiguous, "{code}");
        }
        for code in [301, 307, 400, 403, 404, 413, 422] {
            assert_eq!(status(code), Failed::Refused, "{code}");
        }
        let lost = std::io::Error::other("x");
        assert_eq!(sort(&SendError::NotSent(lost.into()).into()), Failed::NotSent);
        let broken = std::io::Error::other("x");
        for error in [SendError::TimedOut, SendError::Broken(broken.into()), SendError::TooLarge(1)]
        {
            assert_eq!(sort(&error.into()), Failed::Ambiguous);
        }
        assert_eq!(sort(&ApiError::Invalid("x")), Failed::Ambiguous);
    }
}
