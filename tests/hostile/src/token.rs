//! The text of a token file.

use std::{cell::LazyCell, fs};

use qoder_operator::{
    chain::Chain,
    qoder::{InvalidToken, Token, TokenError, TokenProblem, TokenSource},
};
use tempfile::NamedTempFile;

thread_local! {
    static FILE: LazyCell<NamedTempFile> = LazyCell::new(|| NamedTempFile::new().unwrap());
}

/// What is a token goes into the header as it is; what is none is described by length and position alone. From a
/// file, a variable, or memory: the same.
pub fn token(data: &[u8]) {
    let parsed = Token::parse(data);
    let from_file = FILE.with(|file| {
        fs::write(file.path(), data).unwrap();
        TokenSource::File(file.path().to_owned()).load()
    });
    let from_environment = TokenSource::Environment(Token::parse(data)).load();
    match &parsed {
        Ok(token) => {
            let header = token.authorization();
            assert!(header.is_sensitive() && format!("{header:?}") == "Sensitive");
            let text = header.as_bytes().strip_prefix(b"Bearer ").unwrap();
            assert!(text.iter().all(u8::is_ascii_graphic) && !text.is_empty());
            assert!(text.len() <= Token::MAX_LENGTH);
            let rest = data.strip_prefix(text).expect("nothing is taken off before it");
            assert!([&b""[..], b"\n", b"\r\n", b"\r"].contains(&rest), "{rest:?}");
            assert!(from_file.is_ok_and(|it| it == *token));
            assert!(from_environment.is_ok_and(|it| it == *token));
        }
        Err(invalid) => {
            // Another text of the same shape has the same error: nothing of a text can be in it.
            let masked: Vec<_> = data.iter().copied().map(mask).collect();
            assert_eq!(Token::parse(&masked).err(), Some(*invalid));
            for error in [from_file.err().unwrap(), from_environment.err().unwrap()] {
                assert!(matches!(error, TokenError::Invalid(found) if found == *invalid));
                assert_eq!(TokenProblem::from(&error), TokenProblem::Invalid(*invalid));
                assert_eq!(Chain(&error).to_string(), invalid.to_string());
                assert_eq!(format!("{error:?}"), format!("Invalid({invalid:?})"));
            }
            if let InvalidToken::Character(at) = invalid {
                assert!(data.get(*at).is_some_and(|byte| !byte.is_ascii_graphic()));
            }
        }
    }
}

fn mask(byte: u8) -> u8 {
    match byte {
        b'\r' | b'\n' => byte,
        byte if byte.is_ascii_graphic() => b'x',
        _ => b' ',
    }
}
