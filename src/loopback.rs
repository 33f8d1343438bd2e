//! Which hosts are this machine: what goes there needs no TLS, and no proxy that the
//! environment names.

use std::net::IpAddr;

/// Whether the host of a URL is this machine, by its name alone.
pub fn is_loopback(host: &str) -> bool {
    let address = host.trim_matches(['[', ']']).parse::<IpAddr>();
    host.eq_ignore_ascii_case("localhost")
        || address.is_ok_and(|address| address.to_canonical().is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_told_by_name() {
        for here in ["localhost", "LocalHost", "127.0.0.1", "127.8.9.1", "[::1]", "::1"] {
            assert!(is_loopback(here), "{here}");
        }
        assert!(is_loopback("[::ffff:127.0.0.1]"));
        for there in ["", "0.0.0.0", "128.0.0.1", "[::]", "127.0.0.1.example", "localhost.example"]
        {
            assert!(!is_loopback(there), "{there}");
        }
    }
}
