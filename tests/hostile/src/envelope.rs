//! An answer that is no success.

use http::StatusCode;
use qoder_operator::qoder::{ApiError, ErrorType};
use serde_json::Value;

use crate::answer::{Answer, exact, value};

/// The first line is the status, the rest the body. It counts as the API's only in the API's envelope, and nothing
/// of it is in the error.
pub fn envelope(data: &[u8]) {
    let (status, body) = match data.iter().position(|byte| *byte == b'\n') {
        Some(end) => (&data[..end], &data[end + 1..]),
        None => (data, &b""[..]),
    };
    let status = StatusCode::from_bytes(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if status.is_success() {
        return;
    }
    let read = |body: &[u8]| match (Answer { status, ..Answer::ok(body) }).of_get() {
        Err(ApiError::Status { status: said, from_api, retry_after }) => {
            assert_eq!((said, retry_after), (status, None));
            from_api
        }
        other => panic!("{other:?}"),
    };
    let from_api = read(body);
    let Some(said) = value(body) else { return };
    let expected = expected(&said);
    assert!(from_api.is_none() || from_api == expected, "{said}");
    assert_eq!(read(said.to_string().as_bytes()), expected, "{said}");
}

fn expected(said: &Value) -> Option<ErrorType> {
    if said["type"] != "error" {
        return None;
    }
    Some(match exact(&said["error"]["type"])? {
        "invalid_request_error" => ErrorType::InvalidRequest,
        "not_found_error" => ErrorType::NotFound,
        _ => ErrorType::Other,
    })
}
