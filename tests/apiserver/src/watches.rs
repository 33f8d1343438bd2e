//! What a test does to an open watch.

use crate::{
    failure::Failure,
    feed::{Delivery, Feed},
    server::ApiServer,
};

/// An open watch. When it is closed, nothing here has an effect any more.
#[derive(Clone)]
pub struct Watch {
    pub(crate) server: ApiServer,
    pub(crate) id: u64,
}

impl Watch {
    fn with<T: Default>(&self, act: impl FnOnce(&mut Feed) -> T) -> T {
        self.server.state().feed(self.id).map(act).unwrap_or_default()
    }

    /// Whether it is still open.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.with(|feed| !feed.is_over)
    }

    /// For example `qoderdeployments`.
    #[must_use]
    pub fn resource(&self) -> &'static str {
        self.with(|feed| feed.kind.plural)
    }

    /// `None`: all namespaces.
    #[must_use]
    pub fn namespace(&self) -> Option<String> {
        self.with(|feed| feed.namespace.clone())
    }

    /// How many events wait to be delivered, bookmarks among them.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.with(|feed| feed.waiting())
    }

    /// Holds its events from now on.
    pub fn hold(&self) {
        self.with(|feed| feed.delivery = Delivery::Held);
    }

    /// Delivers what is held, and holds nothing more.
    pub fn release(&self) {
        self.with(|feed| {
            feed.delivery = Delivery::Open;
            feed.passes = 0;
            feed.stir();
        });
    }

    /// Delivers one event that is held, or the next one.
    pub fn release_one(&self) {
        self.with(|feed| {
            feed.passes += 1;
            feed.stir();
        });
    }

    /// Delivers nothing more and never ends, as when a middlebox has forgotten the connection.
    pub fn silence(&self) {
        self.with(|feed| feed.delivery = Delivery::Silent);
    }

    /// Ends it cleanly. What was held is lost.
    pub fn close(&self) {
        self.with(Feed::end);
    }

    /// Breaks its connection. What was held is lost.
    pub fn sever(&self) {
        self.with(Feed::sever);
    }

    /// Ends it with an `ERROR` event. What was held is lost.
    pub fn fail(&self, failure: &Failure) {
        self.with(|feed| feed.fail(failure));
    }

    /// Ends it with 410 Gone, as when it lags behind what the server remembers.
    pub fn expire(&self) {
        let now = self.server.revision();
        self.fail(&Failure::too_old(now, now + 1));
    }

    /// Sends a bookmark now, if the client wants bookmarks.
    pub fn bookmark(&self) {
        let now = self.server.revision();
        self.with(|feed| feed.bookmark(now));
    }
}
