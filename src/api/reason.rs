//! The closed set of condition types and reasons, with what each means and how to get out of it.

use serde::{Deserialize, Serialize};

/// The four conditions. Their order here is their order in every status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum ConditionType {
    /// The remote deployment is in the desired state, or none is asked for. Always present.
    Ready,
    /// Work is under way, or will be tried again. Present only while True.
    Reconciling,
    /// A person has to do something. Present only while True.
    Stalled,
    /// The *remote* deployment is paused. Always present.
    Paused,
}

impl ConditionType {
    /// All of them, in the order of every status.
    pub const ALL: [Self; 4] = [Self::Ready, Self::Reconciling, Self::Stalled, Self::Paused];

    /// Whether the operator writes conditions of this type.
    #[must_use]
    pub fn is_ours(kind: &str) -> bool {
        Self::ALL.iter().any(|ours| ours.as_str() == kind)
    }

    /// As `type` of the condition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Reconciling => "Reconciling",
            Self::Stalled => "Stalled",
            Self::Paused => "Paused",
        }
    }
}

/// `status` of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// The operator cannot tell.
    Unknown,
}

impl ConditionStatus {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::True, Self::False, Self::Unknown];

    /// As `status` of the condition.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::True => "True",
            Self::False => "False",
            Self::Unknown => "Unknown",
        }
    }
}

impl std::str::FromStr for ConditionStatus {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.into_iter().find(|status| status.as_str() == text).ok_or(())
    }
}

/// Declares the reasons once: variant, what it means, what to do.
macro_rules! reasons {
    ($($name:ident: $meaning:literal, $fix:literal;)+) => {
        /// Why a condition is as it is. One for each cause, constant at compile time, so that
        /// alerts and dashboards can name it.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum Reason {
            $(#[doc = $meaning] $name,)+
        }

        impl Reason {
            /// All of them, in the order of the documentation's table.
            pub const ALL: &[Self] = &[$(Self::$name),+];

            /// As `reason` of the condition.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }

            /// What it means, as a sentence.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$name => $meaning,)+ }
            }

            /// What a person should do, as a sentence; empty where there is nothing to do.
            #[must_use]
            pub const fn fix(self) -> &'static str {
                match self { $(Self::$name => $fix,)+ }
            }
        }
    };
}

reasons! {
    InSync: "The deployment is in the state that spec.paused asks for.", "";
    Observed: "spec.paused is absent, so the deployment is unmanaged: it is observed, and never changed.", "";
    ReconcileDisabled: "The annotation cloud.qoder.com/reconcile has paused reconciliation: the deployment is observed, and not changed.",
        "Remove the annotation, or set it to enabled, to let the operator act again.";
    DriftTolerated: "Someone else changed the deployment, and driftPolicy Warn leaves it so.",
        "Change spec.paused, or set cloud.qoder.com/reconcile-requested-at to a new value to apply it again.";
    Progressing: "The operator cannot confirm the new spec yet.", "";
    PausePending: "The deployment is to be paused, and is not paused yet.", "";
    ResumePending: "The deployment is to be resumed, and is still paused.", "";
    RemoteUnavailable: "The deployment cannot be read for now.",
        "The operator keeps trying; if the API is up, check the operator's network, proxies and --base-url.";
    RemoteAnswerInvalid: "The deployment cannot be read: the answer is not a valid answer of the Qoder API.",
        "Check that --base-url ends in /api/v1/cloud and that no proxy answers in the API's place.";
    CredentialMissing: "The operator has no usable token.",
        "Put a token into the operator's Secret, under the key token; if --token-file names it, no restart is needed.";
    CredentialRejected: "The Qoder API rejects the operator's token (401).",
        "Put a valid token into the operator's Secret, under the key token; if --token-file names it, no restart is needed.";
    Forbidden: "The token may not read this deployment (403).",
        "Give the token's account access to the deployment, or correct spec.deploymentID in a new resource.";
    RemoteNotFound: "The Qoder API knows no deployment with this id (404).",
        "Check spec.deploymentID, the token's account and the region of --base-url; the id is immutable, so correct it in a new resource.";
    RemoteArchived: "The deployment is archived, which cannot be undone.",
        "Delete this resource, or make a new one for another deployment.";
    DuplicateOwner: "An older resource with spec.paused set names the same deployment and owns it.",
        "Keep spec.paused in one of the resources only.";
    UnknownRemoteStatus: "The deployment has a status that this version of the operator does not know.",
        "Upgrade the operator.";
    PausedByPlatform: "Qoder paused the deployment, not a person; the operator does not resume it by itself.",
        "Repair the cause, then set cloud.qoder.com/resume-requested-at to a new value, or set spec.paused to true and back to false.";
    Contested: "Someone else keeps changing the deployment; the operator has stopped correcting it, for 20 poll intervals the first time, and longer each time.",
        "Find who changes it (a script, a person, a second operator), then set cloud.qoder.com/reconcile-requested-at to a new value.";
    WriteRefused: "The Qoder API refuses to pause or resume this deployment.",
        "If it is a 403, give the token the right to pause and resume deployments, or put another token into the operator's Secret; else the log has the id of the request, for Qoder's support. To try again at once, set cloud.qoder.com/reconcile-requested-at to a new value.";
    PausedManually: "Someone paused the deployment: a person, a script, or this operator.", "";
    Running: "The deployment is not paused.", "";
    NotObserved: "The deployment has not been read yet.", "";
}

impl Reason {
    /// Whether the condition Ready may have it.
    #[must_use]
    pub const fn is_of_ready(self) -> bool {
        !matches!(self, Self::PausedManually | Self::Running | Self::NotObserved)
    }

    /// Whether it says something of the deployment, and not only of the way to it.
    #[must_use]
    pub const fn is_of_deployment(self) -> bool {
        match self {
            Self::Progressing
            | Self::RemoteUnavailable
            | Self::RemoteAnswerInvalid
            | Self::CredentialMissing
            | Self::CredentialRejected
            | Self::NotObserved => false,
            Self::InSync
            | Self::Observed
            | Self::ReconcileDisabled
            | Self::DriftTolerated
            | Self::PausePending
            | Self::ResumePending
            | Self::Forbidden
            | Self::RemoteNotFound
            | Self::RemoteArchived
            | Self::DuplicateOwner
            | Self::UnknownRemoteStatus
            | Self::PausedByPlatform
            | Self::Contested
            | Self::WriteRefused
            | Self::PausedManually
            | Self::Running => true,
        }
    }
}

impl std::str::FromStr for Reason {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        Self::ALL.iter().copied().find(|reason| reason.as_str() == text).ok_or(())
    }
}
