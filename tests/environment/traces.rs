//! Where traces go: the variables of OpenTelemetry say so.

use crate::{Check, listener::Listener};

const NONE: [&str; 0] = [];

const ENDPOINT: &str = "OTEL_EXPORTER_OTLP_ENDPOINT";

#[test]
fn they_go_where_the_variables_say_and_not_through_a_proxy_on_this_machine() {
    for (variable, path, request) in [
        (ENDPOINT, "", "POST /v1/traces HTTP/1.1"),
        (ENDPOINT, "/otlp/", "POST /otlp/v1/traces HTTP/1.1"),
        ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "/own", "POST /own HTTP/1.1"),
    ] {
        let (collector, proxy) = (Listener::start(), Listener::start());
        let checked = Check::named(&format!("traces-{}-{}", variable.len(), path.len()))
            .arg("--base-url=http://127.0.0.1:9")
            .env("HTTP_PROXY", &proxy.url("127.0.0.1"))
            .env(variable, &format!("{}{path}", collector.url("127.0.0.1")))
            .run();
        // One that it refuses may be tried again.
        assert_eq!(collector.requests().first().map(String::as_str), Some(request));
        assert_eq!(proxy.requests(), NONE);
        let told = checked.errors.matches("traces cannot be sent").count();
        assert!(told <= 1, "{}", checked.errors);
    }
}

#[test]
fn they_are_off_where_a_variable_says_so() {
    for (variable, value) in
        [("OTEL_SDK_DISABLED", "true"), ("OTEL_TRACES_EXPORTER", "none"), (ENDPOINT, " ")]
    {
        let collector = Listener::start();
        let checked = Check::named(&format!("off-{variable}"))
            .arg("--base-url=http://127.0.0.1:9")
            .env(ENDPOINT, &collector.url("127.0.0.1"))
            .env(variable, value)
            .run();
        assert_eq!(collector.requests(), NONE, "{variable}");
        assert!(!checked.errors.contains("traces"), "{}", checked.errors);
    }
}

#[test]
fn what_cannot_be_is_an_error_that_names_the_variable() {
    let endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT is not a URL: expected something like http://collector.example:4318";
    let protocol = "OTEL_EXPORTER_OTLP_PROTOCOL is \"grpc\": traces are sent as http/protobuf only, which collectors take at port 4318";
    for (value, with, says) in [
        ("collector:4318", None, endpoint),
        ("http//collector", None, endpoint),
        ("http://127.0.0.1:9", Some(("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")), protocol),
    ] {
        let mut check = Check::named(&format!("wrong-{}", value.len())).env(ENDPOINT, value);
        if let Some((variable, value)) = with {
            check = check.env(variable, value);
        }
        let checked = check.run();
        assert_eq!(checked.errors, format!("qoder-operator: {says}\n"));
        assert_eq!(checked.out, "");
    }
}
