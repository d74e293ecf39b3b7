//! `nearcast pub`: publishes to a channel through the server API.

use std::collections::BTreeMap;
use std::io::Read;

use clap::Args;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::backend::BackendArgs;
use super::{Outcome, complain};
use crate::base::limits;
use crate::protocol::is_json;

#[derive(Clone, Debug, Args)]
pub(super) struct PublishArgs {
    channel: String,
    /// JSON; - reads it from standard input
    #[arg(allow_hyphen_values = true)]
    data: String,
    /// A tag of the publication; may be repeated
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_tag)]
    tags: Vec<(String, String)>,
    /// The same key again publishes nothing
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    #[command(flatten)]
    backend: BackendArgs,
    /// Print the answer as JSON
    #[arg(long)]
    json: bool,
}

pub(super) fn run(arguments: &PublishArgs) -> Outcome {
    let body = match body(arguments, std::io::stdin()) {
        Ok(body) => body,
        Err(fault) => {
            complain(&fault);
            return Outcome::Misused;
        }
    };
    arguments.backend.run("publish", body, arguments.json, show)
}

#[derive(Serialize)]
struct Body<'a> {
    channel: &'a str,
    /// As it was given: numbers keep their digits and objects their order.
    data: &'a RawValue,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: BTreeMap<&'a str, &'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
}

/// The request's body; `input` is read where the data is `-`.
fn body(arguments: &PublishArgs, input: impl Read) -> Result<String, String> {
    let data = match arguments.data.as_str() {
        "-" => read(input)?,
        data => data.to_owned(),
    };
    is_json(data.as_bytes()).map_err(|fault| format!("DATA: {fault}"))?;
    let body = Body {
        channel: &arguments.channel,
        data: serde_json::from_str(data.trim()).map_err(|fault| format!("DATA: {fault}"))?,
        tags: arguments.tags.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect(),
        idempotency_key: arguments.idempotency_key.as_deref(),
    };
    Ok(serde_json::to_string(&body).expect("a body is plain data"))
}

fn read(input: impl Read) -> Result<String, String> {
    let mut text = String::new();
    let most = u64::try_from(limits::API_BODY_BYTES).unwrap_or(u64::MAX);
    let read = input.take(most + 1).read_to_string(&mut text);
    read.map_err(|fault| format!("standard input: {fault}"))?;
    if text.len() > limits::API_BODY_BYTES {
        return Err(format!("standard input: over {most} bytes"));
    }
    Ok(text)
}

#[derive(Deserialize)]
struct Published {
    #[serde(default)]
    offset: u64,
    #[serde(default)]
    epoch: String,
}

fn show(result: &RawValue) -> Option<String> {
    let Published { offset, epoch } = serde_json::from_str(result.get()).ok()?;
    Some(match offset {
        0 => "published".to_owned(),
        offset => format!("published, position {offset}:{epoch}"),
    })
}

fn parse_tag(text: &str) -> Result<(String, String), &'static str> {
    let (key, value) = text.split_once('=').ok_or("a tag is KEY=VALUE")?;
    if key.is_empty() { Err("a tag has a key") } else { Ok((key.to_owned(), value.to_owned())) }
}

#[cfg(test)]
mod tests;
