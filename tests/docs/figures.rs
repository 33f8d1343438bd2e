//! What other pages say of the bench is what docs/performance.md has.

use super::{read, table};

const HEADER: &str = "| what | bar | stretch | operator 100 | baseline 100 | operator 1000 | baseline 1000 | operator 10000 |";

/// The figure of this row in this column.
fn measured(what: &str, column: &str) -> String {
    let place = HEADER.split('|').position(|cell| cell.trim() == column).unwrap();
    let rows = table("docs/performance.md", HEADER);
    let row = rows.iter().find(|row| row.starts_with(&format!("| {what} |")));
    let row = row.unwrap_or_else(|| panic!("there is no row {what}"));
    row.split('|').nth(place).unwrap().trim().trim_end_matches(" (!)").to_owned()
}

/// Reads in an idle hour, as people write numbers.
fn reads(column: &str) -> String {
    let digits = measured("idle: reads in an hour", column);
    match digits.split_at_checked(digits.len().wrapping_sub(3)) {
        Some((thousands, rest)) if !thousands.is_empty() => format!("{thousands},{rest}"),
        _ => digits,
    }
}

#[test]
fn the_readme_and_the_plot_say_what_was_measured() {
    let (readme, page) = (read("README.md"), read("docs/performance.md"));
    let memory = |column| measured("idle: resident memory", column);
    let [few, some, many] = ["operator 100", "operator 1000", "operator 10000"].map(reads);
    let [plain_few, plain_some] = ["baseline 100", "baseline 1000"].map(reads);
    for said in [
        format!("| {many} with 10,000 resources, {some} with 1,000 |"),
        format!("| {plain_some} with 1,000 resources: "),
        format!("{}, where this operator has {}.", memory("baseline 100"), memory("operator 100")),
    ] {
        assert!(readme.contains(&said), "{said}");
    }
    let row = |what, program, fleets: &[&str]| {
        let all: Vec<_> =
            fleets.iter().map(|fleet| measured(what, &format!("{program} {fleet}"))).collect();
        let (last, others) = all.split_last().unwrap();
        format!("{} and {last}", others.join(", "))
    };
    let both = |what| {
        let ours = row(what, "operator", &["100", "1000", "10000"]);
        let plain = row(what, "baseline", &["100", "1000"]);
        format!("this operator {ours}, a plain controller {plain}")
    };
    let said = format!(
        "![Three plots against the size of the fleet, on log axes. Reads in an idle hour with 100, 1,000 and 10,000 resources: \
         this operator {few}, {some} and {many}, a plain controller {plain_few} with 100 and {plain_some} with 1,000. \
         Resident memory when idle: {}. From PATCH to POST of a flip, median: {}](fleet.svg)",
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
