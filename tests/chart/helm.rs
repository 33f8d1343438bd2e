//! Helm as a process, and what it renders.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
    sync::OnceLock,
    thread,
};

use serde::Deserialize as _;
use serde_json::Value;
use testbed::{
    Result,
    tools::{self, Helm},
};

/// The name of the release, and its namespace, where a test names no others: those of the kustomize base.
pub const NAME: &str = "qoder-operator";

/// The files of `deploy/chart/ci`, without `-values.yaml`.
pub const CASES: [&str; 6] =
    ["default", "everything", "namespaced", "one-replica", "several-namespaces", "simulator"];

/// The objects by kind, namespace and name, as `Role agents/qoder-operator`.
pub type Objects = BTreeMap<String, Value>;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

pub fn chart() -> String {
    root().join("deploy/chart").display().to_string()
}

/// The file of a case.
pub fn case(name: &str) -> String {
    format!("{}/ci/{name}-values.yaml", chart())
}

struct Tools {
    helm_3: PathBuf,
    helm_4: PathBuf,
    kustomize: PathBuf,
}

/// Found, or built, by the first test that asks; the others wait.
fn tools() -> &'static Tools {
    static TOOLS: OnceLock<Tools> = OnceLock::new();
    TOOLS.get_or_init(|| {
        // A thread of its own: a test may be inside a runtime already.
        let found = thread::spawn(|| -> Result<Tools> {
            tokio::runtime::Runtime::new()?.block_on(async {
                let (helm_3, helm_4) = (Helm::V3.find().await?, Helm::V4.find().await?);
                Ok(Tools { helm_3, helm_4, kustomize: tools::kustomize().await? })
            })
        });
        found.join().unwrap().unwrap_or_else(|error| panic!("{error:#}"))
    })
}

/// A Helm that knows nothing of whoever runs the tests, neither settings nor a cluster.
pub fn command(helm: Helm) -> Command {
    let mut command = Command::new(match helm {
        Helm::V3 => &tools().helm_3,
        Helm::V4 => &tools().helm_4,
    });
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("HELM_") {
            command.env_remove(name);
        }
    }
    for kind in ["CACHE", "CONFIG", "DATA"] {
        let folder = format!("{}/helm/{helm:?}/{kind}", env!("CARGO_TARGET_TMPDIR"));
        command.env(format!("HELM_{kind}_HOME"), folder);
    }
    command.env("KUBECONFIG", "/dev/null");
    command
}

/// What a command has written, or its complaint.
pub fn run(command: &mut Command) -> std::result::Result<String, String> {
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    if status.success() { Ok(stdout.into_owned()) } else { Err(format!("{stderr}{stdout}")) }
}

/// `helm template`, with the namespace and the release of the base, and without the empty lines that only Helm 4 writes.
pub fn template(helm: Helm, arguments: &[&str]) -> std::result::Result<String, String> {
    let chart = chart();
    let release = ["template", NAME, &chart, "--namespace", NAME];
    let rendered = run(command(helm).args(release).args(arguments))?;
    Ok(format!("{}\n", rendered.replace("\n\n---", "\n---").trim_end()))
}

/// What the chart renders, without its test.
pub fn render(helm: Helm, arguments: &[&str]) -> Objects {
    let arguments: Vec<_> = arguments.iter().chain(&["--skip-tests"]).copied().collect();
    let text = template(helm, &arguments).unwrap_or_else(|error| panic!("{arguments:?}: {error}"));
    objects(&text)
}

/// `kustomize build` of a folder below `deploy`.
pub fn kustomize(folder: &str) -> Objects {
    let built = Command::new(&tools().kustomize)
        .arg("build")
        .arg(root().join("deploy").join(folder))
        .output()
        .unwrap();
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    objects(&String::from_utf8(built.stdout).unwrap())
}

pub fn objects(text: &str) -> Objects {
    let documents = serde_yaml_ng::Deserializer::from_str(text)
        .map(|document| Value::deserialize(document).unwrap())
        .filter(|document| !document.is_null());
    let mut objects = Objects::new();
    for object in documents {
        let part = |pointer| object.pointer(pointer).and_then(Value::as_str);
        let name = part("/metadata/name").unwrap();
        let kind = part("/kind").unwrap();
        let key = match part("/metadata/namespace") {
            Some(namespace) => format!("{kind} {namespace}/{name}"),
            None => format!("{kind} {name}"),
        };
        assert!(objects.insert(key.clone(), object).is_none(), "{key} is there twice");
    }
    objects
}

/// The one object of a kind.
pub fn only<'a>(objects: &'a Objects, kind: &str) -> &'a Value {
    let found: Vec<_> = objects.values().filter(|object| object["kind"] == kind).collect();
    assert_eq!(found.len(), 1, "{kind} among {:?}", objects.keys());
    found[0]
}

/// The Pod of the Deployment.
pub fn pod(objects: &Objects) -> &Value {
    &only(objects, "Deployment")["spec"]["template"]
}

/// The container of that Pod.
pub fn container(objects: &Objects) -> &Value {
    &pod(objects)["spec"]["containers"][0]
}

/// The plain variables of that container.
pub fn variables(objects: &Objects) -> BTreeMap<String, String> {
    let all = container(objects)["env"].as_array().unwrap().iter();
    let plain = all.filter_map(|variable| {
        Some((variable["name"].as_str()?.to_owned(), variable["value"].as_str()?.to_owned()))
    });
    plain.collect()
}

/// A file of the repository is what it is made of.
#[track_caller]
pub fn compare(path: &str, made: &str) {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(root().join(path), made).unwrap();
    }
    let stands = fs::read_to_string(root().join(path)).unwrap_or_default();
    assert!(stands == made, "{path} is old; `make generate` writes it:\n{made}");
}
