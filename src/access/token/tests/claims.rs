//! What tokens say: times, users, data, subscriptions, capabilities.

use serde_json::value::RawValue;

use super::super::capability::ChannelPattern;
use super::*;
use crate::channel::Overrides;

fn sign(claims: &str) -> String {
    let claims = RawValue::from_string(claims.to_owned()).unwrap();
    TokenSigner::from_secret(keys::SECRET).unwrap().sign(&claims).unwrap()
}

fn connect(claims: &str, now: UnixMillis) -> Result<ConnectClaims, TokenError> {
    verifier(&all_keys()).verify_connect(&sign(claims), now)
}

fn subscribe(claims: &str, now: UnixMillis) -> Result<SubscribeClaims, TokenError> {
    verifier(&all_keys()).verify_subscribe(&sign(claims), now)
}

/// The claim that a connection token is refused for.
fn blamed(claims: &str) -> String {
    match connect(claims, UnixMillis(0)) {
        Err(TokenError::InvalidClaim { name, .. }) => name.into_owned(),
        other => panic!("{claims}: {other:?}"),
    }
}

// === Time ===

#[test]
fn a_token_is_valid_until_but_not_at_its_exp() {
    let check = |claims: &str, millis| connect(claims, UnixMillis(millis)).map(|_| ());
    assert_eq!(check(r#"{"exp":100}"#, 99_999), Ok(()));
    assert_eq!(check(r#"{"exp":100}"#, 100_000), Err(TokenError::Expired));
    assert_eq!(check(r#"{"exp":100.5}"#, 100_499), Ok(()));
    assert_eq!(check(r#"{"exp":100.5}"#, 100_500), Err(TokenError::Expired));
    assert_eq!(check(r#"{"exp":1e2}"#, 99_999), Ok(()));
    for past in ["0", "-1", "-1.5", "-9223372036854775808", "0.0"] {
        assert_eq!(check(&format!(r#"{{"exp":{past}}}"#), 0), Err(TokenError::Expired), "{past}");
    }
    assert_eq!(check(r#"{"exp":18446744073709551615}"#, u64::MAX - 1), Ok(()));
    assert_eq!(check(r#"{"exp":null}"#, u64::MAX), Ok(()));
    assert_eq!(check("{}", u64::MAX), Ok(()));
}

#[test]
fn a_token_is_valid_from_its_nbf_on() {
    let check = |claims: &str, millis| connect(claims, UnixMillis(millis)).map(|_| ());
    assert_eq!(check(r#"{"nbf":100}"#, 99_999), Err(TokenError::NotYetValid));
    assert_eq!(check(r#"{"nbf":100}"#, 100_000), Ok(()));
    assert_eq!(check(r#"{"nbf":100,"exp":50}"#, 60_000), Err(TokenError::NotYetValid));
}

#[test]
fn times_must_be_numbers() {
    for value in [r#""100""#, r#""tomorrow""#, "true", "1e300"] {
        assert_eq!(blamed(&format!(r#"{{"exp":{value}}}"#)), "exp", "{value}");
        assert_eq!(blamed(&format!(r#"{{"nbf":{value}}}"#)), "nbf", "{value}");
        assert_eq!(blamed(&format!(r#"{{"expire_at":{value}}}"#)), "expire_at", "{value}");
    }
    assert_eq!(blamed(r#"{"expire_at":1.5}"#), "expire_at");
}

/// The library reads the registered claims once more, and loses its place in a list or an object.
#[test]
fn registered_claims_must_be_plain() {
    for name in ["exp", "nbf", "sub"] {
        for value in ["[1]", "{}", r#"{"a":[1]}"#, r#"["42"]"#] {
            let refused = connect(&format!(r#"{{"{name}":{value}}}"#), UnixMillis(0)).unwrap_err();
            assert!(
                matches!(refused, TokenError::Malformed | TokenError::InvalidClaim { .. }),
                "{name}: {value}: {refused}"
            );
        }
    }
}

#[test]
fn expire_at_wins_over_exp_for_the_connection() {
    let check = |claims: &str| {
        let subscription = claims.replacen('{', r#"{"channel":"a","#, 1).replace(",}", "}");
        let of_subscription = subscribe(&subscription, seconds(50)).unwrap().expire_at;
        let of_connection = connect(claims, seconds(50)).unwrap().expire_at;
        assert_eq!(of_connection, of_subscription);
        of_connection
    };
    assert_eq!(check("{}"), None);
    assert_eq!(check(r#"{"exp":100}"#), Some(seconds(100)));
    assert_eq!(check(r#"{"exp":100.9}"#), Some(seconds(100)));
    assert_eq!(check(r#"{"exp":100,"expire_at":200}"#), Some(seconds(200)));
    assert_eq!(check(r#"{"exp":100,"expire_at":20}"#), Some(seconds(20)));
    assert_eq!(check(r#"{"expire_at":200}"#), Some(seconds(200)));
    assert_eq!(check(r#"{"exp":100,"expire_at":0}"#), None);
    assert_eq!(check(r#"{"exp":100,"expire_at":-1}"#), None);
    assert_eq!(check(r#"{"exp":100,"expire_at":null}"#), Some(seconds(100)));
    let expired = connect(r#"{"exp":100,"expire_at":0}"#, seconds(100)).unwrap_err();
    assert_eq!(expired, TokenError::Expired);
}

/// A client asks for another token when it hears of expiry, so a token that will never pass must
/// not say so.
#[test]
fn expiry_is_reported_last() {
    for claims in [r#"{"exp":1,"sub":1}"#, r#"{"exp":1,"channel":"a"}"#, r#"{"exp":1,"subs":[]}"#] {
        let refused = connect(claims, seconds(2)).unwrap_err();
        assert!(matches!(refused, TokenError::InvalidClaim { .. }), "{claims}");
    }
}

// === Connection ===

#[test]
fn reads_a_whole_connection_token() {
    let claims = connect(
        r#"{"sub":"42","exp":1700000000,"iat":1,"jti":7,
            "info":{"name": "Å \" ] }",
                    "tags": [1, 2]},
            "subs":{"news":{"info":[1, 2],"b64data":"AAEC",
                            "override":{"presence":{"value":true},"force_recovery":{"value":false},
                                        "join_leave":{},"force_positioning":null}},
                    "alerts":{}},
            "channels":["ignored"],
            "caps":[{"channels":["a"],"allow":["pub","hst"]}]}"#,
        seconds(1),
    )
    .unwrap();
    assert_eq!(claims.user, "42");
    assert_eq!(claims.expire_at, Some(seconds(1_700_000_000)));
    assert_eq!(claims.info.unwrap(), r#"{"name":"Å \" ] }","tags":[1,2]}"#);
    assert_eq!(claims.subs.keys().collect::<Vec<_>>(), ["alerts", "news"]);
    assert_eq!(claims.subs["alerts"], SubscribeOptions::default());
    let news = &claims.subs["news"];
    assert_eq!(news.info.as_deref(), Some(&b"[1,2]"[..]));
    assert_eq!(news.data.as_deref(), Some(&[0, 1, 2][..]));
    let expected = Overrides {
        presence: Some(true),
        force_recovery: Some(false),
        join_leave: Some(false),
        ..Overrides::default()
    };
    assert_eq!(news.overrides, expected);
    assert!(claims.capabilities[0].allows(Operation::Publish, "a"));
}

#[test]
fn absent_claims_are_absent() {
    for claims in ["{}", r#"{"sub":null,"info":null,"subs":null,"channels":null,"caps":null}"#] {
        let claims = connect(claims, UnixMillis(0)).unwrap();
        assert_eq!((claims.user.as_str(), claims.info), ("", None));
        assert!(claims.subs.is_empty() && claims.capabilities.is_empty());
    }
}

#[test]
fn channels_are_subscriptions_without_options() {
    let claims = connect(r#"{"channels":["b","a","b"],"subs":{}}"#, UnixMillis(0)).unwrap();
    assert_eq!(claims.subs.keys().collect::<Vec<_>>(), ["a", "b"]);
    assert!(claims.subs.values().all(|options| *options == SubscribeOptions::default()));
}

#[test]
fn base64_wins_over_json() {
    let info = |claims: &str| connect(claims, UnixMillis(0)).unwrap().info.unwrap();
    assert_eq!(info(r#"{"info":1,"b64info":"/+8="}"#), &[0xff, 0xef][..]);
    assert_eq!(info(r#"{"info":1,"b64info":""}"#), "1");
    assert_eq!(blamed(r#"{"b64info":"_-8"}"#), "b64info");
    assert_eq!(blamed(r#"{"b64info":1}"#), "b64info");
}

#[test]
fn faults_name_the_claim() {
    for (claims, expected) in [
        (r#"{"sub":42}"#, "sub"),
        (r#"{"channel":"news"}"#, "channel"),
        (r#"{"channels":"news"}"#, "channels"),
        (r#"{"channels":[1]}"#, "channels"),
        (r#"{"subs":{"a":1}}"#, "subs"),
        (r#"{"subs":{"a":{"b64data":"!"}}}"#, "subs"),
        (r#"{"subs":{"a":{"override":{"presence":true}}}}"#, "subs"),
        (r#"{"caps":{}}"#, "caps"),
        (r#"{"caps":[{"channels":["a"],"allow":["admin"]}]}"#, "caps"),
        (r#"{"caps":[{"channels":["a"],"match":"glob","allow":["sub"]}]}"#, "caps"),
        (r#"{"caps":[{"channels":["("],"match":"regex","allow":["sub"]}]}"#, "caps"),
        (r#"{"caps":[{"channels":["\\w{500}{500}"],"match":"regex"}]}"#, "caps"),
    ] {
        assert_eq!(blamed(claims), expected, "{claims}");
    }
}

#[test]
fn a_user_has_at_most_255_bytes() {
    let user = |bytes: usize| format!(r#"{{"sub":"{}"}}"#, "u".repeat(bytes));
    assert_eq!(connect(&user(255), UnixMillis(0)).unwrap().user.len(), 255);
    assert_eq!(blamed(&user(256)), "sub");
}

#[test]
fn data_has_at_most_128_levels() {
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let claims = |levels| format!(r#"{{"info":{}}}"#, nested(levels));
    assert_eq!(connect(&claims(128), UnixMillis(0)).unwrap().user, "");
    assert_eq!(blamed(&claims(129)), "info");
    assert_eq!(blamed(&format!(r#"{{"subs":{{"a":{{"data":{}}}}}}}"#, nested(129))), "subs");
    let brackets_in_a_text = format!(r#"{{"info":"{}"}}"#, "[".repeat(1000));
    assert!(connect(&brackets_in_a_text, UnixMillis(0)).unwrap().info.is_some());
}

#[test]
fn only_an_object_holds_claims() {
    for payload in ["[]", "1", "null", r#""sub""#] {
        assert_eq!(connect(payload, UnixMillis(0)).unwrap_err(), TokenError::Malformed);
    }
}

// === Subscription ===

#[test]
fn reads_a_whole_subscription_token() {
    let claims = subscribe(
        r#"{"sub":"42","client":"c","channel":"$private","exp":100,"info":{"a": 1},"data":[ ],
            "override":{"force_push_join_leave":{"value":true}}}"#,
        seconds(99),
    )
    .unwrap();
    assert_eq!((claims.user.as_str(), claims.channel.as_str()), ("42", "$private"));
    assert_eq!(claims.client.as_deref(), Some("c"));
    assert_eq!(claims.expire_at, Some(seconds(100)));
    assert_eq!(claims.options.info.unwrap(), r#"{"a":1}"#);
    assert_eq!(claims.options.data.unwrap(), "[]");
    assert_eq!(claims.options.overrides.force_push_join_leave, Some(true));
    let expired = subscribe(r#"{"channel":"a","exp":100}"#, seconds(100)).unwrap_err();
    assert_eq!(expired, TokenError::Expired);
}

#[test]
fn a_subscription_token_names_its_channel() {
    for claims in ["{}", r#"{"channel":""}"#, r#"{"channel":1}"#, r#"{"channel":null}"#] {
        let refused = subscribe(claims, UnixMillis(0)).unwrap_err();
        assert!(matches!(refused, TokenError::InvalidClaim { name, .. } if name == "channel"));
    }
    let anyone = subscribe(r#"{"channel":"a","client":""}"#, UnixMillis(0)).unwrap();
    assert_eq!(anyone.client, None);
}

// === Capabilities ===

#[test]
fn capabilities_match_channels() {
    let allows = |matching: &str, pattern: &str, channel: &str| {
        let claims = json!({"caps": [{"channels": ["other", pattern], "match": matching, "allow": ["sub"]}]});
        let claims = connect(&claims.to_string(), UnixMillis(0)).unwrap();
        assert!(!claims.capabilities[0].allows(Operation::Publish, channel));
        claims.capabilities[0].allows(Operation::Subscribe, channel)
    };
    assert!(allows("", "news", "news") && !allows("", "news", "news:1"));
    assert!(!allows("", "news*", "news:1"));
    assert!(allows("wildcard", "news:*", "news:1") && allows("wildcard", "news:*", "news:"));
    assert!(!allows("wildcard", "news:*", "my-news:1") && allows("wildcard", "*", ""));
    assert!(allows("wildcard", "a*b*c", "a-b-b-c") && !allows("wildcard", "a*b*c", "a-c-b"));
    assert!(allows("wildcard", "news", "news") && !allows("wildcard", "ab*ba", "aba"));
    assert!(allows("regex", "^n[0-9]$", "n1") && !allows("regex", "^n[0-9]$", "n11"));
    assert!(allows("regex", "ew", "news"));
}

#[test]
fn capabilities_have_at_most_16_regular_expressions() {
    let claims = |count: usize, matching: &str| {
        let entry = |channels: Vec<&str>| json!({"channels": channels, "match": matching, "allow": ["sub"]});
        json!({"caps": [entry(vec!["a"; 8]), entry(vec!["a"; count - 8])]}).to_string()
    };
    assert_eq!(connect(&claims(16, "regex"), UnixMillis(0)).unwrap().capabilities.len(), 2);
    assert_eq!(connect(&claims(17, "wildcard"), UnixMillis(0)).unwrap().capabilities.len(), 2);
    assert_eq!(blamed(&claims(17, "regex")), "caps");
}

proptest! {
    /// The oracle is a regular expression with the stars replaced.
    #[test]
    fn wildcards_match_as_the_regular_expression(pattern in "[ab*]{0,6}", channel in "[ab]{0,8}") {
        let literals: Vec<_> = pattern.split('*').map(regex::escape).collect();
        let oracle = Regex::new(&format!("^{}$", literals.join(".*"))).unwrap();
        let matches = ChannelPattern::Wildcard(pattern).matches(&channel);
        prop_assert_eq!(matches, oracle.is_match(&channel));
    }

    #[test]
    fn no_signed_claim_makes_it_panic(
        name in prop::sample::select(vec![
            "sub", "exp", "nbf", "aud", "iss", "expire_at", "info", "b64info", "channels", "subs",
            "caps", "channel", "client", "override", "data",
        ]),
        value in any_json(),
    ) {
        let claims = json!({(name): value, "channel": "a"}).to_string();
        if let Err(refused) = subscribe(&claims, UnixMillis(0)) {
            prop_assert!(!matches!(refused, TokenError::BadSignature), "{refused}");
        }
        let claims = json!({(name): value}).to_string();
        if let Ok(read) = connect(&claims, UnixMillis(0))
            && let Some(compact) = read.info
        {
            prop_assert!(name == "b64info" || compact == value.to_string());
        }
    }

    /// Space goes, and nothing else.
    #[test]
    fn data_is_made_compact(value in any_json().prop_filter("null is absent", |value| !value.is_null())) {
        let pretty = serde_json::to_string_pretty(&value).unwrap();
        let claims = connect(&format!(r#"{{"info": {pretty}}}"#), UnixMillis(0)).unwrap();
        prop_assert_eq!(claims.info.unwrap(), value.to_string());
    }
}

fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "[ -~\"\\\\\n\t]{0,10}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z_ ]{0,8}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}
