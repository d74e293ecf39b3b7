//! The client protocol: message types, and their two encodings. Nothing here knows what a message
//! means; bytes from a network become a [`Command`] or a [`DecodeError`] and never a panic.
//!
//! Both encodings hold the same messages. In Protobuf the `bytes` fields are opaque; in JSON they
//! are JSON text embedded as it is, so a JSON client reads the publisher's own text. Whoever
//! accepts data for JSON clients asks [`is_json`] first.

#![warn(clippy::indexing_slicing, clippy::string_slice, clippy::wildcard_enum_match_arm)]

mod codec;
mod command;
mod disconnect;
mod error;
mod field;
mod json;
mod message;
mod protobuf;
mod push;
mod reply;

pub(crate) use codec::{
    CommandReader, DecodeError, FrameReader, decode_commands, decode_replies, encode, encode_reply,
    ping,
};
#[cfg(test)]
pub(crate) use command::SendRequest;
pub(crate) use command::{
    Command, ConnectRequest, FilterNode, HistoryRequest, PublishRequest, RefreshRequest, Request,
    RpcRequest, SubRefreshRequest, SubscribeRequest, UnsubscribeRequest,
};
pub(crate) use disconnect::{Disconnect, UnsubscribeCode};
pub(crate) use error::{ClientError, ErrorCode};
pub(crate) use json::{JsonFault, is_json, quoted};
pub(crate) use push::{PushBody, PushTarget, encode_push_body, push_head};
pub(crate) use reply::{
    ClientInfo, ConnectResult, HistoryResult, Join, Leave, PingResult, PresenceResult,
    PresenceStatsResult, Publication, PublishResult, Push, Refresh, RefreshResult, Reply,
    RpcResult, SubRefreshResult, SubsEntry, Subscribe, SubscribeResult, Unsubscribe,
    UnsubscribeResult,
};
#[cfg(test)]
pub(crate) use reply::{DisconnectPush, Error, Message};

#[cfg(test)]
mod tests;
