//! The command as a person types it.

use clap::Parser;

use super::*;

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    args: TokenArgs,
}

fn configured() -> TokenOptions {
    TokenOptions { hmac_secret_key: Some("configured".to_owned()), ..TokenOptions::default() }
}

/// The output, or the error as a person reads it.
fn type_in(words: &[&str], options: &TokenOptions, now: UnixMillis) -> Result<String, String> {
    let cli = Cli::try_parse_from([&["token"], words].concat())
        .map_err(|error| error.render().to_string())?;
    let (text, outcome) = run(&cli.args, options, now).map_err(|error| error.to_string())?;
    assert_eq!(outcome == Outcome::Failed, text.contains("refused: "), "{text}");
    Ok(text)
}

fn claims_of(token: &str) -> String {
    describe(token).unwrap().claims.to_string()
}

#[test]
fn makes_a_connection_token_that_is_accepted() {
    let words = ["connect", "--user", "42", "--info", r#"{"a": 1}"#, "--channel", "x"];
    let words = [&words[..], &["--channel", "y", "--meta", "[1]", "--exp", "2h"]].concat();
    let token = type_in(&words, &configured(), NOW).unwrap();
    assert_eq!(
        claims_of(&token),
        r#"{"channels":["x","y"],"exp":1700007200,"iat":1700000000,"info":{"a":1},"meta":[1],"sub":"42"}"#
    );
    let claims = TokenVerifier::new(&configured()).unwrap().verify_connect(&token, NOW).unwrap();
    assert_eq!((claims.user.as_str(), claims.subs.len()), ("42", 2));
}

#[test]
fn makes_a_subscription_token_that_is_accepted() {
    let words = ["subscribe", "--user", "", "--channel", "$a", "--exp", "0", "--secret", "other"];
    let token = type_in(&words, &configured(), NOW).unwrap();
    assert_eq!(claims_of(&token), r#"{"channel":"$a","iat":1700000000,"sub":""}"#);
    let other =
        TokenOptions { hmac_secret_key: Some("other".to_owned()), ..TokenOptions::default() };
    let claims = TokenVerifier::new(&other).unwrap().verify_subscribe(&token, NOW).unwrap();
    assert_eq!((claims.channel.as_str(), claims.expire_at), ("$a", None));
}

#[test]
fn prints_json_on_demand() {
    let made = type_in(&["connect", "--user", "1", "--json"], &configured(), NOW).unwrap();
    let made: Value = serde_json::from_str(&made).unwrap();
    assert_eq!(made["expires_at"], 1_700_003_600);
    let token = made["token"].as_str().unwrap();
    let report = type_in(&["inspect", token, "--json"], &configured(), NOW).unwrap();
    let expected = json!({
        "kind": "connection",
        "header": {"typ": "JWT", "alg": "HS256"},
        "claims": {"sub": "1", "iat": 1_700_000_000, "exp": 1_700_003_600},
        "expires_in": 3600,
        "valid": true,
        "error": null,
    });
    assert_eq!(serde_json::from_str::<Value>(&report).unwrap(), expected);
}

#[test]
fn inspects_what_is_refused_or_cannot_be_checked() {
    let words = ["subscribe", "--user", "1", "--channel", "a", "--exp", "1m"];
    let token = type_in(&words, &configured(), NOW).unwrap();
    let later = UnixMillis(NOW.0 + 90_000);
    let last_line = |words: &[&str], options: &TokenOptions, now| {
        let report = type_in(words, options, now).unwrap();
        report.lines().rev().take(2).collect::<Vec<_>>().join(" / ")
    };
    let inspect = ["inspect", &token];
    assert_eq!(last_line(&inspect, &configured(), NOW), "accepted / expires: in 60 s");
    assert_eq!(
        last_line(&inspect, &configured(), later),
        "refused: token expired / expires: 30 s ago"
    );
    assert_eq!(
        last_line(&["inspect", &token, "--secret", "b"], &configured(), NOW),
        "refused: the token's signature does not match / expires: in 60 s"
    );
    let unchecked = last_line(&inspect, &TokenOptions::default(), NOW);
    assert!(unchecked.starts_with("not checked"), "{unchecked}");
    assert_eq!(type_in(&["inspect", "a.b"], &configured(), NOW).unwrap_err(), "malformed token");
}

#[test]
fn signs_and_checks_with_keys_from_files() {
    let folder = tempfile::tempdir().unwrap();
    let pair = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P384_SHA384).unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let (private, public) = (path("private.pem"), path("public.pem"));
    std::fs::write(&private, pair.serialize_pem()).unwrap();
    std::fs::write(&public, pair.public_key_pem()).unwrap();
    let options = TokenOptions::default();
    let token = type_in(&["connect", "--user", "1", "--key", &private], &options, NOW).unwrap();
    assert_eq!(describe(&token).unwrap().header["alg"], "ES384");
    let report = type_in(&["inspect", &token, "--key", &public], &options, NOW).unwrap();
    assert!(report.ends_with("accepted"), "{report}");
    let missing = path("missing.pem");
    let refused = type_in(&["connect", "--user", "1", "--key", &missing], &options, NOW);
    assert_eq!(refused.unwrap_err(), format!("cannot read {missing}"));
}

#[test]
fn refuses_arguments_that_make_no_sense() {
    let refused = |words: &[&str], expected: &str| {
        let error = type_in(words, &TokenOptions::default(), NOW).unwrap_err();
        assert!(error.contains(expected), "{words:?}: {error}");
    };
    refused(&["connect", "--user", "1"], "no key to sign with");
    refused(&["connect"], "--user");
    refused(&["connect", "--user", "1", "--secret", ""], "a secret is not empty");
    refused(&["connect", "--user", "1", "--secret", "a", "--key", "b"], "cannot be used with");
    refused(&["connect", "--user", "1", "--info", "{"], "--info");
    for duration in ["", "h", "1w", "1.5h", "-1", "1 h", "99999999999999999999d", "é"] {
        refused(&["connect", "--user", "1", &format!("--exp={duration}")], "--exp");
    }
}

#[test]
fn arguments_do_not_show_the_secret() {
    let words = ["token", "connect", "--user", "1", "--secret", "hush"];
    let shown = format!("{:?}", Cli::try_parse_from(words).unwrap().args);
    assert!(shown.contains("[redacted]") && !shown.contains("hush"), "{shown}");
}
