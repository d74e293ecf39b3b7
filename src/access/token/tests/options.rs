//! Options that check tokens: what is refused, and what faults say.

use super::*;

fn fault(options: TokenOptions) -> String {
    TokenVerifier::new(&options).unwrap_err().to_string()
}

fn some(text: &str) -> Option<String> {
    Some(text.to_owned())
}

#[test]
fn faults_name_the_option() {
    let none = TokenOptions::default;
    let check = |options: TokenOptions, expected: &str| assert_eq!(fault(options), expected);
    check(
        TokenOptions { ecdsa_public_key: some(keys::P521_PUBLIC), ..none() },
        "ecdsa_public_key: a P-521 key (ES512) is not supported: use P-256 (ES256) or P-384 (ES384)",
    );
    check(
        TokenOptions { rsa_public_key: some(keys::RSA_1024_PUBLIC), ..none() },
        "rsa_public_key: an RSA key must have 2048 to 8192 bits",
    );
    check(
        TokenOptions { rsa_public_key: some(keys::P256_PUBLIC), ..none() },
        "rsa_public_key: the key is of another kind, which belongs into ecdsa_public_key",
    );
    check(
        TokenOptions { ed25519_public_key: some("MCowBQYDK2VwAyEA"), ..none() },
        "ed25519_public_key: no PEM block of the expected kind (PUBLIC KEY)",
    );
    check(
        TokenOptions { rsa_public_key: some(keys::RSA_PRIVATE), ..none() },
        "rsa_public_key: no PEM block of the expected kind (PUBLIC KEY)",
    );
    check(
        TokenOptions { audience: some("a"), audience_regex: some("b"), ..none() },
        "audience and audience_regex exclude each other",
    );
    check(
        TokenOptions { issuer_regex: some("("), ..none() },
        "issuer_regex: not a regular expression",
    );
    check(
        TokenOptions { user_id_claim: some("a.b"), ..none() },
        "user_id_claim: only letters, digits and underscores make a claim's name",
    );
}

#[test]
fn a_key_to_sign_with_must_be_private_and_pkcs8() {
    let fault = |pem| TokenSigner::from_private_key(pem).unwrap_err().to_string();
    assert_eq!(
        fault(keys::P256_PRIVATE_SEC1),
        "key: convert the key to PKCS#8: openssl pkcs8 -topk8 -nocrypt"
    );
    assert_eq!(fault(keys::RSA_PUBLIC), "key: no PEM block of the expected kind (PRIVATE KEY)");
}

#[test]
fn secrets_are_not_shown() {
    let options = all_keys();
    let signer = TokenSigner::from_secret(keys::SECRET).unwrap();
    let shown = format!("{options:?} {:?} {signer:?}", verifier(&options));
    assert!(shown.contains("[redacted]") && !shown.contains(keys::SECRET), "{shown}");
    let bytes = format!("{:?}", keys::SECRET.as_bytes());
    assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{shown}");
}

#[test]
fn options_follow_from_a_public_key() {
    let keys = [
        (keys::RSA_PUBLIC, keys::RSA_PRIVATE),
        (keys::P256_PUBLIC, keys::P256_PRIVATE),
        (keys::P384_PUBLIC, keys::P384_PRIVATE),
        (keys::ED25519_PUBLIC, keys::ED25519_PRIVATE),
    ];
    for (public, private) in keys {
        let verifier = verifier(&TokenOptions::from_public_key(public).unwrap());
        let token = TokenSigner::from_private_key(private).unwrap().sign(&json!({"sub": "1"}));
        assert_eq!(verifier.verify_connect(&token.unwrap(), UnixMillis(0)).unwrap().user, "1");
    }
}

#[test]
fn audience_and_issuer_are_checked() {
    let check = |options: TokenOptions, claims: Value| {
        let options = TokenOptions { hmac_secret_key: some(keys::SECRET), ..options };
        let token = TokenSigner::from_secret(keys::SECRET).unwrap().sign(&claims).unwrap();
        verifier(&options).verify_connect(&token, UnixMillis(0)).map(|claims| claims.user)
    };
    let audience = || TokenOptions { audience: some("a"), ..TokenOptions::default() };
    assert_eq!(check(audience(), json!({"aud": "a"})), Ok(String::new()));
    assert_eq!(check(audience(), json!({"aud": ["b", "a"]})), Ok(String::new()));
    for wrong in [json!({}), json!({"aud": "ab"}), json!({"aud": []}), json!({"aud": null})] {
        assert_eq!(check(audience(), wrong), Err(TokenError::WrongAudience));
    }
    let broken = check(audience(), json!({"aud": 1}));
    assert!(matches!(broken, Err(TokenError::InvalidClaim { name, .. }) if name == "aud"));

    let pattern = || TokenOptions { audience_regex: some("^[ab]$"), ..TokenOptions::default() };
    assert_eq!(check(pattern(), json!({"aud": ["x", "b"]})), Ok(String::new()));
    assert_eq!(check(pattern(), json!({"aud": "ab"})), Err(TokenError::WrongAudience));

    let issuer = || TokenOptions { issuer: some("i"), ..TokenOptions::default() };
    assert_eq!(check(issuer(), json!({"iss": "i"})), Ok(String::new()));
    assert_eq!(check(issuer(), json!({"iss": "I"})), Err(TokenError::WrongIssuer));
    assert_eq!(check(issuer(), json!({"iss": "I", "exp": 0})), Err(TokenError::WrongIssuer));
    let pattern = || TokenOptions { issuer_regex: some("tenant"), ..TokenOptions::default() };
    assert_eq!(check(pattern(), json!({"iss": "a tenant's"})), Ok(String::new()));
    assert_eq!(check(pattern(), json!({})), Err(TokenError::WrongIssuer));
    // Without options both are ignored, as in Centrifugo.
    assert_eq!(check(TokenOptions::default(), json!({"aud": "x", "iss": "y"})), Ok(String::new()));
}

#[test]
fn the_user_may_come_from_another_claim() {
    let check = |claims: Value| {
        let options = TokenOptions { user_id_claim: some("user_id"), ..all_keys() };
        let token = TokenSigner::from_secret(keys::SECRET).unwrap().sign(&claims).unwrap();
        verifier(&options).verify_connect(&token, UnixMillis(0)).map(|claims| claims.user)
    };
    assert_eq!(check(json!({"user_id": "a", "sub": "b"})), Ok("a".to_owned()));
    assert_eq!(check(json!({"user_id": 42})), Ok("42".to_owned()));
    assert_eq!(check(json!({"sub": "b"})), Ok(String::new()));
    let broken = check(json!({"user_id": {"a": 1}}));
    assert!(matches!(broken, Err(TokenError::InvalidClaim { name, .. }) if name == "user_id"));
}

proptest! {
    #[test]
    fn no_key_makes_it_panic(place in 0_usize..92, byte in any::<u8>(), cut in 0_usize..92) {
        let mut der = base64::engine::general_purpose::STANDARD
            .decode(keys::P256_PUBLIC.lines().filter(|line| !line.starts_with('-')).collect::<String>())
            .unwrap();
        if let Some(old) = der.get_mut(place) {
            *old = byte;
        }
        der.truncate(cut);
        let text = base64::engine::general_purpose::STANDARD.encode(&der);
        let pem = format!("-----BEGIN PUBLIC KEY-----\n{text}\n-----END PUBLIC KEY-----\n");
        let parsed = PublicKey::from_pem("key", &pem);
        prop_assert!(parsed.is_err() || der.len() == 91);
    }
}
