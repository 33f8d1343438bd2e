//! A port that is told before anybody listens on it, and is still free then.

use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpSocket};

use crate::Result;

/// A loopback port that is nobody else's while this lives.
///
/// It is bound here, and nobody listens. So the system gives it neither to another program nor to an outgoing connection.
/// Whoever binds it with `SO_REUSEPORT` can listen on it, again and again.
#[derive(Debug)]
pub struct ReservedPort {
    address: SocketAddr,
    /// Held, not used.
    _bound: TcpSocket,
}

impl ReservedPort {
    /// One that the system chooses.
    ///
    /// # Errors
    ///
    /// If there is none.
    pub fn new() -> Result<Self> {
        let bound = sharing(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))?;
        Ok(Self { address: bound.local_addr()?, _bound: bound })
    }

    /// The loopback address, with the port.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Listens on it in this process.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn listen(&self) -> Result<TcpListener> {
        Ok(sharing(self.address)?.listen(1024)?)
    }
}

fn sharing(address: SocketAddr) -> Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;
    use std::net::TcpListener;

    use tokio::net::TcpStream;

    use super::*;

    #[tokio::test]
    async fn a_reserved_port_is_refused_to_others_and_its_owner_comes_back_to_it() -> Result<()> {
        let port = ReservedPort::new()?;
        let taken = || TcpListener::bind(port.address()).map(drop).map_err(|error| error.kind());
        assert_eq!(taken(), Err(ErrorKind::AddrInUse));
        let nobody = TcpStream::connect(port.address()).await.map_err(|error| error.kind());
        assert_eq!(nobody.map(drop), Err(ErrorKind::ConnectionRefused));
        for _ in 0..2 {
            let listener = port.listen()?;
            let (client, served) =
                tokio::join!(TcpStream::connect(port.address()), listener.accept());
            client?;
            served?;
        }
        assert_eq!(taken(), Err(ErrorKind::AddrInUse));
        Ok(())
    }
}
