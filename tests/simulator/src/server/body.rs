//! Bodies as they go over a connection: whole, half, padded, endless, or a byte at a time.

use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
pub(crate) use http_body_util::channel::SendError;
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Frame;
use tokio::time::sleep;

use super::socket::Ending;

/// The body of any answer.
pub(crate) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// What one write of spaces carries.
const SPACES: Bytes = Bytes::from_static(&[b' '; 8192]);

pub(crate) fn whole(body: Bytes) -> Body {
    Full::new(body).map_err(|never: Infallible| match never {}).boxed_unsync()
}

/// The first half; when that is sent, the connection ends.
pub(super) fn half(body: &Bytes, ending: Arc<Ending>) -> Body {
    Half { half: Some(body.slice(..body.len() / 2)), ending }.boxed_unsync()
}

/// Spaces, and then the body: JSON may begin with spaces, so a reader cannot stop early.
pub(super) fn padded(body: Bytes, length: usize) -> Body {
    in_pieces(|mut sender| async move {
        let mut spaces = length.saturating_sub(body.len());
        while spaces > 0 {
            let piece = SPACES.slice(..spaces.min(SPACES.len()));
            spaces -= piece.len();
            sender.send_data(piece).await?;
        }
        sender.send_data(body).await
    })
}

pub(super) fn endless() -> Body {
    in_pieces(|mut sender| async move {
        loop {
            sender.send_data(SPACES).await?;
        }
    })
}

pub(super) fn drip(mut body: Bytes, each: Duration) -> Body {
    in_pieces(move |mut sender| async move {
        while !body.is_empty() {
            sender.send_data(body.split_to(1)).await?;
            sleep(each).await;
        }
        Ok(())
    })
}

/// A body that `send` sends, until it is done or the client is gone.
pub(crate) fn in_pieces<F>(send: impl FnOnce(Sender<Bytes, io::Error>) -> F) -> Body
where
    F: Future<Output = Result<(), SendError>> + Send + 'static,
{
    let (sender, body) = Channel::new(1);
    tokio::spawn(send(sender));
    body.boxed_unsync()
}

struct Half {
    half: Option<Bytes>,
    ending: Arc<Ending>,
}

impl hyper::body::Body for Half {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if let Some(half) = self.half.take() {
            return Poll::Ready(Some(Ok(Frame::data(half))));
        }
        // The rest never comes; what is written is flushed now.
        self.ending.draw_near();
        Poll::Pending
    }
}
