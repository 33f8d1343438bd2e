//! Texts of others, as a status can carry them. Pure.

/// The first `max` characters, as the schema counts them. What an API server cannot read, or reads as something else,
/// becomes U+FFFD: an apply is read as YAML, also where it is JSON.
#[must_use]
pub fn cut(text: &str, max: usize) -> String {
    text.chars()
        .take(max)
        .map(|c| if is_read(c) { c } else { char::REPLACEMENT_CHARACTER })
        .collect()
}

/// What JSON escapes, and what YAML prints, without its line breaks of more than one byte.
fn is_read(c: char) -> bool {
    matches!(c, '\0'..='~' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..)
        && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_api_server_cannot_read_is_replaced_and_what_is_too_long_is_cut() {
        for kept in ["nightly", "\n\t\"\\", "\u{e9}\u{4e2d}\u{1f600}", "\u{fffd}"] {
            assert_eq!(cut(kept, 9), kept);
        }
        for c in
            ['\u{7f}', '\u{80}', '\u{85}', '\u{9f}', '\u{2028}', '\u{feff}', '\u{fffe}', '\u{ffff}']
        {
            assert_eq!(cut(&format!("a{c}b"), 9), "a\u{fffd}b", "{c:?}");
        }
        assert_eq!(cut("\u{e9}\u{85}\u{e9}x", 3), "\u{e9}\u{fffd}\u{e9}");
    }
}
