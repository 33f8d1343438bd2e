//! Reads: one object, and lists with pages.

use serde_json::json;

use crate::{
    failure::Failure,
    json::Fields as _,
    options::{Filter, check_options},
    request::Request,
    store::{Key, Store},
    write::Reply,
};

pub(crate) fn get(store: &Store, request: &Request) -> Result<Reply, Failure> {
    let namespace = request.namespace.clone().unwrap_or_default();
    let key = Key { plural: request.kind.plural, namespace, name: request.name.clone() };
    match store.get(&key) {
        Some(object) => Ok(Reply::ok(object.clone())),
        None => Err(Failure::not_found(request.kind, &request.name)),
    }
}

/// Which version of a list is asked for.
enum At {
    Now,
    Exactly(u64),
}

pub(crate) fn list(store: &Store, request: &Request) -> Result<Reply, Failure> {
    check_options(request, true)?;
    let filter = Filter::read(request)?;
    let kind = request.kind;
    let limit = match request.query("resourceVersion") {
        // What any version may answer is answered from a cache, which has no pages.
        "0" => 0,
        _ => request.query("limit").parse::<usize>().unwrap_or_default(),
    };
    let (at, after) = match request.query("continue") {
        "" => (asked_version(store, request)?, None),
        _ if !request.query("resourceVersion").is_empty() => {
            let message = "specifying resource version is not allowed when using continue";
            return Err(Failure::bad_request(message));
        }
        token => {
            let (version, after) = read_token(token)?;
            if version < store.compacted() {
                return Err(too_old_to_continue(store, &after));
            }
            (At::Exactly(version), Some(after))
        }
    };
    let version = match at {
        At::Now => store.revision(),
        At::Exactly(version) => version,
    };
    let objects = store.list_at(kind, request.namespace.as_deref(), version).into_iter();
    let rest: Vec<_> = objects
        .filter(|(key, _)| {
            after.as_ref().is_none_or(|after| (&key.namespace, &key.name) > (&after.0, &after.1))
        })
        .filter(|(key, _)| filter.takes(key))
        .collect();
    let taken = if limit == 0 { rest.len() } else { limit.min(rest.len()) };
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if !kind.built_in {
        metadata.set("continue", json!(""));
    }
    if taken < rest.len() {
        let last = rest.get(taken.saturating_sub(1));
        let last = last.map(|(key, _)| (key.namespace.clone(), key.name.clone()));
        metadata.set("continue", json!(write_token(version, &last.unwrap_or_default())));
        if filter.takes_all() {
            metadata.set("remainingItemCount", json!(rest.len() - taken));
        }
    }
    let items = rest.into_iter().take(taken).map(|(_, mut object)| {
        if kind.built_in {
            object.unset("apiVersion");
            object.unset("kind");
        }
        object
    });
    Ok(Reply::ok(json!({
        "apiVersion": kind.api_version(),
        "kind": format!("{}List", kind.name),
        "metadata": metadata,
        "items": items.collect::<Vec<_>>(),
    })))
}

fn asked_version(store: &Store, request: &Request) -> Result<At, Failure> {
    let (asked, rule) = (request.query("resourceVersion"), request.query("resourceVersionMatch"));
    if asked.is_empty() || asked == "0" {
        return Ok(At::Now);
    }
    let version = parse_version(asked).map_err(|failure| {
        Failure::bad_request(format!("invalid resource version: {}", failure.message))
    })?;
    if version > store.revision() {
        return Err(too_large(version, store.revision()));
    }
    let is_paged = !request.query("limit").is_empty();
    if rule == "Exact" || (rule.is_empty() && is_paged) {
        if version < store.compacted() {
            let message = "The resourceVersion for the provided list is too old.";
            return Err(Failure::new(410, "Expired", message));
        }
        return Ok(At::Exactly(version));
    }
    Ok(At::Now)
}

pub(crate) fn parse_version(text: &str) -> Result<u64, Failure> {
    text.parse().map_err(|_| {
        let text = format!("{text:?}");
        Failure::new(500, "", format!(
            "resourceVersion: Invalid value: {text}: strconv.ParseUint: parsing {text}: invalid syntax"
        ))
    })
}

fn too_large(version: u64, current: u64) -> Failure {
    let message = format!("Timeout: Too large resource version: {version}, current: {current}");
    let causes =
        json!([{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}]);
    Failure::new(504, "Timeout", message).with(json!({"causes": causes, "retryAfterSeconds": 1}))
}

/// Opaque for clients.
fn write_token(version: u64, after: &(String, String)) -> String {
    format!("{version}~{}~{}", after.0, after.1)
}

fn read_token(token: &str) -> Result<(u64, (String, String)), Failure> {
    let mut parts = token.split('~');
    let version = parts.next().and_then(|version| version.parse().ok());
    match (version, parts.next(), parts.next()) {
        (Some(version), Some(namespace), Some(name)) => {
            Ok((version, (namespace.to_owned(), name.to_owned())))
        }
        _ => Err(Failure::bad_request(
            "invalid continue token: continue key is not valid: not a token of this server",
        )),
    }
}

fn too_old_to_continue(store: &Store, after: &(String, String)) -> Failure {
    const MESSAGE: &str = "The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results. Continuing with the provided token results in an inconsistent list - objects that were created, modified, or deleted between the time the first chunk was returned and now may show up in the list.";
    let mut failure = Failure::new(410, "Expired", MESSAGE);
    failure.continue_token = Some(write_token(store.revision(), after));
    failure
}
