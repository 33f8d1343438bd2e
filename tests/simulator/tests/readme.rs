//! The README: what it tells to paste works as it is, against the real binary.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

type Outcome = Result<(), Box<dyn Error>>;

const README: &str = include_str!("../README.md");
const LONG: Duration = Duration::from_secs(60);
/// Where the README says that it listens.
const ADDRESS: &str = "127.0.0.1:8080";

/// The blocks of a language, in their order.
fn blocks(language: &str) -> impl Iterator<Item = &str> {
    let blocks = README.split("```").skip(1).step_by(2);
    blocks.filter_map(move |block| block.strip_prefix(language)?.strip_prefix('\n'))
}

/// Starts the binary on a free port, and reads its address.
async fn start(args: &[&str]) -> Result<(Child, String), Box<dyn Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_qoder-simulator"));
    command.args(args).args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let stdout = child.stdout.take().ok_or("no standard output")?;
    let base_url = timeout(LONG, BufReader::new(stdout).lines().next_line()).await??;
    let base_url = base_url.ok_or("it said nothing")?;
    Ok((child, base_url.split('/').nth(2).ok_or("no address")?.to_owned()))
}

fn directory(name: &str) -> std::io::Result<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}

#[tokio::test]
async fn all_commands_work_as_pasted_one_after_the_other() -> Outcome {
    let pasted = blocks("console").next().and_then(|block| block.lines().next());
    let pasted = pasted.and_then(|line| line.strip_prefix("$ qoder-simulator --listen "));
    let args = pasted.and_then(|rest| rest.strip_prefix(ADDRESS)).ok_or("it is not started")?;
    let (_child, address) = start(&args.split_whitespace().collect::<Vec<_>>()).await?;
    // Each command is shown before it runs, and one that is refused ends the script.
    let mut script =
        "set -euxo pipefail\ncurl() { command curl --noproxy '*' --fail-with-body -sS \"$@\"; }\n"
            .to_owned();
    for block in blocks("sh") {
        script.push_str(&block.replace(ADDRESS, &address));
        script.push('\n');
    }
    assert!(script.matches("curl").count() > 40, "the blocks are found");
    let mut bash = Command::new("bash");
    bash.arg("-c").arg(script).current_dir(directory("readme")?).kill_on_drop(true);
    let output = timeout(LONG, bash.stdin(Stdio::null()).output()).await??;
    let [told, shown] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text));
    assert!(output.status.success(), "{shown}\n{told}");
    Ok(())
}

#[tokio::test]
async fn its_seeds_can_be_used_and_are_the_same() -> Outcome {
    let directory = directory("readme-seeds")?;
    let mut pages = Vec::new();
    for language in ["json", "yaml"] {
        let file = directory.join(format!("seed.{language}"));
        std::fs::write(&file, blocks(language).next().ok_or("there is none")?)?;
        let file = file.display().to_string();
        let (_child, address) =
            start(&["--seed", &file, "--start-time", "2026-06-14T08:00:00Z"]).await?;
        let url = format!("http://{address}/api/v1/cloud/deployments");
        let mut curl = Command::new("curl");
        curl.args(["--noproxy", "*", "-fsS", "-H", "Authorization: Bearer pt-simulator", &url]);
        let output = timeout(LONG, curl.output()).await??;
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        pages.push(String::from_utf8(output.stdout)?);
    }
    let ids = ["dep_1", "dep_2", "dep_3"];
    assert!(pages.iter().all(|page| ids.iter().all(|id| page.contains(id))), "{pages:?}");
    assert!(pages.windows(2).all(|pair| pair.first() == pair.last()), "{pages:?}");
    Ok(())
}

#[tokio::test]
async fn it_tells_every_flag() -> Outcome {
    let mut help = Command::new(env!("CARGO_BIN_EXE_qoder-simulator"));
    let output = timeout(LONG, help.arg("--help").output()).await??;
    let help = String::from_utf8(output.stdout)?;
    let flags = help
        .split_whitespace()
        .filter(|word| word.starts_with("--"))
        .map(|flag| flag.trim_end_matches(|end: char| !end.is_ascii_lowercase()));
    let untold: Vec<_> = flags
        .filter(|flag| !["--help", "--version"].contains(flag))
        .filter(|flag| {
            !README.contains(&format!("`{flag}`")) && !README.contains(&format!("`{flag} "))
        })
        .collect();
    assert!(untold.is_empty(), "{untold:?}");
    Ok(())
}
