//! Each request, in the order of arrival.

use std::{fmt, time::Duration};

use serde_json::Value;

use crate::request::{Request, Verb};

/// A request, and what came of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When it arrived, since the server was made.
    pub at: Duration,
    /// What it does.
    pub verb: Verb,
    /// For example `qoderdeployments`.
    pub resource: &'static str,
    /// `None`: all namespaces.
    pub namespace: Option<String>,
    /// Empty: none.
    pub name: String,
    /// For example `status`. Empty: none.
    pub subresource: String,
    /// Who is said to write, for example by `fieldManager`.
    pub manager: String,
    /// What was sent; null: nothing.
    pub body: Value,
    /// The HTTP status of the answer; `None`: there is none (yet), or it was lost.
    pub code: Option<u16>,
    /// Whether it has changed anything.
    pub changed: bool,
}

/// In short: `patch qoderdeployments/status agents/a 200`.
impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb.as_str(), self.resource)?;
        if !self.subresource.is_empty() {
            write!(f, "/{}", self.subresource)?;
        }
        let namespace = self.namespace.as_deref().unwrap_or("*");
        match self.name.as_str() {
            "" => write!(f, " {namespace}")?,
            name => write!(f, " {namespace}/{name}")?,
        }
        match self.code {
            Some(code) => write!(f, " {code}"),
            None => write!(f, " no answer"),
        }
    }
}

impl Entry {
    pub(crate) fn new(at: Duration, request: &Request) -> Self {
        Self {
            at,
            verb: request.verb,
            resource: request.kind.plural,
            namespace: request.namespace.clone(),
            name: request.name.clone(),
            subresource: request.subresource.clone(),
            manager: request.manager().name,
            body: request.body.clone(),
            code: None,
            changed: false,
        }
    }
}
