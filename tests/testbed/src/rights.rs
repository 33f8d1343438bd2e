//! What a service account may do by the shipped manifests, and what it has done by the audit log of the API server.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

use crate::{Result, install};

/// The file that the API server writes, and the one that says what into it.
pub(crate) const LOG: &str = "audit.log";
pub(crate) const POLICY: &str = "audit-policy.yaml";

/// All that service accounts do, with what they send. What the stories do themselves is no matter.
const RULES: &str = "\
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- level: Request
  userGroups: [system:serviceaccounts]
- level: None
";

/// What everybody may do: ask what they may do. `check` does, and so do the stories.
const EVERYBODY: (&str, &str) = ("create", "authorization.k8s.io selfsubjectaccessreviews");

/// One right: a verb, and a resource with its group. A name, if it is for that one only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Right {
    pub verb: String,
    pub resource: String,
    pub name: Option<String>,
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { verb, resource, name } = self;
        write!(f, "{verb} {resource} {}", name.as_deref().unwrap_or("*"))
    }
}

impl Right {
    /// Whether a request like this one is granted by it.
    #[must_use]
    pub fn allows(&self, used: &Self) -> bool {
        let is_of_name = self.name.is_none() || self.name == used.name;
        self.verb == used.verb && self.resource == used.resource && is_of_name
    }
}

/// What `deploy/base/rbac.yaml` grants.
///
/// # Errors
///
/// If it cannot be read.
pub fn granted() -> Result<BTreeSet<Right>> {
    let manifests = install::manifests(install::RBAC)?;
    let roles =
        manifests.iter().filter(|one| ["ClusterRole", "Role"].contains(&install::kind(one)));
    let mut granted = BTreeSet::new();
    for rule in roles.flat_map(|role| list(&role.data, "rules")) {
        let names = texts(rule, "resourceNames");
        let names =
            if names.is_empty() { vec![None] } else { names.into_iter().map(Some).collect() };
        for group in texts(rule, "apiGroups") {
            for resource in texts(rule, "resources") {
                for verb in texts(rule, "verbs") {
                    granted.extend(names.iter().map(|name| Right {
                        verb: verb.clone(),
                        resource: format!("{group} {resource}"),
                        name: name.clone(),
                    }));
                }
            }
        }
    }
    Ok(granted)
}

/// What the service accounts of one namespace have asked the API server for.
#[derive(Debug)]
pub struct Audit {
    log: PathBuf,
    user: String,
}

impl Audit {
    pub(crate) fn new(folder: &Path, namespace: &str) -> Self {
        let user = format!("system:serviceaccount:{namespace}:");
        Self { log: folder.join(LOG), user }
    }

    /// The lines of the log that are about them: with all that they have sent.
    ///
    /// # Errors
    ///
    /// If it cannot be read.
    pub fn lines(&self) -> Result<Vec<String>> {
        let log = fs::read(&self.log).context("failed to read the audit log")?;
        let log = String::from_utf8_lossy(&log);
        // The last one may be half written.
        let whole = log.rfind('\n').map_or(0, |end| end + 1);
        let lines = log[..whole].lines().filter(|line| line.contains(&self.user));
        Ok(lines.map(str::to_owned).collect())
    }

    /// The rights that their requests need, whether they have them or not.
    ///
    /// # Errors
    ///
    /// If the log cannot be read.
    pub fn used(&self) -> Result<BTreeSet<Right>> {
        let mut used = BTreeSet::new();
        for line in self.lines()? {
            let event: Value = serde_json::from_str(&line).context("a line of the audit log")?;
            used.extend(right(&event));
        }
        Ok(used)
    }

    /// What was used and is granted by none.
    ///
    /// # Errors
    ///
    /// If the log or the manifests cannot be read.
    pub fn too_much(&self) -> Result<Vec<String>> {
        let granted = granted()?;
        let is_granted = |used: &Right| granted.iter().any(|right| right.allows(used));
        let used = self.used()?;
        Ok(used.iter().filter(|used| !is_granted(used)).map(ToString::to_string).collect())
    }
}

/// The right that a request needs. `None`: none, as for the version of the server, or one that everybody has.
fn right(event: &Value) -> Option<Right> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let object = event.get("objectRef")?;
    let part = |name: &str| object.get(name).map(text).filter(|text| !text.is_empty());
    let verb = text(event.get("verb")?);
    let mut resource = format!("{} {}", part("apiGroup").unwrap_or_default(), part("resource")?);
    if let Some(subresource) = part("subresource") {
        resource = format!("{resource}/{subresource}");
    }
    // Of what is created, the name is no part of what is asked for.
    let name = part("name").filter(|_| verb != "create");
    (EVERYBODY != (verb.as_str(), resource.as_str())).then_some(Right { verb, resource, name })
}

fn list<'a>(value: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    value.get(field).and_then(Value::as_array).into_iter().flatten()
}

fn texts(value: &Value, field: &str) -> Vec<String> {
    list(value, field).filter_map(|one| one.as_str().map(str::to_owned)).collect()
}

/// Writes what the API server is told to note, and returns the flags that tell it.
pub(crate) fn flags(folder: &Path) -> Result<[String; 3]> {
    fs::write(folder.join(POLICY), RULES)?;
    let path = |name: &str| folder.join(name).display().to_string();
    Ok([
        format!("--audit-policy-file={}", path(POLICY)),
        format!("--audit-log-path={}", path(LOG)),
        // In MiB: it stays one file.
        "--audit-log-maxsize=10000".to_owned(),
    ])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn of(verb: &str, resource: &str, name: Option<&str>) -> Right {
        let (verb, resource) = (verb.to_owned(), resource.to_owned());
        Right { verb, resource, name: name.map(str::to_owned) }
    }

    #[test]
    fn a_right_is_for_its_verb_its_resource_and_its_names() {
        let any = of("get", "g things", None);
        assert!(any.allows(&of("get", "g things", Some("a"))) && any.allows(&any));
        for other in [
            of("list", "g things", None),
            of("get", "g things/status", None),
            of("get", " things", None),
        ] {
            assert!(!any.allows(&other), "{other}");
        }
        let one = of("get", "g things", Some("a"));
        assert!(one.allows(&one) && !one.allows(&of("get", "g things", Some("b"))));
        assert!(!one.allows(&any));
    }

    #[test]
    fn a_request_is_read_from_its_line() {
        let read = |object| right(&json!({ "verb": "patch", "objectRef": object }));
        let status = json!({ "resource": "things", "subresource": "status", "apiGroup": "g", "name": "a", "namespace": "n" });
        assert_eq!(read(status), Some(of("patch", "g things/status", Some("a"))));
        assert_eq!(right(&json!({ "verb": "get", "requestURI": "/version" })), None);
        let secrets = json!({ "verb": "list", "objectRef": { "resource": "secrets" } });
        assert_eq!(right(&secrets), Some(of("list", " secrets", None)));
    }
}
