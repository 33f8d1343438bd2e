//! The annotations that the operator reads. It writes none. Of a request's value, the first
//! [`MAX_TOKEN`](super::MAX_TOKEN) characters count.

/// `disabled` makes the operator stand still for this resource: it reads and reports, and sends
/// no write. (Not called "paused": that word is the remote deployment's, everywhere.)
pub const RECONCILE: &str = "cloud.qoder.com/reconcile";

/// The one value of [`RECONCILE`] that means something.
pub const RECONCILE_DISABLED: &str = "disabled";

/// Any new value asks to look now, re-opens the wish and ends the hold of a contested resource.
/// Echoed in `status.lastHandledReconcileRequest`. It never lifts a pause by the platform.
pub const RECONCILE_REQUESTED_AT: &str = "cloud.qoder.com/reconcile-requested-at";

/// Any new value asks for one resume, also of a deployment that the platform paused. Echoed in
/// `status.lastHandledResumeRequest`.
pub const RESUME_REQUESTED_AT: &str = "cloud.qoder.com/resume-requested-at";
