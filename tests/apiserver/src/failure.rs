//! What the server refuses, in the words and the shape of the real one.

use std::fmt;

use serde_json::{Value, json};

use crate::json::Fields as _;
use crate::kind::Kind;

/// An answer that is an error: a `Status` with `status: Failure`.
#[derive(Debug, Clone, PartialEq)]
pub struct Failure {
    /// The HTTP status.
    pub code: u16,
    /// The word for machines, for example `NotFound`.
    pub reason: String,
    /// The text for people.
    pub message: String,
    /// `details` of the status.
    pub details: Option<Value>,
    /// Where an inconsistent list could go on.
    pub(crate) continue_token: Option<String>,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}: {}", self.code, self.reason, self.message)
    }
}

impl std::error::Error for Failure {}

impl Failure {
    /// Any status.
    pub fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self {
            code,
            reason: reason.to_owned(),
            message: message.into(),
            details: None,
            continue_token: None,
        }
    }

    /// 500, as from a server whose store is gone.
    #[must_use]
    pub fn internal() -> Self {
        let failure =
            Self::new(500, "InternalError", "Internal error occurred: etcdserver: no leader");
        failure.with(json!({"causes": [{"message": "etcdserver: no leader"}]}))
    }

    /// 429, as from a server with too much to do.
    #[must_use]
    pub fn too_many_requests() -> Self {
        let message =
            "The server has received too many requests and has asked us to try again later";
        Self::new(429, "TooManyRequests", message).with(json!({"retryAfterSeconds": 1}))
    }

    /// 401, as for an expired token.
    #[must_use]
    pub fn unauthorized() -> Self {
        Self::new(401, "Unauthorized", "Unauthorized")
    }

    pub(crate) fn with(mut self, details: Value) -> Self {
        self.details = Some(details);
        self
    }

    /// What the real server does, and this one does not.
    pub(crate) fn not_implemented(what: &str) -> Self {
        Self::new(501, "NotImplemented", format!("the server in memory does not know {what}"))
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn not_found(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} not found", kind.full_plural());
        Self::new(404, "NotFound", message).with(kind.details(name))
    }

    pub(crate) fn already_exists(kind: &Kind, name: &str) -> Self {
        let message = format!("{} {name:?} already exists", kind.full_plural());
        Self::new(409, "AlreadyExists", message).with(kind.details(name))
    }

    pub(crate) fn conflict(kind: &Kind, name: &str, why: &str) -> Self {
        let resource = kind.full_plural();
        let message = format!("Operation cannot be fulfilled on {resource} {name:?}: {why}");
        Self::new(409, "Conflict", message).with(kind.details(name))
    }

    pub(crate) fn modified(kind: &Kind, name: &str) -> Self {
        const WHY: &str = "the object has been modified; please apply your changes to the latest version and try again";
        Self::conflict(kind, name, WHY)
    }

    pub(crate) fn invalid(kind: &Kind, name: &str, causes: &[Cause]) -> Self {
        // Events are an older kind inside, of the group without a name.
        let group = if kind.name == "Event" { "" } else { kind.group };
        Self::invalid_as(group, kind.name, name, causes)
    }

    pub(crate) fn invalid_as(group: &str, kind: &str, name: &str, causes: &[Cause]) -> Self {
        let mut list = Vec::new();
        for cause in causes {
            let line = format!("{}: {}", cause.field, cause.message);
            if !list.contains(&line) {
                list.push(line);
            }
        }
        let list = match list.as_slice() {
            [one] => one.clone(),
            many => format!("[{}]", many.join(", ")),
        };
        let full_kind = [kind, group].join(".");
        let full_kind = full_kind.trim_matches('.');
        let message = format!("{full_kind} {name:?} is invalid: {list}");
        let causes: Vec<_> = causes.iter().map(Cause::body).collect();
        let mut details = json!({"causes": causes});
        for (field, value) in [("group", group), ("kind", kind), ("name", name)] {
            if !value.is_empty() {
                details.set(field, json!(value));
            }
        }
        Self::new(422, "Invalid", message).with(details)
    }

    pub(crate) fn too_old(version: u64, oldest: u64) -> Self {
        Self::new(410, "Expired", format!("too old resource version: {version} ({oldest})"))
    }

    /// The `Status` object.
    #[must_use]
    pub fn body(&self) -> Value {
        let mut body = json!({
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "code": self.code,
        });
        if let Some(details) = &self.details {
            body.set("details", details.clone());
        }
        if let Some(token) = &self.continue_token {
            body.set("metadata", json!({"continue": token}));
        }
        if self.reason.is_empty() {
            body.unset("reason");
        }
        body
    }
}

/// One field that is not as it should be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cause {
    pub reason: &'static str,
    pub field: String,
    pub message: String,
    /// Whether a rule of the schema says so, and not the schema itself.
    pub is_rule: bool,
}

impl Cause {
    /// What comes after the other causes when they kept the rules from being asked.
    pub fn unchecked_rules() -> Self {
        const WHY: &str = "some validation rules were not checked because the object was invalid; correct the existing errors to complete validation";
        Self::invalid("<nil>", &Value::Null, WHY)
    }

    pub fn invalid(field: &str, value: &Value, why: &str) -> Self {
        let message = format!("Invalid value: {value}: {why}");
        Self { reason: "FieldValueInvalid", field: field.to_owned(), message, is_rule: false }
    }

    pub fn required(field: &str, why: &str) -> Self {
        let message = if why.is_empty() {
            "Required value".to_owned()
        } else {
            format!("Required value: {why}")
        };
        Self { reason: "FieldValueRequired", field: field.to_owned(), message, is_rule: false }
    }

    pub fn forbidden(field: &str, why: &str) -> Self {
        let message = format!("Forbidden: {why}");
        Self { reason: "FieldValueForbidden", field: field.to_owned(), message, is_rule: false }
    }

    pub fn unsupported(field: &str, value: &str, supported: &[&str]) -> Self {
        let supported: Vec<_> = supported.iter().map(|value| format!("{value:?}")).collect();
        let message =
            format!("Unsupported value: {value:?}: supported values: {}", supported.join(", "));
        Self { reason: "FieldValueNotSupported", field: field.to_owned(), message, is_rule: false }
    }

    /// Whether the rules of the schema are not asked because of it.
    pub fn stops_rules(&self) -> bool {
        let reasons = ["NotSupported", "Required", "TooLong", "TooMany", "TypeInvalid"];
        reasons.iter().any(|reason| self.reason.ends_with(reason))
    }

    fn body(&self) -> Value {
        json!({"reason": self.reason, "message": self.message, "field": self.field})
    }
}
