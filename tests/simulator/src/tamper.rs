//! What faults do to an answer that is sent whole: another body, another page.

use bytes::Bytes;
use http::Response;
use serde_json::{Value, json};

use crate::fault::Action;
use crate::wire;

/// Changes the body of an answer that is sent whole.
pub(crate) fn rewrite(response: Response<Bytes>, action: &Action, query: &str) -> Response<Bytes> {
    match action {
        Action::Empty => response.map(|_| Bytes::new()),
        Action::Merge(patch) => edit(response, |answer| wire::merge(answer, patch)),
        Action::DropItem(id) => edit_data(response, |data| data.retain(|item| item["id"] != **id)),
        Action::DuplicateItem(id) => edit_data(response, |data| {
            if let Some(index) = data.iter().position(|item| item["id"] == **id) {
                data.extend(data.get(index).cloned());
            }
        }),
        Action::CursorLoop => edit(response, |page| {
            let sent = list_cursor(query).map_or_else(|| page["last_id"].clone(), Value::from);
            wire::merge(page, &json!({"has_more": true, "next_page": sent, "last_id": sent}));
        }),
        Action::EndlessPages => edit(response, |page| {
            let fresh = format!("dep_{}", uuid::Uuid::new_v4().simple());
            wire::merge(page, &json!({"has_more": true, "next_page": fresh, "last_id": fresh}));
        }),
        _ => response,
    }
}

fn edit(response: Response<Bytes>, change: impl FnOnce(&mut Value)) -> Response<Bytes> {
    response.map(|body| match serde_json::from_slice(&body) {
        Ok(mut answer) => {
            change(&mut answer);
            answer.to_string().into()
        }
        Err(_) => body,
    })
}

fn edit_data(response: Response<Bytes>, change: impl FnOnce(&mut Vec<Value>)) -> Response<Bytes> {
    edit(response, |page| {
        if let Some(data) = page.get_mut("data").and_then(Value::as_array_mut) {
            change(data);
        }
    })
}

const CURSORS: [&str; 3] = ["after_id", "before_id", "page"];

fn list_cursor(query: &str) -> Option<String> {
    form_urlencoded::parse(query.as_bytes())
        .find(|(key, _)| CURSORS.contains(&key.as_ref()))
        .map(|(_, cursor)| cursor.into_owned())
}

/// A query that asks for the first page.
pub(crate) fn without_cursors(query: &str) -> String {
    let kept = form_urlencoded::parse(query.as_bytes())
        .filter(|(key, _)| !CURSORS.contains(&key.as_ref()));
    form_urlencoded::Serializer::new(String::new()).extend_pairs(kept).finish()
}
