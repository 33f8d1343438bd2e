use super::*;

#[test]
fn what_was_never_read_is_not_known() {
    let start = Instant::now();
    let mut world = World::new(start);
    assert_eq!(world.knowledge(start), Knowledge::Nothing);
    world.cache.unbind(&world.resource.deployment);
    assert_eq!(world.knowledge(start), Knowledge::Nothing);
}

#[test]
fn a_failure_becomes_stale_when_the_last_look_is_too_old() {
    let start = Instant::now();
    let ages = [Age::WithinGrace, Age::Stale];
    let mut world = World::new(start);
    world.fails(start, 2 * TIMES.longest_blindness());
    assert_eq!(
        around(start + TIMES.longest_blindness(), |now| world.knowledge(now)),
        ages.map(|age| failed(age, false))
    );
    world.credential.worth = Worth::Rejected { since: start };
    assert_eq!(
        around(start + TIMES.grace(), |now| world.at(now).credential),
        ages.map(CredentialState::Rejected)
    );
}

#[test]
fn a_failure_stands_until_another_look_and_only_of_a_generation_that_was_known() {
    let start = Instant::now();
    let mut world = World::seen(Answer::Active, start);
    world.fails(start + STEP, TIMES.poll_interval);
    let due = start + STEP + TIMES.poll_interval;
    assert_eq!(
        around(due, |now| world.knowledge(now)),
        [false, true].map(|due| failed(Age::WithinGrace, due))
    );
    let of_generation_seen = |seen, now| {
        let mut world = world.clone();
        world.resource.generation_seen = seen;
        world.knowledge(now)
    };
    assert_eq!(of_generation_seen(start + STEP, due - STEP), failed(Age::WithinGrace, false));
    assert_eq!(of_generation_seen(start + 2 * STEP, due - STEP), Knowledge::Nothing);
    let stale = start + TIMES.longest_blindness();
    assert_eq!(of_generation_seen(start + 2 * STEP, stale), failed(Age::Stale, true));
}

/// The next try of a deployment that cannot be read is no reason to say that all is well.
#[test]
fn a_failure_that_is_due_for_another_look_stays_unreadable() {
    let start = Instant::now();
    let mut world = World::seen(Answer::Active, start).reached();
    world.fails(start + STEP, STEP);
    let verdict = |now| world.pass(now, false).0;
    let unreadable = |age| Decision {
        step: Step::Observe,
        verdict: Verdict::Unreadable(ReadFailure::Unavailable, age),
    };
    assert_eq!(
        around(start + TIMES.longest_blindness(), verdict),
        [Age::WithinGrace, Age::Stale].map(unreadable)
    );
}

#[test]
fn only_what_no_poll_renews_is_due_for_a_slow_look() {
    let start = Instant::now();
    let look = start + TIMES.slow_look();
    for answer in ANSWERS {
        let is_renewed = matches!(answer, Answer::Active | Answer::Paused(_));
        let mut world = World::seen(answer, start);
        world.lists(look - SECOND);
        assert_eq!(
            around(look, |now| world.knowledge(now)),
            [known(answer, true), known(answer, is_renewed)]
        );
    }
}

#[test]
fn an_answer_is_overdue_three_seconds_after_the_generation_was_seen() {
    let start = Instant::now();
    let world = World::new(start);
    assert_eq!(around(start + Times::PROGRESS, |now| world.at(now).overdue), [false, true]);
}

#[test]
fn an_observation_answers_only_what_was_asked_before_its_request_started() {
    let start = Instant::now();
    let asked = start + 9 * STEP;
    let is_fresh = |answer, change: fn(&mut Resource, Instant)| {
        around(asked, |started| {
            let mut world = World::new(start).reached();
            world.sees(answer, started);
            change(&mut world.resource, asked);
            world.knowledge(asked) == known(answer, true)
        })
    };
    let generation = |resource: &mut Resource, asked| resource.generation_seen = asked;
    let reconcile = |resource: &mut Resource, asked| resource.reconcile_request = requested(asked);
    let resume = |resource: &mut Resource, asked| {
        resource.wish = Wish::Active;
        resource.resume_request = requested(asked);
    };
    let moot = |resource: &mut Resource, asked| {
        resource.wish = Wish::Paused;
        resource.resume_request = requested(asked);
    };
    assert_eq!(is_fresh(Answer::Active, moot), [true, true], "it asks for no resume");
    for answer in ANSWERS {
        assert_eq!(is_fresh(answer, generation), [false, true], "{answer:?}");
        assert_eq!(is_fresh(answer, reconcile), [false, true], "{answer:?}");
        // Only "it is active" could be said of a resume that was asked for later.
        let may_be_older = answer != Answer::Active;
        assert_eq!(is_fresh(answer, resume), [may_be_older, true], "{answer:?}");
    }
    let handled = |resource: &mut Resource, asked| {
        resource.reconcile_request = requested(asked);
        resource.memory.reconcile_handled =
            resource.reconcile_request.as_ref().map(|request| request.value.clone());
    };
    assert_eq!(is_fresh(Answer::Active, handled), [true, true]);
}

#[test]
fn what_the_ledger_calls_void_is_not_known() {
    let start = Instant::now();
    let mut world = World::seen(Answer::Active, start);
    world.write_ends(Outcome::Done, Verb::Pause, start + STEP);
    assert_eq!(world.knowledge(start + STEP), Knowledge::Nothing);
    world.sees(Answer::Active, start + STEP);
    assert_eq!(world.knowledge(start + STEP), known(Answer::Active, true));
}

/// What was seen while a lost request could still land says nothing once it can land no more.
#[test]
fn what_was_seen_before_the_end_of_a_lost_request_is_void_after_it() {
    let start = Instant::now();
    let mut world = World::new(start);
    world.write_ends(Outcome::Ambiguous, Verb::Pause, start);
    let end = start + TIMES.request_lifetime();
    world.sees(Answer::Active, end - STEP);
    assert_eq!(
        around(end, |now| world.knowledge(now)),
        [known(Answer::Active, true), Knowledge::Nothing]
    );
    world.sees(Answer::Active, end);
    assert_eq!(world.knowledge(end), known(Answer::Active, true));
}

#[test]
fn what_the_ledger_holds_ends_at_its_end() {
    let start = Instant::now();
    let mut world = World::seen(Answer::Active, start);
    let lost = start + TIMES.request_lifetime();
    world.write_ends(Outcome::Ambiguous, Verb::Pause, start);
    assert_eq!(around(lost, |now| world.at(now).pause_may_land), [true, false]);
    assert_eq!(around(lost, |now| world.at(now).unpause_may_land), [false, false]);
    let backoff = start + SECOND;
    let before_write = [BeforeWrite::Backoff, BeforeWrite::Nothing];
    assert_eq!(around(backoff, |now| world.at(now).before_write), before_write);

    world.write_ends(Outcome::Refused, Verb::Pause, start);
    let refused = start + TIMES.slow_look();
    assert_eq!(around(refused, |now| world.at(now).writes_refused), [true, false]);

    world.is_contested(start);
    assert_eq!(around(start + TIMES.hold(0), |now| world.at(now).held), [true, false]);
}

#[test]
fn a_write_that_is_under_way_makes_others_wait_and_may_land() {
    let start = Instant::now();
    for verb in [Verb::Pause, Verb::Unpause] {
        let mut world = World::seen(Answer::Active, start);
        world.write_begins(verb, start);
        let later = start + TIMES.slow_look();
        world.lists(later);
        let situation = world.at(later);
        assert_eq!(situation.before_write, BeforeWrite::UnderWay, "{verb:?}");
        assert_eq!(situation.pause_may_land, verb == Verb::Pause);
        assert_eq!(situation.unpause_may_land, verb == Verb::Unpause);
        assert_ne!(world.pass(later, false).0.step, Step::Write(Verb::Pause), "{verb:?}");

        world.write_ends(Outcome::NotServed, verb, later);
        let situation = world.at(later);
        let may_land = situation.pause_may_land || situation.unpause_may_land;
        let is_free = situation.before_write == BeforeWrite::Nothing;
        assert!(is_free && !may_land, "{verb:?}: it has ended");
    }
}

#[test]
fn another_token_makes_what_the_last_one_met_worth_another_try() {
    let start = Instant::now();
    let later = start + SECOND;
    for answer in ANSWERS {
        let mut world = World::seen(answer, start);
        world.write_ends(Outcome::Refused, Verb::Pause, start);
        assert!(world.at(later).writes_refused);
        assert_eq!(world.knowledge(later), known(answer, true));

        world.credential = Credential { epoch: 2, since: Some(later), ..world.credential };
        assert!(!world.at(later).writes_refused, "{answer:?}");
        // A poll looks anyway at what it can show.
        let is_renewed = matches!(answer, Answer::Active | Answer::Paused(_));
        assert_eq!(world.knowledge(later), known(answer, is_renewed));
        let newer_than = world.newer_than(later);
        assert_eq!(newer_than, if is_renewed { start } else { later }, "{answer:?}");
    }
}

#[test]
fn a_reconcile_request_is_worth_one_more_write_and_a_read_that_failed_another_try() {
    let start = Instant::now();
    let [refused, asked, later] = [SECOND, 2 * SECOND, 3 * SECOND].map(|after| start + after);
    let asks = |at| {
        let mut world = World::seen(Answer::Active, start).reached();
        world.resource.reconcile_request = requested(at);
        world
    };
    let mut world = asks(asked);
    world.write_ends(Outcome::Refused, Verb::Pause, refused);
    assert!(!world.at(later).writes_refused, "asked for after the refusal");
    world.write_ends(Outcome::Refused, Verb::Pause, later);
    assert!(world.at(later).writes_refused, "once: this refusal has answered it");
    world.resource.memory.reconcile_handled = Some("now".into());
    world.write_ends(Outcome::Refused, Verb::Pause, refused);
    assert!(world.at(later).writes_refused, "it is answered");

    let is_due = |asked: Instant| {
        let mut world = asks(asked);
        world.fails(refused, TIMES.poll_interval);
        world.knowledge(later) == failed(Age::WithinGrace, true)
    };
    assert_eq!(around(refused + STEP, is_due), [false, true], "asked for after that try");
}

#[test]
fn a_read_has_to_have_started_after_everything_that_it_answers() {
    let start = Instant::now();
    let [asked, now] = [start + STEP, start + 9 * STEP];
    let check_on = |base: World, expected: Instant, change: &dyn Fn(&mut World)| {
        let mut world = base.with(change);
        assert_eq!(world.newer_than(now), expected);
        world.sees(Answer::Active, expected);
        assert_eq!(world.knowledge(now), known(Answer::Active, true), "a read that new is enough");
    };
    let check = |expected, change: &dyn Fn(&mut World)| {
        check_on(World::seen(Answer::Active, start).reached(), expected, change);
    };
    check(start, &|_| {});
    check(asked, &|world| world.resource.generation_seen = asked);
    check(asked, &|world| world.resource.reconcile_request = requested(asked));
    check(asked, &|world| {
        world.resource.wish = Wish::Active;
        world.resource.resume_request = requested(asked);
    });
    check(asked, &|world| world.write_ends(Outcome::Done, Verb::Pause, asked));
    // The end of the exchange, and not yet that of what is lost.
    check(asked, &|world| world.write_ends(Outcome::Ambiguous, Verb::Pause, asked));
    check(asked, &|world| {
        world.write_ends(Outcome::Ambiguous, Verb::Pause, asked - TIMES.request_lifetime());
    });
    // A list that was under way does not count as another try.
    check(asked + TICK, &|world| world.fails(asked, STEP));
    let look = now - TIMES.slow_look();
    let looked_at = |answer| {
        let mut world = World::seen(answer, look).reached();
        world.resource.generation_seen = look;
        world
    };
    check_on(looked_at(Answer::Archived), now, &|_| {});
    check_on(looked_at(Answer::Active), look, &|world| world.lists(now));
    assert_eq!(
        looked_at(Answer::Active).newer_than(now),
        look + TICK,
        "too old to count: any look since will do"
    );
}
