//! Several commands in one request: `{"commands":[{"publish":{…}},…],"parallel":false}`.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::bodies::read;
use super::{Fault, Outcome, methods};
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
    let replies = if parallel {
        join_all(commands.iter().map(|command| reply(node, command))).await
    } else {
        let mut replies = Vec::with_capacity(commands.len());
        for command in &commands {
            replies.push(reply(node, command).await);
        }
        replies
    };
    Ok(Replies { replies })
}

async fn reply(
    node: &Node,
    command: &BTreeMap<String, Box<RawValue>>,
) -> BTreeMap<String, Box<RawValue>> {
    let mut methods = command.iter();
    let (name, outcome) = match (methods.next(), methods.next()) {
        (Some((name, body)), None) => (name.as_str(), call(node, name, body).await),
        _ => ("", Err(ErrorCode::BadRequest.because("commands: each names one method"))),
    };
    let (name, value) = match outcome {
        Ok(result) => (name, result),
        Err(error) => {
            let fault = serde_json::value::to_raw_value(&Fault::from(&error));
            ("error", fault.expect("an error is plain data"))
        }
    };
    BTreeMap::from([(name.to_owned(), value)])
}

async fn call(node: &Node, name: &str, body: &RawValue) -> Outcome {
    let outcome = methods::call(node, name, body.get().as_bytes()).await;
    outcome.unwrap_or_else(|| Err(ErrorCode::MethodNotFound.into()))
}
