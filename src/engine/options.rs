//! What an operator sets about the memory engine. Caps are for the whole engine and split evenly
//! over the partitions; each partition has room for at least one stream and one key.

use std::time::Duration;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MemoryOptions {
    /// How long position and epoch of a stream outlive its last publication or read
    /// (`channel.history_meta_ttl`).
    pub(crate) history_meta_ttl: Duration,
    /// Bytes of all streams together; the oldest publications of a partition go first,
    /// and a subscriber that misses them is told that it cannot recover.
    pub(crate) history_bytes_max: usize,
    /// Streams (channels with a position) kept; the one that was idle longest goes first.
    pub(crate) streams_max: usize,
    /// How long an idempotency key is remembered.
    pub(crate) idempotency_ttl: Duration,
    /// Idempotency keys remembered; the oldest goes first.
    pub(crate) idempotency_keys_max: usize,
}

impl Default for MemoryOptions {
    fn default() -> Self {
        Self {
            history_meta_ttl: Duration::from_secs(30 * 24 * 3600),
            history_bytes_max: 1 << 30,
            streams_max: 1_000_000,
            idempotency_ttl: Duration::from_secs(300),
            idempotency_keys_max: 1_000_000,
        }
    }
}
