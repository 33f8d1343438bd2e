//! An error with all its causes, as one line: the same in text logs, in JSON logs and on the terminal.

use std::{error::Error, fmt};

/// Displays an error and the sources below it, each once.
pub struct Chain<'a>(pub &'a (dyn Error + 'static));

/// One error by itself. kube shows what an API server answered twice, the second time as a dump.
fn text(error: &(dyn Error + 'static)) -> String {
    match error.downcast_ref() {
        Some(kube::Error::Api(status)) => said(status),
        _ => {
            error.downcast_ref::<Box<_>>().map_or_else(|| error.to_string(), |status| said(status))
        }
    }
}

/// What an API server answered.
#[must_use]
pub fn said(status: &kube::core::Status) -> String {
    let kube::core::Status { code, reason, message, .. } = status;
    format!("{code} {reason}: {}", message.trim_end())
}

impl fmt::Display for Chain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = text(self.0);
        f.write_str(&said)?;
        let mut next = self.0.source();
        while let Some(source) = next {
            let text = text(source);
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
    fn what_an_api_server_answered_is_no_dump() {
        let status = kube::core::Status::failure("404 page not found\n", "NotFound").with_code(404);
        let error = kube::Error::Api(Box::new(status));
        assert_eq!(Chain(&error).to_string(), "404 NotFound: 404 page not found");
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
