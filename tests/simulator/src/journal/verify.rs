//! Whether the calls in the journal are those that were expected. Pure.

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
pub(crate) fn verify(expected: &Expectation, entries: &[Entry]) -> Result<(), String> {
    let is_seen =
        |entry: &&Entry| expected.only.is_empty() || expected.only.contains(&entry.operation);
    let entries: Vec<&Entry> = entries.iter().filter(is_seen).collect();
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
    let mut owners: Vec<Option<usize>> = vec![None; entries.len()];
    for call in 0..calls.len() {
        place(call, calls, entries, &mut owners, &mut vec![false; entries.len()]);
    }
    let entry_of = |call: usize| owners.iter().position(|owner| *owner == Some(call));
    (0..calls.len()).map(entry_of).collect()
}

/// Finds an entry for a call, and for those whose entries it takes another one.
fn place(
    call: usize,
    calls: &[Filter],
    entries: &[&Entry],
    owners: &mut [Option<usize>],
    tried: &mut [bool],
) -> bool {
    for (index, entry) in entries.iter().enumerate() {
        let is_new = tried.get(index) == Some(&false);
        if !is_new || !calls.get(call).is_some_and(|call| call.fits(entry)) {
            continue;
        }
        if let Some(tried) = tried.get_mut(index) {
            *tried = true;
        }
        let owner = owners.get(index).copied().flatten();
        if owner.is_none_or(|owner| place(owner, calls, entries, owners, tried)) {
            if let Some(place) = owners.get_mut(index) {
                *place = Some(call);
            }
            return true;
        }
    }
    false
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
    let _ = write!(line, " {}", call.id.as_deref().unwrap_or_default());
    if let Some(status) = call.status {
        let _ = write!(line, " {status}");
    }
    if let Some(effect) = call.effect {
        let _ = write!(line, " {}", if effect { "with effect" } else { "without effect" });
    }
    line
}

fn entry_line(entry: &Entry) -> String {
    let Entry { seq, operation, id, status, effect, .. } = entry;
    let status = status.map_or_else(|| "-".to_owned(), |status| status.to_string());
    let effect = if *effect { "with effect" } else { "without effect" };
    format!(
        "{} {} {status} {effect} (entry {seq})",
        operation.name(),
        id.as_deref().unwrap_or_default()
    )
}
