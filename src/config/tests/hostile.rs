//! What must not happen whatever a file or the environment says: panics, work without bound, secrets
//! on display.

use proptest::strategy::Strategy;
use serde_json::json;

use super::table::tree;
use super::*;

#[test]
fn secrets_are_never_shown() {
    const SECRET: &str = "correct-horse";
    let text = json!({
        "client": {
            "token": {"hmac_secret_key": SECRET},
            "subscription_token": {"enabled": true, "hmac_secret_key": SECRET},
        },
        "http_api": {"key": SECRET},
    });
    let config = load(Format::Json, &text.to_string());
    assert_eq!(config.token.hmac_secret_key.as_deref(), Some(SECRET));
    assert!(!format!("{config:?} {config:#?}").contains(SECRET));

    // Wrong values, misspelt keys and broken files do not show them either.
    let texts = [
        (
            Format::Json,
            format!(r#"{{"client": {{"token": {{"hmac_secret_key": ["{SECRET}"]}}}}}}"#),
        ),
        (Format::Json, format!(r#"{{"http_api": {{"kee": "{SECRET}"}}}}"#)),
        (Format::Json, format!(r#"{{"http_api": "{SECRET}"}}"#)),
        (Format::Json, format!(r#"{{"http_api": {{"key": "{SECRET}" oops"#)),
        (Format::Toml, format!("http_api.key = '{SECRET}' oops")),
        (Format::Toml, format!("http_api.key = {SECRET}")),
        (Format::Yaml, format!("http_api:\n  key: [{SECRET}\n")),
        (Format::Yaml, format!("http_api:\n  key: *{SECRET}\n")),
        (Format::Yaml, format!("http_api:\n  key: !!int {SECRET}\n")),
    ];
    for (format, text) in texts {
        let faults = Config::parse(format, &text, variables(&[])).unwrap_err();
        assert!(!format!("{faults} {faults:?}").contains(SECRET), "{text}: {faults}");
    }
}

#[test]
fn secrets_are_marked() {
    let secret: Vec<String> =
        describe().into_iter().filter(|one| one.secret).map(|one| one.key).collect();
    assert_eq!(
        secret,
        [
            "client.token.hmac_secret_key",
            "client.subscription_token.hmac_secret_key",
            "webhook.secret",
            "http_api.key"
        ]
    );
}

#[test]
fn files_are_bounded() {
    let faults = |format, text: &str| told(Config::parse(format, text, variables(&[])));
    let comment = |length| format!("#{}\n", " ".repeat(length - 2));
    let limit = crate::base::limits::CONFIG_BYTES;
    assert!(faults(Format::Toml, &comment(limit)).ends_with("ok\n"));
    assert!(faults(Format::Toml, &comment(limit + 1)).contains("longer than 1048576 bytes"));
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.toml");
    std::fs::write(&path, comment(limit + 1)).unwrap();
    let told = told(Config::load(Some(&path), variables(&[])));
    assert!(told.contains("a.toml (file): longer than 1048576 bytes"), "{told}");
    let region = |length| ("NEARCAST_NODE__REGION", "a".repeat(length));
    let (name, text) = region(limit + 1);
    let told = self::told(Config::load(None, variables(&[(name, &text)])));
    assert!(told.contains("node.region (NEARCAST_NODE__REGION): longer than"), "{told}");

    let bomb = (1..20).fold("a0: &a0 [x, x]\n".to_owned(), |text, index| {
        let before = index - 1;
        text + &format!("a{index}: &a{index} [*a{before}, *a{before}, *a{before}, *a{before}]\n")
    });
    let told = faults(Format::Yaml, &bomb);
    assert!(told.contains("too large or too complex"), "{told}");
    for (format, deep) in [
        (Format::Json, format!("{{\"a\":{}", "[".repeat(100_000))),
        (Format::Toml, format!("a = {}", "[".repeat(100_000))),
        (Format::Toml, format!("a{} = 1", ".a".repeat(100_000))),
        (Format::Yaml, format!("a: {}", "[".repeat(100_000))),
        (
            Format::Yaml,
            (0..1000).fold(String::new(), |text, depth| text + &" ".repeat(depth) + "a:\n"),
        ),
    ] {
        Config::parse(format, &deep, variables(&[])).unwrap_err();
    }

    let keys: Vec<String> = (0..20_000).map(|index| format!("\"x{index}\": 1")).collect();
    let told = faults(Format::Json, &format!("{{{}}}", keys.join(",")));
    assert!(told.ends_with("\nand 19900 more\n"), "{told}");
    let many = vec![json!({"name": "xx"}); 1025];
    let told = faults(Format::Json, &json!({"channel": {"namespaces": many}}).to_string());
    assert!(told.contains("1025 namespaces; at most 1024"), "{told}");
}

proptest::proptest! {
    #[test]
    fn no_text_panics(text: String, name in "NEARCAST_[A-Z_]{0,20}", value: String) {
        for format in [Format::Toml, Format::Yaml, Format::Json] {
            let told = told(Config::parse(format, &text, variables(&[(&name, &value)])));
            assert!(!told.is_empty());
        }
    }

    /// Any value at any key is either accepted or refused with a fault that names the key.
    #[test]
    fn no_value_panics(
        index in 0_usize..200,
        value in proptest::prop_oneof![
            proptest::strategy::Just(json!(null)),
            proptest::arbitrary::any::<bool>().prop_map(|value| json!(value)),
            proptest::arbitrary::any::<i64>().prop_map(|value| json!(value)),
            proptest::arbitrary::any::<f64>().prop_map(|value| json!(value)),
            proptest::arbitrary::any::<String>().prop_map(|value| json!(value)),
            proptest::arbitrary::any::<Vec<String>>().prop_map(|value| json!(value)),
            "[0-9]{1,30}(h|m|s|ms|ns|KiB|MiB|GB|)".prop_map(|value| json!(value)),
        ],
    ) {
        let options = describe();
        let option = &options[index % options.len()];
        let text = tree(&option.key, value).to_string();
        if let Err(faults) = Config::parse(Format::Json, &text, variables(&[])) {
            assert!(!faults.faults.is_empty());
            assert!(faults.to_string().lines().count() < 10, "{faults}");
        }
    }
}
