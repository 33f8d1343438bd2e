//! The options of lists and watches: which contradict each other, and what they select.

use crate::{
    failure::{Cause, Failure},
    request::{Request, Verb},
    store::Key,
};

const MATCH: &str = "resourceVersionMatch";
const INITIAL: &str = "sendInitialEvents";

/// Refuses options that contradict each other; `streams`: whether the server streams lists.
pub(crate) fn check_options(request: &Request, streams: bool) -> Result<(), Failure> {
    let (rule, version) = (request.query(MATCH), request.query("resourceVersion"));
    let is_watch = request.verb == Verb::Watch;
    let has_initial = !request.query(INITIAL).is_empty();
    let (watch, list) = (is_watch && has_initial, !is_watch && !rule.is_empty());
    let is_known = matches!(rule, "Exact" | "NotOlderThan");
    let forbidden = Cause::forbidden;
    let refusals = [
        (
            watch && rule != "NotOlderThan",
            forbidden(
                MATCH,
                "sendInitialEvents requires setting resourceVersionMatch to NotOlderThan",
            ),
        ),
        (
            watch && !streams,
            forbidden(
                INITIAL,
                "sendInitialEvents is forbidden for watch unless the WatchList feature gate is enabled",
            ),
        ),
        (
            is_watch && !has_initial && !rule.is_empty(),
            forbidden(
                MATCH,
                "resourceVersionMatch is forbidden for watch unless sendInitialEvents is provided",
            ),
        ),
        (
            list && version.is_empty(),
            forbidden(
                MATCH,
                "resourceVersionMatch is forbidden unless resourceVersion is provided",
            ),
        ),
        (
            !rule.is_empty() && !request.query("continue").is_empty(),
            forbidden(MATCH, "resourceVersionMatch is forbidden when continue is provided"),
        ),
        (list && !is_known, Cause::unsupported(MATCH, rule, &["Exact", "NotOlderThan", ""])),
        (
            list && rule == "Exact" && version == "0",
            forbidden(
                MATCH,
                "resourceVersionMatch \"exact\" is forbidden for resourceVersion \"0\"",
            ),
        ),
        (!is_watch && has_initial, forbidden(INITIAL, "sendInitialEvents is forbidden for list")),
    ];
    let causes = refusals.into_iter().filter_map(|(holds, cause)| holds.then_some(cause));
    let causes: Vec<_> = causes.collect();
    if causes.is_empty() {
        return Ok(());
    }
    Err(Failure::invalid_as("meta.k8s.io", "ListOptions", "", &causes))
}

/// What a selector takes. Only `metadata.name` is understood.
#[derive(Debug, Clone, Default)]
pub(crate) struct Filter(Option<String>);

impl Filter {
    pub fn read(request: &Request) -> Result<Self, Failure> {
        if !request.query("labelSelector").is_empty() {
            return Err(Failure::not_implemented("label selectors"));
        }
        match request.query("fieldSelector") {
            "" => Ok(Self(None)),
            selector => match selector.strip_prefix("metadata.name=") {
                Some(name) => Ok(Self(Some(name.to_owned()))),
                None => Err(Failure::not_implemented("this field selector")),
            },
        }
    }

    pub fn takes(&self, key: &Key) -> bool {
        self.0.as_ref().is_none_or(|name| *name == key.name)
    }

    pub fn takes_all(&self) -> bool {
        self.0.is_none()
    }
}
