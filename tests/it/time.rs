//! Deadlines. The operating system's clock is read here alone.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout};

/// Nothing that a test waits for takes this long, on however busy a machine.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// Waits for what must happen.
#[track_caller]
pub(crate) fn within<T>(what: &str, future: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let done = timeout(DEADLINE, future).await;
        done.unwrap_or_else(|_| panic!("{what} did not happen in {DEADLINE:?}, at {caller}"))
    }
}

#[expect(clippy::disallowed_methods, reason = "tests measure a process that runs by real time")]
pub(crate) fn now() -> Instant {
    Instant::now()
}

/// `NEARCAST_LONG` asks for the long form of a test.
#[expect(clippy::disallowed_methods, reason = "tests have no other configuration")]
pub(crate) fn is_long() -> bool {
    std::env::var("NEARCAST_LONG").is_ok()
}
