//! What all lists have in common: the query, limits, both kinds of cursors, and the page.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::wire::{ApiError, Dialect};

/// The `limit` of a list that names none.
pub(crate) const DEFAULT_LIMIT: usize = 20;

/// Where a page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// At the newest.
    #[default]
    Start,
    /// After (older than) an id.
    After(Id),
    /// Before (newer than) an id.
    Before(Id),
}

/// The id that a cursor names, and the parameter that has it: D2 calls `after_id` also `page`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Id {
    pub(crate) id: String,
    pub(crate) param: &'static str,
}

impl Id {
    /// The error for a cursor that is the id of nothing.
    pub(crate) fn unknown(&self) -> ApiError {
        ApiError::invalid_param(self.param, format!("{} names nothing.", self.param))
    }
}

/// The parameters that all lists have.
#[derive(Clone, Debug)]
pub(crate) struct Paging {
    pub(crate) limit: usize,
    pub(crate) cursor: Cursor,
}

/// A URL query, decoded.
#[derive(Clone, Debug, Default)]
pub(crate) struct Query<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Query<'a> {
    /// Decodes the part of a URL after the question mark.
    pub(crate) fn parse(query: &'a str) -> Self {
        Self(form_urlencoded::parse(query.as_bytes()).collect())
    }

    /// All parameters with their values.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(key, value)| (key.as_ref(), value.as_ref()))
    }

    /// The last value of a parameter.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let mut newest_first = self.0.iter().rev();
        newest_first.find(|(name, _)| name == key).map(|(_, value)| value.as_ref())
    }

    /// A parameter that is a time.
    pub(crate) fn time(&self, key: &str) -> Result<Option<Timestamp>, ApiError> {
        self.get(key).map(|text| parse_time(key, text)).transpose()
    }

    /// A parameter that is `true` or `false`.
    pub(crate) fn flag(&self, key: &str) -> Result<Option<bool>, ApiError> {
        self.get(key)
            .map(|value| {
                value.parse().map_err(|_| {
                    ApiError::invalid_param(key, format!("{key} must be true or false."))
                })
            })
            .transpose()
    }
}

impl Paging {
    /// Reads limit and cursors. D1 says nothing of `page`, with which the vendor's clients page, nor of several cursors.
    pub(crate) fn parse(query: &Query<'_>, dialect: Dialect) -> Result<Self, ApiError> {
        let limit = match query.get("limit") {
            None => DEFAULT_LIMIT,
            Some(text) => check_limit(text.parse().ok(), dialect)?,
        };
        let id = |param| query.get(param).map(|id| Id { id: id.to_owned(), param });
        let after = id("after_id").map(Cursor::After);
        let before = id("before_id").map(Cursor::Before);
        let page = id("page").map(Cursor::After);
        let mut cursors = [after, before, page].into_iter().flatten();
        let cursor = cursors.next().unwrap_or_default();
        if dialect == Dialect::D2 && cursors.next().is_some() {
            return Err(ApiError::invalid("page, after_id and before_id are mutually exclusive."));
        }
        Ok(Self { limit, cursor })
    }
}

/// A time in a filter.
pub(crate) fn parse_time(key: &str, text: &str) -> Result<Timestamp, ApiError> {
    text.parse()
        .map_err(|_| ApiError::invalid_param(key, format!("{key} must be an ISO 8601 time.")))
}

/// A limit within the bounds of the dialect.
pub(crate) fn check_limit(limit: Option<usize>, dialect: Dialect) -> Result<usize, ApiError> {
    let max = dialect.max_limit();
    limit
        .filter(|limit| (1..=max).contains(limit))
        .ok_or_else(|| ApiError::invalid_param("limit", format!("limit must be 1 to {max}.")))
}

/// One row of a page: its id, and its text.
pub(crate) type Row = (String, Arc<RawValue>);

/// A page in the order of the list.
#[derive(Debug)]
pub(crate) struct Page {
    rows: Vec<Row>,
    has_more: bool,
    backwards: bool,
    /// Only a search has it; null where it was not counted.
    pub(crate) total: Option<Value>,
}

/// A page as it is written.
#[derive(Serialize)]
struct Envelope<'a> {
    data: Vec<&'a RawValue>,
    first_id: Option<&'a str>,
    last_id: Option<&'a str>,
    has_more: bool,
    next_page: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    total: Option<&'a Value>,
}

impl Page {
    /// Takes a page from rows that lead away from the cursor; `backwards` is towards the newest.
    pub(crate) fn take(rows: impl Iterator<Item = Row>, limit: usize, backwards: bool) -> Self {
        let mut rows: Vec<Row> = rows.take(limit + 1).collect();
        let has_more = rows.len() > limit;
        rows.truncate(limit);
        if backwards {
            rows.reverse();
        }
        Self { rows, has_more, backwards, total: None }
    }

    /// The envelope. `next_page` leads to what is older, so a page on the way back has none.
    pub(crate) fn envelope(&self) -> impl Serialize {
        let last_id = self.rows.last().map(|(id, _)| id.as_str());
        Envelope {
            data: self.rows.iter().map(|(_, text)| text.as_ref()).collect(),
            first_id: self.rows.first().map(|(id, _)| id.as_str()),
            last_id,
            has_more: self.has_more,
            next_page: last_id.filter(|_| self.has_more && !self.backwards),
            total: self.total.as_ref(),
        }
    }
}
