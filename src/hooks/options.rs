//! What an operator sets about webhooks.

use std::time::Duration;

#[derive(Clone, Debug)]
pub(crate) struct WebhookOptions {
    /// Signs what is sent; without it nothing is.
    pub(crate) secret: Option<String>,
    /// How long one attempt may take.
    pub(crate) timeout: Duration,
    /// For how long an address that does not take a message is tried again.
    pub(crate) retry_for: Duration,
    /// Messages that wait for one address.
    pub(crate) queue_max: usize,
}

impl Default for WebhookOptions {
    fn default() -> Self {
        Self {
            secret: None,
            timeout: Duration::from_secs(5),
            retry_for: Duration::from_secs(300),
            queue_max: 10_000,
        }
    }
}
