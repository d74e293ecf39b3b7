//! What an operator sets about sessions. Names follow Centrifugo's `client.*`.

use std::time::Duration;

#[expect(clippy::struct_excessive_bools, reason = "each is one documented option of the operator")]
#[derive(Clone, Debug)]
pub(crate) struct SessionOptions {
    /// Development only: no tokens, everything allowed.
    pub(crate) insecure: bool,
    /// A connect without token is accepted, with an empty user id.
    pub(crate) allow_anonymous_connect_without_token: bool,
    /// A token without user id is refused.
    pub(crate) disallow_anonymous_connection_tokens: bool,
    pub(crate) ping_interval: Duration,
    pub(crate) pong_timeout: Duration,
    /// A connection that has not connected by then is closed.
    pub(crate) stale_close_delay: Duration,
    /// How long an expired connection may take to refresh.
    pub(crate) expired_close_delay: Duration,
    /// How long an expired subscription may take to refresh.
    pub(crate) expired_sub_close_delay: Duration,
    /// Client-side subscriptions of one client.
    pub(crate) channel_limit: usize,
    /// Most publications in one answer to a history request.
    pub(crate) history_max_publication_limit: usize,
    /// Most publications that one recovery replays.
    pub(crate) recovery_max_publication_limit: usize,
    /// Subscribes every user to a channel of its own.
    pub(crate) personal_channel: Option<PersonalChannel>,
}

/// `client.subscribe_to_user_personal_channel`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct PersonalChannel {
    /// Namespace of the personal channels; empty for the channels without namespace.
    pub(crate) namespace: String,
    /// A new connection of a user closes the older ones.
    pub(crate) single_connection: bool,
}

impl Default for SessionOptions {
    fn default() -> Self {
        Self {
            insecure: false,
            allow_anonymous_connect_without_token: false,
            disallow_anonymous_connection_tokens: false,
            ping_interval: Duration::from_secs(25),
            pong_timeout: Duration::from_secs(8),
            stale_close_delay: Duration::from_secs(10),
            expired_close_delay: Duration::from_secs(25),
            expired_sub_close_delay: Duration::from_secs(25),
            channel_limit: 128,
            history_max_publication_limit: 300,
            recovery_max_publication_limit: 300,
            personal_channel: None,
        }
    }
}
