//! The credential: where it comes from, and a type that cannot leak it.

use std::{fmt, io, path::PathBuf};

use http::HeaderValue;

/// A bearer token. No `Debug`, no `Display`, no `Serialize`: there is one way out of it, into the
/// `Authorization` header, marked sensitive.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(HeaderValue);

/// Why a text is not a token. Names positions, never values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, thiserror::Error)]
pub enum InvalidToken {
    /// Nothing but at most one newline.
    #[error("the token is empty")]
    Empty,
    /// A control or non-ASCII character, or a space.
    #[error(
        "the token has a character at byte {0} that no token has: a line break, a space, or one outside ASCII; is there an empty line at its end?"
    )]
    Character(usize),
    /// Longer than any token.
    #[error("the token is longer than {max} bytes", max = Token::MAX_LENGTH)]
    TooLong,
}

impl Token {
    /// Longest accepted token in bytes: what fits into a header of common servers.
    pub const MAX_LENGTH: usize = 8 * 1024;

    /// Takes exactly one trailing newline (`\n` or `\r\n`) off, as editors leave it, and refuses
    /// what cannot be a token.
    ///
    /// # Errors
    /// [`InvalidToken`], without the text.
    pub fn parse(text: &[u8]) -> Result<Self, InvalidToken> {
        let text = text.strip_suffix(b"\n").unwrap_or(text);
        let text = text.strip_suffix(b"\r").unwrap_or(text);
        if text.is_empty() {
            return Err(InvalidToken::Empty);
        }
        if text.len() > Self::MAX_LENGTH {
            return Err(InvalidToken::TooLong);
        }
        if let Some(position) = text.iter().position(|byte| !byte.is_ascii_graphic()) {
            return Err(InvalidToken::Character(position));
        }
        let mut value = HeaderValue::from_bytes(&[b"Bearer ", text].concat())
            .map_err(|_| InvalidToken::Character(0))?;
        value.set_sensitive(true);
        Ok(Self(value))
    }

    /// The `Authorization` header. The one place where the token leaves its type.
    #[must_use]
    pub fn authorization(&self) -> HeaderValue {
        self.0.clone()
    }
}

/// Where the token comes from.
#[derive(Clone)]
pub enum TokenSource {
    /// A file, read anew whenever it may have changed: a mounted Secret.
    File(PathBuf),
    /// The environment, read once at start.
    Environment(Result<Token, InvalidToken>),
}

/// Where it comes from, never what it is.
impl fmt::Display for TokenSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "the file {}", path.display()),
            Self::Environment(_) => f.write_str("the environment variable QODER_PAT"),
        }
    }
}

/// Why there is no token.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    /// The file cannot be read.
    #[error("failed to read the token file {}", .0.display())]
    Read(PathBuf, #[source] io::Error),
    /// What was read is not a token.
    #[error(transparent)]
    Invalid(#[from] InvalidToken),
}

/// Why there is no token, as far as a message says it: the file has its place in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TokenProblem {
    /// Nobody has looked.
    NotRead,
    /// There is no such file.
    NoFile,
    /// The file may not be read.
    Denied,
    /// The file cannot be read for another reason.
    Unreadable,
    /// There is a text, and it is no token.
    Invalid(InvalidToken),
}

impl From<&TokenError> for TokenProblem {
    fn from(error: &TokenError) -> Self {
        match error {
            TokenError::Invalid(invalid) => Self::Invalid(*invalid),
            TokenError::Read(_, error) => match error.kind() {
                io::ErrorKind::NotFound => Self::NoFile,
                io::ErrorKind::PermissionDenied => Self::Denied,
                _ => Self::Unreadable,
            },
        }
    }
}

impl TokenSource {
    /// Reads the token, at most [`Token::MAX_LENGTH`] and a newline of it.
    ///
    /// # Errors
    /// [`TokenError`]: the file is missing or unreadable, or holds no token.
    pub fn load(&self) -> Result<Token, TokenError> {
        match self {
            Self::File(path) => {
                use io::Read as _;
                let limit = Token::MAX_LENGTH as u64 + 3;
                let mut text = Vec::new();
                std::fs::File::open(path)
                    .and_then(|file| file.take(limit).read_to_end(&mut text))
                    .map_err(|error| TokenError::Read(path.clone(), error))?;
                Ok(Token::parse(&text)?)
            }
            Self::Environment(token) => Ok(token.clone()?),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_trailing_newline_is_the_editors_everything_else_is_refused() {
        for good in ["pt-obviously-fake", "pt-obviously-fake\n", "pt-obviously-fake\r\n"] {
            let header = Token::parse(good.as_bytes()).ok().unwrap().authorization();
            assert_eq!(header, "Bearer pt-obviously-fake");
            assert!(header.is_sensitive());
        }
        let refused = |text: &[u8]| Token::parse(text).err();
        assert_eq!(refused(b""), Some(InvalidToken::Empty));
        assert_eq!(refused(b"\n"), Some(InvalidToken::Empty));
        assert_eq!(refused(b"pt-a\n\n"), Some(InvalidToken::Character(4)));
        assert_eq!(refused(b"pt-a\nb"), Some(InvalidToken::Character(4)));
        assert_eq!(refused(b" pt-a"), Some(InvalidToken::Character(0)));
        assert_eq!(refused("pt-ä".as_bytes()), Some(InvalidToken::Character(3)));
        assert_eq!(refused(&vec![b'a'; 1 << 20]), Some(InvalidToken::TooLong));
    }

    #[test]
    fn no_message_repeats_the_text() {
        let error = Token::parse(b"pt-fake secret").err().unwrap();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    #[test]
    fn a_file_is_read_each_time_and_never_further_than_a_token_can_be_long() {
        let file = std::env::temp_dir().join(format!("qoder-token-{}", std::process::id()));
        let source = TokenSource::File(file.clone());
        let longest = "a".repeat(Token::MAX_LENGTH) + "\r\n";
        for (text, header) in
            [("pt-fake-1\n", "Bearer pt-fake-1"), ("pt-fake-2", "Bearer pt-fake-2")]
        {
            std::fs::write(&file, text).unwrap();
            assert_eq!(source.load().ok().unwrap().authorization(), header);
        }
        std::fs::write(&file, longest).unwrap();
        assert!(source.load().is_ok());
        std::fs::remove_file(&file).unwrap();
        assert!(matches!(source.load(), Err(TokenError::Read(..))));
        let endless = TokenSource::File("/dev/zero".into()).load();
        assert!(matches!(endless, Err(TokenError::Invalid(InvalidToken::TooLong))));
    }
}
