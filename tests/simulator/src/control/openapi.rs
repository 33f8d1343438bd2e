//! The documents for users and their tools: of the API, in the dialect that it speaks, and of `/_sim/`.

use http::{Response, StatusCode};

use crate::server::body::{self, Body};
use crate::wire::{self, Dialect};

/// In its own lines that of D1; what D2 has in place of some is in comments.
const CLOUD: &str = include_str!("../../openapi/cloud.yaml");
const SIM: &str = include_str!("../../openapi/sim.yaml");

pub(super) fn cloud(dialect: Dialect) -> Response<Body> {
    let mut document = String::new();
    for line in CLOUD.lines() {
        let only_d1 = line.strip_suffix(" # d1");
        let only_d2 = line.split_once("# d2: ");
        match (dialect, only_d1, only_d2) {
            (Dialect::D1, _, Some(_)) | (Dialect::D2, Some(_), _) => continue,
            (Dialect::D1, Some(own), None) => document.push_str(own),
            (Dialect::D2, None, Some((indent, own))) => document.extend([indent, own]),
            // What the file says of itself.
            (_, None, None) if line.starts_with('#') => continue,
            (_, None, None) => document.push_str(line),
        }
        document.push('\n');
    }
    yaml(document)
}

pub(super) fn sim() -> Response<Body> {
    yaml(SIM.to_owned())
}

fn yaml(document: String) -> Response<Body> {
    wire::with_content_type(StatusCode::OK, "application/yaml", document).map(body::whole)
}
