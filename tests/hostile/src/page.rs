//! A page of the list.

use qoder_operator::qoder::{Cursor, Item, ListQuery, Page, Scope};
use serde_json::Value;

use crate::{
    answer::{Answer, asked, exact, value},
    deployment::{is_what_it_says, makes_sense},
    status::can_mirror,
};

/// Most entries of a page.
const MAX_ENTRIES: usize = 10_000;
/// Longest cursor, in bytes.
const MAX_CURSOR: usize = 8 * 1024;

/// Each entry that names a deployment is there, in order, and no other; a cursor leads nowhere else.
pub fn page(data: &[u8]) {
    let page = Answer::ok(data).of_list();
    if let Ok(page) = &page {
        is_bounded(page);
    }
    // With each field once: no excuse.
    let Some(said) = value(data) else { return };
    let again = Answer::ok(said.to_string().as_bytes()).of_list();
    assert_eq!(again.is_ok(), makes_a_page(&said), "{said}");
    let Ok(again) = again else { return };
    is_bounded(&again);
    let entries = said["data"].as_array().unwrap().iter();
    let named: Vec<_> = entries.filter(|entry| id(entry).is_some()).collect();
    assert_eq!(again.items.len(), named.len());
    for (item, said) in again.items.iter().zip(&named) {
        let (found, is_whole) = match item {
            Item::Deployment(id, found) => {
                is_what_it_says(found, said);
                (id, true)
            }
            Item::Invalid(id) => (id, false),
        };
        assert_eq!(Some(found.as_str()), id(said));
        assert_eq!(is_whole, makes_sense(said), "{said}");
    }
    let Ok(page) = page else { return };
    // What is there twice may be left out, but nothing comes in.
    let mut named = named.iter().map(|entry| id(entry).unwrap());
    for item in &page.items {
        let (Item::Deployment(found, _) | Item::Invalid(found)) = item;
        assert!(named.any(|id| id == found.as_str()), "{found} is not in the page");
    }
}

/// The id of an entry, if it is one.
fn id(entry: &Value) -> Option<&str> {
    let id = exact(&entry["id"])?;
    let rest = id.strip_prefix("dep_")?;
    let is_id = (1..=64).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    is_id.then_some(id)
}

fn makes_a_page(said: &Value) -> bool {
    let Some(entries) = said["data"].as_array() else { return false };
    let is_cursor = |name| {
        let cursor = exact(&said[name]).unwrap_or_default();
        (1..=MAX_CURSOR).contains(&cursor.len())
    };
    let is_bounded = entries.iter().filter(|entry| id(entry).is_some()).count() <= MAX_ENTRIES;
    let leads_on = match &said["has_more"] {
        Value::Null | Value::Bool(false) => true,
        Value::Bool(true) => is_cursor("last_id") || is_cursor("next_page"),
        _ => false,
    };
    is_bounded && leads_on
}

fn is_bounded(page: &Page) {
    assert!(page.items.len() <= MAX_ENTRIES);
    for item in &page.items {
        if let Item::Deployment(_, found) = item {
            can_mirror(found);
        }
    }
    let Some(cursor) = page.next.clone() else { return };
    let (Cursor::AfterId(text) | Cursor::Page(text)) = &cursor;
    let (text, name) =
        (text.clone(), if matches!(cursor, Cursor::Page(_)) { "page" } else { "after_id" });
    assert!((1..=MAX_CURSOR).contains(&text.len()));
    let query = ListQuery { scope: Scope::Paused, limit: 100, cursor: Some(cursor) };
    let uri = asked(&query);
    let value = uri.query().unwrap().strip_prefix(&format!("limit=100&status=paused&{name}="));
    assert_eq!(decoded(value.unwrap()), text.as_bytes(), "a cursor is one value of the query");
}

fn decoded(value: &str) -> Vec<u8> {
    assert!(!value.contains(['&', '#', '+', '=']), "{value}");
    let mut parts = value.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        let (code, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(code, 16).unwrap());
        bytes.extend(rest.as_bytes());
    }
    bytes
}
