//! The flags as the binary would read them from a container's variables.

use clap::{CommandFactory as _, Parser as _};
use qoder_operator::config::{Cli, RunArgs};
use serde_json::Value;

/// Panics where a variable is no flag's, or has a value that the binary refuses.
pub fn parse(variables: &[Value]) -> RunArgs {
    let command = Cli::command();
    let flag = |variable: &Value| {
        let name = variable["name"].as_str().unwrap();
        let of_name = |arg: &&clap::Arg| arg.get_env().is_some_and(|env| env == name);
        let arg = command.get_arguments().find(of_name).unwrap_or_else(|| panic!("no {name}"));
        let (long, value) = (arg.get_long().unwrap(), variable["value"].as_str().unwrap());
        match (arg.get_action().takes_values(), value) {
            (true, _) => format!("--{long}={value}"),
            (false, "true") => format!("--{long}"),
            (false, _) => panic!("{name}={value}"),
        }
    };
    let line = std::iter::once("qoder-operator".to_owned()).chain(variables.iter().map(flag));
    Cli::try_parse_from(line).unwrap_or_else(|error| panic!("{error}")).run
}
