//! The list of deployments, and the search: their filters, and how they walk the store.

use std::collections::HashSet;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::deployment::Deployment;
use crate::page::{Cursor, DEFAULT_LIMIT, Id, Page, Paging, Query, check_limit, parse_time};
use crate::store::{Freshness, Store};
use crate::wire::{ApiError, Dialect};

/// A range of times.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Times {
    /// Not before.
    pub(crate) from: Option<Timestamp>,
    /// Later than.
    pub(crate) after: Option<Timestamp>,
    /// Not after.
    pub(crate) to: Option<Timestamp>,
    /// Earlier than.
    pub(crate) before: Option<Timestamp>,
}

impl Times {
    /// The filters by the time of creation.
    pub(crate) fn created(query: &Query<'_>) -> Result<Self, ApiError> {
        Ok(Self {
            from: query.time("created_at[gte]")?,
            after: query.time("created_at[gt]")?,
            to: query.time("created_at[lte]")?,
            before: query.time("created_at[lt]")?,
        })
    }

    /// What is in both: `other` has no open ends.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            from: self.from.max(other.from),
            to: [self.to, other.to].into_iter().flatten().min(),
            ..self
        }
    }

    pub(crate) fn contain(&self, time: Timestamp) -> bool {
        self.from.is_none_or(|from| time >= from)
            && self.after.is_none_or(|after| time > after)
            && self.to.is_none_or(|to| time <= to)
            && self.before.is_none_or(|before| time < before)
    }

    fn are_all(&self) -> bool {
        [self.from, self.after, self.to, self.before].iter().all(Option::is_none)
    }
}

/// Which deployments a list shows.
#[derive(Clone, Debug, Default)]
pub(crate) struct Filter {
    status: Option<String>,
    agent_id: Option<String>,
    include_archived: bool,
    created: Times,
    name_contains: Option<String>,
    metadata: Map<String, Value>,
    /// What the caller's token has no right on is in no list.
    hidden: HashSet<String>,
}

impl Filter {
    /// Reads the filters of a list. D1 has none by time.
    pub(crate) fn of_list(query: &Query<'_>, dialect: Dialect) -> Result<Self, ApiError> {
        Ok(Self {
            status: query.get("status").map(check_status).transpose()?,
            agent_id: query.get("agent_id").map(ToOwned::to_owned),
            include_archived: query.flag("include_archived")?.unwrap_or(false),
            created: if dialect == Dialect::D2 { Times::created(query)? } else { Times::default() },
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
                "created_at[gte]" => filter.created.from = Some(parse_time(&key, &text()?)?),
                "created_at[lte]" => filter.created.to = Some(parse_time(&key, &text()?)?),
                "metadata" => filter.metadata.clone_from(value.as_object().ok_or_else(wrong)?),
                "page" => paging.cursor = Cursor::After(Id { id: text()?, param: "page" }),
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
            && self.status.as_ref().is_none_or(|status| *deployment.status == **status)
            && self.agent_id.as_ref().is_none_or(|agent| *deployment.agent_id == **agent)
            && self.fits_time(deployment)
            && self
                .name_contains
                .as_ref()
                .is_none_or(|part| deployment.name().to_lowercase().contains(part))
            && self.fits_metadata(deployment)
    }

    fn fits_metadata(&self, deployment: &Deployment) -> bool {
        if self.metadata.is_empty() {
            return true;
        }
        let document = deployment.document();
        let own = |key| document.get("metadata").and_then(|metadata| metadata.get(key));
        self.metadata.iter().all(|(key, value)| own(key) == Some(value))
    }

    fn fits_time(&self, deployment: &Deployment) -> bool {
        self.created.are_all()
            || deployment.created.is_some_and(|created| self.created.contain(created))
    }
}

fn check_status(status: &str) -> Result<String, ApiError> {
    if ["active", "paused"].contains(&status) {
        Ok(status.to_owned())
    } else {
        Err(ApiError::invalid_param("status", "status must be active or paused."))
    }
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
    let place = |cursor: &Id| store.place(&cursor.id).ok_or_else(|| cursor.unknown());
    let row = |deployment: &mut Deployment| {
        (deployment.id().to_owned(), deployment.show(view.dialect, view.now))
    };
    let fits = |deployment: &&mut Deployment| filter.fits(deployment);
    Ok(match &paging.cursor {
        Cursor::Before(id) => {
            let place = place(id)?;
            let rows = store.newer_than(place, view.freshness).filter(fits).map(row);
            Page::take(rows, paging.limit, true)
        }
        Cursor::After(id) => {
            let place = place(id)?;
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
