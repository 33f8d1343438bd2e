//! What there is under `/_sim/`: nothing that is not here is answered.

/// All paths, and the methods that each has. `*` is any one segment.
const ROUTES: [(&str, &str); 23] = [
    ("", "GET"),
    ("accounts", "GET, POST"),
    ("accounts/*", "DELETE"),
    ("clock", "GET, POST"),
    ("deployments", "GET, POST"),
    ("deployments/*", "GET, PATCH, DELETE"),
    ("deployments/*/archive", "POST"),
    ("deployments/*/pause", "POST"),
    ("deployments/*/pause_by_error", "POST"),
    ("deployments/*/run", "POST"),
    ("deployments/*/unpause", "POST"),
    ("events", "GET"),
    ("faults", "GET, POST, DELETE"),
    ("faults/*", "GET, DELETE"),
    ("faults/*/release", "POST"),
    ("journal", "GET, DELETE"),
    ("openapi/cloud.yaml", "GET"),
    ("openapi/sim.yaml", "GET"),
    ("reset", "POST"),
    ("settings", "GET, PATCH"),
    ("snapshot", "GET"),
    ("tokens", "PUT"),
    ("verify", "POST"),
];

/// The methods of a path; none: there is no such path. An account has all but accounts.
pub(super) fn methods(segments: &[&str]) -> Option<&'static str> {
    match segments {
        ["accounts", _, rest @ ..] if !rest.is_empty() => {
            find(rest).filter(|_| rest.first() != Some(&"accounts"))
        }
        _ => find(segments),
    }
}

fn find(segments: &[&str]) -> Option<&'static str> {
    let is_it = |path: &str| {
        path.split('/').count() == segments.len()
            && path.split('/').zip(segments).all(|(own, sent)| own == "*" || own == *sent)
    };
    ROUTES.iter().find(|(path, _)| is_it(path)).map(|(_, methods)| *methods)
}
