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

/// The same of remote text, which people print: what could act on their terminal becomes U+FFFD, too.
#[must_use]
pub fn printable(text: &str, max: usize) -> String {
    cut(text, max).replace(char::is_control, "\u{fffd}")
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

    #[test]
    fn remote_text_has_nothing_that_acts_on_a_terminal() {
        assert_eq!(printable("nightly \u{e9}\u{4e2d}", 99), "nightly \u{e9}\u{4e2d}");
        assert_eq!(
            printable("\u{1b}[2J\r\n\t\0\u{7f}\u{9b}x", 8),
            "\u{fffd}[2J\u{fffd}\u{fffd}\u{fffd}\u{fffd}"
        );
    }
}
