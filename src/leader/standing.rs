//! What this process is in the election, and whether it can be anything else.

use std::{fmt, time::Duration};

use tokio::time::Instant;

use super::evaluate::Term;

/// What this process is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Role {
    /// It acts.
    Leader(Term),
    /// It waits for the Lease, which this one holds, as far as anyone does.
    Standby(Option<String>),
}

/// What this process is, and whether it can be anything else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    pub role: Role,
    /// Since when each try to read or write the Lease has failed, if so.
    pub failing_since: Option<Instant>,
    /// The Lease was never seen.
    pub is_blind: bool,
}

/// For how long the Lease may be out of reach before one that stands by is not ready.
const PATIENCE: Duration = Duration::from_secs(60);

impl Standing {
    /// Why this process cannot lead, if so.
    #[must_use]
    pub fn fault(&self, now: Instant) -> Option<String> {
        if matches!(self.role, Role::Leader(_)) {
            return None;
        }
        let fails = self.failing_since.is_some_and(|since| now >= since + PATIENCE);
        (fails || self.is_blind).then(|| {
            "the Lease cannot be read or written; the log says why (are the rights on it granted?)"
                .to_owned()
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Leader(_) => f.write_str("leads"),
            Self::Standby(Some(leader)) => write!(f, "stands by; {leader} leads"),
            Self::Standby(None) => f.write_str("stands by; nobody is known to lead"),
        }
    }
}
