//! One list of the remote, page by page.

use std::{collections::BTreeSet, pin::pin, sync::atomic::Ordering};

use http::StatusCode;
use tokio::time::{Instant, sleep_until, timeout, timeout_at};
use tracing::{Instrument as _, info_span};

use super::{
    ahead::Ahead,
    bound::Bound,
    calls::Called,
    observation::{Trouble, is_of_account},
    observer::Observer,
    plan::{Lists, Size},
    state::ListProgress,
};
use crate::{
    qoder::{ApiError, Item, ListQuery, Page, RemoteStatus, Scope, SendError},
    times::Times,
    traces,
};

/// What both generations of the API allow.
const SAFE_PAGE: usize = 100;
/// A page that is too big is halved, down to this.
const SMALLEST_PAGE: usize = 10;
/// A list that has more pages than this is taken for one without an end.
const MOST_PAGES: usize = 2000;

impl Observer {
    /// One whole list. Pages shift: what it lacks was missed, and gets a look of its own.
    /// Returns whether it came to its end.
    pub(super) async fn list(&self, scope: Scope) -> bool {
        let span = info_span!(target: traces::TARGET, "list", ?scope);
        let list = async {
            loop {
                if let Some(has_ended) = self.one_list(scope).await {
                    return has_ended;
                }
            }
        };
        list.instrument(span).await
    }

    /// `None`: it began before all were bound, and has failed or grown old before that. It is read anew.
    async fn one_list(&self, scope: Scope) -> Option<bool> {
        let started = Instant::now();
        let next = started + self.remote.times().poll_interval;
        let mut ahead = Ahead::new();
        let pages = tokio::select! {
            biased;
            pages = self.pages(scope, started, &mut ahead) => pages,
            () = self.remote.not_bound_by(next) => return None,
        };
        if pages.is_err() && !self.remote.are_all_bound() {
            self.remote.until_bound(Bound::All).await;
            return None;
        }
        if timeout_at(next, self.remote.until_bound(Bound::All)).await.is_err() {
            return None;
        }
        self.take([], &mut ahead);
        match pages {
            Ok(()) => {
                if self.remote.state().cache.list_ended(scope, started) {
                    self.remote.plan_again();
                }
                return Some(true);
            }
            Err(Broken::Unwanted) => {}
            Err(Broken::Failed { trouble, is_answer }) => {
                self.list_failed(trouble, is_answer, started);
            }
        }
        Some(false)
    }

    /// Reads page after page. What they show before all are bound is put off until then.
    async fn pages(&self, scope: Scope, started: Instant, ahead: &mut Ahead) -> Result<(), Broken> {
        let limit = self.remote.state().size.page;
        let mut query = ListQuery { scope, limit, cursor: None };
        let mut cursors = BTreeSet::new();
        let mut counted = Counted::default();
        let mut next_page = started;
        let mut was_throttled = false;
        let moves = |moved| {
            if scope == Scope::Live {
                self.remote.state().list = Some(ListProgress { started, moved });
            }
        };
        moves(started);
        loop {
            sleep_until(next_page).await;
            let called = self.next_page(&query, started, ahead).await;
            let Called { result, read } = called.ok_or(Broken::Unwanted)?;
            // From when it really started: it may have waited for its admission.
            next_page = read.started + Times::PAGE_SPACING;
            let page = match result {
                Ok(page) => page,
                Err(error) => match smaller_page(&error, &query) {
                    Some(limit) => {
                        query.limit = limit;
                        let mut state = self.remote.state();
                        state.size.page = limit;
                        if is_refusal_of_size(&error) {
                            state.size.largest_page = limit;
                        }
                        continue;
                    }
                    // It says nothing of this page: the next try is admitted when it is time. If reads are
                    // throttled again, maybe only lists are.
                    None if is_of_account(&error)
                        && !was_throttled
                        && !self.remote.state().do_lists_wait(Instant::now()) =>
                    {
                        was_throttled = is_throttled(&error);
                        continue;
                    }
                    None => {
                        let trouble = (&error).into();
                        return Err(Broken::Failed { trouble, is_answer: is_answer(&error) });
                    }
                },
            };
            page.items.iter().for_each(|item| counted.add(item));
            self.take(page.items.into_iter().map(|item| (item, read)), ahead);
            moves(Instant::now());
            was_throttled = false;
            let Some(cursor) = page.next else { break };
            if cursors.len() == MOST_PAGES || !cursors.insert(cursor.clone()) {
                tracing::warn!(pages = cursors.len(), "the list of deployments has no end");
                return Err(Broken::Failed { trouble: Trouble::INVALID, is_answer: true });
            }
            query.cursor = Some(cursor);
        }
        self.note_lists(Lists::ended);
        let size = &mut self.remote.state().size;
        counted.update(size, scope);
        if scope == Scope::Live && query.limit == limit {
            // Pages may have become smaller because of a bad moment.
            size.page = (limit * 2).min(size.largest_page);
        }
        Ok(())
    }

    /// One page of the list that began then. While it is not answered for long, each deployment that the list has not
    /// shown gets a GET instead, once in a poll interval.
    pub(super) async fn page(&self, query: &ListQuery, started: Instant) -> Option<Called<Page>> {
        let mut call = pin!(self.remote.list(query));
        let mut patience = Times::STANDSTILL;
        let mut newer_than = started;
        loop {
            if let Ok(called) = timeout(patience, &mut call).await {
                self.does_page_hang.store(false, Ordering::Relaxed);
                return called;
            }
            // Who waits to be admitted does not hang.
            if self.remote.are_all_bound() && !self.remote.is_read_waiting() {
                self.does_page_hang.store(true, Ordering::Relaxed);
                self.demand_all(newer_than);
                patience = self.remote.times().poll_interval;
                newer_than = Instant::now() + patience;
            }
        }
    }

    /// The list has failed. Where GETs are answered, each deployment gets one; else the read of each that a
    /// list would have shown has failed.
    fn list_failed(&self, trouble: Trouble, is_answer: bool, started: Instant) {
        self.note_lists(|lists| lists.failed(is_answer));
        let are_useless = self.remote.state().size.lists.are_useless();
        if are_useless {
            // What it has shown before it failed is as good as a GET.
            self.demand_all(started);
        } else {
            let unseen = self.remote.state().cache.unseen_since(Scope::Live, started);
            self.failed(&unseen, trouble, started);
        }
    }
}

/// Why a list did not come to its end.
enum Broken {
    /// Nothing is bound any more.
    Unwanted,
    Failed {
        trouble: Trouble,
        is_answer: bool,
    },
}

/// What a list has shown, counted: the next plan depends on it.
#[derive(Default)]
struct Counted {
    live: usize,
    active: usize,
    paused: usize,
}

impl Counted {
    fn add(&mut self, item: &Item) {
        self.live += 1;
        match item {
            Item::Deployment(_, deployment) => match deployment.status {
                RemoteStatus::Active => self.active += 1,
                RemoteStatus::Paused => self.paused += 1,
                RemoteStatus::Other(_) => {}
            },
            Item::Invalid(_) => {}
        }
    }

    fn update(&self, size: &mut Size, scope: Scope) {
        match scope {
            Scope::Live => {
                size.live = self.live;
                size.active = self.active;
                size.paused = self.paused;
            }
            Scope::Active => size.active = self.live,
            Scope::Paused => size.paused = self.live,
        }
    }
}

/// The page size to try instead: the safe one after a 400, half after a page over the limit.
fn smaller_page(
    error: &ApiError,
    &ListQuery { limit, ref cursor, .. }: &ListQuery,
) -> Option<usize> {
    match error {
        ApiError::Send(SendError::TooLarge(_)) if limit > SMALLEST_PAGE => {
            Some((limit / 2).max(SMALLEST_PAGE))
        }
        // With a cursor, that may be what is refused: the size was served before.
        error if limit > SAFE_PAGE && cursor.is_none() && is_refusal_of_size(error) => {
            Some(SAFE_PAGE)
        }
        _ => None,
    }
}

fn is_throttled(error: &ApiError) -> bool {
    error.status() == Some(StatusCode::TOO_MANY_REQUESTS)
}

fn is_refusal_of_size(error: &ApiError) -> bool {
    error.status() == Some(StatusCode::BAD_REQUEST)
}

/// Whether the failure speaks about lists, and not about whether the API is there.
fn is_answer(error: &ApiError) -> bool {
    match error {
        ApiError::Send(SendError::TooLarge(_)) | ApiError::Invalid(_) => true,
        ApiError::Send(_) => false,
        ApiError::Status { status, .. } => !status.is_server_error(),
    }
}

#[cfg(test)]
#[path = "list_tests.rs"]
mod tests;
