//! The same seed and the same inputs give the same calls on both sides, at the same times.

use std::time::Duration;

use qoder_simulator::{Fault, Operation};

use crate::{
    bed::{Bed, POLL, Setup, in_virtual_time},
    wire::{Kind, Moment},
};

const SECOND: Duration = Duration::from_secs(1);
const FLEET: usize = 40;

/// Each call to either side: when, what, and the id that the client gave it.
fn run(seed: u64) -> Vec<String> {
    in_virtual_time(async {
        let mut bed = Bed::prepare(Setup { seed, ..Setup::with(FLEET) }).await;
        bed.run();
        for i in 0..FLEET {
            bed.apply(&format!("r{i}"), i, Some(i % 3 == 0));
        }
        bed.pass(5 * SECOND).await;
        let held = bed.wire.hold(Kind::Write, Moment::After);
        bed.simulator.inject(Fault::respond(500).on(Operation::Unpause).times(5));
        bed.simulator.inject(Fault::respond(429).on(Operation::Pause).times(3));
        for i in 0..FLEET {
            bed.flip(&format!("r{i}"), i % 3 != 0);
        }
        bed.pass(2 * SECOND).await;
        held.release();
        bed.pass(SECOND / 2).await;
        bed.server.watches().iter().for_each(apiserver::Watch::sever);
        bed.simulator.inject(Fault::respond(503).on(Operation::List).times(2));
        bed.simulator.set_paused(&bed.ids[7], false);
        bed.pass(5 * POLL).await;

        let remote = bed.simulator.journal().into_iter().zip(bed.calls()).map(|(entry, call)| {
            format!("{:?} remote {call} {}", entry.at, entry.request_id.unwrap_or_default())
        });
        let kubernetes = bed.server.journal().into_iter().map(|entry| {
            let (verb, name, code) = (entry.verb, &entry.name, entry.code);
            format!("{:?} kubernetes {verb:?} {name} {} {code:?}", entry.at, entry.subresource)
        });
        remote.chain(kubernetes).collect()
    })
}

#[test]
fn the_same_seed_gives_the_same_calls_and_another_seed_other_times() {
    let first = run(1);
    assert!(first.len() > 3 * FLEET, "{}", first.len());
    let second = run(1);
    let difference = first.iter().zip(&second).find(|(first, second)| first != second);
    assert_eq!(difference, None);
    assert_eq!(first.len(), second.len());
    assert_ne!(first, run(2));
}
