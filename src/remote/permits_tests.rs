use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::{
    qoder::ApiError,
    remote::{
        account::{Account, Admission, Ticket},
        fixtures::*,
    },
};

/// The space between two writes.
const SLOT: Duration = Duration::from_millis(50);

fn ns() -> Arc<str> {
    Arc::from("ns")
}

fn permit(account: &mut Account, n: u32, now: Instant) -> bool {
    account.permit(&id(n), Lane::Spec, &ns(), now)
}

/// Sends a write with a permit that was taken.
fn send_write(account: &mut Account, now: Instant) -> Ticket {
    match account.admit_write(now) {
        Admission::Now(ticket) => ticket,
        Admission::At(at) => panic!("not before {:?}", at - now),
        Admission::Closed => panic!("closed"),
    }
}

#[test]
fn permits_are_granted_one_by_one_evenly_and_unused_ones_pass_on() {
    let mut account = account();
    let start = Instant::now();
    assert!(permit(&mut account, 1, start));
    send_write(&mut account, start);
    for n in [2, 3, 4] {
        assert!(!permit(&mut account, n, start));
    }
    assert_eq!(account.grant(start), None, "not yet");
    let next = account.next_grant(start).unwrap();
    assert_eq!(next, start + SLOT);
    assert!(!permit(&mut account, 5, next), "others were there before");
    assert!(account.forget_permit(&id(5)));
    assert_eq!(account.grant(next), Some(id(2)));
    assert!(permit(&mut account, 2, next));
    send_write(&mut account, next);

    // 3 gets a permit and does not use it; 4 is not held up by it for more than its second.
    let third = account.next_grant(next).unwrap();
    assert_eq!(account.grant(third), Some(id(3)));
    assert!(account.forget_permit(&id(3)));
    let fourth = account.next_grant(third).unwrap();
    assert_eq!(fourth, third + SLOT);
    assert_eq!(account.grant(fourth), Some(id(4)));
    assert_eq!(account.waiting(), 0);
}

/// Sixteen writes under way, and when the last one left.
fn sixteen_under_way(account: &mut Account) -> (Vec<Ticket>, Instant) {
    let mut now = Instant::now();
    let mut tickets = Vec::new();
    for n in 0..16 {
        now += SLOT;
        assert!(permit(account, n, now), "{n}");
        tickets.push(send_write(account, now));
    }
    (tickets, now)
}

#[test]
fn a_seventeenth_write_waits_until_one_has_ended() {
    let mut account = account();
    let (tickets, now) = sixteen_under_way(&mut account);
    let later = now + 60 * SECOND;
    assert!(!permit(&mut account, 17, later));
    assert_eq!(account.next_grant(later), None, "however long it takes");
    assert_eq!(account.grant(later), None);
    account.ended(&tickets[3], None, later, 0.0);
    assert_eq!(account.grant(later), Some(id(17)));

    // The permit takes the room, as the write did.
    assert!(!permit(&mut account, 18, later));
    let unused = later + Times::PERMIT;
    assert_eq!(account.next_grant(later + SLOT), Some(unused), "unless nobody uses it");
    assert_eq!(account.grant(unused), Some(id(18)));
    account.let_go(&tickets[4]);
    assert!(account.next_grant(unused).is_some(), "a write that is given up has ended too");
}

/// Sixteen permits that were granted, and that nobody has taken.
fn sixteen_granted(account: &mut Account, start: Instant) -> Instant {
    for n in 0..17 {
        permit(account, n, start);
    }
    account.give_back();
    for n in 1..17 {
        assert_eq!(account.grant(start + SLOT * n), Some(id(n)));
    }
    start + SLOT * 16
}

#[test]
fn permits_that_nobody_takes_pass_on_although_nothing_ends() {
    let mut account = account();
    let start = Instant::now();
    let now = sixteen_granted(&mut account, start);
    assert!(!permit(&mut account, 17, now));
    let first_ends = start + SLOT + Times::PERMIT;
    assert_eq!(account.next_grant(now), Some(first_ends));
    assert_eq!(account.grant(first_ends - Duration::from_millis(1)), None);
    assert_eq!(account.grant(first_ends), Some(id(17)));
    assert!(!permit(&mut account, 1, first_ends), "it has passed on");
}

#[test]
fn a_permit_that_was_taken_is_kept_however_long_its_read_takes() {
    let mut account = account();
    let start = Instant::now();
    for n in 0..16 {
        assert!(permit(&mut account, n, start + SLOT * n), "{n}");
    }
    let late = start + 10 * SECOND;
    assert!(!permit(&mut account, 17, late));
    assert_eq!(account.next_grant(late), None, "each of the sixteen may still send its write");
    let _first = send_write(&mut account, late);
    assert_eq!(account.next_grant(late), None);
    account.give_back();
    assert_eq!(account.grant(late), Some(id(17)));
}

/// Permits granted, and then something closes.
fn granted_then(reads: &[ApiError]) -> (Account, Instant) {
    let mut account = account();
    let (tickets, now) = send_reads(&mut account, 6, Instant::now());
    assert!(permit(&mut account, 1, now));
    let mut tickets = tickets.into_iter();
    let mut sent = now;
    for (n, error) in reads.iter().enumerate() {
        let ticket = match tickets.next() {
            Some(ticket) if n == 0 => ticket,
            _ => send_read(&mut account, sent),
        };
        account.ended(&ticket, Some(error), sent, 0.0);
        sent += SPACE;
    }
    (account, sent)
}

#[test]
fn a_permit_from_before_something_has_closed_is_not_used() {
    let (mut account, now) = granted_then(&[]);
    send_write(&mut account, now);

    let (mut account, now) = granted_then(&[status(401)]);
    assert!(matches!(account.admit_write(now), Admission::Closed), "rejected");
    let probe_at = now + TIMES.credential_probe(0);
    assert!(matches!(account.admit_write(probe_at), Admission::Closed), "no write probes");

    let (mut account, now) = granted_then(&[answer(429, None, Some(SECOND / 2))]);
    let end = now - SPACE + SECOND / 2;
    assert!(matches!(account.admit_write(now), Admission::At(at) if at == end));
    send_write(&mut account, end);

    let failures: Vec<_> = (0..Times::BREAKER_FAILURES).map(|_| status(500)).collect();
    let (mut account, now) = granted_then(&failures);
    let probe_at = now - SPACE + TIMES.breaker_probe();
    assert!(matches!(account.admit_write(now), Admission::At(at) if at == probe_at));
    send_read(&mut account, probe_at);
    assert!(matches!(account.admit_write(probe_at), Admission::Closed), "one probes");
}

#[test]
fn a_permit_expires_at_its_end() {
    let (mut permits, start) = (Permits::default(), Instant::now());
    let end = start + Times::PERMIT;
    let last = end - Duration::from_nanos(1);
    for (now, is_kept) in [(last, true), (end, false)] {
        permits.grant(&id(1), start);
        assert_eq!(permits.room(now), Some((now, usize::from(is_kept))));
        assert_eq!(permits.take(&id(1), now), is_kept);
        if is_kept {
            permits.give_back();
        }
    }
    for n in 0..16 {
        permits.grant(&id(n), start);
    }
    assert_eq!(permits.room(last), Some((end, 15)), "no room before one of them has expired");
    permits.grant(&id(16), end);
    assert_eq!(permits.granted.len(), 1, "those that were not taken are forgotten");
}

#[test]
fn those_that_wait_stand_still_two_seconds_after_the_last_write_was_served() {
    let (mut permits, start) = (Permits::default(), Instant::now());
    assert_eq!(permits.stuck_at(), None);
    permits.wait(&id(1), Lane::Spec, &ns(), start);
    permits.wait(&id(2), Lane::Spec, &ns(), start + SLOT);
    assert_eq!(permits.stuck_at(), Some(start + Times::STANDSTILL));
    assert_eq!(permits.all_waiting(), [id(1), id(2)]);
    permits.served(start + 2 * SLOT);
    assert_eq!(permits.stuck_at(), Some(start + 2 * SLOT + Times::STANDSTILL));
    assert!(permits.forget(&id(1)) && permits.forget(&id(2)));
    assert_eq!((permits.stuck_at(), permits.all_waiting().len()), (None, 0));
}

/// Someone who wants to write.
#[derive(Debug, Clone)]
struct Ask {
    /// Milliseconds after the one before.
    after: u64,
    namespace: usize,
    lane: Lane,
    /// What becomes of the permit, so many milliseconds after it was taken.
    used: Use,
    takes: u64,
}

#[derive(Debug, Clone, Copy)]
enum Use {
    Write,
    GiveBack,
    /// Its resource is gone before it takes the permit: that ends by itself.
    Nothing,
}

const NAMESPACES: usize = 4;

fn asks() -> impl Strategy<Value = Vec<Ask>> {
    let lane = prop::sample::select(vec![Lane::Spec, Lane::Drift, Lane::Report]);
    let used = prop::sample::select(vec![Use::Write, Use::Write, Use::GiveBack, Use::Nothing]);
    let ask = (0..20_u64, 0..NAMESPACES, lane, used, 0..60_u64).prop_map(
        |(after, namespace, lane, used, takes)| Ask { after, namespace, lane, used, takes },
    );
    prop::collection::vec(ask, 1..120)
}

/// One who waits, and who was there before.
struct Waits<'a> {
    ask: &'a Ask,
    /// Permits granted before it asked.
    granted: usize,
    /// Those of its lane and namespace that waited before it.
    ahead: usize,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    /// Whoever asks, and whatever becomes of the permits: everyone gets one, in the order of the
    /// lanes and round robin over the namespaces, no second has more than its writes, and no more than
    /// sixteen are permitted or under way.
    #[test]
    fn permits_are_fair_and_none_is_lost(asks in asks(), flight in 0_u64..1_500) {
        let millis = Duration::from_millis;
        let namespaces: Vec<Arc<str>> = (0..NAMESPACES).map(|n| format!("ns-{n}").into()).collect();
        let mut account = account();
        let mut now = Instant::now();
        let mut coming: Vec<(Instant, DeploymentId, &Ask)> = Vec::new();
        for (ask, n) in asks.iter().zip(0..) {
            let at = coming.last().map_or(now, |(at, ..)| *at) + millis(ask.after);
            coming.push((at, id(n), ask));
        }
        // 20 a second, or 16 in the time that a permit or a write takes at most.
        let slot = 55.max((flight + 60) / 16).max(70);
        let all_slots = millis(slot * u64::try_from(asks.len()).unwrap());
        let end = coming.last().map_or(now, |(at, ..)| *at) + all_slots + 2 * Times::PERMIT;
        let mut coming = coming.into_iter().peekable();
        let mut waiting: BTreeMap<DeploymentId, Waits<'_>> = BTreeMap::new();
        let mut taken: Vec<(Instant, DeploymentId, Use)> = Vec::new();
        let mut flying: Vec<(Instant, Ticket)> = Vec::new();
        let mut untaken: Vec<Instant> = Vec::new();
        let (mut granted, mut sent) = (0, Vec::new());
        while now < end {
            for (_, ticket) in flying.extract_if(.., |(at, _)| *at <= now) {
                account.ended(&ticket, None, now, 0.0);
            }
            untaken.retain(|until| now < *until);
            while let Some((_, id, ask)) = coming.next_if(|(at, ..)| *at <= now) {
                if account.permit(&id, ask.lane, &namespaces[ask.namespace], now) {
                    taken.push((now + millis(ask.takes), id, ask.used));
                } else {
                    let is_ahead = |other: &&Waits<'_>| {
                        (other.ask.lane, other.ask.namespace) == (ask.lane, ask.namespace)
                    };
                    let ahead = waiting.values().filter(is_ahead).count();
                    waiting.insert(id, Waits { ask, granted, ahead });
                }
            }
            while let Some(id) = account.grant(now) {
                granted += 1;
                let Waits { ask, granted: before, ahead } = waiting.remove(&id).unwrap();
                prop_assert!(waiting.values().all(|other| other.ask.lane >= ask.lane));
                if ask.lane == Lane::Spec {
                    prop_assert!(granted - before <= (ahead + 1) * NAMESPACES, "{id} waited longer");
                }
                if matches!(ask.used, Use::Nothing) {
                    untaken.push(now + Times::PERMIT);
                } else {
                    prop_assert!(account.permit(&id, ask.lane, &namespaces[ask.namespace], now));
                    taken.push((now + millis(ask.takes), id, ask.used));
                }
            }
            prop_assert!(untaken.len() + taken.len() + flying.len() <= WRITES_AT_ONCE);
            for (_, id, used) in taken.extract_if(.., |(at, ..)| *at <= now).collect::<Vec<_>>() {
                match used {
                    Use::Write => match account.admit_write(now) {
                        Admission::Now(ticket) => {
                            sent.push(now);
                            flying.push((now + millis(flight), ticket));
                        }
                        Admission::At(at) => taken.push((at, id, used)),
                        Admission::Closed => prop_assert!(false, "{id}: nothing has closed"),
                    },
                    Use::GiveBack | Use::Nothing => account.give_back(),
                }
            }
            now += millis(5);
        }
        prop_assert!(coming.next().is_none() && waiting.is_empty(), "{} wait", waiting.len());
        let writes = asks.iter().filter(|ask| matches!(ask.used, Use::Write)).count();
        prop_assert_eq!(sent.len(), writes);
        for window in sent.windows(21) {
            prop_assert!(window[20] - window[0] >= Duration::from_secs(1));
        }
    }
}
