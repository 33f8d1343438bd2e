use std::{collections::BTreeMap, time::Duration};

use proptest::prelude::*;

use super::*;

const TIMES: Times =
    Times { poll_interval: Duration::from_secs(30), request_timeout: Duration::from_secs(15) };

fn account() -> Account {
    let source = TokenSource::Environment(Token::parse(b"pt-obviously-fake"));
    let rates = Rates { reads_per_second: 50, writes_per_second: 20 };
    let mut account = Account::new(source, rates, TIMES);
    assert!(account.reload().unwrap());
    account
}

fn id(n: u32) -> DeploymentId {
    DeploymentId::try_from(format!("dep_{n}").as_str()).unwrap()
}

fn status(status: u16) -> ApiError {
    let status = StatusCode::from_u16(status).unwrap();
    ApiError::Status { status, from_api: None, retry_after: None }
}

fn is_admitted(account: &mut Account, now: Instant) -> bool {
    matches!(account.admit_read(now), Admission::Now(_))
}

#[test]
fn a_401_stops_the_credential_and_few_probes_go_out() {
    let mut account = account();
    let start = Instant::now();
    assert!(is_admitted(&mut account, start));
    assert!(account.ended((Kind::Read, 1), Some(&status(401)), start, 0.0), "its worth changed");
    assert_eq!(account.worth(), Worth::Rejected { since: start });

    // An hour of asking each second: probes after 30, 60, 120, 240, 480 and then 600 s each.
    let mut probes = Vec::new();
    for second in 1..3600 {
        let now = start + Duration::from_secs(second);
        if is_admitted(&mut account, now) {
            probes.push(second);
            account.ended((Kind::Read, 1), Some(&status(401)), now, 0.0);
        }
    }
    assert_eq!(probes, [30, 90, 210, 450, 930, 1530, 2130, 2730, 3330]);
    assert!(account.next_grant(start).is_none(), "and no write at all");
}

#[test]
fn one_probe_at_a_time_and_only_an_answer_frees_the_credential() {
    let mut account = account();
    let start = Instant::now();
    account.ended((Kind::Read, 1), Some(&status(401)), start, 0.0);
    let probe = start + TIMES.credential_probe(0);
    assert!(is_admitted(&mut account, probe));
    assert!(!is_admitted(&mut account, probe), "one is under way");
    let lost = ApiError::Send(SendError::TimedOut);
    assert!(!account.ended((Kind::Read, 1), Some(&lost), probe, 0.0));
    assert!(matches!(account.worth(), Worth::Rejected { .. }), "a timeout says nothing");

    let again = probe + TIMES.credential_probe(0);
    assert!(is_admitted(&mut account, again));
    assert!(account.ended((Kind::Read, 1), None, again, 0.0));
    assert_eq!(account.worth(), Worth::Usable);
}

#[test]
fn a_page_that_is_halved_again_and_again_does_not_open_the_breaker() {
    let mut account = account();
    let now = Instant::now();
    for _ in 0..Times::BREAKER_FAILURES {
        let too_large = ApiError::Send(SendError::TooLarge(1));
        account.ended((Kind::Read, 1), Some(&too_large), now, 0.0);
    }
    assert!(!account.is_breaker_open(), "the API has answered each time");
}

#[test]
fn a_401_for_the_old_token_says_nothing_about_the_new_one() {
    let mut account = account();
    let old = account.epoch();
    account.source = TokenSource::Environment(Token::parse(b"pt-another-fake"));
    assert!(account.reload().unwrap());
    assert!(!account.ended((Kind::Read, old), Some(&status(401)), Instant::now(), 0.0));
    assert_eq!(account.worth(), Worth::Usable);
}

#[test]
fn turns_are_granted_one_by_one_evenly_and_unused_ones_pass_on() {
    let mut account = account();
    let namespace = Arc::from("ns");
    let start = Instant::now();
    assert!(matches!(account.turn(&id(1), Lane::Spec, &namespace, start), Turn::Yours(_)));
    account.send_write(&id(1), start).unwrap();
    for n in [2, 3, 4] {
        assert!(matches!(account.turn(&id(n), Lane::Spec, &namespace, start), Turn::Wait));
    }
    assert_eq!(account.grant(start), None, "not yet");
    let next = account.next_grant(start).unwrap();
    assert_eq!(next, start + Duration::from_millis(50));
    assert_eq!(account.grant(next), Some(id(2)));
    assert!(matches!(account.turn(&id(2), Lane::Spec, &namespace, next), Turn::Yours(_)));
    account.send_write(&id(2), next).unwrap();

    // 3 gets a turn and does not use it; 4 is not held up by it for more than its second.
    let third = account.next_grant(next).unwrap();
    assert_eq!(account.grant(third), Some(id(3)));
    account.give_back(&id(3));
    let fourth = account.next_grant(third).unwrap();
    assert_eq!(fourth, third + Duration::from_millis(50));
    assert_eq!(account.grant(fourth), Some(id(4)));
    assert_eq!(account.waiting(), 0);
}

/// Someone who wants to write.
#[derive(Debug, Clone)]
struct Ask {
    /// Milliseconds after the one before.
    after: u64,
    namespace: usize,
    lane: Lane,
    /// What becomes of the turn, so many milliseconds after it was given.
    used: Use,
    takes: u64,
}

#[derive(Debug, Clone, Copy)]
enum Use {
    Write,
    GiveBack,
    /// Its resource is gone: the turn ends by itself.
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
    /// Turns granted before it asked.
    granted: usize,
    /// Those of its lane and namespace that waited before it.
    ahead: usize,
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(100))]
    /// Whoever asks, and whatever becomes of the turns: everyone gets one, in the order of the
    /// lanes and round robin over the namespaces, and no second has more than its writes.
    #[test]
    fn turns_are_fair_and_none_is_lost(asks in asks()) {
        let millis = Duration::from_millis;
        let namespaces: Vec<Arc<str>> = (0..NAMESPACES).map(|n| format!("ns-{n}").into()).collect();
        let mut account = account();
        let mut now = Instant::now();
        let mut coming: Vec<(Instant, DeploymentId, &Ask)> = Vec::new();
        for (ask, n) in asks.iter().zip(0..) {
            let at = coming.last().map_or(now, |(at, ..)| *at) + millis(ask.after);
            coming.push((at, id(n), ask));
        }
        // 20 a second, and a second for the last turns that nobody uses.
        let all_slots = millis(55 * u64::try_from(asks.len()).unwrap());
        let end = coming.last().map_or(now, |(at, ..)| *at) + all_slots + 2 * Times::PERMIT;
        let mut coming = coming.into_iter().peekable();
        let mut waiting: BTreeMap<DeploymentId, Waits<'_>> = BTreeMap::new();
        let mut held: Vec<(Instant, DeploymentId, Use)> = Vec::new();
        let (mut granted, mut sent) = (0, Vec::new());
        while now < end {
            while let Some((_, id, ask)) = coming.next_if(|(at, ..)| *at <= now) {
                match account.turn(&id, ask.lane, &namespaces[ask.namespace], now) {
                    Turn::Yours(_) => held.push((now + millis(ask.takes), id, ask.used)),
                    Turn::Wait => {
                        let is_ahead = |other: &&Waits<'_>| {
                            (other.ask.lane, other.ask.namespace) == (ask.lane, ask.namespace)
                        };
                        let ahead = waiting.values().filter(is_ahead).count();
                        waiting.insert(id, Waits { ask, granted, ahead });
                    }
                }
            }
            while let Some(id) = account.grant(now) {
                granted += 1;
                let Waits { ask, granted: before, ahead } = waiting.remove(&id).unwrap();
                prop_assert!(waiting.values().all(|other| other.ask.lane >= ask.lane));
                if ask.lane == Lane::Spec {
                    prop_assert!(granted - before <= (ahead + 1) * NAMESPACES, "{id} waited longer");
                }
                held.push((now + millis(ask.takes), id, ask.used));
            }
            for (_, id, used) in held.extract_if(.., |(at, ..)| *at <= now).collect::<Vec<_>>() {
                match used {
                    Use::Write => match account.send_write(&id, now) {
                        Ok(()) => sent.push(now),
                        Err(at) => held.push((at, id, used)),
                    },
                    Use::GiveBack => account.give_back(&id),
                    Use::Nothing => {}
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
