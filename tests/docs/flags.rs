//! docs/flags.md: every flag as the command line has it, when to change it, and the variables that are none.

use clap::CommandFactory as _;
use qoder_operator::config::Cli;

use super::{generate, links::pages, read, table};

const PAGE: &str = "docs/flags.md";

/// Each flag: its long name, and its row.
fn flags() -> Vec<(String, String)> {
    let command = Cli::command();
    let flags =
        command.get_arguments().filter(|arg| !["help", "version"].contains(&arg.get_id().as_str()));
    flags
        .map(|arg| {
            let value = match arg.get_value_names() {
                Some([name]) if arg.get_action().takes_values() => format!(" {name}"),
                _ => String::new(),
            };
            let default = match arg.get_default_values() {
                [] => String::new(),
                [value] => format!("`{}`", value.to_str().unwrap()),
                many => panic!("{} has {} defaults", arg.get_id(), many.len()),
            };
            let (name, help) = (arg.get_long().unwrap(), arg.get_help().unwrap());
            let variable = arg.get_env().unwrap().to_str().unwrap();
            let row = format!("| `--{name}{value}` | `{variable}` | {default} | {help} |");
            (name.to_owned(), row)
        })
        .collect()
}

#[test]
fn every_flag_is_documented_with_its_variable_and_default() {
    let (_, rows): (Vec<_>, Vec<_>) = flags().into_iter().unzip();
    let header = "| flag | variable | default | what it is |";
    generate(PAGE, header, &rows);
    let few = table("README.md", header);
    assert!(few.len() >= 4 && few.iter().all(|row| rows.contains(row)), "{few:?}");
}

#[test]
fn every_flag_has_a_reason_to_change_it() {
    let rows = table(PAGE, "| flag | change it when |");
    let said: Vec<_> = rows.iter().map(|row| row.split('`').nth(1).unwrap()).collect();
    let names: Vec<_> = flags().into_iter().map(|(name, _)| format!("--{name}")).collect();
    assert_eq!(said, names);
}

#[test]
fn every_subcommand_is_documented() {
    let rows = table(PAGE, "| command | what it does | it ends with |");
    let said: Vec<_> = rows.iter().map(|row| row.split('`').nth(1).unwrap()).collect();
    let command = Cli::command();
    let names: Vec<_> =
        command.get_subcommands().map(|sub| format!("qoder-operator {}", sub.get_name())).collect();
    assert_eq!(said, names);
}

/// A variable that the code takes from the environment by its name, or that a test sets.
#[test]
fn the_other_variables_are_those_that_something_reads() {
    let tests =
        ["tests/environment/proxies.rs", "tests/environment/flags.rs", "tests/stories/faults.rs"];
    let sources = ["src/config.rs", "src/main.rs", "src/telemetry.rs", "src/telemetry/otlp.rs"];
    let text: String = tests.iter().chain(&sources).map(|path| read(path)).collect();
    let rows = table(PAGE, "| variable | what it is |");
    let names: Vec<_> = rows
        .iter()
        .flat_map(|row| row.split('|').nth(1).unwrap().split('`').skip(1).step_by(2))
        .collect();
    for name in &names {
        assert!(text.contains(name), "nothing reads {name}");
    }
    for name in [
        "QODER_PAT",
        "RUST_LOG",
        "KUBECONFIG",
        "HOSTNAME",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "OTEL_EXPORTER_OTLP_ENDPOINT",
    ] {
        assert!(names.contains(&name), "{name} is not there");
    }
}

/// One by default, and one in China: a page that names another one would send a token there.
#[test]
fn the_api_has_two_addresses() {
    let mut count = 0;
    for page in [pages("."), pages("docs"), pages("docs/zh")].concat() {
        for rest in read(&page).split("https://api.qoder").skip(1) {
            let end =
                rest.find(|part: char| !(part.is_ascii_alphanumeric() || "./".contains(part)));
            let address = rest[..end.unwrap_or(rest.len())].trim_end_matches("/deployments");
            let known = [".com/api/v1/cloud", ".com.cn/api/v1/cloud"];
            assert!(known.contains(&address), "{page}: https://api.qoder{address}");
            count += 1;
        }
    }
    assert!(count > 10, "{count} addresses");
}
