//! An error with all its causes, as one line: the same in text logs, in JSON logs and on the terminal.

use std::{error::Error, fmt};

/// Displays an error and the sources below it, each once.
pub struct Chain<'a>(pub &'a dyn Error);

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = self.0.to_string();
        f.write_str(&said)?;
        let mut next = self.0.source();
        while let Some(source) = next {
            let text = source.to_string();
            // Many errors repeat their source in their own text.
            if !said.contains(&text) {
                write!(f, ": {text}")?;
                said.push_str(&text);
            }
            next = source.source();
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("{text}")]
    struct Link {
        text: &'static str,
        source: Option<Box<Link>>,
    }

    fn link(text: &'static str, source: Option<Link>) -> Link {
        Link { text, source: source.map(Box::new) }
    }

    #[test]
    fn each_cause_is_said_once() {
        let root = link("connection refused", None);
        let connect = link("tcp connect error", Some(root));
        let client = link("client error: tcp connect error", Some(connect));
        let top = link("the request failed", Some(client));
        assert_eq!(
            Chain(&top).to_string(),
            "the request failed: client error: tcp connect error: connection refused"
        );
    }
}
