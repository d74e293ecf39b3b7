//! The signature algorithms of tokens, computed by `ring` behind `jsonwebtoken`'s provider traits:
//! the process keeps one cryptographic library. RSA-PSS and ES512 are left out on purpose.

use std::sync::OnceLock;

use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::{Error, ErrorKind, Result};
use jsonwebtoken::signature::{self as traits, Signer, Verifier};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use ring::rand::SystemRandom;
use ring::signature::{self, EcdsaKeyPair, Ed25519KeyPair, RsaKeyPair};
use ring::{hmac, rsa};

/// What `jsonwebtoken` calls; it keeps one provider for the process and offers no way to pass one.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: new_signer,
    verifier_factory: new_verifier,
    // Reached only from conversions of private keys to JWK, which nothing here does. The crate's
    // own placeholders panic.
    key_utils: KeyUtils {
        rsa_pub_components_from_private_key: |_| Err(ErrorKind::UnsupportedAlgorithm.into()),
        rsa_pub_components_from_public_key: |_| Err(ErrorKind::UnsupportedAlgorithm.into()),
        ec_pub_components_from_private_key: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
        ed_pub_components_from_private_key: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
        compute_digest: |_, _| Err(ErrorKind::UnsupportedAlgorithm.into()),
    },
};

/// Makes `ring` the provider of this process, any number of times. False where a program that
/// embeds this library has installed another one before.
pub(super) fn install() -> bool {
    static INSTALLED: OnceLock<bool> = OnceLock::new();
    *INSTALLED.get_or_init(|| PROVIDER.install_default().is_ok())
}

// === Verifying ===

enum VerifyingKey {
    Secret(hmac::Key),
    Public(signature::UnparsedPublicKey<Vec<u8>>),
    Components { n: Vec<u8>, e: Vec<u8>, parameters: &'static signature::RsaParameters },
}

struct RingVerifier {
    algorithm: Algorithm,
    key: VerifyingKey,
}

fn new_verifier(algorithm: &Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let key = match algorithm.family() {
        AlgorithmFamily::Hmac => {
            let digest = hmac_algorithm(*algorithm)?;
            VerifyingKey::Secret(hmac::Key::new(digest, key.try_get_as_bytes()?))
        }
        AlgorithmFamily::Rsa => rsa_verifying_key(*algorithm, key)?,
        AlgorithmFamily::Ec | AlgorithmFamily::Ed => {
            let scheme: &'static dyn signature::VerificationAlgorithm = match algorithm {
                Algorithm::ES256 => &signature::ECDSA_P256_SHA256_FIXED,
                Algorithm::ES384 => &signature::ECDSA_P384_SHA384_FIXED,
                Algorithm::EdDSA => &signature::ED25519,
                _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
            };
            let bytes = key.try_get_as_bytes()?.to_vec();
            VerifyingKey::Public(signature::UnparsedPublicKey::new(scheme, bytes))
        }
    };
    Ok(Box::new(RingVerifier { algorithm: *algorithm, key }))
}

fn rsa_verifying_key(algorithm: Algorithm, key: &DecodingKey) -> Result<VerifyingKey> {
    let parameters = match algorithm {
        Algorithm::RS256 => &signature::RSA_PKCS1_2048_8192_SHA256,
        Algorithm::RS384 => &signature::RSA_PKCS1_2048_8192_SHA384,
        Algorithm::RS512 => &signature::RSA_PKCS1_2048_8192_SHA512,
        _ => return Err(ErrorKind::UnsupportedAlgorithm.into()),
    };
    Ok(match key.kind() {
        jsonwebtoken::DecodingKeyKind::SecretOrDer(der) => {
            VerifyingKey::Public(signature::UnparsedPublicKey::new(parameters, der.clone()))
        }
        jsonwebtoken::DecodingKeyKind::RsaModulusExponent { n, e } => {
            VerifyingKey::Components { n: n.clone(), e: e.clone(), parameters }
        }
    })
}

impl Verifier<Vec<u8>> for RingVerifier {
    fn verify(
        &self,
        message: &[u8],
        signature: &Vec<u8>,
    ) -> std::result::Result<(), traits::Error> {
        match &self.key {
            VerifyingKey::Secret(key) => hmac::verify(key, message, signature),
            VerifyingKey::Public(key) => key.verify(message, signature),
            VerifyingKey::Components { n, e, parameters } => {
                rsa::PublicKeyComponents { n, e }.verify(parameters, message, signature)
            }
        }
        .map_err(traits::Error::from_source)
    }
}

impl JwtVerifier for RingVerifier {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

// === Signing ===

enum SigningKey {
    Secret(hmac::Key),
    Rsa(Box<RsaKeyPair>),
    Ecdsa(Box<EcdsaKeyPair>),
    Ed25519(Ed25519KeyPair),
}

struct RingSigner {
    algorithm: Algorithm,
    key: SigningKey,
}

fn new_signer(algorithm: &Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    if key.family() != algorithm.family() {
        return Err(ErrorKind::InvalidAlgorithm.into());
    }
    let bytes = key.as_bytes();
    let key = match algorithm.family() {
        AlgorithmFamily::Hmac => {
            SigningKey::Secret(hmac::Key::new(hmac_algorithm(*algorithm)?, bytes))
        }
        AlgorithmFamily::Rsa => SigningKey::Rsa(Box::new(
            RsaKeyPair::from_der(bytes)
                .map_err(|rejected| ErrorKind::InvalidRsaKey(rejected.to_string()))?,
        )),
        AlgorithmFamily::Ec => {
            let scheme = match algorithm {
                Algorithm::ES256 => &signature::ECDSA_P256_SHA256_FIXED_SIGNING,
                _ => &signature::ECDSA_P384_SHA384_FIXED_SIGNING,
            };
            let pair = EcdsaKeyPair::from_pkcs8(scheme, bytes, &SystemRandom::new());
            SigningKey::Ecdsa(Box::new(pair.map_err(rejected)?))
        }
        AlgorithmFamily::Ed => SigningKey::Ed25519(
            Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).map_err(rejected)?,
        ),
    };
    Ok(Box::new(RingSigner { algorithm: *algorithm, key }))
}

fn rejected(rejected: ring::error::KeyRejected) -> Error {
    ErrorKind::Provider(rejected.to_string()).into()
}

impl Signer<Vec<u8>> for RingSigner {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, traits::Error> {
        match &self.key {
            SigningKey::Secret(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            SigningKey::Rsa(pair) => {
                let padding: &'static dyn signature::RsaEncoding = match self.algorithm {
                    Algorithm::RS256 => &signature::RSA_PKCS1_SHA256,
                    Algorithm::RS384 => &signature::RSA_PKCS1_SHA384,
                    Algorithm::RS512 => &signature::RSA_PKCS1_SHA512,
                    _ => return Err(traits::Error::new()),
                };
                let mut bytes = vec![0; pair.public().modulus_len()];
                pair.sign(padding, &SystemRandom::new(), message, &mut bytes)
                    .map_err(traits::Error::from_source)?;
                Ok(bytes)
            }
            SigningKey::Ecdsa(pair) => pair
                .sign(&SystemRandom::new(), message)
                .map(|bytes| bytes.as_ref().to_vec())
                .map_err(traits::Error::from_source),
            SigningKey::Ed25519(pair) => Ok(pair.sign(message).as_ref().to_vec()),
        }
    }
}

impl JwtSigner for RingSigner {
    fn algorithm(&self) -> Algorithm {
        self.algorithm
    }
}

fn hmac_algorithm(algorithm: Algorithm) -> Result<hmac::Algorithm> {
    match algorithm {
        Algorithm::HS256 => Ok(hmac::HMAC_SHA256),
        Algorithm::HS384 => Ok(hmac::HMAC_SHA384),
        Algorithm::HS512 => Ok(hmac::HMAC_SHA512),
        _ => Err(ErrorKind::UnsupportedAlgorithm.into()),
    }
}
