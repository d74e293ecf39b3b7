//! `nearcast token`: makes tokens for development and tests, and shows what a token says.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, Subcommand};
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::Outcome;
use super::secret::Secret;
use crate::access::token::{
    KeyError, TokenError, TokenOptions, TokenSigner, TokenVerifier, describe,
};
use crate::base::UnixMillis;

#[cfg(test)]
mod tests;

/// Make and read connection and subscription tokens
#[derive(Clone, Debug, Args)]
pub(crate) struct TokenArgs {
    #[command(subcommand)]
    command: TokenCommand,
    /// Print JSON
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, Subcommand)]
enum TokenCommand {
    /// Make a token that opens a connection
    Connect(ConnectArgs),
    /// Make a token that subscribes to one channel
    Subscribe(SubscribeArgs),
    /// Show what a token says, and whether it is accepted
    Inspect(InspectArgs),
}

#[derive(Clone, Debug, Args)]
struct ConnectArgs {
    #[command(flatten)]
    common: CommonArgs,
    /// A channel that the server subscribes the client to; may be repeated
    #[arg(long = "channel", value_name = "CHANNEL")]
    channels: Vec<String>,
    /// JSON for hooks, not shown to clients
    #[arg(long, value_name = "JSON", value_parser = parse_json)]
    meta: Option<Box<RawValue>>,
    #[command(flatten)]
    key: KeyArgs,
}

#[derive(Clone, Debug, Args)]
struct SubscribeArgs {
    #[command(flatten)]
    common: CommonArgs,
    #[arg(long)]
    channel: String,
    /// The only client that may use the token
    #[arg(long, value_name = "ID")]
    client: Option<String>,
    #[command(flatten)]
    key: KeyArgs,
}

#[derive(Clone, Debug, Args)]
struct CommonArgs {
    /// The user's id; empty for an anonymous user
    #[arg(long, value_name = "ID")]
    user: String,
    /// How long the token is valid: 90s, 30m, 1h, 7d, or 0 for ever
    #[arg(long, value_name = "DURATION", default_value = "1h", value_parser = parse_duration)]
    exp: Duration,
    /// JSON that others see in presence, joins and publications
    #[arg(long, value_name = "JSON", value_parser = parse_json)]
    info: Option<Box<RawValue>>,
}

/// Without either, the secret of the configuration signs.
#[derive(Clone, Debug, Args)]
struct KeyArgs {
    /// Sign with this HMAC secret (HS256)
    #[arg(long, conflicts_with = "key")]
    secret: Option<Secret>,
    /// Sign with this private key, PEM in PKCS#8 (RS256, ES256, ES384, EdDSA)
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

#[derive(Clone, Debug, Args)]
struct InspectArgs {
    token: String,
    /// Check with this HMAC secret alone, instead of the configuration
    #[arg(long, conflicts_with = "key")]
    secret: Option<Secret>,
    /// Check with this public key alone, PEM
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenCommandError {
    #[error(
        "no key to sign with: give --secret or --key, or set client.token.hmac_secret_key in the \
         configuration"
    )]
    NoKey,
    #[error("cannot read {path}")]
    KeyFile {
        path: PathBuf,
        #[source]
        source: std::io::Error,
    },
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    Token(#[from] TokenError),
}

/// What to print, without a line break at the end, and whether that is a token that is refused.
/// `options` are the configuration's: their secret signs, and they check, where the arguments give
/// no key.
pub(super) fn run(
    args: &TokenArgs,
    options: &TokenOptions,
    now: UnixMillis,
) -> Result<(String, Outcome), TokenCommandError> {
    let made = match &args.command {
        TokenCommand::Connect(connect) => {
            let claims = Claims {
                channels: &connect.channels,
                meta: connect.meta.as_deref(),
                ..Claims::common(&connect.common, now)
            };
            make(&claims, &connect.key, options, args.json)
        }
        TokenCommand::Subscribe(subscribe) => {
            let claims = Claims {
                channel: Some(&subscribe.channel),
                client: subscribe.client.as_deref(),
                ..Claims::common(&subscribe.common, now)
            };
            make(&claims, &subscribe.key, options, args.json)
        }
        TokenCommand::Inspect(inspect) => {
            let report = Report::of(inspect, options, now)?;
            let text = if args.json { report.json(now) } else { report.text(now) };
            let is_refused = matches!(report.verdict, Verdict::Refused(_));
            return Ok((text, if is_refused { Outcome::Failed } else { Outcome::Done }));
        }
    };
    Ok((made?, Outcome::Done))
}

// === Making ===

#[derive(Default, Serialize)]
struct Claims<'a> {
    sub: &'a str,
    iat: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    exp: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    channel: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    client: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    info: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meta: Option<&'a RawValue>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    channels: &'a [String],
}

impl<'a> Claims<'a> {
    fn common(args: &'a CommonArgs, now: UnixMillis) -> Self {
        let iat = now.seconds();
        let lifetime = Some(args.exp.as_secs()).filter(|&seconds| seconds > 0);
        Self {
            sub: &args.user,
            iat,
            exp: lifetime.map(|seconds| iat.saturating_add(seconds)),
            info: args.info.as_deref(),
            ..Self::default()
        }
    }
}

fn make(
    claims: &Claims<'_>,
    key: &KeyArgs,
    options: &TokenOptions,
    json: bool,
) -> Result<String, TokenCommandError> {
    let secret = key.secret.as_ref().map(Secret::expose);
    let configured = options.hmac_secret_key.as_deref().filter(|secret| !secret.is_empty());
    let signer = match &key.key {
        Some(path) => TokenSigner::from_private_key(&read(path)?)?,
        None => TokenSigner::from_secret(secret.or(configured).ok_or(TokenCommandError::NoKey)?)?,
    };
    let token = signer.sign(claims)?;
    Ok(if json { json!({"token": token, "expires_at": claims.exp}).to_string() } else { token })
}

fn read(path: &Path) -> Result<String, TokenCommandError> {
    std::fs::read_to_string(path)
        .map_err(|source| TokenCommandError::KeyFile { path: path.to_owned(), source })
}

// === Inspecting ===

struct Report {
    header: Value,
    claims: Value,
    kind: &'static str,
    verdict: Verdict,
}

enum Verdict {
    Accepted,
    Refused(TokenError),
    /// There was no key to check the signature with.
    Unchecked,
}

impl Report {
    fn of(
        args: &InspectArgs,
        configured: &TokenOptions,
        now: UnixMillis,
    ) -> Result<Self, TokenCommandError> {
        let described = describe(&args.token)?;
        let options = match (&args.secret, &args.key) {
            (Some(secret), _) => TokenOptions {
                hmac_secret_key: Some(secret.expose().to_owned()),
                ..TokenOptions::default()
            },
            (None, Some(path)) => TokenOptions::from_public_key(&read(path)?)?,
            (None, None) => configured.clone(),
        };
        let verifier = TokenVerifier::new(&options)?;
        let is_subscription = described.claims.get("channel").is_some();
        let checked = if is_subscription {
            verifier.verify_subscribe(&args.token, now).map(|_claims| ())
        } else {
            verifier.verify_connect(&args.token, now).map(|_claims| ())
        };
        Ok(Self {
            header: described.header,
            claims: described.claims,
            kind: if is_subscription { "subscription" } else { "connection" },
            verdict: match checked {
                _ if !verifier.has_keys() => Verdict::Unchecked,
                Ok(()) => Verdict::Accepted,
                Err(refused) => Verdict::Refused(refused),
            },
        })
    }

    /// Seconds until `exp`, negative once it is past; `None` for a token without.
    fn expires_in(&self, now: UnixMillis) -> Option<i64> {
        let now = i64::try_from(now.seconds()).unwrap_or(i64::MAX);
        Some(self.claims.get("exp")?.as_i64()?.saturating_sub(now))
    }

    fn json(&self, now: UnixMillis) -> String {
        let (valid, error) = match &self.verdict {
            Verdict::Accepted => (Some(true), None),
            Verdict::Refused(refused) => (Some(false), Some(refused.to_string())),
            Verdict::Unchecked => (None, None),
        };
        json!({
            "kind": self.kind,
            "header": self.header,
            "claims": self.claims,
            "expires_in": self.expires_in(now),
            "valid": valid,
            "error": error,
        })
        .to_string()
    }

    fn text(&self, now: UnixMillis) -> String {
        let mut text = format!(
            "{} token\nheader: {}\nclaims: {:#}\nexpires: ",
            self.kind, self.header, self.claims
        );
        let written = match self.expires_in(now) {
            None => write!(text, "never"),
            Some(seconds @ 1..) => write!(text, "in {seconds} s"),
            Some(seconds) => write!(text, "{} s ago", seconds.unsigned_abs()),
        };
        written.expect("a String takes all that is written");
        text.push('\n');
        match &self.verdict {
            Verdict::Accepted => text.push_str("accepted"),
            Verdict::Refused(refused) => {
                text.push_str("refused: ");
                text.push_str(&refused.to_string());
            }
            Verdict::Unchecked => {
                text.push_str("not checked: give --secret or --key, or a configuration with a key");
            }
        }
        text
    }
}

// === Arguments ===

fn parse_json(text: &str) -> Result<Box<RawValue>, serde_json::Error> {
    serde_json::from_str(text)
}

fn parse_duration(text: &str) -> Result<Duration, &'static str> {
    const WHY: &str = "write a whole number with s, m, h or d, or 0";
    let digits = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
    let unit_s = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => return Err(WHY),
    };
    let count: u64 = digits.parse().map_err(|_not_a_number| WHY)?;
    count.checked_mul(unit_s).map(Duration::from_secs).ok_or("the duration is too long")
}
