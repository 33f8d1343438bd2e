//! The Lease: what matters of it, and what is written into it. Pure.

use std::time::Duration;

use k8s_openapi::{
    api::coordination::v1::{Lease, LeaseSpec},
    apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta},
    jiff::Timestamp,
};

use super::evaluate::{LONGEST_DURATION, LeaseTimes, RELEASED, Record};

/// In seconds: for how long what the holder has sent may take effect, once that acts no more. While it is held, the longest that a
/// request lives; when it is given back, what is left of that.
const MAY_LAND: &str = "cloud.qoder.com/may-land-seconds";

/// What matters of a Lease. `lifetime`: how long a request lives, where the Lease does not say.
pub fn record(lease: &Lease, times: &LeaseTimes, lifetime: Duration) -> Record {
    let spec = lease.spec.clone().unwrap_or_default();
    let seconds = spec.lease_duration_seconds.and_then(|seconds| u64::try_from(seconds).ok());
    // Nobody can keep the Lease for ever by what is written into it once.
    let seconds = seconds.filter(|seconds| (1..=LONGEST_DURATION).contains(seconds));
    Record {
        holder: spec.holder_identity.unwrap_or_default(),
        duration: seconds.map_or(times.lease_duration, Duration::from_secs),
        renewal: (spec.renew_time.map(|time| time.0), spec.lease_transitions.unwrap_or_default()),
        may_land: may_land(lease).map_or(lifetime, Duration::from_secs),
    }
}

fn may_land(lease: &Lease) -> Option<u64> {
    let seconds = lease.metadata.annotations.as_ref()?.get(MAY_LAND)?.parse().ok();
    seconds.filter(|seconds| *seconds <= LONGEST_DURATION)
}

/// A part of a second is a second.
fn with_may_land(before: &ObjectMeta, may_land: Duration) -> ObjectMeta {
    let seconds = may_land.as_millis().div_ceil(1000);
    let mut annotations = before.annotations.clone().unwrap_or_default();
    annotations.insert(MAY_LAND.to_owned(), seconds.to_string());
    ObjectMeta { annotations: Some(annotations), ..before.clone() }
}

/// The Lease of this name with `me` as its holder, after what it was before.
pub fn renewed(
    before: &Lease,
    name: &str,
    me: &str,
    (times, lifetime): (&LeaseTimes, Duration),
    now: Timestamp,
) -> Lease {
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
    let metadata = with_may_land(&before.metadata, lifetime);
    let metadata = ObjectMeta { name: Some(name.to_owned()), ..metadata };
    Lease { metadata, spec: Some(spec) }
}

/// The Lease as it is given back. `may_land`: for how long what was sent may still take effect.
pub fn released(before: &Lease, may_land: Duration, now: Timestamp) -> Lease {
    let spec = LeaseSpec {
        holder_identity: Some(String::new()),
        lease_duration_seconds: i32::try_from(RELEASED.as_secs()).ok(),
        renew_time: Some(MicroTime(now)),
        ..before.spec.clone().unwrap_or_default()
    };
    Lease { metadata: with_may_land(&before.metadata, may_land), spec: Some(spec) }
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

    const LIFETIME: Duration = Duration::from_secs(60);

    #[test]
    fn a_renewal_keeps_what_is_not_ours_to_say_and_counts_who_leads() {
        let ours = (&TIMES, LIFETIME);
        let mut first = renewed(&Lease::default(), "lease", "a", ours, at(1));
        assert_eq!(first.metadata.name.as_deref(), Some("lease"));
        first.metadata.resource_version = Some("7".to_owned());
        first.metadata.labels = Some([("team".to_owned(), "x".to_owned())].into());
        let spec = first.spec.clone().unwrap();
        assert_eq!((spec.lease_transitions, spec.lease_duration_seconds), (Some(1), Some(15)));

        let again = renewed(&first, "lease", "a", ours, at(3));
        assert_eq!(again.metadata, first.metadata, "labels and resourceVersion");
        let spec = again.spec.clone().unwrap();
        assert_eq!(spec.acquire_time, Some(MicroTime(at(1))));
        assert_eq!((spec.renew_time, spec.lease_transitions), (Some(MicroTime(at(3))), Some(1)));

        let free = released(&again, Duration::from_millis(1500), at(4));
        assert_eq!(free.metadata.labels, first.metadata.labels);
        let free_record = record(&free, &TIMES, LIFETIME);
        assert_eq!((free_record.holder.as_str(), free_record.duration), ("", RELEASED));
        assert_eq!(free_record.may_land, Duration::from_secs(2), "rounded up");
        let taken = renewed(&free, "lease", "b", ours, at(5));
        assert_eq!(record(&taken, &TIMES, Duration::ZERO).may_land, LIFETIME);
        let taken = taken.spec.unwrap();
        assert_eq!(taken.acquire_time, Some(MicroTime(at(5))));
        assert_eq!(taken.lease_transitions, Some(2));
    }

    #[test]
    fn what_makes_no_sense_in_a_lease_is_our_own() {
        for (seconds, duration) in
            [(None, 15), (Some(0), 15), (Some(-1), 15), (Some(i32::MAX), 15), (Some(60), 60)]
        {
            let spec = LeaseSpec { lease_duration_seconds: seconds, ..LeaseSpec::default() };
            let lease = Lease { spec: Some(spec), ..Lease::default() };
            let duration = Duration::from_secs(duration);
            assert_eq!(record(&lease, &TIMES, LIFETIME).duration, duration);
        }
        for (text, seconds) in [("0", 0), ("7", 7), ("-1", 60), ("soon", 60), ("999999", 60)] {
            let mut lease = Lease::default();
            lease.metadata.annotations = Some([(MAY_LAND.to_owned(), text.to_owned())].into());
            let expected = Duration::from_secs(seconds);
            assert_eq!(record(&lease, &TIMES, LIFETIME).may_land, expected, "{text}");
        }
        let empty = record(&Lease::default(), &TIMES, LIFETIME);
        assert_eq!((empty.holder.as_str(), empty.may_land), ("", LIFETIME));
    }
}
