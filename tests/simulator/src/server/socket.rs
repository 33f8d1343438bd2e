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

/// How fast a socket sends: so much in each tick. That is a tenth of a second, or longer where a tenth has no whole byte.
#[derive(Debug)]
struct Pace {
    each: usize,
    tick: Duration,
    room: usize,
    next: Pin<Box<Sleep>>,
}

impl Pace {
    fn new(bytes_per_second: u32) -> Self {
        let each = (bytes_per_second / 10).max(1);
        let tick = Duration::from_secs(each.into()) / bytes_per_second.max(1);
        Self { each: each as usize, tick, room: 0, next: Box::pin(sleep(Duration::ZERO)) }
    }

    /// How much may be sent now.
    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<usize> {
        if self.room == 0 {
            ready!(self.next.as_mut().poll(cx));
            self.room = self.each;
            self.next.as_mut().reset(Instant::now() + self.tick);
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

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_slow_socket_sends_no_more_than_it_may() {
        for (bytes_per_second, sent) in [(1, 1), (3, 3), (19, 19), (1000, 1000)] {
            let mut pace = Pace::new(bytes_per_second);
            let start = Instant::now();
            let mut bytes = 0;
            loop {
                let room = poll_fn(|cx| pace.poll_room(cx)).await;
                if start.elapsed() >= Duration::from_secs(1) {
                    break;
                }
                pace.wrote(room);
                bytes += room;
            }
            assert!(bytes <= sent && bytes * 10 >= sent * 9, "{bytes} of {sent}");
        }
    }
}
