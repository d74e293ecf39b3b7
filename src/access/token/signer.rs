//! Making tokens: for the command line and for tests. A production application signs its own.

use std::fmt;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde::Serialize;

use super::key::{self, KeyError};
use super::provider;

/// Signs claims with one key. The algorithm follows from the key.
pub(crate) struct TokenSigner {
    algorithm: Algorithm,
    key: EncodingKey,
}

impl TokenSigner {
    /// HS256.
    pub(crate) fn from_secret(secret: &str) -> Result<Self, KeyError> {
        Self::new(Algorithm::HS256, EncodingKey::from_secret(secret.as_bytes()))
    }

    /// RS256, ES256, ES384 or EdDSA with a private key as PEM: PKCS#8 (`PRIVATE KEY`), or PKCS#1
    /// (`RSA PRIVATE KEY`).
    pub(crate) fn from_private_key(pem: &str) -> Result<Self, KeyError> {
        let (algorithm, key) = key::signing_key(pem)?;
        Self::new(algorithm, key)
    }

    fn new(algorithm: Algorithm, key: EncodingKey) -> Result<Self, KeyError> {
        if provider::install() { Ok(Self { algorithm, key }) } else { Err(KeyError::Provider) }
    }

    /// A longer hash for a secret or an RSA key; the curves have one each.
    #[cfg(test)]
    pub(super) fn with_algorithm(self, algorithm: Algorithm) -> Self {
        assert_eq!(algorithm.family(), self.algorithm.family());
        Self { algorithm, ..self }
    }

    pub(crate) fn sign(&self, claims: &impl Serialize) -> Result<String, KeyError> {
        Ok(jsonwebtoken::encode(&Header::new(self.algorithm), claims, &self.key)?)
    }
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSigner").field("algorithm", &self.algorithm).finish_non_exhaustive()
    }
}
