//! The simulator below the client: no socket carries a request.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use futures::future::BoxFuture;
use http::{Request, Response};
use qoder_operator::qoder::{SendError, Transport};
use qoder_simulator::Simulator;
use serde_json::Value;
use tokio::time::timeout;

/// What is wrong with lists, besides what the simulator does wrong.
#[derive(Debug, Default)]
pub struct Trouble {
    /// So many pages are over the limit in bytes, whatever they have.
    pub too_large: u32,
    /// All pages but the first one of a list are no JSON.
    pub later_pages: bool,
}

/// The simulator below the client.
pub struct InProcess {
    pub simulator: Simulator,
    pub largest_page: usize,
    pub timeout: Duration,
    pub trouble: Arc<Mutex<Trouble>>,
}

pub fn limit(path: &str) -> Option<usize> {
    path.split_once("limit=")?.1.split('&').next()?.parse().ok()
}

impl InProcess {
    /// A page as it arrives.
    fn page(&self, query: &str, answer: Response<Bytes>) -> Result<Response<Bytes>, SendError> {
        if !answer.status().is_success() {
            return Ok(answer);
        }
        let mut trouble = self.trouble.lock().unwrap();
        let page: Option<Value> = serde_json::from_slice(answer.body()).ok();
        let entries = page.and_then(|page| Some(page.get("data")?.as_array()?.len()));
        if trouble.too_large > 0 || entries.is_some_and(|entries| entries > self.largest_page) {
            trouble.too_large = trouble.too_large.saturating_sub(1);
            return Err(SendError::TooLarge(answer.body().len()));
        }
        if trouble.later_pages && !is_first(query) {
            return Ok(answer.map(|_| Bytes::from_static(b"<html>")));
        }
        Ok(answer)
    }
}

pub fn is_first(path: &str) -> bool {
    !path.contains("after_id=") && !path.contains("page=")
}

impl Transport for InProcess {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, SendError>> {
        Box::pin(async move {
            let query = request.uri().query().unwrap_or_default().to_owned();
            let answer = timeout(self.timeout, self.simulator.handle(request)).await;
            let answer = answer.map_err(|_| SendError::TimedOut)?;
            let answer = answer.map_err(|cut| SendError::Broken(cut.into()))?;
            if limit(&query).is_some() { self.page(&query, answer) } else { Ok(answer) }
        })
    }
}
