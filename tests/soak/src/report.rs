//! What a person needs who looks for a fault.

use crate::{Outcome, Script, play, shrink};

/// What was broken, if anything: the seed, the shortest script that still breaks it, and how to see it again.
#[must_use]
pub fn report(script: &Script, outcome: &Outcome) -> Option<String> {
    let violation = outcome.violation.as_ref()?;
    let kept = shrink(script, violation.property);
    let shortest = script.keep(&kept);
    let events = shortest.events.iter();
    let events: Vec<_> =
        events.map(|event| format!("  {:?}: {:?}\n", event.at, event.step)).collect();
    let numbers: Vec<_> = kept.iter().map(ToString::to_string).collect();
    let last = play(&shortest).violation.map(|violation| violation.what).unwrap_or_default();
    let Script { seed, rounds, .. } = script;
    Some(format!(
        "seed {seed}: {} is broken after {:?}: {}\nthe shortest script:\n{}{last}\nagain: soak --seed {seed} --rounds {rounds} --keep={}\n",
        violation.property,
        violation.at,
        violation.what,
        events.concat(),
        numbers.join(",")
    ))
}
