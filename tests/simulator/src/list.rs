//! Lists: filters, limits, cursors, and the page that they make.

use std::borrow::Cow;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use crate::deployment::Deployment;
use crate::store::{Freshness, Store, created_at};
use crate::wire::{ApiError, Dialect};

const DEFAULT_LIMIT: usize = 20;

/// Where a page begins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Cursor {
    /// At the newest.
    #[default]
    Start,
    /// After (older than) an id; D2 calls the same thing `page`.
    After(String),
    /// Before (newer than) an id.
    Before(String),
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

    /// The last value of a parameter.
    pub(crate) fn get(&self, key: &str) -> Option<&str> {
        let mut newest_first = self.0.iter().rev();
        newest_first
            .find(|(name, _)| name == key)
            .map(|(_, value)| value.as_ref())
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
    /// Reads limit and cursors. D1 does not know `page`, and says nothing about several cursors.
    pub(crate) fn parse(query: &Query<'_>, dialect: Dialect) -> Result<Self, ApiError> {
        let limit = match query.get("limit") {
            None => DEFAULT_LIMIT,
            Some(text) => check_limit(text.parse().ok(), dialect)?,
        };
        let after = query
            .get("after_id")
            .map(ToOwned::to_owned)
            .map(Cursor::After);
        let before = query
            .get("before_id")
            .map(ToOwned::to_owned)
            .map(Cursor::Before);
        let page = query
            .get("page")
            .filter(|_| dialect == Dialect::D2)
            .map(|page| Cursor::After(page.to_owned()));
        let mut cursors = [after, before, page].into_iter().flatten();
        let cursor = cursors.next().unwrap_or_default();
        if dialect == Dialect::D2 && cursors.next().is_some() {
            return Err(ApiError::invalid(
                "page, after_id and before_id are mutually exclusive.",
            ));
        }
        Ok(Self { limit, cursor })
    }
}

fn check_limit(limit: Option<usize>, dialect: Dialect) -> Result<usize, ApiError> {
    let max = dialect.max_limit();
    limit
        .filter(|limit| (1..=max).contains(limit))
        .ok_or_else(|| ApiError::invalid_param("limit", format!("limit must be 1 to {max}.")))
}

/// Which deployments a list shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    status: Option<String>,
    agent_id: Option<String>,
    include_archived: bool,
    created_from: Option<Timestamp>,
    created_to: Option<Timestamp>,
    name_contains: Option<String>,
    metadata: Map<String, Value>,
}

impl Filter {
    /// Reads the filters of a list. D1 has none by time.
    pub(crate) fn of_list(query: &Query<'_>, dialect: Dialect) -> Result<Self, ApiError> {
        let time = |key: &str| match query.get(key) {
            Some(text) if dialect == Dialect::D2 => parse_time(key, text).map(Some),
            _ => Ok(None),
        };
        Ok(Self {
            status: query.get("status").map(check_status).transpose()?,
            agent_id: query.get("agent_id").map(ToOwned::to_owned),
            include_archived: query.flag("include_archived")?.unwrap_or(false),
            created_from: time("created_at[gte]")?,
            created_to: time("created_at[lte]")?,
            ..Self::default()
        })
    }

    /// Reads the body of a search: its filters and its paging.
    pub(crate) fn of_search(
        body: Map<String, Value>,
        dialect: Dialect,
    ) -> Result<(Self, Paging), ApiError> {
        let mut filter = Self::default();
        let mut paging = Paging {
            limit: DEFAULT_LIMIT,
            cursor: Cursor::Start,
        };
        for (key, value) in body {
            let wrong = || ApiError::invalid_param(&key, format!("{key} is not a valid filter."));
            let text = || value.as_str().map(ToOwned::to_owned).ok_or_else(wrong);
            match key.as_str() {
                "status" => filter.status = Some(check_status(&text()?)?),
                "agent_id" => filter.agent_id = Some(text()?),
                "name" => filter.name_contains = Some(text()?.to_lowercase()),
                "include_archived" => {
                    filter.include_archived = value.as_bool().ok_or_else(wrong)?;
                }
                "created_at[gte]" => filter.created_from = Some(parse_time(&key, &text()?)?),
                "created_at[lte]" => filter.created_to = Some(parse_time(&key, &text()?)?),
                "metadata" => filter
                    .metadata
                    .clone_from(value.as_object().ok_or_else(wrong)?),
                "page" => paging.cursor = Cursor::After(text()?),
                "limit" => {
                    let limit = value.as_u64().and_then(|limit| usize::try_from(limit).ok());
                    paging.limit = check_limit(limit, dialect)?;
                }
                _ => return Err(wrong()),
            }
        }
        Ok((filter, paging))
    }

    /// Whether a deployment is in the list.
    pub(crate) fn fits(&self, deployment: &Deployment) -> bool {
        (self.include_archived || !deployment.archived)
            && self
                .status
                .as_ref()
                .is_none_or(|status| deployment.status == *status)
            && self
                .agent_id
                .as_ref()
                .is_none_or(|agent| deployment.agent_id == *agent)
            && self.fits_time(deployment)
            && self
                .name_contains
                .as_ref()
                .is_none_or(|part| deployment.name().to_lowercase().contains(part))
            && self.metadata.iter().all(|(key, value)| {
                deployment
                    .document()
                    .get("metadata")
                    .and_then(|metadata| metadata.get(key))
                    == Some(value)
            })
    }

    fn fits_time(&self, deployment: &Deployment) -> bool {
        if self.created_from.is_none() && self.created_to.is_none() {
            return true;
        }
        created_at(deployment).is_some_and(|created| {
            self.created_from.is_none_or(|from| created >= from)
                && self.created_to.is_none_or(|to| created <= to)
        })
    }
}

fn check_status(status: &str) -> Result<String, ApiError> {
    if ["active", "paused"].contains(&status) {
        Ok(status.to_owned())
    } else {
        Err(ApiError::invalid_param(
            "status",
            "status must be active or paused.",
        ))
    }
}

fn parse_time(key: &str, text: &str) -> Result<Timestamp, ApiError> {
    text.parse()
        .map_err(|_| ApiError::invalid_param(key, format!("{key} must be an ISO 8601 time.")))
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
    total: Option<Value>,
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
        Self {
            rows,
            has_more,
            backwards,
            total: None,
        }
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

/// The page of a list.
pub(crate) fn page(
    store: &mut Store,
    filter: &Filter,
    paging: &Paging,
    (dialect, now, freshness): (Dialect, Timestamp, Freshness),
) -> Result<Page, ApiError> {
    let place = |id: &str, param: &str| {
        let unknown = || ApiError::invalid_param(param, "the cursor names no deployment.");
        store.place(id).ok_or_else(unknown)
    };
    let row =
        |deployment: &mut Deployment| (deployment.id().to_owned(), deployment.show(dialect, now));
    let fits = |deployment: &&mut Deployment| filter.fits(deployment);
    Ok(match &paging.cursor {
        Cursor::Before(id) => {
            let place = place(id, "before_id")?;
            let rows = store.newer_than(place, freshness).filter(fits).map(row);
            Page::take(rows, paging.limit, true)
        }
        Cursor::After(id) => {
            let place = place(id, "after_id")?;
            let rows = store
                .older_than(Some(place), freshness)
                .filter(fits)
                .map(row);
            Page::take(rows, paging.limit, false)
        }
        Cursor::Start => {
            let rows = store.older_than(None, freshness).filter(fits).map(row);
            Page::take(rows, paging.limit, false)
        }
    })
}

/// The page of a search: a list that counts what fits, except on later pages.
pub(crate) fn search(
    store: &mut Store,
    filter: &Filter,
    paging: &Paging,
    (dialect, now, freshness): (Dialect, Timestamp, Freshness),
) -> Result<Page, ApiError> {
    let mut page = page(store, filter, paging, (dialect, now, freshness))?;
    let total = (paging.cursor == Cursor::Start).then(|| {
        store
            .older_than(None, freshness)
            .filter(|deployment| filter.fits(deployment))
            .count()
    });
    page.total = Some(json!(total));
    Ok(page)
}
