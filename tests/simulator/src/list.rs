//! The list of deployments, and the search: their filters, and how they walk the store.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::deployment::Deployment;
use crate::page::{Cursor, DEFAULT_LIMIT, Page, Paging, Query, check_limit};
use crate::store::{Freshness, Store, created_at};
use crate::wire::{ApiError, Dialect};

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
    /// What the caller's token has no right on is in no list.
    hidden: HashSet<String>,
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
        let mut paging = Paging { limit: DEFAULT_LIMIT, cursor: Cursor::Start };
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
                "metadata" => filter.metadata.clone_from(value.as_object().ok_or_else(wrong)?),
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

    /// Leaves these out.
    pub(crate) fn hiding(self, hidden: HashSet<String>) -> Self {
        Self { hidden, ..self }
    }

    /// Whether a deployment is in the list.
    pub(crate) fn fits(&self, deployment: &Deployment) -> bool {
        (self.include_archived || !deployment.archived)
            && !self.hidden.contains(deployment.id())
            && self.status.as_ref().is_none_or(|status| deployment.status == *status)
            && self.agent_id.as_ref().is_none_or(|agent| deployment.agent_id == *agent)
            && self.fits_time(deployment)
            && self
                .name_contains
                .as_ref()
                .is_none_or(|part| deployment.name().to_lowercase().contains(part))
            && self.metadata.iter().all(|(key, value)| {
                deployment.document().get("metadata").and_then(|metadata| metadata.get(key))
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
        Err(ApiError::invalid_param("status", "status must be active or paused."))
    }
}

fn parse_time(key: &str, text: &str) -> Result<Timestamp, ApiError> {
    text.parse()
        .map_err(|_| ApiError::invalid_param(key, format!("{key} must be an ISO 8601 time.")))
}

/// How a read looks at the store.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    pub(crate) dialect: Dialect,
    pub(crate) now: Timestamp,
    pub(crate) freshness: Freshness,
}

/// The page of a list.
pub(crate) fn page(
    store: &mut Store,
    filter: &Filter,
    paging: &Paging,
    view: View,
) -> Result<Page, ApiError> {
    let place = |id: &str, param: &str| {
        let unknown = || ApiError::invalid_param(param, "the cursor names no deployment.");
        store.place(id).ok_or_else(unknown)
    };
    let row = |deployment: &mut Deployment| {
        (deployment.id().to_owned(), deployment.show(view.dialect, view.now))
    };
    let fits = |deployment: &&mut Deployment| filter.fits(deployment);
    Ok(match &paging.cursor {
        Cursor::Before(id) => {
            let place = place(id, "before_id")?;
            let rows = store.newer_than(place, view.freshness).filter(fits).map(row);
            Page::take(rows, paging.limit, true)
        }
        Cursor::After(id) => {
            let place = place(id, "after_id")?;
            let rows = store.older_than(Some(place), view.freshness).filter(fits).map(row);
            Page::take(rows, paging.limit, false)
        }
        Cursor::Start => {
            let rows = store.older_than(None, view.freshness).filter(fits).map(row);
            Page::take(rows, paging.limit, false)
        }
    })
}

/// The page of a search: a list that counts what fits, except on later pages.
pub(crate) fn search(
    store: &mut Store,
    filter: &Filter,
    paging: &Paging,
    view: View,
) -> Result<Page, ApiError> {
    let mut page = page(store, filter, paging, view)?;
    let total = (paging.cursor == Cursor::Start).then(|| {
        store.older_than(None, view.freshness).filter(|deployment| filter.fits(deployment)).count()
    });
    page.total = Some(json!(total));
    Ok(page)
}
