//! A page to watch and to rule one account by, and the events that keep it up to date.

use std::sync::Arc;
use std::time::Duration;

use http::{HeaderValue, Response, StatusCode, header};
use tokio::time::{sleep, timeout};

use crate::account::Account;
use crate::server::body::{self, Body};
use crate::wire;

const PAGE: &str = include_str!("page.html");
/// All of it is in the page, and no other page may have it in a frame.
const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
    connect-src 'self'; frame-ancestors 'none'";
/// Changes within this time are one event.
const TOGETHER: Duration = Duration::from_millis(100);
/// After so long without an event it shows whether the client is still there.
const QUIET: Duration = Duration::from_secs(15);

pub(super) fn page() -> Response<Body> {
    let mut response = wire::with_content_type(StatusCode::OK, "text/html; charset=utf-8", PAGE);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    response.map(body::whole)
}

/// An event at once, and one for each change; it tells the number of the journal's newest entry.
pub(super) fn events(account: &Arc<Account>) -> Response<Body> {
    // Not held: one that is deleted has no more events.
    let (account, mut changed) = (Arc::downgrade(account), account.changed());
    let body = body::in_pieces(|mut sender| async move {
        while let Some(account) = account.upgrade() {
            let seq = account.core().journal.last_seq();
            drop(account);
            sender.send_data(format!("data: {{\"seq\":{seq}}}\n\n").into()).await?;
            sleep(TOGETHER).await;
            while timeout(QUIET, changed.changed()).await.is_err() {
                sender.send_data(":\n\n".into()).await?;
            }
        }
        Ok(())
    });
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
