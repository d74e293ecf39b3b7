//! Connection and subscription tokens: JSON Web Tokens (RFC 7519) with Centrifugo's claims, checked
//! against keys that configuration gave. The time is an argument; claims are read only after the
//! signature was verified, and faults never repeat a claim's value or a key.

mod capability;
mod claims;
mod key;
mod provider;
mod signer;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use jsonwebtoken::errors::ErrorKind;
use regex::{Regex, RegexBuilder};
use serde::Deserialize;
use serde_json::Value;

use crate::base::{UnixMillis, limits};

pub(crate) use capability::{Capability, Operation, wildcard_matches};
pub(crate) use claims::{ConnectClaims, SubscribeClaims, SubscribeOptions};
pub(crate) use key::KeyError;
pub(crate) use signer::TokenSigner;

use claims::Payload;
use key::{Key, PublicKey};

/// Which tokens are accepted. An absent key switches its algorithms off; without any key every
/// token is refused. Keys are PEM texts (`PUBLIC KEY`), not paths.
#[derive(Clone, Default)]
pub(crate) struct TokenOptions {
    /// HS256, HS384, HS512; an empty secret is an absent one.
    pub(crate) hmac_secret_key: Option<String>,
    /// RS256, RS384, RS512; 2048 to 8192 bits.
    pub(crate) rsa_public_key: Option<String>,
    /// ES256 with a P-256 key, ES384 with a P-384 key.
    pub(crate) ecdsa_public_key: Option<String>,
    /// EdDSA.
    pub(crate) ed25519_public_key: Option<String>,
    /// Must be among the token's `aud`.
    pub(crate) audience: Option<String>,
    /// Must match (anywhere, unless anchored) one of the token's `aud`.
    pub(crate) audience_regex: Option<String>,
    /// Must equal the token's `iss`.
    pub(crate) issuer: Option<String>,
    pub(crate) issuer_regex: Option<String>,
    /// The claim that names the user instead of `sub`: letters, digits and underscores.
    pub(crate) user_id_claim: Option<String>,
}

impl TokenOptions {
    /// The options that accept what the private half of `pem` signs, to read a token from a
    /// terminal.
    pub(crate) fn from_public_key(pem: &str) -> Result<Self, KeyError> {
        let text = Some(pem.to_owned());
        Ok(match PublicKey::from_pem("key", pem)? {
            PublicKey::Rsa(_) => Self { rsa_public_key: text, ..Self::default() },
            PublicKey::P256(_) | PublicKey::P384(_) => {
                Self { ecdsa_public_key: text, ..Self::default() }
            }
            PublicKey::Ed25519(_) => Self { ed25519_public_key: text, ..Self::default() },
        })
    }
}

impl fmt::Debug for TokenOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenOptions")
            .field("hmac_secret_key", &self.hmac_secret_key.as_ref().map(|_| "[redacted]"))
            .field("rsa_public_key", &self.rsa_public_key)
            .field("ecdsa_public_key", &self.ecdsa_public_key)
            .field("ed25519_public_key", &self.ed25519_public_key)
            .field("audience", &self.audience)
            .field("audience_regex", &self.audience_regex)
            .field("issuer", &self.issuer)
            .field("issuer_regex", &self.issuer_regex)
            .field("user_id_claim", &self.user_id_claim)
            .finish()
    }
}

/// Why a token is refused. [`Expired`](Self::Expired) alone is worth a retry: it is answered with
/// the client error 109, at which an SDK fetches another token. All others end a connection with
/// 3500 and refuse a subscription with 103: the same token will never pass.
/// [`NotYetValid`](Self::NotYetValid) is among these, since an SDK cannot be told when to retry.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum TokenError {
    #[error("token expired")]
    Expired,
    /// For whoever needs a token and got none.
    #[error("no token")]
    Missing,
    /// Longer than 16 KiB, or not three parts of base64url with a JSON object in the first two.
    #[error("malformed token")]
    Malformed,
    #[error("the token's signature does not match")]
    BadSignature,
    /// Unknown, refused on principle (`none`, RSA-PSS, ES512), without a key in the options, or
    /// bound to header parameters that must be understood (`crit`).
    #[error("the token's algorithm is not accepted")]
    UnsupportedAlgorithm,
    #[error("the token is for another audience")]
    WrongAudience,
    #[error("the token is from another issuer")]
    WrongIssuer,
    #[error("the token is not valid yet")]
    NotYetValid,
    #[error("claim {name}: {why}")]
    InvalidClaim { name: Cow<'static, str>, why: &'static str },
}

/// Checks tokens with the keys of its [`TokenOptions`], parsed once.
#[derive(Debug)]
pub(crate) struct TokenVerifier {
    /// No two keys share an algorithm.
    keys: Vec<Key>,
    audience: Option<Expected>,
    issuer: Option<Expected>,
    user_id_claim: Cow<'static, str>,
}

/// What a text claim must be.
#[derive(Debug)]
enum Expected {
    Text(String),
    Pattern(Regex),
}

impl TokenVerifier {
    pub(crate) fn new(options: &TokenOptions) -> Result<Self, KeyError> {
        if !provider::install() {
            return Err(KeyError::Provider);
        }
        let TokenOptions { audience, audience_regex, issuer, issuer_regex, .. } = options;
        Ok(Self {
            keys: keys(options)?,
            audience: Expected::new(("audience", audience), ("audience_regex", audience_regex))?,
            issuer: Expected::new(("issuer", issuer), ("issuer_regex", issuer_regex))?,
            user_id_claim: user_id_claim(options)?,
        })
    }

    /// Whether any token can be accepted at all.
    pub(crate) fn has_keys(&self) -> bool {
        !self.keys.is_empty()
    }

    /// Checks a connection token. A token with a `channel` claim is refused, so that a subscription
    /// token cannot open a connection.
    pub(crate) fn verify_connect(
        &self,
        token: &str,
        now: UnixMillis,
    ) -> Result<ConnectClaims, TokenError> {
        let payload = self.verified(token)?;
        let claims = ConnectClaims::read(&payload, &self.user_id_claim)?;
        payload.check_time(now)?;
        Ok(claims)
    }

    /// Checks a subscription token. Whether its user, client and channel are those of the request
    /// is the caller's to check.
    pub(crate) fn verify_subscribe(
        &self,
        token: &str,
        now: UnixMillis,
    ) -> Result<SubscribeClaims, TokenError> {
        let payload = self.verified(token)?;
        let claims = SubscribeClaims::read(&payload, &self.user_id_claim)?;
        payload.check_time(now)?;
        Ok(claims)
    }

    /// Everything but the time, which comes last: a token that is wrong for ever is not reported as
    /// expired, or its client would ask for another without end.
    fn verified(&self, token: &str) -> Result<Payload, TokenError> {
        let algorithm = JoseHeader::of(token)?.algorithm()?;
        let key = self
            .keys
            .iter()
            .find(|key| key.validation.algorithms.contains(&algorithm))
            .ok_or(TokenError::UnsupportedAlgorithm)?;
        let payload = jsonwebtoken::decode::<Payload>(token, &key.decoding, &key.validation)
            .map_err(|error| match error.kind() {
                ErrorKind::InvalidSignature => TokenError::BadSignature,
                ErrorKind::InvalidAlgorithm | ErrorKind::UnsupportedAlgorithm => {
                    TokenError::UnsupportedAlgorithm
                }
                _ => TokenError::Malformed,
            })?
            .claims;
        if let Some(expected) = &self.issuer
            && !payload.issuer()?.is_some_and(|issuer| expected.accepts(&issuer))
        {
            return Err(TokenError::WrongIssuer);
        }
        if let Some(expected) = &self.audience
            && !payload.audience()?.iter().any(|audience| expected.accepts(audience))
        {
            return Err(TokenError::WrongAudience);
        }
        Ok(payload)
    }
}

impl Expected {
    fn new(
        text: (&'static str, &Option<String>),
        pattern: (&'static str, &Option<String>),
    ) -> Result<Option<Self>, KeyError> {
        match (given(text.1), given(pattern.1)) {
            (Some(_), Some(_)) => Err(KeyError::Exclusive { first: text.0, second: pattern.0 }),
            (Some(text), None) => Ok(Some(Self::Text(text.to_owned()))),
            (None, Some(text)) => RegexBuilder::new(text)
                .size_limit(limits::REGEX_BYTES)
                .build()
                .map(|regex| Some(Self::Pattern(regex)))
                .map_err(|source| KeyError::Regex { option: pattern.0, source: source.into() }),
            (None, None) => Ok(None),
        }
    }

    fn accepts(&self, claim: &str) -> bool {
        match self {
            Self::Text(text) => text == claim,
            Self::Pattern(regex) => regex.is_match(claim),
        }
    }
}

/// An empty option is an absent one, as in files that spell every option out.
fn given(option: &Option<String>) -> Option<&str> {
    option.as_deref().filter(|text| !text.is_empty())
}

fn keys(options: &TokenOptions) -> Result<Vec<Key>, KeyError> {
    const RSA: &str = "rsa_public_key";
    const ECDSA: &str = "ecdsa_public_key";
    const ED25519: &str = "ed25519_public_key";
    let mut keys: Vec<Key> = given(&options.hmac_secret_key)
        .map(|secret| Key::from_secret(secret.as_bytes()))
        .into_iter()
        .collect();
    let public = [
        (RSA, &options.rsa_public_key),
        (ECDSA, &options.ecdsa_public_key),
        (ED25519, &options.ed25519_public_key),
    ];
    for (option, text) in public {
        let Some(text) = given(text) else { continue };
        let key = PublicKey::from_pem(option, text)?;
        let belongs = match &key {
            PublicKey::Rsa(_) => RSA,
            PublicKey::P256(_) | PublicKey::P384(_) => ECDSA,
            PublicKey::Ed25519(_) => ED25519,
        };
        if option != belongs {
            return Err(KeyError::Misplaced { option, belongs });
        }
        keys.push(Key::from_public(&key));
    }
    Ok(keys)
}

fn user_id_claim(options: &TokenOptions) -> Result<Cow<'static, str>, KeyError> {
    match given(&options.user_id_claim) {
        None => Ok(Cow::Borrowed("sub")),
        Some(name) if name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_') => {
            Ok(Cow::Owned(name.to_owned()))
        }
        Some(_) => Err(KeyError::Unsupported {
            option: "user_id_claim",
            why: "only letters, digits and underscores make a claim's name",
        }),
    }
}

// === Header ===

/// The members of a header (RFC 7515 section 4.1) that decide whether a token can be checked at
/// all. Read before `jsonwebtoken` reads the whole, which cannot tell an algorithm that it does not
/// know from a broken header, and which does not look at `crit`.
#[derive(Deserialize)]
struct JoseHeader {
    alg: String,
    /// Extensions that a recipient must understand; none is understood here.
    crit: Option<serde::de::IgnoredAny>,
}

impl JoseHeader {
    fn of(token: &str) -> Result<Self, TokenError> {
        let [header, _payload, _signature] = parts(token)?;
        decode_json(header)
    }

    fn algorithm(&self) -> Result<Algorithm, TokenError> {
        if self.crit.is_some() {
            return Err(TokenError::UnsupportedAlgorithm);
        }
        self.alg.parse().map_err(|_unknown| TokenError::UnsupportedAlgorithm)
    }
}

fn parts(token: &str) -> Result<[&str; 3], TokenError> {
    if token.len() > limits::TOKEN_BYTES {
        return Err(TokenError::Malformed);
    }
    let mut split = token.split('.');
    match (split.next(), split.next(), split.next(), split.next()) {
        (Some(header), Some(payload), Some(signature), None) => Ok([header, payload, signature]),
        _ => Err(TokenError::Malformed),
    }
}

fn decode_json<T: serde::de::DeserializeOwned>(part: &str) -> Result<T, TokenError> {
    let json = URL_SAFE_NO_PAD.decode(part).map_err(|_broken| TokenError::Malformed)?;
    serde_json::from_slice(&json).map_err(|_broken| TokenError::Malformed)
}

/// What a token says, unverified: for people's eyes only, never for a decision.
#[derive(Debug)]
pub(crate) struct Described {
    pub(crate) header: Value,
    pub(crate) claims: Value,
}

/// Reads a token without checking its signature or its claims.
pub(crate) fn describe(token: &str) -> Result<Described, TokenError> {
    let [header, payload, _signature] = parts(token)?;
    Ok(Described { header: decode_json(header)?, claims: decode_json(payload)? })
}
