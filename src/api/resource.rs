//! `QoderDeployment`: the types behind the CRD. Descriptions here are what `kubectl explain` says.

#![allow(clippy::doc_markdown, reason = "kubectl explain shows these texts as they are")]
#![allow(clippy::duplicated_attributes, reason = "each printcolumn has its own")]

use std::hash::{DefaultHasher, Hasher};

use k8s_openapi::{apimachinery::pkg::apis::meta::v1::Time, jiff::Timestamp};
use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::crd::{conditions_schema, deployment_id_schema};

/// QoderDeployment says whether a deployment of Qoder Cloud Agents is paused, and shows what it is.
#[derive(CustomResource, Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq)]
#[kube(
    group = "cloud.qoder.com",
    version = "v1alpha1",
    kind = "QoderDeployment",
    plural = "qoderdeployments",
    shortname = "qdep",
    category = "qoder",
    namespaced,
    status = "QoderDeploymentStatus",
    derive = "PartialEq",
    doc = "QoderDeployment says whether a deployment of Qoder Cloud Agents is paused, and shows what it is. Annotations: cloud.qoder.com/reconcile: disabled pauses reconciliation; a new value of cloud.qoder.com/reconcile-requested-at applies the spec again; a new value of cloud.qoder.com/resume-requested-at resumes once.",
    selectable = ".spec.deploymentID",
    selectable = ".spec.paused",
    selectable = ".status.status",
    printcolumn(
        name = "Paused",
        type_ = "boolean",
        json_path = ".spec.paused",
        description = "What spec.paused asks for"
    ),
    printcolumn(
        name = "Remote",
        type_ = "string",
        json_path = ".status.status",
        description = "The remote status"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].status"#,
        description = "Whether the remote deployment is in the desired state"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = r#".status.conditions[?(@.type=="Ready")].reason"#,
        description = "Why Ready is as it is"
    ),
    printcolumn(
        name = "Paused-By",
        type_ = "string",
        priority = 1,
        json_path = ".status.pausedReason.type",
        description = "Who paused the deployment: manual, or error for the platform"
    ),
    printcolumn(
        name = "Schedule",
        type_ = "string",
        priority = 1,
        json_path = ".status.schedule.expression",
        description = "The cron expression of the deployment"
    ),
    printcolumn(
        name = "Remote-Name",
        type_ = "string",
        priority = 1,
        json_path = ".status.name",
        description = "The remote name of the deployment"
    ),
    printcolumn(
        name = "Deployment-ID",
        type_ = "string",
        priority = 1,
        json_path = ".spec.deploymentID",
        description = "The remote id of the deployment"
    ),
    printcolumn(
        name = "Message",
        type_ = "string",
        priority = 1,
        json_path = r#".status.conditions[?(@.type=="Ready")].message"#,
        description = "What happened and what to do"
    ),
    printcolumn(
        name = "Age",
        type_ = "date",
        json_path = ".metadata.creationTimestamp",
        description = "Age of this resource"
    )
)]
#[serde(rename_all = "camelCase")]
pub struct QoderDeploymentSpec {
    /// The id of the remote deployment, for example dep_019ec55a2b687b3f94eee77dd77e4b2a. Required. Immutable: to
    /// manage another deployment, make another resource. At most 68 characters.
    #[serde(rename = "deploymentID")]
    #[schemars(schema_with = "deployment_id_schema")]
    pub deployment_id: String,

    /// true: the deployment shall be paused. false: it shall run on its schedule. Absent (the default): it is
    /// unmanaged, which is to say observed and never changed; removing the field never resumes or pauses anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub paused: Option<bool>,

    /// What to do when someone else changes the remote state: Correct (the default) changes it back, Warn reports it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub drift_policy: Option<DriftPolicy>,
}

/// What to do when someone else changes the remote state: Correct (the default) changes it back, Warn reports it and
/// leaves it.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum DriftPolicy {
    /// Change it back.
    #[default]
    Correct,
    /// Report it and leave it.
    Warn,
}

/// The desired state: Paused where spec.paused is true, Active where it is false, Unmanaged where it is absent: the
/// deployment is observed, and never changed.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wish {
    /// `spec.paused: true`.
    Paused,
    /// `spec.paused: false`.
    Active,
    /// `spec.paused` absent: observe only.
    Unmanaged,
}

impl From<Option<bool>> for Wish {
    fn from(paused: Option<bool>) -> Self {
        match paused {
            Some(true) => Self::Paused,
            Some(false) => Self::Active,
            None => Self::Unmanaged,
        }
    }
}

/// What was last seen of the remote deployment, and how it compares with the spec. It changes only when the
/// deployment, the spec or the way to the API does.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Default)]
#[serde(rename_all = "camelCase", default)]
pub struct QoderDeploymentStatus {
    /// The generation of the spec that this status answers; -1 (the default) before the first answer.
    #[schemars(range(min = -1))]
    pub observed_generation: i64,

    /// The desired state that this status answers. Absent before the first answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub desired: Option<Wish>,

    /// The remote status, verbatim: active, paused, or what a later API says. Absent before the first observation. At
    /// most 256 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub status: Option<String>,

    /// Why the remote deployment is paused. Absent while it is not, or where the API names no reason.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub paused_reason: Option<PausedReason>,

    /// The remote name of the deployment. At most 320 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 320))]
    pub name: Option<String>,

    /// The schedule of the deployment. Absent where it only runs by hand.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub schedule: Option<Schedule>,

    /// When the deployment was archived. Absent while it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(extend("format" = "date-time"), length(max = 64))]
    pub archived_time: Option<String>,

    /// The last desired state that was reached. Absent until one was, and while another resource owns the deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_reached: Option<LastReached>,

    /// The value of the annotation cloud.qoder.com/resume-requested-at that was handled last. At most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_resume_request: Option<String>,

    /// The value of the annotation cloud.qoder.com/reconcile-requested-at that was handled last. At most 64 characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 64))]
    pub last_handled_reconcile_request: Option<String>,

    /// Standard conditions: Ready, Reconciling, Stalled and Paused. At most 8.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(schema_with = "conditions_schema")]
    pub conditions: Vec<Condition>,
}

impl QoderDeploymentStatus {
    /// A digest of everything of ours but the transition times. Equal digests: nothing to publish. A condition of
    /// another controller may stand beside ours.
    #[must_use]
    pub fn digest(&self) -> u64 {
        let mut timeless = self.clone();
        timeless.conditions.retain(|condition| super::ConditionType::is_ours(&condition.kind));
        timeless.conditions.sort_by(|a, b| a.kind.cmp(&b.kind));
        for condition in &mut timeless.conditions {
            condition.last_transition_time = Time(Timestamp::UNIX_EPOCH);
        }
        let mut hasher = DefaultHasher::new();
        // A status is plain data: it can always be written.
        hasher.write(&serde_json::to_vec(&timeless).unwrap_or_default());
        hasher.finish()
    }
}

/// Why the remote deployment is paused, verbatim.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
pub struct PausedReason {
    /// manual: the pause endpoint was called. error: the platform paused it after a failed run. Later APIs may say more.
    /// At most 256 characters.
    #[serde(rename = "type")]
    #[schemars(length(max = 256))]
    pub kind: String,

    /// The error for which the platform paused it. Absent for other types.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<PausedReasonError>,
}

/// The error for which the platform paused a deployment.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
pub struct PausedReasonError {
    /// The type of the error, for example agent_archived_error. At most 256 characters.
    #[serde(rename = "type")]
    #[schemars(length(max = 256))]
    pub kind: String,
}

/// The schedule of the remote deployment.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// The cron expression, five fields. At most 256 characters.
    #[schemars(length(max = 256))]
    pub expression: String,

    /// The IANA name of the time zone. At most 256 characters.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 256))]
    pub timezone: Option<String>,
}

/// The last desired state that was reached: the memory that a restart keeps.
#[derive(Serialize, Deserialize, JsonSchema, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct LastReached {
    /// The desired state that was reached.
    pub desired: Wish,
    /// The generation of the spec that asked for it. At least 0.
    #[schemars(range(min = 0))]
    pub generation: i64,
}

/// A condition: `metav1.Condition`, with required fields required.
#[derive(Serialize, Deserialize, Debug, Clone, PartialEq)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// Type of the condition.
    #[serde(rename = "type")]
    pub kind: String,
    /// True, False or Unknown.
    pub status: String,
    /// The generation that the condition answers.
    #[serde(default)]
    pub observed_generation: i64,
    /// When `status` last changed.
    pub last_transition_time: Time,
    /// Why, in one word.
    pub reason: String,
    /// What happened, to which object, what to do.
    #[serde(default)]
    pub message: String,
}
