//! The custom resource: types, conditions, reasons, annotations. No client, no tokio.

mod crd;
mod id;
mod reason;
mod resource;
mod uid;

pub mod annotation;

pub use crd::{crd, crd_yaml};
pub use id::{DeploymentId, InvalidDeploymentId};
pub use reason::{ConditionStatus, ConditionType, Reason};
pub use resource::{
    Condition, DriftPolicy, LastReached, PausedReason, PausedReasonError, QoderDeployment,
    QoderDeploymentSpec, QoderDeploymentStatus, Schedule, Wish,
};
pub use uid::Uid;

/// The field manager of every write of the operator. Flux takes over fields of managers whose
/// name starts with `kubectl`, so ours never does.
pub const FIELD_MANAGER: &str = "qoder-operator";

/// `observedGeneration` of a resource that has no status of ours yet: the schema's default, so
/// that kstatus never takes a new resource for a finished one.
pub const NEVER_OBSERVED: i64 = -1;

/// Longest name, in characters, that the status mirrors: archiving appends to a name of 256.
pub const MAX_NAME: usize = 320;
/// Longest of the other strings, in characters, that the status mirrors.
pub const MAX_TEXT: usize = 256;
/// How many characters of a request annotation are looked at and echoed.
pub const MAX_TOKEN: usize = 64;
