//! Whether a licence that Cargo.toml names is allowed.

use std::collections::BTreeSet;
use std::iter::Peekable;
use std::str::SplitWhitespace;

/// Whether an SPDX expression can be met with these licences alone. `AND` binds before `OR`; the
/// slash is how old manifests wrote `OR`.
pub fn is_met(expression: &str, by: &BTreeSet<&str>) -> bool {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any(&mut words, by);
    met && words.next().is_none()
}

type Words<'a> = Peekable<SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, by: &BTreeSet<&str>) -> bool {
    let mut met = all(words, by);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, by);
    }
    met
}

fn all(words: &mut Words<'_>, by: &BTreeSet<&str>) -> bool {
    let mut met = one(words, by);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, by);
    }
    met
}

fn one(words: &mut Words<'_>, by: &BTreeSet<&str>) -> bool {
    let Some(word) = words.next() else {
        return false;
    };
    if word == "(" {
        let met = any(words, by);
        return met & words.next_if_eq(&")").is_some();
    }
    match words.next_if_eq(&"WITH").and_then(|_| words.next()) {
        Some(exception) => by.contains(format!("{word} WITH {exception}").as_str()),
        None => by.contains(word),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_is_met_as_spdx_says() {
        let by = BTreeSet::from(["A", "B", "A WITH X"]);
        for good in [
            "A",
            "A OR C",
            "C OR A",
            "C/A",
            "A AND B",
            "(C OR A) AND B",
            "A WITH X",
            "C AND D OR A",
        ] {
            assert!(is_met(good, &by), "{good}");
        }
        for bad in [
            "",
            "C",
            "A AND C",
            "C OR D",
            "A WITH Y",
            "(A OR B) AND C",
            "(A",
            "A B",
            "C AND (A OR B)",
        ] {
            assert!(!is_met(bad, &by), "{bad}");
        }
    }
}
