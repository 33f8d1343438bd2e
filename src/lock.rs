//! Taking a lock, for as long as nothing is awaited.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// Takes the lock. A panic while it was held is reported where it happened; what the lock guards
/// is changed in single steps, and still holds.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
