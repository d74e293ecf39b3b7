//! The client's commands over TLS: whom they trust, and what they say of those they do not.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, ChildStdout};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::pki_types::CertificateDer;
use serde_json::{Value, json};

use crate::http;
use crate::node::{self, API_KEY, Node, Settings};
use crate::time::within;
use crate::tls::{certify, certify_until, dial, secured_with};

/// Where a node is, by one of the names of this machine.
struct Urls {
    url: String,
    api: String,
}

impl Urls {
    fn secure(node: &Node, host: &str) -> Self {
        let port = node.http.port();
        Self {
            url: format!("wss://{host}:{port}/connection/websocket"),
            api: format!("https://{host}:{port}/api"),
        }
    }

    fn publish<'a>(&'a self, data: &'a str, options: &[&'a str]) -> Vec<&'a str> {
        [&["pub", "news", data, "--api", &self.api, "--key", API_KEY], options].concat()
    }

    fn listen<'a>(&'a self, command: &[&'a str], options: &[&'a str]) -> Vec<&'a str> {
        [command, &["--url", &self.url, "--json"], options].concat()
    }
}

/// What a command that does not end by itself prints; it ends when this is dropped.
struct Running {
    child: Child,
    stdout: Option<BufReader<ChildStdout>>,
}

impl Running {
    fn start(arguments: &[&str], settings: Settings<'_>) -> Self {
        let mut child = node::command(arguments, settings).spawn().unwrap();
        let stdout = child.stdout.take().map(BufReader::new);
        Self { child, stdout }
    }

    /// The next line, in JSON.
    async fn line(&mut self) -> Value {
        let mut stdout = self.stdout.take().unwrap();
        let read = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            (stdout, line)
        });
        let (stdout, line) = within("a line", read).await.unwrap();
        self.stdout = Some(stdout);
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("no event but {line:?}"))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn hex(certificate: &CertificateDer<'_>) -> String {
    let hash = ring::digest::digest(&ring::digest::SHA256, certificate);
    hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Runs a command to its failure: what it said.
#[track_caller]
fn refused(arguments: &[&str]) -> String {
    let (code, said) = node::run(arguments, &[]);
    assert_eq!(code, Some(1), "{said}");
    said
}

/// Both ways to a node say this of it.
#[track_caller]
fn check(node: &Node, host: &str, options: &[&str], said: &str) {
    check_urls(&Urls::secure(node, host), options, [said, said]);
}

/// What is said of the server API and of the WebSocket.
#[track_caller]
fn check_urls(urls: &Urls, options: &[&str], [api, url]: [&str; 2]) {
    let refusal = refused(&urls.publish("1", options));
    assert_eq!(refusal, format!("{}: {api}\n", urls.api));
    let refusal = refused(&urls.listen(&["sub", "news"], options));
    assert_eq!(refusal, format!("{}: {url}\n", urls.url));
}

const STRANGER: &str = "the server's certificate leads to nobody who is trusted; --ca FILE trusts \
                        others, --certificate-sha256 HEX takes this certificate alone";
const OTHER_HASH: &str =
    "the server's certificate does not have the SHA-256 of --certificate-sha256";

#[tokio::test]
async fn what_is_published_over_tls_is_heard_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let node = secured_with(folder.path(), &[]).await;
    let path = folder.path().join("cert.pem");
    let hash = hex(&certificate);
    let urls = Urls::secure(&node, "localhost");
    // The hash is enough, whatever the name.
    let by_number = Urls::secure(&node, "127.0.0.1");
    let (by_file, by_hash) = (["--ca", text(&path)], ["--certificate-sha256", hash.as_str()]);
    let (in_file, in_hash) = ([("ca", text(&path))], [("certificate_sha256", hash.as_str())]);
    for (urls, options, settings) in [
        (&urls, &by_file[..], &[][..]),
        (&by_number, &by_hash, &[]),
        (&urls, &[], &in_file),
        (&by_number, &[], &in_hash),
    ] {
        let words = [&["--count", "1"], options].concat();
        let mut sub = Running::start(&urls.listen(&["sub", "news"], &words), settings);
        assert_eq!(sub.line().await["event"], "subscribed");
        let data = "z".repeat(60_000);
        let (code, said) = node::run(&urls.publish(&json!(data).to_string(), options), settings);
        assert_eq!((code, said.as_str()), (Some(0), ""));
        let heard = loop {
            let line = sub.line().await;
            if line["event"] != "join" {
                break line;
            }
        };
        assert_eq!(heard["data"], data);
        for command in [&["history", "news"][..], &["presence", "news"]] {
            let api = ["--api", &urls.api, "--key", API_KEY];
            let (code, said) = node::run(&[command, &api, options].concat(), settings);
            assert_eq!((code, said.as_str()), (Some(0), ""));
        }
    }
}

#[tokio::test]
async fn near_and_nearest_watch_over_tls() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let namespaces = r#"[{"name": "drivers", "geo": {"kind": "objects", "key": "free"}}]"#;
    let node = secured_with(folder.path(), &[("channel.namespaces", namespaces)]).await;
    let fix = json!({"channel": "drivers:city", "key": "a", "lat": 52.52, "lng": 13.405});
    let key = [("X-API-Key", API_KEY)];
    let request = http::request("POST", "/api/geo_set", &key, fix.to_string().as_bytes());
    let answer = http::exchange_over(dial(&node, &certificate).await.unwrap(), request).await;
    assert!(answer.json()["result"].is_object(), "{}", answer.text());
    let urls = Urls::secure(&node, "localhost");
    let hash = hex(&certificate);
    let options = ["--certificate-sha256", hash.as_str(), "--protobuf"];
    for command in
        [["near", "drivers:city", "52.52,13.405,100"], ["nearest", "drivers:city", "52.52,13.405"]]
    {
        let mut watch = Running::start(&urls.listen(&command, &options), &[]);
        let begun = watch.line().await;
        assert_eq!(begun["data"]["objects"][0]["key"], "a", "{begun}");
    }
}

#[tokio::test]
async fn a_development_certificate_is_its_own_authority() {
    let folder = tempfile::tempdir().unwrap();
    let out = text(folder.path());
    let (code, said) = node::run(&["cert", "dev", "--out", out], &[]);
    assert_eq!(code, Some(0), "{said}");
    let node = secured_with(folder.path(), &[]).await;
    let path = folder.path().join("cert.pem");
    for host in ["localhost", "127.0.0.1"] {
        let urls = Urls::secure(&node, host);
        let (code, said) = node::run(&urls.publish("1", &["--ca", text(&path)]), &[]);
        assert_eq!(code, Some(0), "{said}");
    }
}

#[tokio::test]
async fn a_certificate_that_is_not_taken_is_told_why() {
    let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let certificate = certify_until(folder.path(), 2020);
    let mut node = secured_with(folder.path(), &[]).await;
    node.expect_warning("the certificate has expired");
    let path = folder.path().join("cert.pem");
    let trusting = ["--ca", text(&path)];
    check(&node, "localhost", &trusting, "the server's certificate has expired");
    // Its hash takes it all the same.
    let urls = Urls::secure(&node, "localhost");
    let hash = hex(&certificate);
    let (code, said) = node::run(&urls.publish("1", &["--certificate-sha256", &hash]), &[]);
    assert_eq!(code, Some(0), "{said}");
    certify(folder.path());
    node.wait_for_log("another certificate is in use").await;
    check(&node, "localhost", &["--certificate-sha256", &hash], OTHER_HASH);
    check(&node, "127.0.0.1", &trusting, "the server's certificate is not for 127.0.0.1");
    check(&node, "localhost", &[], STRANGER);
    // Another key under the same name, and another name.
    certify(elsewhere.path());
    let stranger = elsewhere.path().join("cert.pem");
    check(&node, "localhost", &["--ca", text(&stranger)], STRANGER);
    let (code, said) = node::run(&["cert", "dev", "--out", text(elsewhere.path()), "--force"], &[]);
    assert_eq!(code, Some(0), "{said}");
    check(&node, "localhost", &["--ca", text(&stranger)], STRANGER);
}

#[tokio::test]
async fn an_authority_that_serves_itself_is_taken_by_its_hash_alone() {
    let folder = tempfile::tempdir().unwrap();
    let mut params = CertificateParams::new(["localhost".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().unwrap();
    let made = params.self_signed(&key).unwrap();
    let path = folder.path().join("cert.pem");
    std::fs::write(&path, made.pem()).unwrap();
    std::fs::write(folder.path().join("key.pem"), key.serialize_pem()).unwrap();
    let node = secured_with(folder.path(), &[]).await;
    let urls = Urls::secure(&node, "localhost");
    let refusal = refused(&urls.publish("1", &["--ca", text(&path)]));
    assert!(refusal.contains("the server's certificate is not accepted: "), "{refusal}");
    assert!(refusal.ends_with("; --certificate-sha256 HEX takes it as it is\n"), "{refusal}");
    let hash = hex(made.der());
    let (code, said) = node::run(&urls.publish("1", &["--certificate-sha256", &hash]), &[]);
    assert_eq!(code, Some(0), "{said}");
}

#[tokio::test]
async fn a_load_takes_any_certificate_unless_it_names_one() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let node = secured_with(folder.path(), &[]).await;
    let Urls { url, api } = Urls::secure(&node, "127.0.0.1");
    let load = ["bench", "fan-out", "--subscribers", "2", "--rate", "50", "--seconds", "1"];
    let ways = ["--url", &url, "--through-api", "--api", &api, "--key", API_KEY];
    let words = [&load[..], &ways].concat();
    let (code, said) = node::run(&words, &[]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said) = node::run(&words, &[("certificate_sha256", &"0".repeat(64))]);
    assert!(code == Some(1) && said.contains(OTHER_HASH), "{said}");
}

#[tokio::test]
async fn a_server_without_tls_is_told() {
    let node = Node::start(&[]).await;
    check(&node, "localhost", &[], "the server does not speak TLS there");
}

#[tokio::test]
async fn a_server_with_tls_is_told() {
    let folder = tempfile::tempdir().unwrap();
    certify(folder.path());
    let node = secured_with(folder.path(), &[]).await;
    let Urls { url, api } = Urls::secure(&node, "localhost");
    let plain = Urls { url: url.replace("wss", "ws"), api: api.replace("https", "http") };
    let said = |scheme| {
        format!("the answer is not HTTP; where TLS is spoken, the URL begins with {scheme}://")
    };
    check_urls(&plain, &[], [&said("https"), &said("wss")]);
}
