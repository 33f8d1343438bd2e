//! Each block of shell in the pages can be pasted as it stands, and again. One that needs more than an API server says so behind its language.

use testbed::{Result, tools::Helm};

use crate::cluster::{Cluster, TOKEN, read, simulator};

/// The blocks of shell of a page, in their order, with what each needs.
pub fn blocks(page: &str) -> Vec<(String, String)> {
    let text = read(page);
    let parts: Vec<_> = text.split("```").collect();
    let fenced = parts.iter().skip(1).step_by(2);
    let split = fenced.filter_map(|block| block.split_once('\n'));
    split
        .filter_map(|(language, script)| {
            let needs = language.strip_prefix("sh")?;
            Some((needs.trim().to_owned(), script.to_owned()))
        })
        .collect()
}

/// What a block may need that is not here.
const ELSEWHERE: [&str; 4] = ["a Pod", "docker", "Flux", "Argo CD"];

/// Pastes every block twice. Who is asked for a token gives one.
fn follow(cluster: &Cluster, page: &str, expected: usize) -> Result<()> {
    let mut pasted = 0;
    for (needs, script) in blocks(page) {
        if needs.is_empty() {
            pasted += 1;
            for _ in 0..2 {
                cluster.paste(&script, &format!("{TOKEN}\n"))?;
            }
        } else {
            let needs = needs.strip_prefix("needs ").unwrap_or_default();
            assert!(ELSEWHERE.contains(&needs), "{page}: {needs:?}\n{script}");
        }
    }
    assert_eq!(pasted, expected, "{page}: so many blocks run here");
    Ok(())
}

async fn install(helm: Helm) -> Result<()> {
    let mut cluster = Cluster::start(helm).await?;
    let simulator = simulator(&["dep_a"]).await?;
    cluster.set("QODER_BASE_URL", &simulator.base_url());
    cluster.set("QODER_PAT", TOKEN);
    follow(&cluster, "docs/install.md", 8)?;
    let secret = "kubectl -n qoder-operator get secret qoder-token --output jsonpath='{.data.token}{.metadata.annotations}' | base64 -d";
    assert_eq!(cluster.types(secret)?, TOKEN, "and no annotation repeats it");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn install_can_be_followed_with_helm_3() -> Result<()> {
    install(Helm::V3).await
}

#[tokio::test(flavor = "multi_thread")]
async fn install_can_be_followed_with_helm_4() -> Result<()> {
    install(Helm::V4).await
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrade_and_uninstall_can_be_followed() -> Result<()> {
    let cluster = Cluster::start(Helm::V4).await?;
    let install =
        "helm install qoder-operator deploy/chart --namespace qoder-operator --create-namespace";
    cluster.types(install)?;
    follow(&cluster, "docs/upgrade.md", 3)?;
    follow(&cluster, "docs/uninstall.md", 6)
}

#[tokio::test(flavor = "multi_thread")]
async fn tenants_can_be_followed() -> Result<()> {
    let cluster = Cluster::start(Helm::V4).await?;
    follow(&cluster, "docs/tenants.md", 5)?;
    let namespaces = cluster
        .types("kubectl get deployments -A --output jsonpath='{.items[*].metadata.namespace}'")?;
    let expected =
        ["blue", "green", "north", "south", "west"].map(|name| format!("{name}-operator"));
    assert_eq!(namespaces, expected.join(" "));
    Ok(())
}
