//! The shortest part of a script that still breaks the same property.

use crate::{Script, play};

/// The numbers of the events that are enough to break this property.
#[must_use]
pub fn shrink(script: &Script, property: &str) -> Vec<usize> {
    fewest(script.events.len(), |kept| {
        play(&script.keep(kept)).violation.is_some_and(|violation| violation.property == property)
    })
}

/// Leaves out one part after the other of `0..count`, the large ones first, as long as it still fails. None of what is
/// left can be left out alone.
fn fewest(count: usize, fails: impl Fn(&[usize]) -> bool) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..count).collect();
    let mut part = count.div_ceil(2).max(1);
    loop {
        let before = kept.len();
        let mut at = 0;
        while at < kept.len() {
            let mut fewer = kept.clone();
            fewer.drain(at..(at + part).min(kept.len()));
            if fails(&fewer) {
                kept = fewer;
            } else {
                at += part;
            }
        }
        if part > 1 {
            part = part.div_ceil(2);
        } else if kept.len() == before {
            return kept;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_kept_and_nothing_else() {
        let fails = |kept: &[usize]| [3, 17, 18].iter().all(|n| kept.contains(n));
        assert_eq!(fewest(40, fails), [3, 17, 18]);
        assert_eq!(fewest(40, |kept| kept.len() >= 2).len(), 2);
        assert_eq!(fewest(40, |_| true), [0; 0]);
        assert_eq!(fewest(1, |kept| !kept.is_empty()), [0]);
        assert_eq!(fewest(0, |_| true), [0; 0]);
    }
}
