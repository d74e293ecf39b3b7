//! Calls to the application over HTTP: webhooks, signed, retried, in order for each address.

mod address;
mod options;
mod post;
mod signature;
mod webhooks;

pub(crate) use address::Address;
pub(crate) use options::WebhookOptions;
pub(crate) use webhooks::Webhooks;
