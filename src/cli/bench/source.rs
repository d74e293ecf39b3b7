//! Where the publications of a run come from.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use bytes::Bytes;
use serde_json::json;
use tokio::io::AsyncReadExt;
use tokio::task::JoinSet;

use super::BenchError;
use super::dial::{Link, Speech};
use super::scan::{self, Heard};
use super::wire::{Reading, Writing};
use crate::base::{Encoding, limits};
use crate::client::ApiClient;
use crate::protocol::{Command, PublishRequest, decode_replies};

/// Publishes data of one size to one channel.
#[derive(Debug)]
pub(super) struct Source {
    route: Route,
    channel: String,
    bytes: usize,
    frames: Vec<u8>,
}

#[derive(Debug)]
enum Route {
    Api(Box<ApiClient>),
    Connection { write: Writing, speech: Speech, heard: Rc<Replies>, _reader: JoinSet<()> },
}

/// What the publisher's connection said.
#[derive(Debug, Default)]
struct Replies {
    pinged: Cell<bool>,
    fault: RefCell<Option<String>>,
}

impl Source {
    pub(super) fn api(api: ApiClient, channel: &str, bytes: usize) -> Self {
        Self::new(Route::Api(Box::new(api)), channel, bytes)
    }

    /// Over a connection of the same kind as the subscribers'; within a `LocalSet`.
    pub(super) fn connection(link: Link, speech: Speech, channel: &str, bytes: usize) -> Self {
        let Link { reading, writing: write, unread } = link;
        let heard = Rc::new(Replies::default());
        let mut reader = JoinSet::new();
        let replies = heard.clone();
        reader.spawn_local(async move {
            let why = replies.read(reading, unread, speech).await;
            replies.fault.borrow_mut().get_or_insert(why);
        });
        Self::new(Route::Connection { write, speech, heard, _reader: reader }, channel, bytes)
    }

    fn new(route: Route, channel: &str, bytes: usize) -> Self {
        Self { route, channel: channel.to_owned(), bytes, frames: Vec::new() }
    }

    /// Publishes these numbers, in one write where the route allows it.
    pub(super) async fn publish(&mut self, numbers: &[u64]) -> Result<(), BenchError> {
        let ended = |why: String| BenchError::Publisher(why);
        match &mut self.route {
            Route::Api(api) => {
                for &number in numbers {
                    let data = scan::data(number, self.bytes);
                    let channel = json!(self.channel);
                    let body = format!(r#"{{"channel":{channel},"data":{data}}}"#);
                    api.call("publish", body).await.map_err(|fault| ended(fault.to_string()))?;
                }
            }
            Route::Connection { write, speech, heard, .. } => {
                if let Some(why) = heard.fault.borrow().clone() {
                    return Err(ended(why));
                }
                self.frames.clear();
                if heard.pinged.take() {
                    self.frames.extend_from_slice(&speech.pong());
                }
                for &number in numbers {
                    let frame = frame(*speech, &self.channel, number, self.bytes);
                    self.frames.extend_from_slice(&frame);
                }
                let written = write.send(&self.frames).await;
                written.map_err(|fault| ended(fault.to_string()))?;
            }
        }
        Ok(())
    }
}

/// One publication as the publisher's connection carries it.
fn frame(speech: Speech, channel: &str, number: u64, bytes: usize) -> Vec<u8> {
    let data = scan::data(number, bytes);
    match speech {
        Speech::Protocol(_) | Speech::Stream(_) => {
            let publish = PublishRequest {
                channel: channel.to_owned(),
                data: Bytes::from(data),
                ..PublishRequest::default()
            };
            // Ids may come again: replies are only looked at for errors.
            let id = u32::try_from(number % u64::from(u32::MAX)).unwrap_or(0) + 1;
            speech.commands(&[Command { id, publish: Some(publish), ..Command::default() }])
        }
        Speech::WebSocket => {
            scan::client_frame(scan::TEXT, push(channel, number, &data).as_bytes())
        }
        Speech::Tcp => {
            let frame = scan::server_frame(scan::TEXT, push(channel, number, &data).as_bytes());
            let length = u32::try_from(frame.len()).expect("frames are smaller than 4 GiB");
            [&length.to_be_bytes()[..], &frame].concat()
        }
    }
}

/// The bytes that a server of the protocol would send, so that every server sends the same.
fn push(channel: &str, number: u64, data: &str) -> String {
    let (channel, offset) = (json!(channel), number + 1);
    format!(r#"{{"push":{{"channel":{channel},"pub":{{"data":{data},"offset":{offset}}}}}}}"#)
}

impl Replies {
    /// Reads until the connection ends or a publication is refused; why.
    async fn read(&self, mut read: Reading, mut unread: Vec<u8>, speech: Speech) -> String {
        loop {
            let mut bytes = &unread[..];
            while let Some(heard) = speech.next(&mut bytes) {
                if let Err(why) = self.hear(&heard, speech) {
                    return why;
                }
            }
            unread = bytes.to_vec();
            match read.read_buf(&mut unread).await {
                Ok(0) => return "the server hung up".to_owned(),
                Ok(_) if unread.len() > limits::CLIENT_MESSAGE_BYTES => {
                    return "a frame without end".to_owned();
                }
                Ok(_) => {}
                Err(fault) => return fault.to_string(),
            }
        }
    }

    fn hear(&self, heard: &Heard<'_>, speech: Speech) -> Result<(), String> {
        match heard {
            Heard::Ping => self.pinged.set(true),
            Heard::Closed(code, reason) => {
                return Err(format!("{} ({code})", String::from_utf8_lossy(reason)));
            }
            Heard::Messages(messages) => {
                if let Some(encoding) = speech.encoding() {
                    answers(encoding, messages)?;
                }
            }
            Heard::Nothing => {}
        }
        Ok(())
    }
}

/// How many commands the messages answer; an error that is among them.
pub(super) fn answers(encoding: Encoding, messages: &[u8]) -> Result<u64, String> {
    let mut count = 0;
    for reply in decode_replies(encoding, &Bytes::copy_from_slice(messages)) {
        let reply = reply.map_err(|fault| fault.to_string())?;
        if let Some(error) = reply.error {
            return Err(format!("a publication was refused: {} ({})", error.message, error.code));
        }
        count += u64::from(reply.id > 0);
    }
    Ok(count)
}
