//! Each block of shell in the pages can be pasted as it stands, and again. One that needs more than an API server says so behind its language.

use testbed::{Result, tools::Helm};

use crate::cluster::{Cluster, TOKEN, read, simulator};

/// What a block may need that is not here.
const ELSEWHERE: [&str; 3] = ["a Pod", "docker", "Argo CD"];

/// The blocks of shell of a page that need no more than an API server, in their order.
pub fn blocks(page: &str) -> Vec<String> {
    let text = read(page);
    let parts: Vec<_> = text.split("```").collect();
    let fenced = parts.iter().skip(1).step_by(2).filter_map(|block| block.split_once('\n'));
    let mut blocks = Vec::new();
    for (language, script) in fenced {
        match language.strip_prefix("sh").map(str::trim) {
            None => {}
            Some("") => blocks.push(script.to_owned()),
            Some(needs) => {
                let needs = needs.strip_prefix("needs ").unwrap_or_default();
                assert!(ELSEWHERE.contains(&needs), "{page}: {language}\n{script}");
            }
        }
    }
    blocks
}

/// Pastes every block twice.
pub fn follow(cluster: &Cluster, blocks: &[String]) -> Result<()> {
    for script in blocks {
        for _ in 0..2 {
            cluster.types(script)?;
        }
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn install_can_be_followed() -> Result<()> {
    let mut cluster = Cluster::start(Helm::V4).await?;
    let simulator = simulator(&["dep_a"]).await?;
    cluster.set("QODER_BASE_URL", &simulator.base_url());
    let blocks = blocks("docs/install.md");
    let [helm, kustomize, one_file, file, secret, id, first, namespaced, network] = &blocks[..]
    else {
        panic!("{blocks:#?}")
    };
    follow(&cluster, &[helm, kustomize, one_file, file].map(Clone::clone))?;
    cluster.keeps_token("qoder-token")?;
    follow(&cluster, std::slice::from_ref(secret))?;
    let secret = "kubectl -n qoder-operator get secret qoder-token --output jsonpath='{.data.token}{.metadata.annotations}' | base64 -d";
    assert_eq!(cluster.types(secret)?.trim_end(), TOKEN, "and no annotation repeats it");
    assert!(cluster.types(id)?.contains(r#""id":"dep_a""#));
    follow(&cluster, &[first, network].map(Clone::clone))?;

    // kubectl takes away nothing that a kustomization does not have any more: the last line does.
    let account = "qoder-operator:qoder-operator";
    let everywhere = || cluster.may(account, "list qoderdeployments.cloud.qoder.com -A");
    let (applied, taken_away) = namespaced.trim_end().rsplit_once('\n').unwrap();
    cluster.types(applied)?;
    assert!(everywhere()?, "the ClusterRole of the base is still bound");
    cluster.types(taken_away)?;
    assert!(!everywhere()?);
    follow(&cluster, std::slice::from_ref(namespaced))?;
    assert!(cluster.may(account, "list qoderdeployments.cloud.qoder.com -n agents")?);

    // And back: the Role is left.
    cluster.types("kubectl apply -k deploy/base")?;
    assert!(everywhere()?);
    cluster.types("kubectl -n agents get role qoder-operator")?;
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn upgrade_and_uninstall_can_be_followed() -> Result<()> {
    let cluster = Cluster::start(Helm::V3).await?;
    follow(&cluster, &blocks("docs/install.md")[..1])?;
    let (upgrade, uninstall) = (blocks("docs/upgrade.md"), blocks("docs/uninstall.md"));
    assert_eq!((upgrade.len(), uninstall.len()), (3, 6));
    follow(&cluster, &upgrade)?;
    let crds = || cluster.types("kubectl get crd --output name");
    follow(&cluster, &uninstall[..4])?;
    assert!(crds()?.contains("qoderdeployments"), "the CRD is left");
    let left = "kubectl get clusterrole,clusterrolebinding,deployment,service,role,rolebinding,serviceaccount,pdb \
                -A --selector app.kubernetes.io/instance=qoder-operator --output name";
    assert_eq!(cluster.types(left)?, "");

    // Without Helm, too.
    cluster.types("kubectl apply -k deploy/base")?;
    follow(&cluster, &[&uninstall[0], &uninstall[2]].map(Clone::clone))?;
    assert_eq!(cluster.types(left)?, "");
    follow(&cluster, &uninstall[4..])?;
    assert_eq!(crds()?, "");
    Ok(())
}
