//! The token is searched in whatever comes out of the operator, in each form in which it could.

use std::fmt::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

/// The token of the stories. No word of it is found by chance in anything else.
pub const TOKEN: &str = "pt-fake-quetzal-umbrella-zither-nectarine";

/// A shorter piece is found by chance.
const SHORTEST: usize = 8;

/// Secrets, in each form in which they could leave: as they are, in base64, percent-encoded, in hexadecimal, and as
/// Rust prints bytes; whole, and each half.
#[derive(Debug, Default)]
pub struct Canary(Mutex<Forms>);

/// What each form is, and its text.
type Forms = Vec<(&'static str, String)>;

impl Canary {
    /// The forms of this secret are searched, too. A newline at its end is not part of it.
    pub fn add(&self, secret: &str) {
        let mut forms = self.forms();
        let mut add = |what, text: String| {
            if !forms.iter().any(|(_, known)| *known == text) {
                forms.push((what, text));
            }
        };
        let secret = secret.trim();
        let middle = (0..=secret.len() / 2).rev().find(|at| secret.is_char_boundary(*at));
        let (left, right) = secret.split_at(middle.unwrap_or_default());
        for piece in [secret, left, right] {
            if piece.len() < SHORTEST {
                continue;
            }
            let bytes = piece.as_bytes();
            add("as it is", piece.to_owned());
            add("reversed", piece.chars().rev().collect());
            add(
                "in hexadecimal",
                bytes.iter().fold(String::new(), |mut hex, byte| {
                    let _ = write!(hex, "{byte:02x}");
                    hex
                }),
            );
            add("as bytes", format!("{bytes:?}").trim_matches(['[', ']']).to_owned());
            add(
                "percent-encoded",
                bytes.iter().fold(String::new(), |mut text, byte| {
                    let _ = write!(text, "%{byte:02X}");
                    text
                }),
            );
            if bytes.iter().any(|byte| !byte.is_ascii_alphanumeric()) {
                add(
                    "percent-encoded",
                    bytes.iter().fold(String::new(), |mut text, byte| {
                        let _ = if byte.is_ascii_alphanumeric() {
                            write!(text, "{}", char::from(*byte))
                        } else {
                            write!(text, "%{byte:02X}")
                        };
                        text
                    }),
                );
            }
            // Before it there may be any number of bytes: `Bearer `, a user and a colon.
            for before in 0..3 {
                let inner = base64(bytes, before);
                add("in base64", inner.replace('+', "-").replace('/', "_"));
                add("in base64", inner);
            }
        }
    }

    fn forms(&self) -> MutexGuard<'_, Forms> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What of the secrets is in `text`, if any: in which form, and in which line. The line is not shown.
    #[must_use]
    pub fn find(&self, text: &str) -> Option<String> {
        let forms = self.forms();
        let (what, form) = forms.iter().find(|(_, form)| text.contains(form))?;
        let line = text.lines().position(|line| line.contains(form)).map_or(0, |line| line + 1);
        Some(format!("{what}, in line {line}"))
    }

    /// The same, and ends the story. While it fails already, it says so only.
    ///
    /// # Panics
    ///
    /// If a secret is there.
    pub fn must_not_be_in(&self, place: &str, text: &str) {
        let Some(found) = self.find(text) else { return };
        let message = format!("a secret is in {place}: {found}");
        assert!(std::thread::panicking(), "{message}");
        eprintln!("{message}");
    }
}

/// The characters that `bytes` have in base64 for sure, where so many bytes (modulo 3) come before them.
fn base64(bytes: &[u8], before: usize) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bit = |at: usize| bytes.get(at / 8).is_some_and(|byte| byte >> (7 - at % 8) & 1 == 1);
    // A character has 6 bits. Those that share one with what is around are left out.
    let first = (6 - before * 8 % 6) % 6;
    let places = (first..).step_by(6).take_while(|at| at + 6 <= bytes.len() * 8);
    let characters = places.map(|at| {
        let value = (at..at + 6).fold(0, |value, at| value << 1 | usize::from(bit(at)));
        ALPHABET.get(value).copied().map_or('=', char::from)
    });
    characters.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary() -> Canary {
        let canary = Canary::default();
        canary.add(&format!("{TOKEN}\n"));
        canary
    }

    #[test]
    fn each_form_is_found_wherever_it_stands() {
        // Made with `base64`, `xxd` and Python's `urllib.parse.quote`.
        for (form, what) in [
            ("Authorization: Bearer pt-fake-quetzal-umbrella-zither-nectarine", "as it is"),
            ("pt-fake-quetzal-umbr...", "as it is"),
            ("...ella-zither-nectarine", "as it is"),
            ("QmVhcmVyIHB0LWZha2UtcXVldHphbC11bWJyZWxsYS16aXRoZXItbmVjdGFyaW5l", "in base64"),
            ("cHQtZmFrZS1xdWV0emFsLXVtYnJlbGxhLXppdGhlci1uZWN0YXJpbmU=", "in base64"),
            ("OnB0LWZha2UtcXVldHphbC11bWJyZWxsYS16aXRoZXItbmVjdGFyaW5l", "in base64"),
            ("pt%2Dfake%2Dquetzal%2Dumbrella%2Dzither%2Dnectarine", "percent-encoded"),
            ("%70%74%2D%66%61%6B%65%2D%71%75%65%74%7A%61%6C%2D%75%6D%62%72", "percent-encoded"),
            ("656c6c612d7a69746865722d6e6563746172696e65", "in hexadecimal"),
            (
                "Token([112, 116, 45, 102, 97, 107, 101, 45, 113, 117, 101, 116, 122, 97, 108, 45, 117, 109, 98, 114])",
                "as bytes",
            ),
            ("pt-fake and quetzal, an umbrella, a zither: nectarine", "none"),
        ] {
            let found = canary().find(&format!("first\n  {form}  \nlast"));
            let expected = (what != "none").then(|| format!("{what}, in line 2"));
            assert_eq!(found, expected, "{form}");
        }
    }

    #[test]
    fn what_is_short_is_not_searched_and_what_is_found_is_not_shown() {
        let canary = Canary::default();
        canary.add("pt-fake");
        assert_eq!(canary.find("pt-fake"), None);
        canary.add("pt-fake-words");
        assert_eq!(canary.find("-words"), None, "a half of six characters");
        let said = canary.find("pt-fake-words").unwrap_or_default();
        assert!(!said.is_empty() && !said.contains("fake"), "{said}");
    }
}
