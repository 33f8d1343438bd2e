//! Sockets that can be reset, and that tell when all was sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::server::TlsStream;

/// A stream over a TCP socket.
pub(super) trait Socket: AsyncRead + AsyncWrite + Unpin {
    fn tcp(&self) -> &TcpStream;
}

impl Socket for TcpStream {
    fn tcp(&self) -> &TcpStream {
        self
    }
}

impl Socket for TlsStream<TcpStream> {
    fn tcp(&self) -> &TcpStream {
        self.get_ref().0
    }
}

/// How a connection is to end before its time.
#[derive(Debug, Default)]
pub(super) struct Ending {
    /// At once, by RST.
    pub(super) reset: Notify,
    /// When all that was written is sent.
    is_near: AtomicBool,
    /// All is sent.
    pub(super) sent: Notify,
}

impl Ending {
    /// The connection ends when all that was written so far is sent.
    pub(super) fn draw_near(&self) {
        self.is_near.store(true, Ordering::Relaxed);
    }
}

/// A socket that tells when all is sent of a connection whose end is near.
#[derive(Debug)]
pub(super) struct Watched<S> {
    socket: S,
    ending: Arc<Ending>,
}

impl<S: Socket> Watched<S> {
    pub(super) fn new(socket: S, ending: Arc<Ending>) -> Self {
        Self { socket, ending }
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        self.socket.tcp()
    }
}

impl<S: Socket> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl<S: Socket> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    /// Hyper asks for this when its own buffer is empty.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.socket).poll_flush(cx);
        if flushed.is_ready() && self.ending.is_near.load(Ordering::Relaxed) {
            self.ending.sent.notify_one();
        }
        flushed
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
