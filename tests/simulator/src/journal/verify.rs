//! Whether the calls in the journal are those that were expected. Pure.

use std::collections::VecDeque;
use std::fmt::Write as _;

use serde::Deserialize;

use super::{Entry, Filter};
use crate::route::Operation;

/// What a test expects of its client.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Expectation {
    /// The calls.
    pub(crate) calls: Vec<Filter>,
    /// Whether they come in this order.
    #[serde(default)]
    pub(crate) order: Order,
    /// Whether others may come too.
    #[serde(default)]
    pub(crate) amount: Amount,
    /// Only calls of these operations are looked at; empty: all.
    #[serde(default)]
    pub(crate) only: Vec<Operation>,
    /// Only calls after this entry are looked at.
    #[serde(default)]
    pub(crate) since: u64,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    #[default]
    Any,
    AsGiven,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Amount {
    #[default]
    Exactly,
    AtLeast,
}

/// Compares the entries with what is expected. The error is a text for a person: a line for each call, `-` where one is missing,
/// `+` where one was not expected.
pub(crate) fn verify(expected: &Expectation, mut entries: Vec<&Entry>) -> Result<(), String> {
    entries.retain(|entry| expected.only.is_empty() || expected.only.contains(&entry.operation));
    // For each expected call, the entry that is it.
    let found = match expected.order {
        Order::Any => in_any_order(&expected.calls, &entries),
        Order::AsGiven => as_given(&expected.calls, &entries),
    };
    let is_missing = found.iter().any(Option::is_none);
    let has_others = found.iter().flatten().count() < entries.len();
    if !is_missing && (expected.amount == Amount::AtLeast || !has_others) {
        return Ok(());
    }
    Err(difference(expected, &entries, &found))
}

/// The earliest entries that fit, each later than the one before.
fn as_given(calls: &[Filter], entries: &[&Entry]) -> Vec<Option<usize>> {
    let mut next = 0;
    let find = |call: &Filter| {
        let rest = entries.iter().enumerate().skip(next);
        let found = rest.clone().find(|(_, entry)| call.fits(entry)).map(|(index, _)| index);
        if let Some(index) = found {
            next = index + 1;
        }
        found
    };
    calls.iter().map(find).collect()
}

/// As many pairs as there can be: one call may fit what another needs more.
fn in_any_order(calls: &[Filter], entries: &[&Entry]) -> Vec<Option<usize>> {
    let mut pairs = Pairs {
        found: vec![None; calls.len()],
        owners: vec![None; entries.len()],
        reached: vec![None; entries.len()],
    };
    for call in 0..calls.len() {
        pairs.place(call, calls, entries);
    }
    pairs.found
}

/// Calls and entries that belong together, as far as they are placed.
struct Pairs {
    /// For each call, its entry.
    found: Vec<Option<usize>>,
    /// For each entry, its call.
    owners: Vec<Option<usize>>,
    /// For each entry, the call that has looked at it since the last one was placed.
    reached: Vec<Option<usize>>,
}

impl Pairs {
    /// Finds an entry for a call, and another one for each whose entry is taken for that.
    fn place(&mut self, call: usize, calls: &[Filter], entries: &[&Entry]) {
        let mut queue = VecDeque::from([call]);
        while let Some(call) = queue.pop_front() {
            let Some(filter) = calls.get(call) else { continue };
            let looked_at = entries.iter().zip(&mut self.reached).zip(&self.owners).enumerate();
            let mut free = None;
            for (index, ((entry, reached), owner)) in looked_at {
                if reached.is_some() || !filter.fits(entry) {
                    continue;
                }
                *reached = Some(call);
                let Some(owner) = owner else {
                    free = Some(index);
                    break;
                };
                queue.push_back(*owner);
            }
            if let Some(free) = free {
                self.hand_over(free);
                // What led nowhere leads nowhere still, unless something was placed.
                self.reached.fill(None);
                return;
            }
        }
    }

    /// Gives a free entry to the call that has looked at it, that one's entry to the call before, and so on.
    fn hand_over(&mut self, free: usize) {
        let mut next = Some(free);
        while let Some(entry) = next {
            let Some(call) = self.reached.get(entry).copied().flatten() else { return };
            if let Some(owner) = self.owners.get_mut(entry) {
                *owner = Some(call);
            }
            next = self.found.get_mut(call).and_then(|found| found.replace(entry));
        }
    }
}

fn difference(expected: &Expectation, entries: &[&Entry], found: &[Option<usize>]) -> String {
    let mut text = String::from("the calls are not those that were expected:\n");
    // Whatever is written to a string is written.
    for (call, _) in expected.calls.iter().zip(found).filter(|(_, found)| found.is_none()) {
        let _ = writeln!(text, "- {}", call_line(call));
    }
    for (index, entry) in entries.iter().enumerate() {
        let is_expected = found.contains(&Some(index));
        let mark = if is_expected || expected.amount == Amount::AtLeast { ' ' } else { '+' };
        let _ = writeln!(text, "{mark} {}", entry_line(entry));
    }
    text
}

fn call_line(call: &Filter) -> String {
    let mut line = call.operation.map_or("any operation", Operation::name).to_owned();
    if let Some(id) = &call.id {
        let _ = write!(line, " {id}");
    }
    if let Some(status) = call.status {
        let _ = write!(line, " {status}");
    }
    if let Some(effect) = call.effect {
        let _ = write!(line, " {}", if effect { "with effect" } else { "without effect" });
    }
    if let Some(finished) = call.finished {
        let _ = write!(line, " {}", if finished { "finished" } else { "unfinished" });
    }
    line
}

fn entry_line(entry: &Entry) -> String {
    let Entry { seq, operation, id, status, effect, .. } = entry;
    let status = status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let effect = if *effect { "with effect" } else { "without effect" };
    let id = id.as_ref().map_or_else(String::new, |id| format!(" {id}"));
    format!("{}{id} {status} {effect} (entry {seq})", operation.name())
}
