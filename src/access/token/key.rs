//! Keys from their PEM text: which algorithms a key serves is read from the key itself, so a
//! token's header can only choose among algorithms of the key's own kind.

use std::collections::HashSet;

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Validation};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};

/// A fault in the options that check tokens, or in a key to sign with. Messages name the option
/// and never contain the key.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("{option}: no PEM block of the expected kind ({expected})")]
    Pem {
        option: &'static str,
        expected: &'static str,
        #[source]
        source: pem::Error,
    },
    #[error("{option}: {why}")]
    Unsupported { option: &'static str, why: &'static str },
    #[error("{option}: the key is of another kind, which belongs into {belongs}")]
    Misplaced { option: &'static str, belongs: &'static str },
    #[error("{option}: not a regular expression")]
    Regex {
        option: &'static str,
        #[source]
        source: Box<regex::Error>,
    },
    #[error("{first} and {second} exclude each other")]
    Exclusive { first: &'static str, second: &'static str },
    #[error("cannot sign the claims")]
    Sign(#[from] jsonwebtoken::errors::Error),
    #[error("another jsonwebtoken provider is installed in this process")]
    Provider,
}

/// The option of a key to sign with, as error messages name it.
pub(super) const PRIVATE_KEY: &str = "key";

// === Verifying ===

/// A key and the algorithms that it may be used with.
#[derive(Debug)]
pub(super) struct Key {
    pub(super) decoding: DecodingKey,
    /// `jsonwebtoken` checks the algorithm and the signature; time, audience and issuer are ours,
    /// because it reads the operating system's clock and has no regular expressions.
    pub(super) validation: Validation,
}

/// What a public key is, with the bytes that `ring` expects.
pub(super) enum PublicKey {
    /// PKCS#1 `RSAPublicKey` (RFC 8017 appendix A.1.1).
    Rsa(Vec<u8>),
    /// Uncompressed points (SEC 1 section 2.3.3).
    P256(Vec<u8>),
    P384(Vec<u8>),
    /// The 32 bytes of RFC 8032.
    Ed25519(Vec<u8>),
}

impl Key {
    pub(super) fn from_secret(secret: &[u8]) -> Self {
        const ALGORITHMS: &[Algorithm] = &[Algorithm::HS256, Algorithm::HS384, Algorithm::HS512];
        Self::new(DecodingKey::from_secret(secret), ALGORITHMS)
    }

    pub(super) fn from_public(key: &PublicKey) -> Self {
        const RSA: &[Algorithm] = &[Algorithm::RS256, Algorithm::RS384, Algorithm::RS512];
        match key {
            PublicKey::Rsa(der) => Self::new(DecodingKey::from_rsa_der(der), RSA),
            PublicKey::P256(point) => {
                Self::new(DecodingKey::from_ec_der(point), &[Algorithm::ES256])
            }
            PublicKey::P384(point) => {
                Self::new(DecodingKey::from_ec_der(point), &[Algorithm::ES384])
            }
            PublicKey::Ed25519(bytes) => {
                Self::new(DecodingKey::from_ed_der(bytes), &[Algorithm::EdDSA])
            }
        }
    }

    fn new(decoding: DecodingKey, algorithms: &[Algorithm]) -> Self {
        let validation = Validation {
            algorithms: algorithms.to_vec(),
            required_spec_claims: HashSet::new(),
            validate_exp: false,
            validate_nbf: false,
            validate_aud: false,
            ..Validation::default()
        };
        Self { decoding, validation }
    }
}

impl PublicKey {
    /// Reads a PEM block `PUBLIC KEY` (SubjectPublicKeyInfo, RFC 5280 section 4.1).
    pub(super) fn from_pem(option: &'static str, text: &str) -> Result<Self, KeyError> {
        const EXPECTED: &str = "PUBLIC KEY";
        let info = SubjectPublicKeyInfoDer::from_pem_slice(text.as_bytes())
            .map_err(|source| KeyError::Pem { option, expected: EXPECTED, source })?;
        Self::from_der(&info).map_err(|why| KeyError::Unsupported { option, why })
    }

    fn from_der(info: &[u8]) -> Result<Self, &'static str> {
        const BROKEN: &str = "the PEM block holds no public key";
        let (algorithm, bits) = subject_public_key(info).ok_or(BROKEN)?;
        match algorithm {
            // rsaEncryption with its NULL parameters, RFC 3279 section 2.3.1.
            b"\x06\x09\x2a\x86\x48\x86\xf7\x0d\x01\x01\x01\x05\x00" => {
                match rsa_modulus_bits(bits).ok_or(BROKEN)? {
                    2048..=8192 => Ok(Self::Rsa(bits.to_vec())),
                    _ => Err("an RSA key must have 2048 to 8192 bits"),
                }
            }
            // ecPublicKey with a named curve, RFC 5480 section 2.1.1.
            b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07" => {
                uncompressed_point(bits, 65).map(Self::P256)
            }
            b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x22" => {
                uncompressed_point(bits, 97).map(Self::P384)
            }
            b"\x06\x07\x2a\x86\x48\xce\x3d\x02\x01\x06\x05\x2b\x81\x04\x00\x23" => {
                Err("a P-521 key (ES512) is not supported: use P-256 (ES256) or P-384 (ES384)")
            }
            // id-Ed25519 without parameters, RFC 8410 section 3.
            b"\x06\x03\x2b\x65\x70" if bits.len() == 32 => Ok(Self::Ed25519(bits.to_vec())),
            _ => Err("the key is of no supported kind (RSA, P-256, P-384, Ed25519)"),
        }
    }
}

fn uncompressed_point(bits: &[u8], expected: usize) -> Result<Vec<u8>, &'static str> {
    if bits.len() == expected && bits.first() == Some(&4) {
        Ok(bits.to_vec())
    } else {
        Err("the key's point must be uncompressed")
    }
}

/// The content of the AlgorithmIdentifier and the key's bits.
fn subject_public_key(info: &[u8]) -> Option<(&[u8], &[u8])> {
    let (content, rest) = der_value(0x30, info)?;
    let (algorithm, content) = der_value(0x30, content)?;
    let (bits, trailing) = der_value(0x03, content)?;
    // The first byte counts unused bits at the end; keys are whole bytes.
    let bits = bits.strip_prefix(&[0])?;
    (rest.is_empty() && trailing.is_empty()).then_some((algorithm, bits))
}

fn rsa_modulus_bits(key: &[u8]) -> Option<usize> {
    let (content, _) = der_value(0x30, key)?;
    let (modulus, _) = der_value(0x02, content)?;
    let modulus = modulus.strip_prefix(&[0]).unwrap_or(modulus);
    let zeros = usize::try_from(modulus.first()?.leading_zeros()).ok()?;
    Some(modulus.len() * 8 - zeros)
}

/// The content of the leading element if it has this tag, and what follows it. Lengths take at
/// most two bytes: no key that is accepted is longer.
fn der_value(tag: u8, bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = match *bytes.strip_prefix(&[tag])? {
        [length @ 0..=0x7f, ref rest @ ..] => (usize::from(length), rest),
        [0x81, length, ref rest @ ..] => (usize::from(length), rest),
        [0x82, high, low, ref rest @ ..] => (usize::from(u16::from_be_bytes([high, low])), rest),
        _ => return None,
    };
    rest.split_at_checked(length)
}

// === Signing ===

/// The key and the algorithm that a PEM private key serves.
pub(super) fn signing_key(text: &str) -> Result<(Algorithm, EncodingKey), KeyError> {
    let unsupported = |why| KeyError::Unsupported { option: PRIVATE_KEY, why };
    let key = PrivateKeyDer::from_pem_slice(text.as_bytes()).map_err(|source| KeyError::Pem {
        option: PRIVATE_KEY,
        expected: "PRIVATE KEY",
        source,
    })?;
    match &key {
        PrivateKeyDer::Pkcs1(der) => {
            let der = der.secret_pkcs1_der();
            RsaKeyPair::from_der(der)
                .map_err(|_rejected| unsupported("not an RSA key of 2048 bits or more"))?;
            Ok((Algorithm::RS256, EncodingKey::from_rsa_der(der)))
        }
        PrivateKeyDer::Pkcs8(der) => pkcs8_signing_key(der.secret_pkcs8_der()).ok_or_else(|| {
            unsupported("the key is of no supported kind (RSA, P-256, P-384, Ed25519)")
        }),
        _ => Err(unsupported("convert the key to PKCS#8: openssl pkcs8 -topk8 -nocrypt")),
    }
}

/// PKCS#8 names the kind of the key, and each parser of `ring` refuses the other kinds.
fn pkcs8_signing_key(der: &[u8]) -> Option<(Algorithm, EncodingKey)> {
    let random = SystemRandom::new();
    let is_ecdsa = |scheme| EcdsaKeyPair::from_pkcs8(scheme, der, &random).is_ok();
    if is_ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING) {
        Some((Algorithm::ES256, EncodingKey::from_ec_der(der)))
    } else if is_ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING) {
        Some((Algorithm::ES384, EncodingKey::from_ec_der(der)))
    } else if Ed25519KeyPair::from_pkcs8_maybe_unchecked(der).is_ok() {
        Some((Algorithm::EdDSA, EncodingKey::from_ed_der(der)))
    } else if RsaKeyPair::from_pkcs8(der).is_ok() {
        // The signer takes PKCS#1, which PKCS#8 wraps: version, algorithm, OCTET STRING.
        let (content, _) = der_value(0x30, der)?;
        let (_version, content) = der_value(0x02, content)?;
        let (_algorithm, content) = der_value(0x30, content)?;
        let (inner, _) = der_value(0x04, content)?;
        Some((Algorithm::RS256, EncodingKey::from_rsa_der(inner)))
    } else {
        None
    }
}
