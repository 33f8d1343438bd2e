//! Where the API is.

use crate::loopback::is_loopback;

/// The origin and path of the API, checked. Nothing else is ever called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BaseUrl {
    url: String,
    host: String,
    port: u16,
    loopback: bool,
}

/// Why a text is no base URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidBaseUrl {
    /// Not a URL with a host.
    #[error(
        "the base URL is not a URL: expected something like https://api.qoder.com/api/v1/cloud"
    )]
    NotAUrl,
    /// User name, password, query or fragment.
    #[error("the base URL must have no user name, password, query or fragment")]
    Extras,
    /// `http` to another machine.
    #[error(
        "the base URL must be https: over http the token could be read by others (http is for loopback, or with --allow-insecure-http)"
    )]
    Insecure,
}

impl BaseUrl {
    /// Checks the URL. `http` needs a loopback host or `allow_insecure_http`.
    ///
    /// # Errors
    /// [`InvalidBaseUrl`].
    pub fn parse(text: &str, allow_insecure_http: bool) -> Result<Self, InvalidBaseUrl> {
        let url = reqwest::Url::parse(text).map_err(|_| InvalidBaseUrl::NotAUrl)?;
        let host = url.host_str().ok_or(InvalidBaseUrl::NotAUrl)?;
        let extras = !url.username().is_empty() || url.password().is_some();
        if extras || url.query().is_some() || url.fragment().is_some() {
            return Err(InvalidBaseUrl::Extras);
        }
        let loopback = is_loopback(host);
        match url.scheme() {
            "https" => {}
            "http" if loopback || allow_insecure_http => {}
            "http" => return Err(InvalidBaseUrl::Insecure),
            _ => return Err(InvalidBaseUrl::NotAUrl),
        }
        Ok(Self {
            host: host.to_owned(),
            port: url.port_or_known_default().unwrap_or_default(),
            loopback,
            url: url.as_str().trim_end_matches('/').to_owned(),
        })
    }

    /// The URL without a trailing slash.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.url
    }

    /// Host and port, for traces.
    pub(super) fn server(&self) -> (&str, u16) {
        (&self.host, self.port)
    }

    /// Whether it is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.loopback
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_base_url_is_https_or_loopback_and_nothing_more() {
        let parse = |text| BaseUrl::parse(text, false);
        for good in [
            "https://api.qoder.com/api/v1/cloud",
            "http://127.0.0.1:8080/x",
            "http://[::1]:1",
            "http://localhost:1",
        ] {
            assert!(parse(good).is_ok(), "{good}");
        }
        assert_eq!(parse("http://simulator.default.svc/x"), Err(InvalidBaseUrl::Insecure));
        assert!(BaseUrl::parse("http://simulator.default.svc/x", true).is_ok());
        assert_eq!(parse("https://user@api.qoder.com"), Err(InvalidBaseUrl::Extras));
        assert_eq!(parse("https://api.qoder.com/?a=b"), Err(InvalidBaseUrl::Extras));
        assert_eq!(parse("https://api.qoder.com/#x"), Err(InvalidBaseUrl::Extras));
        assert_eq!(parse("ftp://api.qoder.com"), Err(InvalidBaseUrl::NotAUrl));
        assert_eq!(parse("api.qoder.com"), Err(InvalidBaseUrl::NotAUrl));
    }
}
