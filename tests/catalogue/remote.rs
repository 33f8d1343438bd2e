//! What can go wrong with one request to the Qoder API, by name: once as data, for every tier of tests.

use std::time::Duration;

use qoder_simulator::{Fault, Operation};
use serde_json::json;

use Cost::{Again, Conflict, Late, Nothing};

/// A request that it goes wrong with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    Post,
    Get,
    List,
}

/// What it costs beside time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// No write: a POST that meets it took effect, or never left.
    Nothing,
    /// A POST that meets it took no effect, or the API has forgotten it: one more is sent.
    Again,
    /// It looks as if it took no effect, and takes one later: one more is sent before that.
    Late,
    /// It looks like drift, and no client can know better: one POST, which is answered 409.
    Conflict,
}

/// What a fault depends on.
pub struct Given {
    /// T.
    pub request_timeout: Duration,
    /// The id of the deployment that it goes wrong with, and that of another one.
    pub id: String,
    pub another: String,
    /// More bytes than any answer may have.
    pub too_many: usize,
    /// An HTTP date a few seconds from now.
    pub soon: String,
}

/// One way in which a request can go wrong.
pub struct Remote {
    pub name: &'static str,
    pub request: Request,
    pub cost: Cost,
    /// How many statuses more are written that say that it waits, and then that it is done.
    pub statuses: usize,
    /// None: nobody listens, or nobody vouches for who does.
    pub fault: Option<fn(&Given) -> Fault>,
    /// The other one that looks the same from above the HTTP client: it stands for this one where pairs are tried.
    pub like: Option<&'static str>,
}

const fn of(request: Request, name: &'static str, fault: Option<fn(&Given) -> Fault>) -> Remote {
    Remote { name, request, cost: Nothing, statuses: 0, fault, like: None }
}

const fn refused(request: Request) -> Remote {
    of(request, "refused", None)
}

const fn post(name: &'static str, cost: Cost, fault: fn(&Given) -> Fault) -> Remote {
    of(Request::Post, name, Some(fault)).costs(cost)
}

const fn get(name: &'static str, fault: fn(&Given) -> Fault) -> Remote {
    of(Request::Get, name, Some(fault))
}

const fn list(name: &'static str, fault: fn(&Given) -> Fault) -> Remote {
    of(Request::List, name, Some(fault))
}

/// Every one of them.
pub const REMOTE: [Remote; 72] = [
    refused(Request::Post).statuses(1),
    post("timeout before the effect", Again, |_| Fault::hang_before()).statuses(2),
    post("timeout after the effect", Nothing, |_| Fault::hang_after()).statuses(1),
    post("reset before the effect", Again, |_| Fault::reset_before()).statuses(1),
    post("effect, then reset", Nothing, |_| Fault::reset_after()),
    post("given up, and lands after that", Late, |given| Fault::zombie(given.request_timeout * 3))
        .statuses(2),
    post("answer shortly before the timeout", Nothing, |given| {
        Fault::delay(given.request_timeout * 4 / 5)
    })
    .statuses(1),
    post("409 that is not so", Again, |_| Fault::respond(409)).statuses(1),
    post("401", Again, |_| Fault::respond(401)).statuses(1),
    post("403", Again, |_| Fault::respond(403)).statuses(1),
    post("404", Again, |_| Fault::respond(404)).statuses(1).like("403"),
    post("400", Again, |_| Fault::respond(400)).statuses(1).like("403"),
    post("422", Again, |_| Fault::respond(422)).statuses(1).like("403"),
    post("403 of a gateway", Again, |_| Fault::respond(403).html()).statuses(1),
    post("404 of a gateway", Again, |_| Fault::respond(404).html())
        .statuses(1)
        .like("403 of a gateway"),
    post("407", Again, |_| Fault::respond(407).html()).statuses(1).like("403 of a gateway"),
    post("423", Again, |_| Fault::respond(423).html()).statuses(1).like("403 of a gateway"),
    post("425", Again, |_| Fault::respond(425).html()).statuses(1).like("403 of a gateway"),
    post("429 without Retry-After", Again, |_| Fault::respond(429)),
    post("429 with seconds", Again, |_| Fault::respond(429).header("retry-after", "2")),
    post("429 with a date", Again, |given| {
        Fault::respond(429).header("retry-after", given.soon.clone())
    })
    .statuses(1),
    post("429 with nonsense", Again, |_| Fault::respond(429).header("retry-after", "soon"))
        .like("429 without Retry-After"),
    post("500", Again, |_| Fault::respond(500)).statuses(1),
    post("502", Again, |_| Fault::respond(502).html()).statuses(1).like("500"),
    post("503", Again, |_| Fault::respond(503)).statuses(1).like("500"),
    post("504", Again, |_| Fault::respond(504).html()).statuses(1).like("500"),
    post("503 with Retry-After", Again, |_| Fault::respond(503).header("retry-after", "2")),
    post("200 of a gateway", Again, |_| Fault::respond(200).html()).statuses(1),
    post("200, empty", Nothing, |_| Fault::empty()),
    post("200, truncated", Nothing, |_| Fault::truncate()).like("effect, then reset"),
    post("200 of wrong types", Nothing, |_| Fault::merge(json!({ "status": 7 })))
        .like("200, empty"),
    post("200 for another id", Nothing, |given| Fault::merge(json!({ "id": given.another })))
        .like("200, empty"),
    post("200 with an unknown status", Nothing, |_| Fault::merge(json!({ "status": "snoozed" })))
        .statuses(1),
    post("200 of 100 MB", Nothing, |given| Fault::oversized(given.too_many)),
    post("200 without an end", Nothing, |_| Fault::endless()).like("effect, then reset"),
    post("200 that drips", Nothing, |_| Fault::drip(Duration::from_millis(200)))
        .statuses(1)
        .like("timeout after the effect"),
    post("redirect to another host", Again, |_| {
        Fault::respond(307).header("location", "http://127.0.0.1:1/")
    })
    .statuses(1)
    .like("403 of a gateway"),
    refused(Request::Get).statuses(1),
    get("stale", |_| Fault::stale()),
    get("timeout", |_| Fault::hang_before()).statuses(1),
    get("reset", |_| Fault::reset_before()).statuses(1),
    get("401", |_| Fault::respond(401)).statuses(1),
    get("403 of a gateway", |_| Fault::respond(403).html()).statuses(1),
    get("404 of a gateway", |_| Fault::respond(404).html()).statuses(1),
    get("429", |_| Fault::respond(429)),
    get("503", |_| Fault::respond(503).html()).statuses(1),
    get("200, empty", |_| Fault::empty()).statuses(1),
    get("200, truncated", |_| Fault::truncate()).statuses(1).like("reset"),
    get("200 of wrong types", |_| Fault::merge(json!({ "status": 7 })))
        .statuses(1)
        .like("200, empty"),
    get("200 for another id", |given| Fault::merge(json!({ "id": given.another }))).statuses(1),
    get("200 with an unknown status", |_| Fault::merge(json!({ "status": "snoozed" }))).statuses(1),
    get("200 of 100 MB", |given| Fault::oversized(given.too_many)).statuses(1),
    get("200 without an end", |_| Fault::endless()).statuses(1).like("reset"),
    get("200 that drips", |_| Fault::drip(Duration::from_millis(200))).statuses(1).like("timeout"),
    refused(Request::List),
    list("stale", |_| Fault::stale()).costs(Conflict),
    list("an item is missing", |given| Fault::drop_item(given.id.clone())),
    list("an item is there twice", |given| Fault::duplicate_item(given.id.clone())),
    list("a cursor that leads back", |_| Fault::cursor_loop().times(1)),
    list("a page for ever", |_| Fault::endless_pages().times(30)),
    list("timeout", |_| Fault::hang_before()),
    list("reset", |_| Fault::reset_before()),
    list("401", |_| Fault::respond(401)),
    list("403 of a gateway", |_| Fault::respond(403).html()),
    list("404 of a gateway", |_| Fault::respond(404).html()),
    list("429", |_| Fault::respond(429)),
    list("503", |_| Fault::respond(503).html()),
    list("200, empty", |_| Fault::empty()),
    list("200, truncated", |_| Fault::truncate()).like("reset"),
    list("200 of wrong types", |_| Fault::merge(json!({ "data": 7 }))).like("200, empty"),
    list("200 of 100 MB", |given| Fault::oversized(given.too_many)),
    list("200 that drips", |_| Fault::drip(Duration::from_millis(200))).like("timeout"),
];

impl Remote {
    const fn costs(self, cost: Cost) -> Self {
        Self { cost, ..self }
    }

    const fn statuses(self, statuses: usize) -> Self {
        Self { statuses, ..self }
    }

    const fn like(self, like: &'static str) -> Self {
        Self { like: Some(like), ..self }
    }

    /// How many POSTs more reach the API than without it.
    pub fn posts(&self) -> usize {
        usize::from(self.cost != Nothing)
    }

    /// The same of one that is not the first of its kind: what a first look shows that is stale has not been done yet.
    pub fn posts_of_a_later_one(&self) -> usize {
        usize::from(self.cost != Nothing || self.name == "stale")
    }

    /// The same among other faults, where what it costs may depend on when it comes.
    pub fn posts_at_least(&self) -> usize {
        usize::from(self.cost == Again)
    }

    /// The fault, for these requests to this deployment only; `None`: nobody listens.
    pub fn at(&self, given: &Given, verb: Operation) -> Option<Fault> {
        let fault = (self.fault?)(given);
        Some(match self.request {
            Request::Post => fault.on(verb).id(&given.id),
            Request::Get => fault.on(Operation::Get).id(&given.id),
            Request::List => fault.on(Operation::List),
        })
    }
}
