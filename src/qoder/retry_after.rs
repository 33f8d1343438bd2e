//! How long the server asks to wait: `Retry-After-Ms`, or `Retry-After` in seconds or as an HTTP
//! date. The first that makes sense wins (API page, section 6).

use std::time::Duration;

use http::HeaderMap;
use jiff::{Timestamp, fmt::rfc2822};

/// The wait that the headers ask for, measured from `now`. `None`: they ask for nothing, or for
/// nonsense. Not capped: that is the caller's policy.
pub(super) fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    let text = |name| headers.get(name)?.to_str().ok().map(str::trim);
    let millis = || text("retry-after-ms")?.parse().ok().map(Duration::from_millis);
    let seconds = || text("retry-after")?.parse().ok().map(Duration::from_secs);
    let date = || {
        let at = rfc2822::parse(text("retry-after")?).ok()?.timestamp();
        // A date in the past means "now".
        Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
    };
    millis().or_else(seconds).or_else(date)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Headers, and the wait in milliseconds that they ask for.
    type Case<'a> = (&'a [(&'static str, &'a str)], Option<u64>);

    #[test]
    fn seconds_dates_milliseconds_and_nonsense() {
        let now: Timestamp = "2026-07-01T02:00:00Z".parse().unwrap();
        let wait = |pairs: &[(&'static str, &str)]| {
            let headers = pairs
                .iter()
                .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
                .collect::<HeaderMap>();
            retry_after(&headers, now)
        };
        let cases: &[Case] = &[
            (&[], None),
            (&[("retry-after", "3")], Some(3_000)),
            (&[("retry-after", " 3 ")], Some(3_000)),
            (&[("retry-after", "Wed, 01 Jul 2026 02:00:07 GMT")], Some(7_000)),
            (&[("retry-after", "Wed, 01 Jul 2026 01:00:00 GMT")], Some(0)),
            (&[("retry-after", "soon")], None),
            (&[("retry-after", "-5")], None),
            (&[("retry-after-ms", "250"), ("retry-after", "3")], Some(250)),
            (&[("retry-after-ms", "x"), ("retry-after", "3")], Some(3_000)),
        ];
        for (headers, expected) in cases {
            assert_eq!(wait(headers), expected.map(Duration::from_millis), "{headers:?}");
        }
    }
}
