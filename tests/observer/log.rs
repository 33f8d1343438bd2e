//! What the observer says, for those who look for a word of it.

use std::{cell::RefCell, io::Write, sync::Once};

thread_local! {
    static LOG: RefCell<Option<Vec<u8>>> = const { RefCell::new(None) };
}

/// Keeps what is logged in this thread from now on.
pub fn keep_log() {
    struct Kept;
    impl Write for Kept {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            LOG.with_borrow_mut(|log| log.as_mut().map_or(Ok(text.len()), |log| log.write(text)))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    // One for all threads: one for each is not told what another has met with first.
    static ONCE: Once = Once::new();
    ONCE.call_once(|| tracing_subscriber::fmt().with_ansi(false).with_writer(|| Kept).init());
    LOG.set(Some(Vec::new()));
}

/// What was logged since.
pub fn log() -> String {
    LOG.with_borrow(|log| String::from_utf8_lossy(log.as_deref().unwrap_or_default()).into_owned())
}
