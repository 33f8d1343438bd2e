//! The Lease: what matters of it, and what is written into it. Pure.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};

use super::evaluate::{LONGEST_DURATION, LeaseTimes, Record};

/// What matters of a Lease.
pub fn record(lease: &Lease, times: &LeaseTimes) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    // Nobody can keep the Lease for ever by what is written into it once.
    let seconds = seconds.filter(|seconds| (1..=LONGEST_DURATION).contains(seconds));
    Record {
        holder: spec.holder_identity.unwrap_or_default(),
        duration: seconds.map_or(times.lease_duration, Duration::from_secs),
        version: lease.metadata.resource_version.clone().unwrap_or_default(),
    }
}

/// The Lease of this name with `me` as its holder, after what it was before.
pub fn renewed(before: &Lease, name: &str, me: &str, times: &LeaseTimes, now: Timestamp) -> Lease {
    let now = MicroTime(now);
    let spec = before.spec.clone().unwrap_or_default();
    let is_ours = spec.holder_identity.as_deref() == Some(me);
    let transitions = spec.lease_transitions.unwrap_or_default();
    let spec = LeaseSpec {
        holder_identity: Some(me.to_owned()),
        lease_duration_seconds: i32::try_from(times.lease_duration.as_secs()).ok(),
        acquire_time: if is_ours { spec.acquire_time } else { Some(now.clone()) },
        renew_time: Some(now),
        lease_transitions: Some(transitions.saturating_add(i32::from(!is_ours))),
        ..spec
    };
    // With the resourceVersion that was read: who has read an older one is refused.
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..before.metadata.clone() };
    Lease { metadata, spec: Some(spec) }
}

/// The Lease without a holder.
pub fn released(before: &Lease, now: Timestamp) -> Lease {
    let spec = LeaseSpec {
        holder_identity: Some(String::new()),
        lease_duration_seconds: Some(1),
        renew_time: Some(MicroTime(now)),
        ..before.spec.clone().unwrap_or_default()
    };
    Lease { metadata: before.metadata.clone(), spec: Some(spec) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMES: LeaseTimes = LeaseTimes {
        lease_duration: Duration::from_secs(15),
        renew_deadline: Duration::from_secs(10),
        retry_period: Duration::from_secs(2),
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn a_renewal_keeps_what_is_not_ours_to_say_and_counts_who_leads() {
        let mut first = renewed(&Lease::default(), "lease", "a", &TIMES, at(1));
        assert_eq!(first.metadata.name.as_deref(), Some("lease"));
        first.metadata.resource_version = Some("7".to_owned());
        first.metadata.labels = Some([("team".to_owned(), "x".to_owned())].into());
        let spec = first.spec.clone().unwrap();
        assert_eq!((spec.lease_transitions, spec.lease_duration_seconds), (Some(1), Some(15)));

        let again = renewed(&first, "lease", "a", &TIMES, at(3));
        assert_eq!(again.metadata, first.metadata, "labels and resourceVersion");
        let spec = again.spec.clone().unwrap();
        assert_eq!(spec.acquire_time, Some(MicroTime(at(1))));
        assert_eq!((spec.renew_time, spec.lease_transitions), (Some(MicroTime(at(3))), Some(1)));

        let free = released(&again, at(4));
        assert_eq!(free.metadata, first.metadata);
        assert_eq!(record(&free, &TIMES).holder, "");
        let taken = renewed(&free, "lease", "b", &TIMES, at(5)).spec.unwrap();
        assert_eq!(taken.acquire_time, Some(MicroTime(at(5))));
        assert_eq!(taken.lease_transitions, Some(2));
    }

    #[test]
    fn a_duration_that_makes_no_sense_is_our_own() {
        for (seconds, duration) in
            [(None, 15), (Some(0), 15), (Some(-1), 15), (Some(i32::MAX), 15), (Some(60), 60)]
        {
            let spec = LeaseSpec { lease_duration_seconds: seconds, ..LeaseSpec::default() };
            let lease = Lease { spec: Some(spec), ..Lease::default() };
            assert_eq!(record(&lease, &TIMES).duration, Duration::from_secs(duration));
        }
        assert_eq!(record(&Lease::default(), &TIMES).holder, "");
    }
}
