//! A request, read from HTTP.

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{Method, Request as HttpRequest, header};
use serde_json::Value;

use crate::{failure::Failure, kind::Kind, managers::Manager};

/// What a request does, in the words of Kubernetes' authorization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verb {
    /// One object.
    Get,
    /// Many objects.
    List,
    /// Many objects, and what becomes of them.
    Watch,
    /// POST.
    Create,
    /// PUT.
    Update,
    /// PATCH of any kind.
    Patch,
    /// DELETE of one object.
    Delete,
}

impl Verb {
    /// As `kubectl auth can-i` says it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Get => "get",
            Self::List => "list",
            Self::Watch => "watch",
            Self::Create => "create",
            Self::Update => "update",
            Self::Patch => "patch",
            Self::Delete => "delete",
        }
    }

    /// Whether it is there to change something.
    #[must_use]
    pub fn is_write(self) -> bool {
        matches!(self, Self::Create | Self::Update | Self::Patch | Self::Delete)
    }
}

/// What is asked, of what, by whom.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    pub verb: Verb,
    pub kind: &'static Kind,
    pub namespace: Option<String>,
    /// Empty: none.
    pub name: String,
    /// Empty: none.
    pub subresource: String,
    pub query: BTreeMap<String, String>,
    pub content_type: String,
    pub user_agent: String,
    pub body: Value,
}

impl Request {
    /// Reads a request; `None`: there is nothing at this path.
    pub fn read(http: &HttpRequest<Bytes>) -> Result<Option<Self>, Failure> {
        let parts: Vec<_> = http.uri().path().trim_matches('/').split('/').collect();
        let (group, version, rest) = match parts.as_slice() {
            ["apis", group, version, rest @ ..] => (*group, *version, rest),
            _ => return Ok(None),
        };
        let (namespace, plural, rest) = match rest {
            ["namespaces", namespace, plural, rest @ ..] => (Some(*namespace), *plural, rest),
            [plural, rest @ ..] => (None, *plural, rest),
            [] => return Ok(None),
        };
        let (name, subresource) = match rest {
            [] => ("", ""),
            [name] => (*name, ""),
            [name, subresource] => (*name, *subresource),
            _ => return Ok(None),
        };
        let Some(kind) = Kind::find(group, version, plural) else { return Ok(None) };
        let is_known = subresource.is_empty() || (subresource == "status" && kind.has_status);
        if !is_known {
            return Err(Failure::not_found(kind, name));
        }
        let query = http.uri().query().unwrap_or_default().as_bytes();
        let query: BTreeMap<_, _> = form_urlencoded::parse(query).into_owned().collect();
        let is_watch = query.get("watch").is_some_and(|watch| watch == "true" || watch == "1");
        let verb = match (http.method(), name.is_empty()) {
            (&Method::GET, true) if is_watch => Verb::Watch,
            (&Method::GET, true) => Verb::List,
            (&Method::GET, false) => Verb::Get,
            (&Method::POST, true) => Verb::Create,
            (&Method::PUT, false) => Verb::Update,
            (&Method::PATCH, false) => Verb::Patch,
            (&Method::DELETE, false) => Verb::Delete,
            _ => return Err(Failure::not_implemented("this method at this path")),
        };
        let text = |name| {
            let value = http.headers().get(name).and_then(|value| value.to_str().ok());
            value.unwrap_or_default().to_owned()
        };
        if text(header::ACCEPT).contains("as=") || query.contains_key("dryRun") {
            return Err(Failure::not_implemented("tables, partial objects and dry runs"));
        }
        let body = match http.body() {
            body if body.is_empty() => Value::Null,
            body => serde_json::from_slice(body).map_err(|error| {
                Failure::bad_request(format!("error decoding the body: {error}"))
            })?,
        };
        Ok(Some(Self {
            verb,
            kind,
            namespace: namespace.map(ToOwned::to_owned),
            name: name.to_owned(),
            subresource: subresource.to_owned(),
            query,
            content_type: text(header::CONTENT_TYPE),
            user_agent: text(header::USER_AGENT),
            body,
        }))
    }

    pub fn query(&self, name: &str) -> &str {
        self.query.get(name).map(String::as_str).unwrap_or_default()
    }

    pub fn is_apply(&self) -> bool {
        self.content_type.starts_with("application/apply-patch")
    }

    /// 403, for this user.
    pub fn forbidden(&self, user: &str) -> Failure {
        let Kind { group, plural, .. } = self.kind;
        let name = match self.name.as_str() {
            "" => String::new(),
            name => format!(" {name:?}"),
        };
        let mut resource = (*plural).to_owned();
        if !self.subresource.is_empty() {
            resource = format!("{resource}/{}", self.subresource);
        }
        let scope = match &self.namespace {
            Some(namespace) => format!("in the namespace {namespace:?}"),
            None => "at the cluster scope".to_owned(),
        };
        let verb = self.verb.as_str();
        let message = format!(
            "{plural}.{group}{name} is forbidden: User {user:?} cannot {verb} resource {resource:?} in API group {group:?} {scope}"
        );
        Failure::new(403, "Forbidden", message).with(self.kind.details(&self.name))
    }

    /// Who gets the fields that this request writes.
    pub fn manager(&self) -> Manager {
        let agent = self.user_agent.split('/').next().unwrap_or_default();
        let named = self.query("fieldManager");
        let name = [named, agent, "unknown"].into_iter().find(|name| !name.is_empty());
        Manager {
            operation: if self.is_apply() { "Apply" } else { "Update" }.to_owned(),
            name: name.unwrap_or_default().to_owned(),
            subresource: self.subresource.clone(),
        }
    }
}
