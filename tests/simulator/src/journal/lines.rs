//! Lines for people, on standard error. Whoever does not read them keeps no request waiting.

use std::io::{self, Write as _};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

/// So many lines wait to be written. What comes beyond is lost.
const WAITING: usize = 1000;
/// How long is waited for those lines at the end.
const AT_THE_END: Duration = Duration::from_millis(100);

enum Message {
    Line(String),
    /// All before it is written.
    End(SyncSender<()>),
}

/// Writes lines by a thread of its own.
#[derive(Clone, Debug)]
pub(crate) struct Lines(SyncSender<Message>);

impl Lines {
    pub(crate) fn start() -> Self {
        let (lines, written) = sync_channel(WAITING);
        thread::spawn(move || write(&written));
        Self(lines)
    }

    pub(crate) fn print(&self, line: String) {
        let _ = self.0.try_send(Message::Line(line));
    }

    /// Waits for what is not written yet, for a moment.
    pub(crate) fn flush(&self) {
        let (end, ended) = sync_channel(1);
        if self.0.try_send(Message::End(end)).is_ok() {
            let _ = ended.recv_timeout(AT_THE_END);
        }
    }
}

fn write(lines: &Receiver<Message>) {
    for message in lines {
        match message {
            // Nobody may be reading it.
            Message::Line(line) => drop(writeln!(io::stderr(), "{line}")),
            Message::End(end) => drop(end.try_send(())),
        }
    }
}
