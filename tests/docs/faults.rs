//! The tables of faults are the catalogue, and the tests that they name are there.

use std::collections::BTreeSet;

use super::{generate, read};
use crate::catalogue::{Cost, REMOTE, ROWS, Remote, Request};

const PAGE: &str = "docs/reliability.md";

#[test]
fn every_fault_is_in_its_table() {
    let cost = |fault: &Remote| match fault.cost {
        Cost::Nothing => "0",
        Cost::Again => "1",
        Cost::Late => "1, if it is sent before that",
        Cost::Conflict => "1, which is answered 409",
    };
    let rows = REMOTE.iter().map(|fault| {
        let request = format!("{:?}", fault.request).to_uppercase();
        let like = fault.like.unwrap_or("-");
        format!("| {request} | {} | {} | {} | {like} |", fault.name, cost(fault), fault.statuses)
    });
    let header = "| request | fault | POSTs more | statuses more | in pairs as |";
    generate(PAGE, header, &rows.collect::<Vec<_>>());

    let rows = ROWS.iter().map(|row| {
        let tests: Vec<_> = row.tests.iter().map(|test| format!("`{test}`")).collect();
        format!("| {} | {} | {} | {} |", row.place, row.fault, row.cost, tests.join(", "))
    });
    generate(PAGE, "| where | fault | what it costs | shown by |", &rows.collect::<Vec<_>>());
}

#[test]
fn the_tests_of_the_catalogue_are_there_and_no_fault_is_there_twice() {
    for test in ROWS.iter().flat_map(|row| row.tests) {
        let (file, name) = test.split_once("::").unwrap();
        let text = read(&format!("tests/{file}.rs"));
        assert!(text.contains(&format!("fn {name}(")), "there is no test {test}");
    }
    let names: BTreeSet<_> = ROWS.iter().map(|row| (row.place, row.fault)).collect();
    assert_eq!(names.len(), ROWS.len());
    for request in [Request::Post, Request::Get, Request::List] {
        let of = || REMOTE.iter().filter(move |fault| fault.request == request);
        let names: BTreeSet<_> = of().map(|fault| fault.name).collect();
        assert_eq!(names.len(), of().count());
        // What stands for another one in pairs is there, and has none that stands for it.
        for like in of().filter_map(|fault| fault.like) {
            assert!(of().any(|fault| fault.name == like && fault.like.is_none()), "{like}");
        }
    }
}
