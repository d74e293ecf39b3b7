//! Tokens of the RFCs, of another implementation and of our own making, whole and damaged.

mod claims;
mod keys;
mod options;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::Algorithm;
use proptest::prelude::*;
use ring::signature::{EcdsaKeyPair, Ed25519KeyPair};
use serde_json::json;

use super::key::{Key, PublicKey};
use super::*;

/// The payload of RFC 7515's examples expires at this second.
const RFC_EXP: u64 = 1_300_819_380;
/// The payload of [`keys::FOREIGN_TOKENS`] does at this one.
const FOREIGN_EXP: u64 = 1_700_000_000;

fn seconds(seconds: u64) -> UnixMillis {
    UnixMillis(seconds * 1000)
}

fn all_keys() -> TokenOptions {
    TokenOptions {
        hmac_secret_key: Some(keys::SECRET.to_owned()),
        rsa_public_key: Some(keys::RSA_PUBLIC.to_owned()),
        ecdsa_public_key: Some(keys::P256_PUBLIC.to_owned()),
        ed25519_public_key: Some(keys::ED25519_PUBLIC.to_owned()),
        ..TokenOptions::default()
    }
}

fn verifier(options: &TokenOptions) -> TokenVerifier {
    TokenVerifier::new(options).unwrap()
}

/// A verifier for every key of the tests: with both curves, which options cannot have at once.
fn verifier_of_all() -> TokenVerifier {
    let mut verifier = verifier(&all_keys());
    let p384 = PublicKey::from_pem("ecdsa_public_key", keys::P384_PUBLIC).unwrap();
    verifier.keys.push(Key::from_public(&p384));
    verifier
}

fn verifier_of_secret(secret: &[u8]) -> TokenVerifier {
    let mut verifier = verifier(&TokenOptions::default());
    verifier.keys.push(Key::from_secret(secret));
    verifier
}

/// A signer for each algorithm.
fn signers() -> Vec<(Algorithm, TokenSigner)> {
    let secret = |algorithm| {
        (algorithm, TokenSigner::from_secret(keys::SECRET).unwrap().with_algorithm(algorithm))
    };
    let private = |algorithm, pem| {
        (algorithm, TokenSigner::from_private_key(pem).unwrap().with_algorithm(algorithm))
    };
    vec![
        secret(Algorithm::HS256),
        secret(Algorithm::HS384),
        secret(Algorithm::HS512),
        private(Algorithm::RS256, keys::RSA_PRIVATE),
        private(Algorithm::RS384, keys::RSA_PRIVATE),
        private(Algorithm::RS512, keys::RSA_PRIVATE_PKCS1),
        private(Algorithm::ES256, keys::P256_PRIVATE),
        private(Algorithm::ES384, keys::P384_PRIVATE),
        private(Algorithm::EdDSA, keys::ED25519_PRIVATE),
    ]
}

fn encode(part: &str) -> String {
    URL_SAFE_NO_PAD.encode(part)
}

// === Vectors ===

#[test]
fn accepts_the_examples_of_rfc_7515_until_they_expire() {
    const PAYLOAD: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFt\
                           cGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let secret = URL_SAFE_NO_PAD
        .decode(
            "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow",
        )
        .unwrap();
    let examples = [
        (
            verifier_of_secret(&secret),
            "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9",
            "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk",
        ),
        (
            verifier(&all_keys()),
            "eyJhbGciOiJSUzI1NiJ9",
            "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_\
             O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIAR\
             NPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvh\
             J1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
        ),
        (
            verifier(&all_keys()),
            "eyJhbGciOiJFUzI1NiJ9",
            "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
        ),
    ];
    for (verifier, header, signature) in examples {
        let token = format!("{header}.{PAYLOAD}.{signature}");
        let claims = verifier.verify_connect(&token, UnixMillis(RFC_EXP * 1000 - 1)).unwrap();
        assert_eq!((claims.user.as_str(), claims.expire_at), ("", Some(seconds(RFC_EXP))));
        let at = verifier.verify_connect(&token, seconds(RFC_EXP));
        assert_eq!(at.unwrap_err(), TokenError::Expired, "{header}");
    }
}

/// The example's payload is not JSON, which only shows once its signature was accepted.
#[test]
fn accepts_the_signature_of_rfc_8037() {
    let signed = "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    let signature =
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    let check =
        |token: String| verifier(&all_keys()).verify_connect(&token, UnixMillis(0)).unwrap_err();
    assert_eq!(check(format!("{signed}.{signature}")), TokenError::Malformed);
    let other = signature.replacen('h', "i", 1);
    assert_eq!(check(format!("{signed}.{other}")), TokenError::BadSignature);
}

#[test]
fn accepts_tokens_of_another_implementation() {
    let verifier = verifier_of_all();
    for (algorithm, token) in keys::FOREIGN_TOKENS {
        let claims = verifier.verify_connect(token, seconds(FOREIGN_EXP - 1)).unwrap();
        assert_eq!(claims.user, "42", "{algorithm}");
    }
}

// === Algorithms ===

#[test]
fn accepts_its_own_tokens_with_every_algorithm() {
    let verifier = verifier_of_all();
    for (algorithm, signer) in signers() {
        let token = signer.sign(&json!({"sub": "42", "exp": 100})).unwrap();
        assert!(describe(&token).unwrap().header["alg"] == format!("{algorithm:?}"));
        let claims = verifier.verify_connect(&token, seconds(99)).unwrap();
        assert_eq!(claims.user, "42", "{algorithm:?}");
    }
}

#[test]
fn refuses_algorithms_on_principle() {
    let verifier = verifier_of_all();
    let check = |token: &str| verifier.verify_connect(token, UnixMillis(0)).unwrap_err();
    for (algorithm, token) in keys::REFUSED_TOKENS {
        assert_eq!(check(token), TokenError::UnsupportedAlgorithm, "{algorithm}");
    }
    for alg in ["none", "None", "NONE", "hs256", "", "HS1", "PS384", "PS512", "ES256K", "Ed448"] {
        let unsigned =
            format!("{}.{}.", encode(&format!(r#"{{"alg":"{alg}"}}"#)), encode(r#"{"sub":"42"}"#));
        assert_eq!(check(&unsigned), TokenError::UnsupportedAlgorithm, "{alg}");
    }
}

#[test]
fn refuses_algorithms_without_a_key() {
    for (algorithm, signer) in signers() {
        let token = signer.sign(&json!({})).unwrap();
        let mut options = all_keys();
        match algorithm.family() {
            jsonwebtoken::AlgorithmFamily::Hmac => options.hmac_secret_key = Some(String::new()),
            jsonwebtoken::AlgorithmFamily::Rsa => options.rsa_public_key = None,
            jsonwebtoken::AlgorithmFamily::Ec => options.ecdsa_public_key = None,
            jsonwebtoken::AlgorithmFamily::Ed => options.ed25519_public_key = None,
        }
        let refused = verifier(&options).verify_connect(&token, UnixMillis(0)).unwrap_err();
        assert_eq!(refused, TokenError::UnsupportedAlgorithm, "{algorithm:?}");
    }
}

/// A public key is known to everyone: a token that is signed with its text as an HMAC secret must
/// not pass, whatever else is configured.
#[test]
fn refuses_a_public_key_used_as_a_secret() {
    for public in [keys::RSA_PUBLIC, keys::P256_PUBLIC, keys::ED25519_PUBLIC] {
        for secret in [public.to_owned(), public.trim().to_owned()] {
            let token =
                TokenSigner::from_secret(&secret).unwrap().sign(&json!({"sub": "1"})).unwrap();
            let with_secret = verifier(&all_keys()).verify_connect(&token, UnixMillis(0));
            assert_eq!(with_secret.unwrap_err(), TokenError::BadSignature);
            let options = TokenOptions { hmac_secret_key: None, ..all_keys() };
            let without = verifier(&options).verify_connect(&token, UnixMillis(0));
            assert_eq!(without.unwrap_err(), TokenError::UnsupportedAlgorithm);
        }
    }
}

#[test]
fn refuses_a_signature_under_another_algorithm() {
    let verifier = verifier_of_all();
    let signers = signers();
    for (signed, signer) in &signers {
        let token = signer.sign(&json!({"sub": "42"})).unwrap();
        let (_, rest) = token.split_once('.').unwrap();
        for (claimed, _) in signers.iter().filter(|(claimed, _)| claimed != signed) {
            let header = encode(&format!(r#"{{"typ":"JWT","alg":"{claimed:?}"}}"#));
            let swapped = verifier.verify_connect(&format!("{header}.{rest}"), UnixMillis(0));
            assert_eq!(swapped.unwrap_err(), TokenError::BadSignature, "{signed:?} {claimed:?}");
        }
    }
}

#[test]
fn refuses_tokens_of_other_keys() {
    let random = ring::rand::SystemRandom::new();
    let pem = |der: &[u8]| {
        let text = base64::engine::general_purpose::STANDARD.encode(der);
        format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
    };
    let p256 = &ring::signature::ECDSA_P256_SHA256_FIXED_SIGNING;
    let p384 = &ring::signature::ECDSA_P384_SHA384_FIXED_SIGNING;
    let strangers = [
        TokenSigner::from_secret("another").unwrap(),
        TokenSigner::from_private_key(&pem(Ed25519KeyPair::generate_pkcs8(&random)
            .unwrap()
            .as_ref()))
        .unwrap(),
        TokenSigner::from_private_key(&pem(EcdsaKeyPair::generate_pkcs8(p256, &random)
            .unwrap()
            .as_ref()))
        .unwrap(),
        TokenSigner::from_private_key(&pem(EcdsaKeyPair::generate_pkcs8(p384, &random)
            .unwrap()
            .as_ref()))
        .unwrap(),
    ];
    for signer in strangers {
        let token = signer.sign(&json!({"sub": "42"})).unwrap();
        let refused = verifier_of_all().verify_connect(&token, UnixMillis(0)).unwrap_err();
        assert_eq!(refused, TokenError::BadSignature, "{signer:?}");
    }
}

#[test]
fn refuses_extensions_that_must_be_understood() {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, keys::SECRET.as_bytes());
    let signed = |header: &str| {
        let message = format!("{}.{}", encode(header), encode(r#"{"sub":"42"}"#));
        let tag = ring::hmac::sign(&key, message.as_bytes());
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(tag))
    };
    let check = |header: &str| verifier_of_all().verify_connect(&signed(header), UnixMillis(0));
    assert_eq!(check(r#"{"alg":"HS256","kid":"a","x":[1]}"#).unwrap().user, "42");
    let critical = check(r#"{"alg":"HS256","crit":["b64"],"b64":true}"#);
    assert_eq!(critical.unwrap_err(), TokenError::UnsupportedAlgorithm);
    for broken in [r#"{"alg":"HS256","alg":"HS256"}"#, r#"{"alg":1}"#, "{}", "[]", "", r#"{"alg":"#]
    {
        assert_eq!(check(broken).unwrap_err(), TokenError::Malformed, "{broken}");
    }
}

// === Damage ===

#[test]
fn refuses_a_token_cut_anywhere() {
    let verifier = verifier_of_all();
    for (algorithm, signer) in signers() {
        let token = signer.sign(&json!({"sub": "42"})).unwrap();
        for end in 0..token.len() {
            let cut = verifier.verify_connect(&token[..end], UnixMillis(0));
            assert!(
                matches!(cut, Err(TokenError::Malformed | TokenError::BadSignature)),
                "{algorithm:?} cut at {end}: {cut:?}"
            );
        }
        for extended in [format!("{token}A"), format!("{token}."), format!("{token}=")] {
            let longer = verifier.verify_connect(&extended, UnixMillis(0));
            assert!(matches!(longer, Err(TokenError::Malformed | TokenError::BadSignature)));
        }
    }
}

#[test]
fn refuses_a_signature_with_any_bit_flipped() {
    let verifier = verifier_of_all();
    for (algorithm, signer) in signers() {
        let token = signer.sign(&json!({"sub": "42"})).unwrap();
        let (message, signature) = token.rsplit_once('.').unwrap();
        let signature = URL_SAFE_NO_PAD.decode(signature).unwrap();
        for bit in 0..signature.len() * 8 {
            let mut flipped = signature.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            let flipped = format!("{message}.{}", URL_SAFE_NO_PAD.encode(flipped));
            let refused = verifier.verify_connect(&flipped, UnixMillis(0)).unwrap_err();
            assert_eq!(refused, TokenError::BadSignature, "{algorithm:?} bit {bit}");
        }
    }
}

/// Base64 leaves unused bits in the last character; a second spelling of the same token would slip
/// past lists of revoked ones.
#[test]
fn refuses_any_other_character_in_any_place() {
    let verifier = verifier_of_all();
    let token = TokenSigner::from_secret(keys::SECRET).unwrap().sign(&json!({})).unwrap();
    for place in 0..token.len() {
        for other in "AZaz09-_. =+/\n".chars().filter(|&other| !token[place..].starts_with(other)) {
            let mut changed = token.clone();
            changed.replace_range(place..=place, &other.to_string());
            let refused = verifier.verify_connect(&changed, UnixMillis(0));
            assert!(refused.is_err(), "{changed}");
        }
    }
}

#[test]
fn refuses_a_token_over_the_bound() {
    let signer = TokenSigner::from_secret(keys::SECRET).unwrap();
    let sized = |bytes: usize| signer.sign(&json!({"x": "y".repeat(bytes)})).unwrap();
    // Three bytes of claims make four of the token, so that lengths skip some numbers.
    let longest = (12_000..).find(|&bytes| sized(bytes + 1).len() > limits::TOKEN_BYTES).unwrap();
    let (fits, longer) = (sized(longest), sized(longest + 1));
    assert!(fits.len() > limits::TOKEN_BYTES - 3 && longer.len() <= limits::TOKEN_BYTES + 2);
    let verifier = verifier_of_all();
    assert_eq!(verifier.verify_connect(&fits, UnixMillis(0)).unwrap().user, "");
    let refused = verifier.verify_connect(&longer, UnixMillis(0)).unwrap_err();
    assert_eq!(refused, TokenError::Malformed);
    assert_eq!(describe(&longer).unwrap_err(), TokenError::Malformed);
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(token in ".{0,200}", now in any::<u64>()) {
        let verifier = verifier_of_all();
        prop_assert!(verifier.verify_connect(&token, UnixMillis(now)).is_err());
        prop_assert!(verifier.verify_subscribe(&token, UnixMillis(now)).is_err());
        prop_assert!(describe(&token).is_err());
    }

    #[test]
    fn no_three_parts_make_it_panic(
        alg in prop::sample::select(vec!["HS256", "RS256", "ES256", "ES384", "EdDSA", "none"]),
        payload in ".{0,40}",
        signature in prop::collection::vec(any::<u8>(), 0..100),
    ) {
        let header = encode(&format!(r#"{{"alg":"{alg}"}}"#));
        let signature = URL_SAFE_NO_PAD.encode(signature);
        let token = format!("{header}.{}.{signature}", encode(&payload));
        prop_assert!(verifier_of_all().verify_connect(&token, UnixMillis(0)).is_err());
        prop_assert_eq!(&describe(&token).is_ok(), &serde_json::from_str::<Value>(&payload).is_ok());
    }
}
