//! What the shipped binary makes of its environment: variables that are empty, and proxies.
//!
//! `check` is what runs: it makes every kind of request, and ends by itself.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test that meets the impossible should stop there"
)]

mod flags;
mod listener;
mod proxies;
mod traces;

use std::{path::PathBuf, process::Command};

use listener::Listener;

/// What `check` wrote.
struct Checked {
    out: String,
    errors: String,
}

/// `check`, in an environment of its own.
struct Check {
    command: Command,
    /// Where Kubernetes is, unless a test says otherwise.
    cluster: Listener,
    kubeconfig: PathBuf,
}

impl Check {
    /// Removed when the test ends well. `name` is of one test.
    fn named(name: &str) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_qoder-operator"));
        command.arg("check").env_clear().env("QODER_PAT", "pt-fake");
        let kubeconfig = format!("{}/{name}.kubeconfig", env!("CARGO_TARGET_TMPDIR"));
        let cluster = Listener::start();
        let check = Self { command, cluster, kubeconfig: kubeconfig.into() };
        let server = check.cluster.url("127.0.0.1");
        check.server(&server)
    }

    /// Where Kubernetes is.
    fn server(self, url: &str) -> Self {
        self.cluster_entry(&format!("server: {url}"))
    }

    /// The cluster of the kubeconfig, as its lines in YAML's flow style.
    fn cluster_entry(mut self, cluster: &str) -> Self {
        let kubeconfig = format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: it\n\
             clusters: [{{name: it, cluster: {{{cluster}}}}}]\n\
             users: [{{name: it, user: {{token: fake}}}}]\n\
             contexts: [{{name: it, context: {{cluster: it, user: it}}}}]\n"
        );
        std::fs::write(&self.kubeconfig, kubeconfig).unwrap();
        self.command.env("KUBECONFIG", &self.kubeconfig);
        self
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self
    }

    fn arg(mut self, argument: &str) -> Self {
        self.command.arg(argument);
        self
    }

    fn run(&mut self) -> Checked {
        let output = self.command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        let _ = std::fs::remove_file(&self.kubeconfig);
        Checked { out: text(output.stdout), errors: text(output.stderr) }
    }
}
