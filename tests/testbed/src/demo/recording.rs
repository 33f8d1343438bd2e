//! `testbed recording`: the demo as a moving picture for the README, from what it has printed. Each step is a screen, below the
//! first line.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use anyhow::Context as _;

use crate::Result;

/// Where the demo's output is, and where the picture goes.
#[derive(Debug, clap::Args)]
pub struct Recording {
    /// What `testbed demo` has printed
    output: PathBuf,
    /// The picture, as SVG
    picture: PathBuf,
}

/// For how long a screen is shown, in seconds.
const SCREEN: f64 = 8.0;
/// Between two lines of a screen.
const LINE: f64 = 0.18;
/// What is drawn where nothing moves: the second step, in which it is paused.
const STILL: usize = 2;

const LINE_HEIGHT: usize = 18;
const MARGIN: usize = 20;
/// Of one character, a little more than in the usual fonts.
const CHARACTER: f64 = 7.4;

const STYLE: &str = "\
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;fill:var(--text);white-space:pre}
svg{--back:#f6f8fa;--edge:#d0d7de;--text:#24292f;--title:#0550ae;--typed:#116329;--remark:#6e7781}
@media(prefers-color-scheme:dark){svg{--back:#0d1117;--edge:#30363d;--text:#c9d1d9;--title:#79c0ff;--typed:#7ee787;--remark:#8b949e}}
rect{fill:var(--back);stroke:var(--edge)}
.title{fill:var(--title);font-weight:bold}.typed{fill:var(--typed)}.remark{fill:var(--remark)}";

impl Recording {
    /// Draws it.
    ///
    /// # Errors
    ///
    /// If a file cannot be read or written.
    pub fn run(&self) -> Result<()> {
        let output = &self.output;
        let text = fs::read_to_string(output).with_context(|| output.display().to_string())?;
        let picture = &self.picture;
        fs::write(picture, svg(&text)).with_context(|| picture.display().to_string())
    }
}

/// What is shown at once: each step.
fn screens(output: &str) -> Vec<Vec<&str>> {
    let mut screens: Vec<Vec<&str>> = Vec::new();
    for line in output.trim().lines() {
        if line.starts_with(|first: char| first.is_ascii_digit()) {
            screens.push(Vec::new());
        }
        if let Some(screen) = screens.last_mut() {
            screen.push(line);
        }
    }
    screens
}

fn svg(output: &str) -> String {
    let screens = screens(output);
    let lines = screens.iter().map(Vec::len).max().unwrap_or_default();
    let columns = output.lines().map(|line| line.chars().count()).max().unwrap_or_default();
    let height = 2 * MARGIN + (lines + 2) * LINE_HEIGHT;
    #[allow(
        clippy::cast_precision_loss,
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a line has some hundred characters"
    )]
    let width = 2 * MARGIN + (columns as f64 * CHARACTER) as usize;
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"What make demo prints\">\n\
         <style>\n{STYLE}\n{}</style>\n<rect x=\".5\" y=\".5\" width=\"{}\" height=\"{}\" rx=\"8\"/>\n\
         <text x=\"{MARGIN}\" y=\"{}\" class=\"remark\">{}</text>\n",
        motion(screens.len()),
        width - 1,
        height - 1,
        MARGIN + 12,
        escaped(output.lines().next().unwrap_or_default()),
    );
    for (number, screen) in screens.iter().enumerate() {
        let _ = writeln!(svg, "<g{}>", shown(number, screens.len(), 0));
        let mut class = "";
        for (place, line) in screen.iter().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            class = class_of(line, class);
            let y = MARGIN + 12 + (place + 2) * LINE_HEIGHT;
            let moment = shown(number, screens.len(), place);
            let text = escaped(line);
            let _ = writeln!(
                svg,
                "<text x=\"{MARGIN}\" y=\"{y}\" class=\"{class}\" xml:space=\"preserve\"{moment}>{text}</text>"
            );
        }
        svg.push_str("</g>\n");
    }
    svg.push_str("</svg>\n");
    svg
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

/// Each screen in its turn, and its lines one after the other. Where nothing moves, one screen is there.
#[allow(clippy::cast_precision_loss, reason = "there are five screens")]
fn motion(screens: usize) -> String {
    let all = SCREEN * screens as f64;
    let end = 100.0 / screens as f64;
    format!(
        "g,g text{{animation:on {all}s infinite}}g{{opacity:0}}g:nth-of-type({}){{opacity:1}}\n\
         @keyframes on{{0%,{end:.3}%{{opacity:1}}{:.3}%,to{{opacity:0}}}}\n\
         @media(prefers-reduced-motion){{g,g text{{animation:none}}}}\n",
        STILL,
        end + 0.001,
    )
}

/// When it appears. In the past: it begins with the first step, when half of its time is over and all of it is there.
#[allow(clippy::cast_precision_loss, reason = "a screen has some twenty lines")]
fn shown(screen: usize, screens: usize, line: usize) -> String {
    let delay = SCREEN * screen as f64 + LINE * line as f64 - SCREEN * (screens as f64 + 0.5);
    format!(" style=\"animation-delay:{delay:.2}s\"")
}

/// A line that goes on after a backslash is as the one before.
fn class_of(line: &str, before: &'static str) -> &'static str {
    match line.trim_start().chars().next() {
        Some('$') => "typed",
        Some('#') => "remark",
        _ if before == "typed" && line.starts_with("      ") => "typed",
        _ if !line.starts_with(' ') => "title",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUTPUT: &str = "\
The operator at work

  API server   v1

1. One step

  $ kubectl apply -f a.yaml \\
      --wait
  NAME   READY
  # a <remark> & more
";

    #[test]
    fn each_step_is_a_screen_and_each_line_is_what_it_is() {
        assert_eq!(screens(OUTPUT).iter().map(Vec::len).collect::<Vec<_>>(), [6]);
        let svg = svg(OUTPUT);
        for part in [
            "class=\"title\" xml:space=\"preserve\" style=\"animation-delay:-12.00s\">1. One step</text>",
            "class=\"typed\" xml:space=\"preserve\" style=\"animation-delay:-11.46s\">      --wait</text>",
            "class=\"\" xml:space=\"preserve\" style=\"animation-delay:-11.28s\">  NAME   READY</text>",
            ">  # a &lt;remark&gt; &amp; more</text>",
        ] {
            assert!(svg.contains(part), "{svg}");
        }
    }

    /// What a picture was drawn from, but for what is above its first screen.
    fn printed(picture: &str) -> String {
        let mut printed = String::new();
        let mut last = 0;
        for line in picture.lines().filter_map(|line| line.strip_prefix("<text ")) {
            let (attributes, rest) = line.split_once('>').unwrap_or_default();
            let text = rest.trim_end_matches("</text>");
            let y = attributes.split("y=\"").nth(1).and_then(|rest| rest.split('"').next());
            let place = y.and_then(|y| y.parse::<usize>().ok()).unwrap_or_default() / LINE_HEIGHT;
            let empty = if place > last { place - last } else { 2 };
            printed.push_str(&"\n".repeat(empty));
            printed.push_str(text);
            last = place;
        }
        printed.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&").trim().to_owned()
    }

    /// The README shows it: the demo has no step that it lacks, and it needs nothing from elsewhere.
    #[test]
    fn the_picture_of_the_docs_is_of_this_demo() -> Result<()> {
        let docs = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
        let picture = fs::read_to_string(docs.join("demo.svg"))?;
        let steps = include_str!("script.rs").split('"');
        let steps = steps.filter(|text| text.starts_with(|first: char| first.is_ascii_digit()));
        let steps: Vec<_> = steps.collect();
        assert_eq!(steps.len(), 5, "{steps:?}");
        for step in steps {
            assert!(picture.contains(&format!(">{step}</text>")), "make picture: {step}");
        }
        assert!(picture.contains(">Every step happened as announced.</text>"));
        assert!(picture == svg(&printed(&picture)), "drawn by another version: make picture");
        assert!(picture.len() < 60_000, "{}", picture.len());
        assert!(["href", "url(", "@import", "<script"].iter().all(|it| !picture.contains(it)));
        Ok(())
    }
}
