use clap::Parser;
use expect_test::{Expect, expect};

use super::*;
use crate::config::Format;

#[derive(Parser)]
struct Line {
    #[command(subcommand)]
    command: ConfigCommand,
}

const NOW: UnixMillis = UnixMillis(1_700_000_000_000);

fn answer(arguments: &[&str]) -> Answer {
    let line = Line::try_parse_from([&["config"], arguments].concat()).unwrap();
    run(&line.command, std::iter::empty(), NOW)
}

fn check_file(name: &str, text: &str, arguments: &[&str], code: u8, expected: Expect) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    std::fs::write(&path, text).unwrap();
    let path = path.to_str().unwrap();
    let found = answer(&[&["check", "--config", path], arguments].concat());
    expected.assert_eq(&found.text);
    assert_eq!(found.code, code);
}

#[test]
fn every_example_is_a_configuration_with_every_option_at_its_default() {
    for (name, format) in [("toml", Format::Toml), ("yaml", Format::Yaml), ("json", Format::Json)] {
        let text = answer(&["example", "--format", name]).text;
        let (config, warnings) = Config::parse(format, &text, std::iter::empty()).unwrap();
        let keys: Vec<&str> = warnings.iter().map(|one| one.key.as_str()).collect();
        assert_eq!(keys, ["client.token"], "{name}");
        assert!(config.namespaces.find("chat:1").is_some_and(|found| found.options.force_recovery));
        let (plain, _) = Config::load(None, std::iter::empty()).unwrap();
        assert_eq!(format!("{:?}", config.server), format!("{:?}", plain.server), "{name}");
        assert_eq!(format!("{:?}", config.session), format!("{:?}", plain.session), "{name}");
        for option in describe().iter().filter(|one| !one.foreign) {
            let (_, key) = split(&option.key);
            assert!(text.contains(key), "{name} lacks {}", option.key);
        }
    }
}

#[test]
fn the_example_tells_meaning_and_range_above_each_option() {
    let text = answer(&["example"]).text;
    let start = text.find("# How often the server").unwrap();
    expect![[r##"
        # How often the server pings a client. A duration from 1s to 1h.
        ping_interval = "25s"
        # How long a client may take to answer a ping; shorter than client.ping_interval. A duration from
        # 100ms to 1h.
        pong_timeout = "8s"
    "##]]
    .assert_eq(&(text[start..].lines().take(5).collect::<Vec<_>>().join("\n") + "\n"));
}

#[test]
fn doc_tells_every_option_sorted_in_each_form() {
    let text = answer(&["doc"]).text;
    let markdown = answer(&["doc", "--markdown"]).text;
    let json: Value = serde_json::from_str(&answer(&["doc", "--json"]).text).unwrap();
    let keys: Vec<&str> =
        json.as_array().unwrap().iter().map(|one| one["key"].as_str().unwrap()).collect();
    assert!(keys.is_sorted());
    assert_eq!(keys.len(), describe().len());
    for key in keys {
        assert!(text.contains(&format!("{key} = ")), "{key}");
        assert!(markdown.contains(&format!("| `{key}` |")), "{key}");
    }
    assert!(markdown.lines().all(|line| line.replace("\\|", "").matches('|').count() == 7));
    let start = text.find("client.ping_interval").unwrap();
    expect![[r#"
        client.ping_interval = "25s"
            How often the server pings a client.
            A duration from 1s to 1h.
            NEARCAST_CLIENT__PING_INTERVAL
    "#]]
    .assert_eq(&(text[start..].lines().take(4).collect::<Vec<_>>().join("\n") + "\n"));
}

#[test]
fn check_answers_in_text_and_json_with_the_exit_code() {
    let good = "[client]\nallow_anonymous_connect_without_token = true\n";
    check_file(
        "a.toml",
        good,
        &[],
        0,
        expect![[r#"
        configuration is valid
    "#]],
    );
    let bad = "client:\n  ping_interval: 1ms\n  pnog_timeout: 1s\n";
    check_file(
        "a.yaml",
        bad,
        &[],
        2,
        expect![[r#"
            client.ping_interval = "1ms" (file): must be a duration from 1s to 1h
            client.pnog_timeout (file): no such option; did you mean client.pong_timeout?
            2 faults
        "#]],
    );
    check_file(
        "a.yml",
        bad,
        &["--json"],
        2,
        expect![[r#"
            {
              "faults": [
                {
                  "key": "client.ping_interval",
                  "message": "must be a duration from 1s to 1h",
                  "source": {
                    "kind": "file"
                  },
                  "value": "\"1ms\""
                },
                {
                  "key": "client.pnog_timeout",
                  "message": "no such option; did you mean client.pong_timeout?",
                  "source": {
                    "kind": "file"
                  },
                  "value": null
                }
              ],
              "more_faults": 0,
              "valid": false,
              "warnings": []
            }
        "#]],
    );
}

#[test]
fn a_file_that_cannot_be_read_is_a_fault() {
    let found = answer(&["check", "--config", "nowhere.toml"]);
    expect![[r#"
        nowhere.toml (file): No such file or directory (os error 2)
        1 fault
    "#]]
    .assert_eq(&found.text);
    assert_eq!(found.code, 2);
}

#[test]
fn check_opens_certificate_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let at = folder.path().display().to_string();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let made = |days_ago: u64| {
        let start = UnixMillis(NOW.0 - days_ago * 86_400_000);
        crate::server::development(&["localhost".to_owned()], start).unwrap()
    };
    let section = format!("[tls]\ncertificate = \"{at}/cert.pem\"\nkey = \"{at}/key.pem\"\n");
    write("a.toml", &format!("client.insecure = true\n{section}"));
    let check_at = |now: UnixMillis, code: u8, expected: Expect| {
        let line = ["config", "check", "--config", &format!("{at}/a.toml")];
        let found = run(&Line::try_parse_from(line).unwrap().command, std::iter::empty(), now);
        expected.assert_eq(&found.text.replace(&at, "DIR"));
        assert_eq!(found.code, code);
    };
    let check = |code, expected| check_at(NOW, code, expected);
    check(
        2,
        expect![[r#"
            tls.certificate = "DIR/cert.pem" (file): No such file or directory (os error 2)
            tls.key = "DIR/key.pem" (file): No such file or directory (os error 2)
            2 faults
        "#]],
    );
    let good = made(0);
    write("cert.pem", &good.certificate);
    write("key.pem", &made(0).key);
    check(
        2,
        expect![[r#"
            tls.key = "DIR/key.pem" (file): not the key of the certificate
            1 fault
        "#]],
    );
    write("key.pem", "");
    check(
        2,
        expect![[r#"
            tls.key = "DIR/key.pem" (file): no private key in the file
            1 fault
        "#]],
    );
    write("key.pem", &good.key);
    check(
        0,
        expect![[r#"
            configuration is valid
        "#]],
    );
    check_at(
        UnixMillis(NOW.0 - 86_400_000),
        0,
        expect![[r#"
            warning: tls.certificate: the certificate is not valid yet
            configuration is valid
        "#]],
    );
    let old = made(20);
    write("cert.pem", &old.certificate);
    write("key.pem", &old.key);
    check(
        2,
        expect![[r#"
            tls.certificate = "DIR/cert.pem" (file): the certificate has expired
            1 fault
        "#]],
    );
}
