//! How tokens are verified.

use std::fmt;

/// `client.token.*` and `client.subscription_token.*`.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct TokenOptions {
    pub(crate) hmac_secret_key: Option<String>,
    /// PEM.
    pub(crate) rsa_public_key: Option<String>,
    /// PEM.
    pub(crate) ecdsa_public_key: Option<String>,
    /// PEM.
    pub(crate) ed25519_public_key: Option<String>,
    pub(crate) audience: Option<String>,
    pub(crate) issuer: Option<String>,
    pub(crate) audience_regex: Option<String>,
    pub(crate) issuer_regex: Option<String>,
    pub(crate) user_id_claim: Option<String>,
}

impl fmt::Debug for TokenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenOptions")
            .field("hmac_secret_key", &self.hmac_secret_key.as_ref().map(|_| "[redacted]"))
            .field("rsa_public_key", &self.rsa_public_key)
            .field("ecdsa_public_key", &self.ecdsa_public_key)
            .field("ed25519_public_key", &self.ed25519_public_key)
            .field("audience", &self.audience)
            .field("issuer", &self.issuer)
            .field("audience_regex", &self.audience_regex)
            .field("issuer_regex", &self.issuer_regex)
            .field("user_id_claim", &self.user_id_claim)
            .finish()
    }
}
