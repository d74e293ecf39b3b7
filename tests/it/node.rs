//! A node as a process of its own: its configuration, its log, its end.

use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::sync::watch;

use crate::http::{self, Response};
use crate::time::within;

/// The server API's key.
pub(crate) const API_KEY: &str = "key-of-the-api-8d1f";
/// Signs the tokens.
pub(crate) const SECRET: &str = "secret-of-the-tokens-52ac";

/// The configuration, besides what a test sets by the environment.
pub(crate) const FILE: &str = r#"
[listen]
http = "127.0.0.1:0"
admin = "127.0.0.1:0"
[client]
insecure = true
allowed_origins = ["https://app.example.com"]
[client.token]
hmac_secret_key = "secret-of-the-tokens-52ac"
[http_api]
key = "key-of-the-api-8d1f"
[channel.without_namespace]
presence = true
join_leave = true
history_size = 100000
history_ttl = "300s"
allow_recovery = true
allow_positioning = true
[[channel.namespaces]]
name = "plain"
[[channel.namespaces]]
name = "binary"
binary = true
[[channel.namespaces]]
name = "loud"
join_leave = true
force_push_join_leave = true
"#;

/// Options that a test sets, by their names in the configuration.
pub(crate) type Settings<'a> = &'a [(&'a str, &'a str)];

/// What the process wrote to standard error.
#[derive(Debug, Default)]
struct Log {
    lines: Vec<String>,
    /// Its end is the end of the process.
    ended: bool,
}

/// A running node; killed when it is dropped.
#[derive(Debug)]
pub(crate) struct Node {
    child: Child,
    pub(crate) http: SocketAddr,
    pub(crate) admin: SocketAddr,
    /// The line of `--print-addresses`.
    pub(crate) addresses: Value,
    pub(crate) file: PathBuf,
    log: watch::Receiver<Log>,
    /// Parts of warnings that are not a fault.
    expected: Vec<&'static str>,
    _folder: TempDir,
}

impl Node {
    /// A node with [`FILE`] and these settings.
    pub(crate) async fn start(settings: Settings<'_>) -> Node {
        Node::start_with(FILE, settings).await
    }

    pub(crate) async fn start_with(file: &str, settings: Settings<'_>) -> Node {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nearcast.toml");
        std::fs::write(&path, file).unwrap();
        let arguments = ["serve", "--config", path.to_str().unwrap()];
        Node::launch(folder, path.clone(), &arguments, settings).await
    }

    /// A node without a configuration file.
    pub(crate) async fn start_bare(arguments: &[&str], settings: Settings<'_>) -> Node {
        let arguments = [&["serve"], arguments].concat();
        Node::launch(tempfile::tempdir().unwrap(), PathBuf::new(), &arguments, settings).await
    }

    /// The demo, on ports that the system chooses.
    pub(crate) async fn start_demo(arguments: &[&str]) -> Node {
        let all = ["demo", "--http", "127.0.0.1:0", "--admin", "127.0.0.1:0"];
        let arguments = [&all, arguments].concat();
        Node::launch(tempfile::tempdir().unwrap(), PathBuf::new(), &arguments, &[]).await
    }

    async fn launch(
        folder: TempDir,
        file: PathBuf,
        arguments: &[&str],
        settings: Settings<'_>,
    ) -> Node {
        let mut child = command(arguments, settings)
            .arg("--print-addresses")
            .current_dir(folder.path())
            .spawn()
            .unwrap();
        let log = follow(child.stderr.take().unwrap());
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let first_line = tokio::task::spawn_blocking(move || {
            let mut line = String::new();
            stdout.read_line(&mut line).unwrap();
            line
        });
        let line = within("the addresses", first_line).await.unwrap();
        let addresses: Value = serde_json::from_str(&line).unwrap_or_else(|_| {
            panic!("no addresses but {line:?}; log:\n{}", log.borrow().lines.join("\n"))
        });
        let address = |key: &str| addresses[key].as_str().unwrap().parse().unwrap();
        Node {
            child,
            http: address("http"),
            admin: address("admin"),
            addresses,
            file,
            log,
            expected: Vec::new(),
            _folder: folder,
        }
    }

    /// A warning with this in it is not a fault.
    pub(crate) fn expect_warning(&mut self, part: &'static str) {
        self.expected.push(part);
    }

    /// Calls a method of the server API: its result.
    #[track_caller]
    pub(crate) fn api(&self, method: &str, body: &Value) -> impl Future<Output = Value> + use<> {
        let caller = std::panic::Location::caller();
        let answer = self.ask_api(method, body);
        async move {
            let answer = answer.await;
            assert!(answer["result"].is_object(), "{answer}, asked at {caller}");
            answer["result"].clone()
        }
    }

    /// Calls a method of the server API: its answer, which may be an error.
    pub(crate) fn ask_api(
        &self,
        method: &str,
        body: &Value,
    ) -> impl Future<Output = Value> + use<> {
        let response =
            self.post_api(method, &[("X-API-Key", API_KEY)], body.to_string().as_bytes());
        async move {
            let response = response.await;
            assert_eq!(response.status, 200, "{}", response.text());
            response.json()
        }
    }

    pub(crate) fn post_api(
        &self,
        method: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> impl Future<Output = Response> + use<> {
        let request = http::request("POST", &format!("/api/{method}"), headers, body);
        http::exchange(self.http, request)
    }

    /// Asks the operator's listener.
    pub(crate) async fn get(&self, path: &str) -> Response {
        http::exchange(self.admin, http::request("GET", path, &[], &[])).await
    }

    /// The value of a metric; 0 where it was never counted.
    pub(crate) async fn metric(&self, name: &str) -> u64 {
        let text = self.get("/metrics").await.text();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }

    /// Waits until a metric has a value.
    pub(crate) async fn wait_for_metric(&self, name: &str, value: u64) {
        let reached = async {
            while self.metric(name).await != value {
                tokio::task::yield_now().await;
            }
        };
        within(name, reached).await;
    }

    /// Memory that the process has now, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        self.status("VmRSS:").trim_end_matches(" kB").parse().unwrap()
    }

    /// Sends a signal once the process listens for it: it prints its addresses a moment earlier,
    /// and a signal in between would end it unheard.
    pub(crate) fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let kill = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid]).status();
        assert!(kill.unwrap().success());
    }

    /// A line of what the kernel tells of the process (proc(5)).
    fn status(&self, key: &str) -> String {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        status.lines().find_map(|line| line.strip_prefix(key)).unwrap().trim().to_owned()
    }

    /// Waits for the end of the process: its exit code.
    pub(crate) async fn exit_code(&mut self) -> Option<i32> {
        within("the exit", self.log.wait_for(|log| log.ended)).await.unwrap();
        self.child.wait().unwrap().code()
    }

    /// Waits for a line of the log with this in it.
    pub(crate) async fn wait_for_log(&mut self, part: &str) {
        let is_there = |log: &Log| log.lines.iter().any(|line| line.contains(part));
        let found = within(part, self.log.wait_for(|log| is_there(log) || log.ended)).await;
        assert!(is_there(&found.unwrap()), "the node ended without saying {part:?}");
    }

    pub(crate) fn log(&self) -> Vec<String> {
        self.log.borrow().lines.clone()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        let lines = self.log();
        if std::thread::panicking() {
            eprintln!("log of the node:\n{}", lines.join("\n"));
            return;
        }
        let is_fault = |line: &&String| {
            let alarming = [" WARN ", " ERROR ", "panicked"].iter().any(|word| line.contains(word));
            alarming && !self.expected.iter().any(|part| line.contains(part))
        };
        let faults: Vec<&String> = lines.iter().filter(is_fault).collect();
        assert!(faults.is_empty(), "the node logged {faults:#?}");
    }
}

/// The program with nothing but these settings in its environment.
pub(crate) fn command(arguments: &[&str], settings: Settings<'_>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_nearcast"));
    command.args(arguments).env_clear().env("NO_COLOR", "1").stdin(Stdio::null());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    // Its port cannot be every node's.
    command.env("NEARCAST_LISTEN__WEBTRANSPORT", "off");
    for (key, value) in settings {
        let name = format!("NEARCAST_{}", key.to_uppercase().replace('.', "__"));
        command.env(name, value);
    }
    command
}

/// Runs the program to its end: exit code and what it wrote to standard error.
pub(crate) fn run(arguments: &[&str], settings: Settings<'_>) -> (Option<i32>, String) {
    let output = command(arguments, settings).output().unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

/// Reads the log while the process runs, so that it never waits for a reader.
fn follow(stderr: impl Read + Send + 'static) -> watch::Receiver<Log> {
    let (sender, receiver) = watch::channel(Log::default());
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines() {
            let line = line.unwrap();
            sender.send_modify(|log| log.lines.push(line));
        }
        sender.send_modify(|log| log.ended = true);
    });
    receiver
}

/// A connection or subscription token with these claims.
pub(crate) fn token(claims: &Value) -> String {
    sign(claims, SECRET)
}

pub(crate) fn sign(claims: &Value, secret: &str) -> String {
    let encode = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    let signed = format!("{}.{}", encode(&json!({"alg": "HS256", "typ": "JWT"})), encode(claims));
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
    let signature = URL_SAFE_NO_PAD.encode(hmac::sign(&key, signed.as_bytes()));
    format!("{signed}.{signature}")
}
