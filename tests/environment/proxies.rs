//! What goes through a proxy, and what never does.

use std::{
    io::Read as _,
    net::TcpListener,
    sync::mpsc::{Receiver, channel},
    time::Duration,
};

use crate::{Check, listener::Listener};

const NONE: [&str; 0] = [];

/// Every variable that names a proxy.
const VARIABLES: [&str; 6] =
    ["HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"];

#[test]
fn loopback_never_goes_through_a_proxy() {
    for host in ["127.0.0.1", "127.0.0.2", "localhost", "LOCALHOST"] {
        let (proxy, api, cluster) = (Listener::start(), Listener::start(), Listener::start());
        let mut check = Check::named(&format!("loopback-{host}"))
            .arg(&format!("--base-url={}", api.url(host)))
            .server(&cluster.url(host));
        for variable in VARIABLES {
            check = check.env(variable, &proxy.url("127.0.0.1"));
        }
        let checked = check.run();
        assert_eq!(proxy.requests(), NONE, "{host}: the proxy saw something");
        assert_eq!(api.requests(), ["GET /deployments?limit=1 HTTP/1.1"], "{}", checked.errors);
        assert!(cluster.requests().len() > 1, "{host}: {}{}", checked.out, checked.errors);
    }
}

#[test]
fn the_api_is_reached_through_the_proxy_of_its_scheme() {
    let (http, https) = (Listener::start(), Listener::start());
    let base_urls = [
        ("http://qoder.invalid/api", "GET http://qoder.invalid/api/deployments?limit=1 HTTP/1.1"),
        ("https://qoder.invalid/api", "CONNECT qoder.invalid:443 HTTP/1.1"),
    ];
    for ((base_url, request), proxy) in base_urls.iter().zip([&http, &https]) {
        let mut check = Check::named(&format!("scheme-{}", base_url.len()))
            .arg(&format!("--base-url={base_url}"))
            .arg("--allow-insecure-http")
            .env("HTTP_PROXY", &http.url("127.0.0.1"))
            .env("HTTPS_PROXY", &https.url("127.0.0.1"));
        let checked = check.run();
        assert_eq!(proxy.requests(), [*request], "{}{}", checked.out, checked.errors);
    }
}

#[test]
fn kubernetes_is_reached_through_the_proxy() {
    for variable in ["HTTPS_PROXY", "https_proxy"] {
        let proxy = Listener::start();
        let mut check = Check::named(variable)
            .arg("--base-url=http://127.0.0.1:9")
            .server("https://kubernetes.invalid:6443")
            .env(variable, &proxy.url("127.0.0.1"));
        let checked = check.run();
        let requests = proxy.requests();
        assert!(!requests.is_empty(), "{variable}: {}{}", checked.out, checked.errors);
        for request in requests {
            assert_eq!(request, "CONNECT kubernetes.invalid:6443 HTTP/1.1", "{variable}");
        }
    }
}

/// 0.0.0.0 is this machine, but not loopback.
#[test]
fn no_proxy_is_heeded() {
    let (proxy, api, cluster) = (Listener::start(), Listener::start(), Listener::start());
    let mut check = Check::named("no-proxy")
        .arg(&format!("--base-url={}", api.url("0.0.0.0")))
        .arg("--allow-insecure-http")
        .server(&cluster.url("0.0.0.0"))
        // As people write it: with spaces, a star before a dot, and a comma too many.
        .env("NO_PROXY", "*.example.com, 0.0.0.0 , .svc,");
    for variable in VARIABLES {
        check = check.env(variable, &proxy.url("127.0.0.1"));
    }
    let checked = check.run();
    assert_eq!(proxy.requests(), NONE, "the proxy saw something");
    assert_eq!(api.requests(), ["GET /deployments?limit=1 HTTP/1.1"], "{}", checked.errors);
    assert!(cluster.requests().len() > 1, "{}{}", checked.out, checked.errors);
}

#[test]
fn the_proxy_of_the_kubeconfig_comes_before_the_environments() {
    let (proxy, other) = (Listener::start(), Listener::start());
    // A server on loopback, too: it is the loopback at the far end of a tunnel.
    for server in ["https://kubernetes.invalid:6443", "https://127.0.0.1:6443"] {
        let mut check = Check::named(&format!("proxy-url-{}", server.len()))
            .arg("--base-url=http://127.0.0.1:9")
            .cluster_entry(&format!(
                "server: '{server}', proxy-url: '{}'",
                proxy.url("user:secret@127.0.0.1")
            ))
            .env("HTTPS_PROXY", &other.url("127.0.0.1"))
            .env("NO_PROXY", "*");
        let checked = check.run();
        let request = format!("CONNECT {} HTTP/1.1", &server["https://".len()..]);
        assert!(proxy.requests().contains(&request), "{}{}", checked.out, checked.errors);
    }
    assert_eq!(other.requests(), NONE);
}

/// The first bytes that come to it: a SOCKS5 client says 5, and how many ways it has to sign in.
fn greeting(proxy: TcpListener) -> Receiver<[u8; 2]> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut bytes = [0; 2];
        proxy.accept().unwrap().0.read_exact(&mut bytes).unwrap();
        sender.send(bytes).unwrap();
    });
    receiver
}

#[test]
fn a_socks_proxy_is_spoken_to_in_its_language() {
    let proxies = [(); 2].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    let [api, cluster] =
        proxies.each_ref().map(|proxy| format!("socks5h://{}", proxy.local_addr().unwrap()));
    let greetings = proxies.map(greeting);
    let mut check = Check::named("socks")
        .arg("--base-url=https://qoder.invalid/api")
        .env("ALL_PROXY", &api)
        .cluster_entry(&format!("server: 'https://kubernetes.invalid', proxy-url: '{cluster}'"));
    let checked = check.run();
    for greeting in greetings {
        let greeting = greeting.recv_timeout(Duration::from_secs(1));
        assert_eq!(greeting, Ok([5, 1]), "{}{}", checked.out, checked.errors);
    }
}

#[test]
fn a_proxy_of_an_unknown_kind_is_refused_and_its_password_not_shown() {
    let mut check = Check::named("proxy-kind").arg("--base-url=http://127.0.0.1:9").cluster_entry(
        "server: 'https://kubernetes.invalid', proxy-url: 'gopher://user:secret@127.0.0.1:9'",
    );
    let checked = check.run();
    let failed = checked.out.lines().find(|line| line.starts_with("FAIL  Kubernetes API: "));
    assert!(failed.is_some_and(|line| line.contains("proxy-url")), "{}", checked.out);
    for text in [&checked.out, &checked.errors] {
        assert!(!text.contains("secret"), "{text}");
    }
}
