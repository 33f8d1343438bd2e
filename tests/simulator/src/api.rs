//! The API itself: one request in, one answer out, no I/O. Faults and connections are not its business.

use std::collections::HashSet;

use bytes::Bytes;
use http::{Response, StatusCode};
use jiff::Timestamp;
use serde_json::Value;

use crate::access::{self, Limiter, Replay, Replays, Token};
use crate::call::{Answer, Call, Now};
use crate::deployment::Deployment;
use crate::input;
use crate::list::{self, Filter, View};
use crate::page::{Paging, Query};
use crate::route::Operation;
use crate::runs::{Outcome, Run, RunFilter, Runs};
use crate::seed;
use crate::settings::Settings;
use crate::store::{Freshness, Store, Writer};
use crate::wire::{self, ApiError, Dialect};

/// The header value without which a search is refused.
const SEARCH_BETA: &str = "search-2026-08-31";

/// So many tokens that were accepted before are known.
const REVOKED: usize = 100;

/// Everything that the API knows.
#[derive(Debug)]
pub(crate) struct Api {
    pub(crate) settings: Settings,
    pub(crate) store: Store,
    pub(crate) tokens: Vec<Token>,
    /// Those that were accepted before, the oldest first: their requests are still of this account.
    pub(crate) revoked: Vec<Token>,
    runs: Runs,
    reads: Limiter,
    writes: Limiter,
    replays: Replays,
}

impl Api {
    pub(crate) fn new(settings: Settings, tokens: Vec<Token>) -> Self {
        Self {
            settings,
            store: Store::default(),
            tokens,
            revoked: Vec::new(),
            runs: Runs::default(),
            reads: Limiter::default(),
            writes: Limiter::default(),
            replays: Replays::default(),
        }
    }

    /// Answers a request: path, token, rate, idempotency key, rights, then the operation.
    pub(crate) fn answer(&mut self, call: &Call, now: Now) -> Answer {
        let done = if call.route.operation == Operation::Other {
            self.operate(call, now).map(Answer::without_effect)
        } else {
            self.checked(call, now)
        };
        done.unwrap_or_else(|error| Answer::without_effect(self.refuse(call, &error)))
    }

    /// Replaces the accepted tokens.
    pub(crate) fn accept(&mut self, tokens: Vec<Token>) {
        let before = std::mem::replace(&mut self.tokens, tokens);
        self.revoked.extend(before);
        self.revoked.retain(|old| !self.tokens.iter().any(|new| new.is(old)));
        let too_many = self.revoked.len().saturating_sub(REVOKED);
        self.revoked.drain(..too_many);
    }

    /// An error as an answer to this request.
    pub(crate) fn refuse(&self, call: &Call, error: &ApiError) -> Response<Bytes> {
        let request_id = String::from_utf8_lossy(call.request_id.as_bytes());
        error.response(self.settings.dialect, &request_id)
    }

    fn checked(&mut self, call: &Call, now: Now) -> Result<Answer, ApiError> {
        let token = access::authenticate(&self.tokens, &call.headers)
            .cloned()
            .ok_or_else(ApiError::unauthenticated)?;
        if call.is_write() {
            self.writes.admit(self.settings.writes_per_second, now.elapsed)?;
        } else {
            self.reads.admit(self.settings.reads_per_second, now.elapsed)?;
        }
        let key = access::idempotency_key(&call.headers).filter(|_| call.is_write());
        if let Some(key) = key
            && let Some(replay) = self.replays.find(&token, key, &call.body, now.elapsed)
        {
            return replay.map(Answer::without_effect);
        }
        let done = token
            .allow(call.is_write(), call.route.id.as_deref())
            .and_then(|()| self.operate(call, now));
        let answer = match done {
            Ok(response) => Answer { response, effect: call.is_write() },
            Err(error) => Answer::without_effect(self.refuse(call, &error)),
        };
        if let Some(key) = key {
            let response = answer.response.clone();
            let id = call.route.id.clone();
            self.replays.keep(
                &token,
                key,
                Replay::new(call.body.clone(), id, response),
                now.elapsed,
            );
        }
        Ok(answer)
    }

    fn operate(&mut self, call: &Call, now: Now) -> Result<Response<Bytes>, ApiError> {
        use Operation as Op;

        let quirks = self.settings.quirks;
        let id = call.route.id.as_deref().unwrap_or_default();
        self.check_id(call)?;
        match call.route.operation {
            Op::Create => self.create(&call.body, now),
            Op::Get => self.get(id, self.view(call, now)),
            Op::Update => self.update(id, &call.body, now),
            Op::Pause => self.write(id, now, |deployment| deployment.pause(&quirks, now.date)),
            Op::Unpause => self.write(id, now, |deployment| deployment.unpause(&quirks, now.date)),
            Op::Archive => self.write(id, now, |deployment| deployment.archive(now.date)),
            Op::Run => self.run(id, now),
            Op::List => self.list(call, now),
            Op::Search => self.search(call, now),
            Op::ListRuns | Op::ListAllRuns => self.list_runs(call),
            Op::GetRun | Op::GetAnyRun => self.get_run(call),
            Op::Other => Ok(wire::no_such_route(call.route.allow)),
        }
    }

    /// Forgets what was kept of a deployment that is no more.
    pub(crate) fn forget(&mut self, id: &str) {
        self.replays.forget(id);
        self.runs.forget(id);
    }

    fn dialect(&self) -> Dialect {
        self.settings.dialect
    }

    /// A read by the API lags, by nothing if so set. A fault may ask for a staler one.
    fn view(&self, call: &Call, now: Now) -> View {
        let freshness = match call.freshness {
            Freshness::Fresh => Freshness::Lagging { now: now.elapsed, by: self.settings.read_lag },
            asked => asked,
        };
        View { dialect: self.dialect(), now: now.date, freshness }
    }

    fn writer(&self, now: Now) -> Writer {
        Writer::Api { at: now.elapsed, read_lag: self.settings.read_lag }
    }

    fn check_id(&self, call: &Call) -> Result<(), ApiError> {
        match call.route.id.as_deref() {
            Some(id) if !seed::is_id(id) && self.settings.quirks.malformed_id_status == 400 => {
                Err(ApiError::invalid_param("id", "id is malformed."))
            }
            _ => Ok(()),
        }
    }

    fn get(&mut self, id: &str, view: View) -> Result<Response<Bytes>, ApiError> {
        let quirks = self.settings.quirks;
        let deployment = self.store.get(id, view.freshness).ok_or_else(no_deployment)?;
        if deployment.archived && quirks.archived_get_status == 404 {
            return Err(no_deployment());
        }
        Ok(wire::json_response(StatusCode::OK, &*deployment.show(view.dialect, view.now)))
    }

    fn write(
        &mut self,
        id: &str,
        now: Now,
        change: impl FnOnce(&mut Deployment) -> Result<(), ApiError>,
    ) -> Result<Response<Bytes>, ApiError> {
        let dialect = self.dialect();
        let shown = self.store.write(id, self.writer(now), |deployment| {
            change(deployment)?;
            Ok(deployment.show(dialect, now.date))
        });
        let shown = shown.ok_or_else(no_deployment)??;
        Ok(wire::json_response(StatusCode::OK, &*shown))
    }

    fn create(&mut self, body: &Bytes, now: Now) -> Result<Response<Bytes>, ApiError> {
        let fields = input::create(body, self.dialect())?;
        self.check_name(fields.get("name"), None)?;
        let mut deployment = Deployment::create(&self.store.next_id(now.date), fields, now.date);
        let shown = deployment.show(self.dialect(), now.date);
        self.store.insert(deployment, now.date, self.writer(now));
        let status =
            StatusCode::from_u16(self.settings.quirks.create_status).unwrap_or(StatusCode::OK);
        Ok(wire::json_response(status, &*shown))
    }

    fn update(&mut self, id: &str, body: &Bytes, now: Now) -> Result<Response<Bytes>, ApiError> {
        let quirks = self.settings.quirks;
        let deployment = self.store.get(id, Freshness::Fresh).ok_or_else(no_deployment)?;
        deployment.refuse_archived(&quirks)?;
        let fields = input::update(body, self.dialect())?;
        self.check_name(fields.get("name"), Some(id))?;
        self.write(id, now, |deployment| deployment.update(fields, now.date))
    }

    fn check_name(&self, name: Option<&Value>, except: Option<&str>) -> Result<(), ApiError> {
        match name.and_then(Value::as_str) {
            Some(name)
                if !self.settings.quirks.duplicate_names && self.store.is_taken(name, except) =>
            {
                Err(ApiError::conflict("A deployment with this name exists."))
            }
            _ => Ok(()),
        }
    }

    fn run(&mut self, id: &str, now: Now) -> Result<Response<Bytes>, ApiError> {
        let ran = self.store.write(id, self.writer(now), |deployment| {
            deployment.run(now.date)?;
            Ok(deployment.document().remove("agent"))
        });
        let agent = ran.ok_or_else(no_deployment)??.unwrap_or_default();
        let run = Run {
            deployment_id: id.to_owned(),
            agent,
            scheduled_at: None,
            outcome: Outcome::Completed,
            at: now.date,
        };
        let run = self.runs.add(run, self.dialect());
        Ok(wire::json_response(StatusCode::OK, &run))
    }

    /// The next scheduled run, behind the client's back.
    pub(crate) fn fire(
        &mut self,
        id: &str,
        outcome: Outcome,
        now: Timestamp,
    ) -> Option<Result<Value, &'static str>> {
        let fired = self.store.write(id, Writer::Hand, |deployment| {
            let due = deployment.fire(&outcome, now)?;
            Ok((due, deployment.document().remove("agent")))
        })?;
        Some(fired.map(|(due, agent)| {
            let run = Run {
                deployment_id: id.to_owned(),
                agent: agent.unwrap_or_default(),
                scheduled_at: Some(due),
                outcome,
                at: now,
            };
            self.runs.add(run, self.dialect())
        }))
    }

    fn hidden_from(&self, call: &Call) -> HashSet<String> {
        let token = access::authenticate(&self.tokens, &call.headers);
        token.map(|token| token.forbidden().clone()).unwrap_or_default()
    }

    fn list(&mut self, call: &Call, now: Now) -> Result<Response<Bytes>, ApiError> {
        let view = self.view(call, now);
        let query = Query::parse(&call.query);
        let filter = Filter::of_list(&query, view.dialect)?.hiding(self.hidden_from(call));
        let paging = Paging::parse(&query, view.dialect)?;
        let page = list::page(&mut self.store, &filter, &paging, view)?;
        Ok(wire::json_response(StatusCode::OK, &page.envelope()))
    }

    fn search(&mut self, call: &Call, now: Now) -> Result<Response<Bytes>, ApiError> {
        let lines =
            call.headers.get_all("x-qoder-beta").iter().filter_map(|line| line.to_str().ok());
        if !lines.flat_map(|line| line.split(',')).any(|beta| beta.trim() == SEARCH_BETA) {
            let message = format!("Search needs the header x-qoder-beta: {SEARCH_BETA}.");
            return Err(ApiError::invalid_param("x-qoder-beta", message));
        }
        let view = self.view(call, now);
        let (filter, paging) = Filter::of_search(input::object(&call.body)?, view.dialect)?;
        let filter = filter.hiding(self.hidden_from(call));
        let page = list::search(&mut self.store, &filter, &paging, view)?;
        Ok(wire::json_response(StatusCode::OK, &page.envelope()))
    }

    fn list_runs(&self, call: &Call) -> Result<Response<Bytes>, ApiError> {
        let query = Query::parse(&call.query);
        let filter = self.run_filter(call, &query)?;
        let paging = Paging::parse(&query, self.dialect())?;
        let page = self.runs.page(&filter, &paging, self.dialect())?;
        Ok(wire::json_response(StatusCode::OK, &page.envelope()))
    }

    fn get_run(&self, call: &Call) -> Result<Response<Bytes>, ApiError> {
        let filter = self.run_filter(call, &Query::default())?;
        let run_id = call.route.run_id.as_deref().unwrap_or_default();
        let run = self.runs.get(&filter, run_id, self.dialect());
        let run = run.ok_or_else(|| ApiError::not_found("Deployment run"))?;
        Ok(wire::json_response(StatusCode::OK, &run))
    }

    fn run_filter(&self, call: &Call, query: &Query<'_>) -> Result<RunFilter, ApiError> {
        match call.route.id.as_deref() {
            Some(id) if self.store.place(id).is_none() => Err(no_deployment()),
            id => RunFilter::parse(id, query, self.hidden_from(call)),
        }
    }
}

fn no_deployment() -> ApiError {
    ApiError::not_found("Deployment")
}
