//! The rules, and everything that is wrong with one file.

use super::text::{code, is_within, paths, shipped};

/// Each module, and the modules of this crate that it may import. Nothing upwards.
pub const LAYERS: [(&str, &[&str]); 21] = [
    // What all may use that need it.
    ("chain", &[]),
    ("lock", &[]),
    ("times", &[]),
    ("loopback", &[]),
    ("fair_queue", &[]),
    ("env", &["lock"]),
    ("metrics", &["qoder::CODES", "qoder::Operation"]),
    ("leader", &["chain", "env", "lock", "times"]),
    ("traces", &["api::DeploymentId", "lock"]),
    ("context", &["env", "leader", "metrics", "times", "traces"]),
    // The layers, from below.
    ("api", &[]),
    ("qoder", &["api::DeploymentId", "chain", "env", "lock", "loopback", "times", "traces"]),
    (
        "remote",
        &[
            "api",
            "chain",
            "qoder",
            "leader",
            "lock",
            "times",
            "fair_queue",
            "context",
            "env",
            "metrics",
            "traces",
        ],
    ),
    (
        "resources",
        &[
            "api",
            "qoder",
            "remote",
            "lock",
            "times",
            "fair_queue",
            "context",
            "env",
            "metrics",
            "traces",
        ],
    ),
    (
        "reconcile",
        &[
            "api",
            "chain",
            "qoder",
            "remote",
            "resources",
            "leader",
            "lock",
            "times",
            "fair_queue",
            "context",
            "env",
            "metrics",
            "traces",
        ],
    ),
    (
        "controller",
        &[
            "api",
            "chain",
            "qoder",
            "remote",
            "resources",
            "reconcile",
            "leader",
            "lock",
            "times",
            "fair_queue",
            "context",
            "env",
            "metrics",
            "traces",
        ],
    ),
    // The process around them.
    ("config", &["leader", "qoder", "remote", "times"]),
    ("check", &["api", "chain", "qoder"]),
    ("kubernetes", &["lock", "loopback", "times"]),
    ("server", &["controller", "metrics"]),
    ("telemetry", &["config", "loopback", "times", "traces"]),
];

/// What needs neither a client nor a runtime: folders, and files.
pub const PURE: [&str; 38] = [
    "api/",
    "fair_queue.rs",
    "leader/evaluate.rs",
    "leader/lease.rs",
    "times.rs",
    "reconcile/decide.rs",
    "reconcile/settle.rs",
    "reconcile/situation.rs",
    "reconcile/snapshot.rs",
    "reconcile/status.rs",
    "reconcile/events.rs",
    "reconcile/message.rs",
    "reconcile/waiting.rs",
    "reconcile/leftovers.rs",
    "remote/ending.rs",
    "remote/plan.rs",
    "remote/write.rs",
    "remote/writes.rs",
    "remote/ledger.rs",
    "remote/cache.rs",
    "remote/entry.rs",
    "remote/observation.rs",
    "remote/credential.rs",
    "remote/account.rs",
    "remote/budget.rs",
    "remote/rate.rs",
    "remote/permits.rs",
    "remote/probe.rs",
    "remote/state.rs",
    "resources/index.rs",
    "resources/memory.rs",
    "resources/mirror.rs",
    "resources/resource.rs",
    "resources/rooms.rs",
    "resources/published.rs",
    "resources/told.rs",
    "resources/text.rs",
    "controller/work_queue.rs",
];

/// What the pure parts may know of the libraries of clients and of the runtime.
const PURE_MAY: [&str; 4] = [
    "tokio::time::Instant",
    "kube::CustomResource",
    "kube::CustomResourceExt",
    "kube::ResourceExt",
];

/// Files that are longer than a page of thought, and why.
pub const LONG: [(&str, &str); 0] = [];
pub const LONGEST: usize = 300;

/// Words that bring in chance, hash order or the wall clock. `env.rs` is the one place for them.
const CHANCE: [&str; 10] = [
    "HashMap",
    "HashSet",
    "RandomState",
    "Timestamp::now",
    "Zoned::now",
    "SystemTime",
    "std::time::Instant",
    "fastrand::",
    "rand::",
    "Uuid::new_v4",
];

/// Everything that is wrong with one file.
pub fn faults(file: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let mut say = |line: usize, what: String| faults.push(format!("src/{file}:{line}: {what}"));
    let shipped = shipped(text);
    let module = file.split(['/', '.']).next().unwrap();

    if let Some((_, allowed)) = LAYERS.iter().find(|(layer, _)| *layer == module) {
        for (line, path) in paths(shipped, "crate") {
            let path = path.strip_prefix("crate::").unwrap();
            let may = is_within(path, module) || allowed.iter().any(|may| is_within(path, may));
            if !may {
                say(line, format!("`{module}` must not import `{path}`; it may: {allowed:?}"));
            }
        }
    } else if !["main", "lib"].contains(&module) {
        say(1, format!("no layer is said for `{module}`: give it its place in LAYERS"));
    }
    for (line, path) in ["kube", "k8s_openapi"].iter().flat_map(|root| paths(shipped, root)) {
        if module == "qoder" {
            say(line, format!("`qoder` knows nothing of Kubernetes: `{path}`"));
        }
    }
    for root in [
        "opentelemetry",
        "opentelemetry_http",
        "opentelemetry_otlp",
        "opentelemetry_sdk",
        "tracing_opentelemetry",
    ] {
        for (line, path) in paths(shipped, root).into_iter().filter(|_| module != "telemetry") {
            say(line, format!("only `telemetry` knows who takes traces: `{path}`"));
        }
    }
    let is_pure =
        PURE.iter().any(|pure| file == *pure || (pure.ends_with('/') && file.starts_with(pure)));
    if is_pure {
        for (line, path) in
            ["kube", "tokio", "tracing"].iter().flat_map(|root| paths(shipped, root))
        {
            if !PURE_MAY.iter().any(|may| is_within(&path, may)) {
                say(line, format!("this file is pure, and must not use `{path}`"));
            }
        }
    }
    let lines: Vec<_> = shipped.lines().collect();
    for (number, line) in (1..).zip(&lines) {
        if code(line).contains("super::super") {
            say(number, "`super::super` hides which layer it names; say `crate::`".into());
        }
        if let Some(word) = CHANCE.iter().find(|word| code(line).contains(**word))
            && file != "env.rs"
        {
            say(
                number,
                format!("`{word}`: chance and the wall clock come from `Env`, order from B-trees"),
            );
        }
        if is_pure && code(line).contains("Instant::now") {
            say(number, "this file is pure: time is an argument".into());
        }
        if code(line).contains("select!") {
            let is_biased = lines.get(number).is_some_and(|next| next.trim() == "biased;");
            let before = number.checked_sub(2).and_then(|before| lines.get(before));
            let says_why = before.is_some_and(|line| line.contains("// Not biased: "));
            if !is_biased && !says_why {
                say(
                    number,
                    "this select! is not `biased;`, and no `// Not biased: ` says why".into(),
                );
            }
        }
    }
    let is_excused = LONG.iter().any(|(long, _)| *long == file);
    match lines.len() {
        n if n > LONGEST && !is_excused => {
            say(n, format!("{n} lines: split it, or say in LONG why not"));
        }
        n if n <= LONGEST && is_excused => say(n, "not long any more: take it out of LONG".into()),
        _ => {}
    }
    faults
}
