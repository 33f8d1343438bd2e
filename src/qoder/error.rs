//! What can go wrong with one call, sorted by what a caller may conclude from it.

use std::time::Duration;

use http::StatusCode;

use super::{
    SendError,
    lenient::{body, exact, object},
    transport::obstruction,
};

/// One call to the API failed. Carries no remote text.
#[derive(Debug, thiserror::Error)]
pub enum ApiError {
    /// No whole answer came.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The API answered with a status that is not 2xx.
    #[error("the Qoder API answered {status}{kind}", kind = envelope_text(*.from_api))]
    Status {
        status: StatusCode,
        /// The body was the API's own error envelope, and said this.
        from_api: Option<ErrorType>,
        /// How long the server asks to wait, not capped.
        retry_after: Option<Duration>,
    },
    /// A 2xx whose body makes no sense: not JSON, cut short, of the wrong types.
    #[error("the Qoder API's answer makes no sense: {0}")]
    Invalid(&'static str),
}

/// `error.type` of the API's envelope, as far as a decision depends on it (API page, section 4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorType {
    InvalidRequest,
    NotFound,
    Other,
}

impl ErrorType {
    /// The type in the API's own error envelope; `None`: the body is something else.
    pub(super) fn read(answer: &[u8]) -> Option<Self> {
        let answer = body(answer);
        let [kind, error] = object(&answer, ["type", "error"])?;
        if exact(kind.value()?)? != "error" {
            return None;
        }
        let [kind] = object(error.value()?, ["type"])?;
        Some(match exact(kind.value()?)?.as_ref() {
            "invalid_request_error" => Self::InvalidRequest,
            "not_found_error" => Self::NotFound,
            _ => Self::Other,
        })
    }
}

const fn envelope_text(from_api: Option<ErrorType>) -> &'static str {
    match from_api {
        Some(_) => "",
        None => " without the API's error envelope",
    }
}

/// How a request may end, as the metric's `code` label: `200`, or one of [`ApiError::code`].
pub const CODES: [&str; 21] = [
    "200",
    "dns",
    "tls",
    "connect",
    "timeout",
    "broken",
    "too_large",
    "invalid",
    "400",
    "401",
    "403",
    "404",
    "409",
    "429",
    "500",
    "502",
    "503",
    "504",
    "3xx",
    "4xx",
    "5xx",
];

impl ApiError {
    /// The HTTP status, if one came.
    #[must_use]
    pub fn status(&self) -> Option<StatusCode> {
        match self {
            Self::Status { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the API itself refused: an answer in its own error envelope. Without one a gateway
    /// may have answered, or a wrong address: that says nothing about the deployment.
    #[must_use]
    pub fn is_from_api(&self) -> bool {
        matches!(self, Self::Status { from_api: Some(_), .. })
    }

    /// Whether the request cannot have had an effect, because it never left.
    #[must_use]
    pub fn not_sent(&self) -> bool {
        matches!(self, Self::Send(SendError::NotSent(_)))
    }

    /// How long the server asks to wait.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Status { retry_after, .. } => *retry_after,
            _ => None,
        }
    }

    /// How the request ended, as the metric's `code` label says it: one of [`CODES`].
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::Send(SendError::NotSent(cause)) => obstruction(&**cause),
            Self::Send(SendError::TimedOut) => "timeout",
            Self::Send(SendError::Broken(_)) => "broken",
            Self::Send(SendError::TooLarge(_)) => "too_large",
            Self::Invalid(_) => "invalid",
            Self::Status { status, .. } => match status.as_u16() {
                400 => "400",
                401 => "401",
                403 => "403",
                404 => "404",
                409 => "409",
                429 => "429",
                500 => "500",
                502 => "502",
                503 => "503",
                504 => "504",
                other if other < 400 => "3xx",
                other if other < 500 => "4xx",
                _ => "5xx",
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_is_one_of_the_known_ones() {
        let of_status = |status: u16| ApiError::Status {
            status: StatusCode::from_u16(status).unwrap(),
            from_api: None,
            retry_after: None,
        };
        let sent = [
            ApiError::Send(SendError::NotSent("planted".into())),
            ApiError::Send(SendError::TimedOut),
            ApiError::Send(SendError::Broken("planted".into())),
            ApiError::Send(SendError::TooLarge(1)),
        ];
        let codes: std::collections::BTreeSet<_> =
            (300..600).map(of_status).chain(sent).map(|error| error.code()).collect();
        let known: std::collections::BTreeSet<_> = CODES.into_iter().collect();
        assert!(codes.is_subset(&known), "{codes:?}");
        let others: Vec<_> = known.difference(&codes).copied().collect();
        let elsewhere = ["200", "dns", "invalid", "tls"];
        assert_eq!(others, elsewhere, "what no failed request with an answer has");
    }

    #[test]
    fn only_the_apis_own_envelope_counts() {
        for (body, expected) in [
            (
                &br#"{"type":"error","error":{"type":"not_found_error","message":"x"}}"#[..],
                Some(ErrorType::NotFound),
            ),
            (
                br#"{"type":"error","error":{"type":"invalid_request_error","param":"id"}}"#,
                Some(ErrorType::InvalidRequest),
            ),
            (br#"{"type":"error","request_id":7,"error":{"type":"new_error"}}"#, Some(ErrorType::Other)),
            (
                b"{\"type\":\"error\",\"error\":{\"message\":\"\xff\",\"x\":\"\\ud83d\",\"type\":\"api_error\"}}",
                Some(ErrorType::Other),
            ),
            (b"<html>not found</html>", None),
            (b"", None),
            (br#"{"error":"not_found_error"}"#, None),
            (br#"{"error":{"type":"not_found_error"}}"#, None),
            (br#"{"type":"error","error":{"type":404}}"#, None),
            (br#"{"type":"error","error":{}}"#, None),
            (br#"{"type":"problem","error":{"type":"not_found_error"}}"#, None),
            (br#"{"type":"error","error":{"type":"x","type":"not_found_error"}}"#, None),
        ] {
            assert_eq!(ErrorType::read(body), expected, "{}", String::from_utf8_lossy(body));
        }
    }
}
