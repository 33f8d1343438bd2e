//! Sockets that can be reset, and that tell when all was sent.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::{Instant, Sleep, sleep};
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
    pace: Option<Pace>,
    ending: Arc<Ending>,
}

impl<S: Socket> Watched<S> {
    /// `bandwidth`: how many bytes it sends in a second.
    pub(super) fn new(socket: S, bandwidth: Option<u32>, ending: Arc<Ending>) -> Self {
        Self { socket, pace: bandwidth.map(Pace::new), ending }
    }

    pub(super) fn tcp(&self) -> &TcpStream {
        self.socket.tcp()
    }
}

/// How fast a socket sends: so much in each tenth of a second.
#[derive(Debug)]
struct Pace {
    each: usize,
    room: usize,
    next: Pin<Box<Sleep>>,
}

impl Pace {
    const TICK: Duration = Duration::from_millis(100);

    fn new(bytes_per_second: u32) -> Self {
        let each = (bytes_per_second as usize).div_ceil(10);
        Self { each, room: 0, next: Box::pin(sleep(Duration::ZERO)) }
    }

    /// How much may be sent now.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        if self.room == 0 {
            ready!(self.next.as_mut().poll(cx));
            self.room = self.each;
            self.next.as_mut().reset(Instant::now() + Self::TICK);
        }
        Poll::Ready(self.room)
    }

    fn wrote(&mut self, bytes: usize) {
        self.room -= bytes;
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
        let this = &mut *self;
        let most = match &mut this.pace {
            Some(pace) => ready!(pace.poll_room(cx)).min(bytes.len()),
            None => bytes.len(),
        };
        let written =
            ready!(Pin::new(&mut this.socket).poll_write(cx, bytes.get(..most).unwrap_or(bytes)))?;
        if let Some(pace) = &mut this.pace {
            pace.wrote(written);
        }
        Poll::Ready(Ok(written))
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
