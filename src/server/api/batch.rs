//! Several commands in one request: `{"commands":[{"publish":{…}},…],"parallel":false}`.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::bodies::read;
use super::{Fault, Outcome, methods};
use crate::base::limits;
use crate::node::Node;
use crate::protocol::{ClientError, ErrorCode};

#[derive(Deserialize)]
struct Batch {
    #[serde(default)]
    commands: Vec<BTreeMap<String, Box<RawValue>>>,
    #[serde(default)]
    parallel: bool,
}

/// One reply for each command, in order: the result under the method's name, or `error`.
#[derive(Serialize)]
pub(super) struct Replies {
    replies: Vec<BTreeMap<String, Box<RawValue>>>,
}

/// Carries out the commands one after the other, or (`parallel`) all at once.
pub(super) async fn run(node: &Node, body: &[u8]) -> Result<Replies, ClientError> {
    let Batch { commands, parallel } = read(body)?;
    let at_a_time = if parallel { limits::BATCH_PARALLEL } else { 1 };
    let (mut replies, mut bytes) = (Vec::with_capacity(commands.len()), 0);
    for some in commands.chunks(at_a_time) {
        for (name, value) in join_all(some.iter().map(|command| reply(node, command))).await {
            bytes += value.get().len();
            let (name, value) = if bytes <= limits::BATCH_REPLY_BYTES {
                (name, value)
            } else {
                ("error".to_owned(), fault(&ErrorCode::LimitExceeded.because(TOO_MUCH)))
            };
            replies.push(BTreeMap::from([(name, value)]));
        }
    }
    Ok(Replies { replies })
}

async fn reply(node: &Node, command: &BTreeMap<String, Box<RawValue>>) -> (String, Box<RawValue>) {
    let mut methods = command.iter();
    let (name, outcome) = match (methods.next(), methods.next()) {
        (Some((name, body)), None) => (name.as_str(), call(node, name, body).await),
        _ => ("", Err(ErrorCode::BadRequest.because("commands: each names one method"))),
    };
    match outcome {
        Ok(result) => (name.to_owned(), result),
        Err(error) => ("error".to_owned(), fault(&error)),
    }
}

fn fault(error: &ClientError) -> Box<RawValue> {
    serde_json::value::to_raw_value(&Fault::from(error)).expect("an error is plain data")
}

async fn call(node: &Node, name: &str, body: &RawValue) -> Outcome {
    let outcome = methods::call(node, name, body.get().as_bytes()).await;
    outcome.unwrap_or_else(|| Err(ErrorCode::MethodNotFound.into()))
}

const TOO_MUCH: &str = "the answers of a batch have at most 16 MiB";
const _: () = assert!(limits::BATCH_REPLY_BYTES == 16 << 20, "as the text says");
