//! What an `OpenMetrics` text says of its metrics: a scraper's view, and the table of docs/metrics.md.

use std::collections::{BTreeMap, BTreeSet};

/// The header of the table in docs/metrics.md.
pub const HEADER: &str = "| metric | kind | labels | what it counts |";

/// More values than these are not listed beside their label.
const FEW: usize = 5;

#[derive(Default)]
struct Family {
    kind: String,
    help: String,
    labels: BTreeMap<String, BTreeSet<String>>,
}

/// The rows of the table: one for each metric, by its name.
#[must_use]
pub fn table(open_metrics: &str) -> Vec<String> {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut help = "";
    let mut name = String::new();
    for line in open_metrics.lines() {
        if let Some(described) = line.strip_prefix("# HELP ") {
            help = described.split_once(' ').map_or("", |(_, help)| help.trim_end_matches('.'));
        } else if let Some((family, kind)) =
            line.strip_prefix("# TYPE ").and_then(|typed| typed.split_once(' '))
        {
            name = match kind {
                "counter" => format!("{family}_total"),
                "info" => format!("{family}_info"),
                _ => family.to_owned(),
            };
            let (kind, help) = (kind.to_owned(), help.to_owned());
            families.insert(name.clone(), Family { kind, help, labels: BTreeMap::new() });
        } else if let Some(family) = families.get_mut(&name).filter(|_| !line.starts_with('#')) {
            for (label, value) in labels(line).filter(|(label, _)| *label != "le") {
                family.labels.entry(label.to_owned()).or_default().insert(value.to_owned());
            }
        }
    }
    families.into_iter().map(|(name, family)| family.row(&name)).collect()
}

impl Family {
    fn row(&self, name: &str) -> String {
        let labels = self.labels.iter().map(|(label, values)| {
            let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
            match values.len() {
                0 | 1 => format!("`{label}`"),
                few if few <= FEW => format!("`{label}`: {}", values.join(", ")),
                _ => format!("`{label}`"),
            }
        });
        let labels = labels.collect::<Vec<_>>().join("; ");
        format!("| `{name}` | {} | {labels} | {} |", self.kind, self.help).replace("|  |", "| |")
    }
}

/// The labels of a sample. No value of ours has a quote or a backslash in it.
fn labels(sample: &str) -> impl Iterator<Item = (&str, &str)> {
    let labels = sample.split_once('{').map_or("", |(_, rest)| rest);
    labels.split("\",").filter_map(|label| {
        let (name, value) = label.split_once("=\"")?;
        Some((name, value.split('"').next()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_name_of_the_samples_and_a_few_values() {
        let text = "# HELP a what a is.\n# TYPE a counter\na_total{b=\"2\",a=\"x\"} 1\na_total{b=\"1\",a=\"x\"} 1\n\
             # HELP c what c is.\n# TYPE c histogram\nc_bucket{le=\"1\"} 1\n# EOF\n";
        assert_eq!(
            table(text),
            [
                "| `a_total` | counter | `a`; `b`: `1`, `2` | what a is |",
                "| `c` | histogram | | what c is |"
            ]
        );
    }
}
