//! Which reasons of Ready were told: an event and a count are for a change, and not for each status that says it.
//! Pure.

use crate::api::Reason;

/// The reasons that were told of one resource.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub struct Told {
    /// The last one.
    last: Option<Reason>,
    /// The last one that speaks of the deployment. An outage in between makes it no news.
    of_deployment: Option<Reason>,
}

impl Told {
    /// What a status in the API server has told.
    #[must_use]
    pub fn of(reason: Option<Reason>) -> Self {
        let mut told = Self::default();
        if let Some(reason) = reason {
            told.tell(reason);
        }
        told
    }

    /// The last reason that was told.
    #[must_use]
    pub fn last(self) -> Option<Reason> {
        self.last
    }

    /// A status with this reason stands. Returns whether it is news.
    pub fn tell(&mut self, reason: Reason) -> bool {
        let before = if reason.is_of_deployment() { self.of_deployment } else { self.last };
        self.last = Some(reason);
        if reason.is_of_deployment() {
            self.of_deployment = Some(reason);
        }
        before != Some(reason)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_news_once() {
        let mut told = Told::of(Some(Reason::InSync));
        for (reason, is_news) in [
            (Reason::InSync, false),
            (Reason::DriftTolerated, true),
            (Reason::DriftTolerated, false),
            (Reason::RemoteUnavailable, true),
            (Reason::RemoteUnavailable, false),
            (Reason::DriftTolerated, false),
            (Reason::CredentialRejected, true),
            (Reason::CredentialRejected, false),
            (Reason::RemoteUnavailable, true),
            (Reason::CredentialRejected, true),
            (Reason::DriftTolerated, false),
            (Reason::InSync, true),
            (Reason::DriftTolerated, true),
        ] {
            assert_eq!(told.tell(reason), is_news, "{reason:?}");
        }
    }

    #[test]
    fn a_restart_tells_nothing_again() {
        for reason in Reason::ALL {
            assert!(!Told::of(Some(*reason)).tell(*reason), "{reason:?}");
            assert!(Told::of(None).tell(*reason), "{reason:?}");
        }
    }
}
