//! Lists fail and GETs are answered: what a list is told says nothing of GETs.

use std::time::Duration;

use qoder_simulator::{Fault, Operation};

use crate::{
    bed::{Bed, POLL, Setup, in_virtual_time},
    log::keep_log,
    logs::lines,
    waits::{fleet, fleet_of},
    wire::Kind,
};

const SECOND: Duration = Duration::from_secs(1);

/// Lists ask for a wait and GETs are answered; one GET of all is answered by a proxy.
#[test]
fn lists_that_ask_to_wait_hold_lists_only_also_where_one_get_goes_astray() {
    let mut found = Vec::new();
    for status in [503, 429] {
        in_virtual_time(async {
            let bed = fleet(20).await;
            let sorry = Fault::respond(status).header("retry-after", "600").on(Operation::List);
            bed.simulator.inject(sorry.always());
            bed.pass(3 * 600 * SECOND + 2 * POLL).await;
            let blind = |bed: &Bed| {
                (0..19).filter(|i| bed.ready(&format!("r{i}")) != "True InSync").count()
            };
            assert_eq!(blind(&bed), 0, "lists only");
            let astray = Fault::respond(404).html().on(Operation::Get).id(&bed.ids[19]);
            bed.simulator.inject(astray.always());
            let lists = bed.wire.sent(Kind::List).len();
            let mut worst = 0;
            for _ in 0..300 {
                bed.pass(10 * SECOND).await;
                worst = worst.max(blind(&bed));
            }
            let lists = bed.wire.sent(Kind::List).len() - lists;
            if worst > 0 || lists > 6 {
                found.push(format!("{status}: {worst} of 19 blind, {lists} lists"));
            }
        });
    }
    assert!(found.is_empty(), "{found:?}");
}

/// Lists are throttled at each poll, and every GET is answered.
#[test]
fn useless_lists_that_are_throttled_do_not_slow_the_gets_that_are_answered() {
    for after in ["10", ""] {
        in_virtual_time(async {
            let mut setup = Setup::with(200);
            setup.seed = 11;
            let mut bed = Bed::prepare(setup).await;
            bed.run();
            for i in 0..200 {
                bed.apply(&format!("r{i}"), i, Some(false));
            }
            bed.until("r199", "True InSync", 60 * SECOND).await;
            let mut sorry = Fault::respond(429).on(Operation::List);
            if !after.is_empty() {
                sorry = sorry.header("retry-after", after);
            }
            bed.simulator.inject(sorry.always());
            bed.pass(20 * POLL).await;
            bed.forget();
            let gets = bed.wire.sent(Kind::Get).len();
            let mut worst = 0;
            for _ in 0..60 {
                bed.pass(10 * SECOND).await;
                let blind = (0..200).filter(|i| bed.ready(&format!("r{i}")) != "True InSync");
                worst = worst.max(blind.count());
            }
            let gets = bed.wire.sent(Kind::Get).len() - gets;
            let is_refused = |call: &String| call.starts_with("get") && !call.ends_with("200");
            assert_eq!(bed.calls().iter().filter(|call| is_refused(call)).count(), 0);
            assert_eq!(worst, 0, "Retry-After {after:?}: {gets} GETs in ten minutes, all answered");
        });
    }
}

/// Small fleets, short polls: as `useless_lists_that_are_throttled_...`.
#[test]
fn useless_lists_that_are_throttled_blind_no_small_fleet_that_is_polled_often() {
    let mut found = Vec::new();
    for (poll, n, after) in
        [(1, 10, ""), (5, 30, "5"), (10, 60, "10"), (20, 100, "20"), (30, 200, "")]
    {
        in_virtual_time(async {
            let mut setup = Setup::with(n);
            setup.times.poll_interval = poll * SECOND;
            let bed = fleet_of(n, setup).await;
            let mut sorry = Fault::respond(429).on(Operation::List);
            if !after.is_empty() {
                sorry = sorry.header("retry-after", after);
            }
            bed.simulator.inject(sorry.always());
            bed.pass(200 * SECOND).await;
            let mut worst = 0;
            let mut writes = 0;
            for i in 0..n {
                writes += bed.status_writes(&format!("r{i}")).len();
            }
            for _ in 0..100 {
                bed.pass(2 * SECOND).await;
                let blind = (0..n).filter(|i| bed.ready(&format!("r{i}")) != "True InSync");
                worst = worst.max(blind.count());
            }
            let mut after_it = 0;
            for i in 0..n {
                after_it += bed.status_writes(&format!("r{i}")).len();
            }
            let writes = after_it - writes;
            if worst > 0 {
                found.push(format!("P {poll} s: {worst} of {n} blind, {writes} status writes"));
            }
        });
    }
    assert!(found.is_empty(), "{found:#?}");
}

/// Lists are useless, and one POST meets a 401.
#[test]
fn a_rejected_credential_is_not_hammered_while_lists_are_useless() {
    let mut found = Vec::new();
    for (status, poll) in [(503, 300), (429, 300), (429, 3600), (503, 30)] {
        in_virtual_time(async {
            let mut setup = Setup::with(3);
            setup.times.poll_interval = poll * SECOND;
            let bed = fleet_of(3, setup).await;
            bed.simulator.inject(Fault::respond(status).on(Operation::List).always());
            bed.pass(3 * poll * SECOND + 10 * SECOND).await;
            assert_eq!(bed.ready("r1"), "True InSync");
            bed.simulator.inject(Fault::respond(401).on(Operation::Pause));
            let before = bed.wire.sent(Kind::List).len();
            bed.flip("r0", true);
            bed.pass(100 * SECOND).await;
            let lists = bed.wire.sent(Kind::List).len() - before;
            let ready = bed.ready("r0");
            if lists > 10 || ready != "True InSync" {
                found.push(format!("P {poll} s, {status}: {lists} lists in 100 s, {ready}"));
            }
        });
    }
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn lists_that_hang_cost_each_deployment_one_get_a_poll() {
    in_virtual_time(async {
        let bed = fleet(20).await;
        bed.simulator.inject(Fault::hang_before().on(Operation::List).always());
        let gets = gets_a_poll(&bed).await;
        assert!(gets <= 22, "{gets} GETs a poll for 20 deployments");
    });
}

#[test]
fn what_the_first_page_has_shown_is_not_read_again_because_the_second_fails() {
    in_virtual_time(async {
        let mut setup = Setup::with(150);
        setup.simulator.dialect = qoder_simulator::Dialect::D2;
        let mut bed = Bed::prepare(setup).await;
        bed.run();
        for i in 0..150 {
            bed.apply(&format!("r{i}"), i, Some(i % 2 == 0));
        }
        bed.pass(60 * SECOND).await;
        assert_eq!(bed.ready("r149"), "True InSync");
        // What is on the second page cannot be read.
        let mut counts = Vec::new();
        for _ in 0..26 {
            bed.simulator.clear_faults();
            bed.simulator.inject(Fault::truncate().on(Operation::List).skip(1).always());
            bed.forget();
            bed.pass(POLL).await;
            counts.push(bed.calls().iter().filter(|call| call.starts_with("get")).count());
        }
        assert!(counts[20..].iter().all(|gets| *gets <= 60), "50 are on that page: {counts:?}");
    });
}

/// Lists are refused, and one GET of all goes astray.
#[test]
fn useless_lists_are_told_once_also_where_one_get_goes_astray() {
    in_virtual_time(async {
        let bed = fleet(20).await;
        keep_log();
        bed.simulator.inject(Fault::respond(403).on(Operation::List).always());
        bed.simulator
            .inject(Fault::respond(404).html().on(Operation::Get).id(&bed.ids[19]).always());
        bed.pass(60 * POLL).await;
        let fail = lines("lists of deployments fail").len();
        let again = lines("lists of deployments are tried again").len();
        assert!(fail <= 2 && again <= 1, "{fail} x fail, {again} x tried again in half an hour");
    });
}

/// An outage that begins while lists are useless: one request at a time.
#[test]
fn an_outage_costs_few_calls_also_where_lists_were_useless_before() {
    in_virtual_time(async {
        let bed = fleet(20).await;
        bed.simulator.inject(Fault::respond(503).on(Operation::List).always());
        bed.pass(10 * POLL).await;
        bed.simulator.inject(Fault::respond(503).always());
        bed.pass(10 * POLL).await;
        bed.forget();
        bed.pass(20 * POLL).await;
        let calls = bed.calls().len();
        assert!(calls <= 85, "{calls} calls in ten minutes");
        bed.simulator.clear_faults();
        bed.until("r19", "True InSync", 2 * POLL).await;
    });
}

/// GETs in each poll, where lists are useless.
async fn gets_a_poll(bed: &Bed) -> usize {
    bed.pass(20 * POLL).await;
    bed.forget();
    bed.pass(20 * POLL).await;
    bed.calls().iter().filter(|call| call.starts_with("get")).count() / 20
}

/// Nine GETs of twenty go astray: what the others ask for does not wait for the next poll.
#[test]
fn a_flip_is_not_delayed_by_others_whose_gets_go_astray() {
    in_virtual_time(async {
        let bed = fleet(20).await;
        bed.simulator.inject(Fault::respond(403).on(Operation::List).always());
        for id in &bed.ids[11..] {
            bed.simulator.inject(Fault::respond(404).html().on(Operation::Get).id(id).always());
        }
        bed.pass(10 * POLL).await;
        let mut waits = Vec::new();
        for n in 0..20_u32 {
            let start = tokio::time::Instant::now();
            bed.flip("r0", n % 2 == 0);
            bed.until("r0", "True InSync", 3 * POLL).await;
            waits.push(start.elapsed().as_secs());
            bed.pass(7 * SECOND).await;
        }
        assert!(waits.iter().all(|wait| *wait <= 5), "{waits:?}");
    });
}
