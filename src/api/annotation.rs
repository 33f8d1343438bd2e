//! The annotations that the operator reads. It writes none. Of a request's value, the first
//! [`MAX_TOKEN`](super::MAX_TOKEN) characters count.

/// [`RECONCILE_DISABLED`] pauses reconciliation: the operator reads and reports, and sends no write. It is a safety
/// switch, and fails safe: only [`RECONCILE_ENABLED`], or no annotation, lets the operator act. (Not called "paused":
/// that word is the remote deployment's, everywhere.)
pub const RECONCILE: &str = "cloud.qoder.com/reconcile";

/// Pauses reconciliation.
pub const RECONCILE_DISABLED: &str = "disabled";

/// The same as no annotation.
pub const RECONCILE_ENABLED: &str = "enabled";

/// Any new value asks to look now, applies the desired state again and ends the hold of a contested resource.
/// Echoed in `status.lastHandledReconcileRequest`. It never lifts a pause by the platform.
pub const RECONCILE_REQUESTED_AT: &str = "cloud.qoder.com/reconcile-requested-at";

/// Any new value asks for one resume, also of a deployment that the platform paused. Echoed in
/// `status.lastHandledResumeRequest`.
pub const RESUME_REQUESTED_AT: &str = "cloud.qoder.com/resume-requested-at";
