//! A TCP proxy on loopback that can be cut: how a process loses the API server, and no one else does.

use std::net::SocketAddr;

use anyhow::Context as _;
use kube::config::Kubeconfig;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use crate::{ReservedPort, Result};

/// Passes connections on to `target`, except while it is cut.
#[derive(Debug)]
pub struct Proxy {
    target: SocketAddr,
    port: ReservedPort,
    serving: JoinHandle<()>,
}

impl Proxy {
    /// A proxy to the API server of this kubeconfig, and a kubeconfig that leads through it.
    ///
    /// # Errors
    ///
    /// If the kubeconfig names no API server by its IP address, or there is no free port.
    pub fn to_api_server(mut kubeconfig: Kubeconfig) -> Result<(Self, Kubeconfig)> {
        let cluster = kubeconfig.clusters.first_mut().and_then(|named| named.cluster.as_mut());
        let server = cluster.and_then(|cluster| cluster.server.as_mut()).context("no cluster")?;
        let address = server.trim_start_matches("https://").trim_end_matches('/').parse();
        let proxy = Self::start(address.context("the API server has no IP address")?)?;
        *server = format!("https://{}", proxy.port.address());
        Ok((proxy, kubeconfig))
    }

    /// A proxy on a free port.
    fn start(target: SocketAddr) -> Result<Self> {
        let port = ReservedPort::new()?;
        let serving = tokio::spawn(serve(port.listen()?, target));
        Ok(Self { target, port, serving })
    }

    /// Ends all connections and refuses new ones.
    pub async fn cut(&mut self) {
        self.serving.abort();
        // When it has ended, so has the listener; that it was aborted is no news.
        let _ = (&mut self.serving).await;
    }

    /// Listens again, on the same port.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn mend(&mut self) -> Result<()> {
        let listener = self.port.listen()?;
        self.serving = tokio::spawn(serve(listener, self.target));
        Ok(())
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// Dropping this future drops the listener and all connections.
async fn serve(listener: TcpListener, target: SocketAddr) {
    let mut connections = JoinSet::new();
    while let Ok((mut near, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(async move {
            if let Ok(mut far) = TcpStream::connect(target).await {
                // Small packets go at once on both sides, as without a proxy.
                let _ = (near.set_nodelay(true), far.set_nodelay(true));
                // How a connection ended is the business of its two ends.
                let _ = copy_bidirectional(&mut near, &mut far).await;
            }
        });
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_is_cut_ends_and_comes_back_on_the_same_port() -> Result<()> {
        let target = TcpListener::bind("127.0.0.1:0").await?;
        let mut proxy = Proxy::start(target.local_addr()?)?;
        let mut near = TcpStream::connect(proxy.port.address()).await?;
        let (mut far, _) = target.accept().await?;
        near.write_all(b"a").await?;
        assert_eq!(far.read_u8().await?, b'a');

        proxy.cut().await;
        assert_eq!(near.read(&mut [0]).await.unwrap_or_default(), 0, "the connection ends");
        assert!(TcpStream::connect(proxy.port.address()).await.is_err());

        proxy.mend()?;
        let mut near = TcpStream::connect(proxy.port.address()).await?;
        let (mut far, _) = target.accept().await?;
        near.write_all(b"b").await?;
        assert_eq!(far.read_u8().await?, b'b');
        Ok(())
    }
}
