//! What the observer says, for those who look for a word of it.

use std::{cell::RefCell, io::Write, sync::Once};

use qoder_operator::telemetry::is_for_logs;
use tracing_subscriber::{
    filter::{DynFilterFn, LevelFilter},
    fmt,
    prelude::*,
};

struct Log {
    level: LevelFilter,
    text: Vec<u8>,
}

thread_local! {
    static LOG: RefCell<Option<Log>> = const { RefCell::new(None) };
}

/// Keeps what is logged in this thread from now on.
pub fn keep_log() {
    keep_log_of(LevelFilter::INFO);
}

/// The same, down to this level.
pub fn keep_log_of(level: LevelFilter) {
    struct Kept;
    impl Write for Kept {
        fn write(&mut self, text: &[u8]) -> std::io::Result<usize> {
            LOG.with_borrow_mut(|log| {
                log.as_mut().map_or(Ok(text.len()), |log| log.text.write(text))
            })
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    // One for all threads: one for each is not told what another has met with first.
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let is_kept = DynFilterFn::new(|metadata, _| {
            is_for_logs(metadata)
                && LOG.with_borrow(|log| {
                    log.as_ref().is_some_and(|log| *metadata.level() <= log.level)
                })
        });
        let is_kept = is_kept.with_max_level_hint(LevelFilter::DEBUG);
        let kept = fmt::layer().with_ansi(false).with_writer(|| Kept).with_filter(is_kept);
        tracing_subscriber::registry().with(kept).init();
    });
    LOG.set(Some(Log { level, text: Vec::new() }));
}

/// What was logged since.
pub fn log() -> String {
    LOG.with_borrow(|log| {
        let text = log.as_ref().map(|log| &*log.text).unwrap_or_default();
        String::from_utf8_lossy(text).into_owned()
    })
}
