//! From method and path to the operation that is meant.

use http::Method;
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};

/// Where the API lives on a host.
pub(crate) const PREFIX: &str = "/api/v1/cloud";

/// An operation of the API.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Operation {
    /// `POST /deployments`
    Create,
    /// `GET /deployments/{id}`
    Get,
    /// `GET /deployments`
    List,
    /// `POST /deployments/{id}`
    Update,
    /// `POST /deployments/{id}/pause`
    Pause,
    /// `POST /deployments/{id}/unpause`
    Unpause,
    /// `POST /deployments/{id}/archive`
    Archive,
    /// `POST /deployments/{id}/run`
    Run,
    /// `GET /deployments/{id}/runs`
    ListRuns,
    /// `GET /deployments/{id}/runs/{run_id}`
    GetRun,
    /// `GET /deployment_runs`
    ListAllRuns,
    /// `GET /deployment_runs/{run_id}`
    GetAnyRun,
    /// `POST /deployments/search`
    Search,
    /// Anything else: a path that the API does not have.
    Other,
}

impl Operation {
    /// Whether there can be a deployment in its path.
    pub(crate) fn has_id(self) -> bool {
        !matches!(
            self,
            Self::Create | Self::List | Self::ListAllRuns | Self::GetAnyRun | Self::Search
        )
    }

    /// Its name in JSON.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Get => "get",
            Self::List => "list",
            Self::Update => "update",
            Self::Pause => "pause",
            Self::Unpause => "unpause",
            Self::Archive => "archive",
            Self::Run => "run",
            Self::ListRuns => "list_runs",
            Self::GetRun => "get_run",
            Self::ListAllRuns => "list_all_runs",
            Self::GetAnyRun => "get_any_run",
            Self::Search => "search",
            Self::Other => "other",
        }
    }
}

/// What a request is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) operation: Operation,
    /// The deployment in the path.
    pub(crate) id: Option<String>,
    /// The run in the path.
    pub(crate) run_id: Option<String>,
    /// The methods that the path has; none: there is no such path.
    pub(crate) allow: Option<&'static str>,
}

impl Route {
    /// Reads a method and a path without its query.
    pub(crate) fn of(method: &Method, path: &str) -> Self {
        use Operation as Op;

        let segments: Option<Vec<String>> = path.strip_prefix(PREFIX).and_then(|rest| {
            let segments = rest.strip_prefix('/')?.split('/');
            // What is no text is no id either, which is the API's to say.
            let decode = |segment| percent_decode_str(segment).decode_utf8_lossy();
            Some(segments.map(|segment| decode(segment).into_owned()).collect())
        });
        let segments: Vec<&str> = segments.iter().flatten().map(String::as_str).collect();
        let (get, post, id, run_id) = match segments.as_slice() {
            ["deployments"] => (Some(Op::List), Some(Op::Create), None, None),
            ["deployments", "search"] => (None, Some(Op::Search), None, None),
            ["deployments" | "deployment_runs", ""] => (None, None, None, None),
            ["deployments", id] => (Some(Op::Get), Some(Op::Update), Some(*id), None),
            ["deployments", id, "pause"] => (None, Some(Op::Pause), Some(*id), None),
            ["deployments", id, "unpause"] => (None, Some(Op::Unpause), Some(*id), None),
            ["deployments", id, "archive"] => (None, Some(Op::Archive), Some(*id), None),
            ["deployments", id, "run"] => (None, Some(Op::Run), Some(*id), None),
            ["deployments", id, "runs"] => (Some(Op::ListRuns), None, Some(*id), None),
            ["deployments", id, "runs", run] => (Some(Op::GetRun), None, Some(*id), Some(*run)),
            ["deployment_runs"] => (Some(Op::ListAllRuns), None, None, None),
            ["deployment_runs", run] => (Some(Op::GetAnyRun), None, None, Some(*run)),
            _ => (None, None, None, None),
        };
        let operation = match *method {
            Method::GET => get,
            Method::POST => post,
            _ => None,
        };
        Self {
            operation: operation.unwrap_or(Op::Other),
            id: id.map(ToOwned::to_owned),
            run_id: run_id.map(ToOwned::to_owned),
            allow: match (get, post) {
                (Some(_), Some(_)) => Some("GET, POST"),
                (Some(_), None) => Some("GET"),
                (None, Some(_)) => Some("POST"),
                (None, None) => None,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use http::Method;

    use super::{Operation, Route};

    fn route(method: &str, path: &str) -> (Operation, Option<String>) {
        let method = Method::from_bytes(method.as_bytes()).unwrap_or_default();
        let route = Route::of(&method, path);
        (route.operation, route.id)
    }

    #[test]
    fn every_documented_path_has_its_operation() {
        let dep = Some("dep_1".to_owned());
        for (method, path, operation, id) in [
            ("POST", "deployments", Operation::Create, None),
            ("GET", "deployments", Operation::List, None),
            ("POST", "deployments/search", Operation::Search, None),
            ("GET", "deployments/dep_1", Operation::Get, dep.clone()),
            ("POST", "deployments/dep_1", Operation::Update, dep.clone()),
            ("POST", "deployments/dep_1/pause", Operation::Pause, dep.clone()),
            ("POST", "deployments/dep_1/unpause", Operation::Unpause, dep.clone()),
            ("POST", "deployments/dep_1/archive", Operation::Archive, dep.clone()),
            ("POST", "deployments/dep_1/run", Operation::Run, dep.clone()),
            ("GET", "deployments/dep_1/runs", Operation::ListRuns, dep.clone()),
            ("GET", "deployments/dep_1/runs/drun_1", Operation::GetRun, dep),
            ("GET", "deployment_runs", Operation::ListAllRuns, None),
            ("GET", "deployment_runs/drun_1", Operation::GetAnyRun, None),
        ] {
            let path = format!("/api/v1/cloud/{path}");
            assert_eq!(route(method, &path), (operation, id), "{method} {path}");
            assert_eq!(serde_json::to_value(operation).ok(), Some(operation.name().into()));
        }
    }

    #[test]
    fn an_id_is_one_decoded_segment() {
        let (operation, id) = route("GET", "/api/v1/cloud/deployments/a%2F..%2Fb");
        assert_eq!((operation, id.as_deref()), (Operation::Get, Some("a/../b")));
    }

    #[test]
    fn other_paths_and_methods_are_told_apart() {
        for path in ["/", "/v1/deployments", "/api/v1/cloud/agents", "/api/v1/cloud/deployments/"] {
            let route = Route::of(&Method::GET, path);
            assert_eq!((route.operation, route.allow), (Operation::Other, None), "{path}");
        }
        let delete = Route::of(&Method::DELETE, "/api/v1/cloud/deployments/dep_1");
        assert_eq!((delete.operation, delete.allow), (Operation::Other, Some("GET, POST")));
    }
}
