//! What other pages say of the bench is what docs/performance.md has.

use std::collections::BTreeSet;

use super::{read, table};

/// The figure of this row in this column, of the first table that has one.
fn measured(what: &str, column: &str) -> String {
    let page = read("docs/performance.md");
    let mut place = None;
    for line in page.lines() {
        let mut cells = line.split('|').map(str::trim);
        if line.starts_with("| what |") {
            place = cells.position(|cell| cell == column);
        } else if line.starts_with(&format!("| {what} |"))
            && let Some(cell) = place.and_then(|place| cells.nth(place)).filter(|it| !it.is_empty())
        {
            return cell.trim_end_matches(" (!)").to_owned();
        }
    }
    panic!("there is no figure of {what} in {column}");
}

/// The columns of this program that have a figure in this row, the smallest fleet first.
fn fleets(what: &str, program: &str) -> Vec<String> {
    let page = read("docs/performance.md");
    let mut columns = Vec::new();
    let mut fleets = BTreeSet::new();
    for line in page.lines() {
        let cells = line.split('|').map(str::trim);
        if line.starts_with("| what |") {
            columns =
                cells.map(|cell| cell.strip_prefix(program)?.trim().parse::<u32>().ok()).collect();
        } else if line.starts_with(&format!("| {what} |")) {
            let figures = columns.iter().zip(cells).filter(|(_, figure)| !figure.is_empty());
            fleets.extend(figures.filter_map(|(fleet, _)| *fleet));
        }
    }
    fleets.into_iter().map(|fleet| format!("{program} {fleet}")).collect()
}

/// As people list them.
fn listed(all: impl Iterator<Item = String>) -> String {
    let all: Vec<_> = all.collect();
    let (last, others) = all.split_last().unwrap();
    format!("{} and {last}", others.join(", "))
}

/// Reads in an idle hour.
fn reads(column: &str) -> String {
    number(&measured("idle: reads in an hour", column))
}

/// As people write numbers.
fn number(digits: &str) -> String {
    match digits.split_at_checked(digits.len().wrapping_sub(3)) {
        Some((thousands, rest)) if !thousands.is_empty() => format!("{thousands},{rest}"),
        _ => digits.to_owned(),
    }
}

#[test]
fn the_readme_and_the_plot_say_what_was_measured() {
    let (readme, page) = (read("README.md"), read("docs/performance.md"));
    let memory = |column| measured("idle: resident memory", column);
    let [some, many] = ["operator 1000", "operator 10000"].map(reads);
    let [plain_few, plain_some] = ["baseline 100", "baseline 1000"].map(reads);
    for said in [
        format!("| {many} with 10,000 resources, {some} with 1,000 |"),
        format!("| {plain_some} with 1,000 resources: "),
        format!("{}, where this operator has {}.", memory("baseline 100"), memory("operator 100")),
    ] {
        assert!(readme.contains(&said), "{said}");
    }
    let both = |what| {
        let all = |program| listed(fleets(what, program).iter().map(|fleet| measured(what, fleet)));
        format!("this operator {}, a plain controller {}", all("operator"), all("baseline"))
    };
    let ours = fleets("idle: reads in an hour", "operator");
    let sizes = ours.iter().map(|fleet| number(fleet.trim_start_matches("operator ")));
    let said = format!(
        "![Three plots against the size of the fleet, on log axes. Reads in an idle hour with {} resources: \
         this operator {}, a plain controller {plain_few} with 100 and {plain_some} with 1,000. \
         Resident memory when idle: {}. From PATCH to POST of a flip, median: {}](fleet.svg)",
        listed(sizes),
        listed(ours.iter().map(|fleet| reads(fleet))),
        both("idle: resident memory"),
        both("a flip, from PATCH to POST, median"),
    );
    assert!(page.contains(&said), "{said}");
}

#[test]
fn the_sizes_of_the_install_page_are_what_was_measured() {
    let header = "| resources | memory, at most | processor time in an idle hour | all are known after a restart | to flip all |";
    let (rows, page) = (table("docs/install.md", header), read("docs/performance.md"));
    assert_eq!(rows.len(), 3);
    for (row, fleet) in rows.iter().zip(["100", "1,000", "10,000"]) {
        let column = format!("operator {}", fleet.replace(',', ""));
        let cells: Vec<_> = row.trim_matches('|').split('|').map(str::trim).collect();
        let others = ["idle: CPU in an hour", "restart: all is known after", "flip of all"];
        let others = others.map(|what| measured(what, &column));
        assert_eq!((cells[0], &cells[2..]), (fleet, &others.each_ref().map(String::as_str)[..]));
        // That of the largest fleet has grown since: below the table.
        let said = match fleet {
            "10,000" => format!("{} resident when idle and at most", cells[1]),
            _ => measured("idle: resident memory", &column),
        };
        assert!(said.starts_with(cells[1]) && page.contains(&said), "{said} and not {}", cells[1]);
    }
}
