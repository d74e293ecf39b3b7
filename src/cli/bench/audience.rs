//! The subscribers of a run: one task for each, all on one thread, all reading into one buffer.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::dial::{Link, Speech};
use super::scan::{self, Heard, Sequences};
use super::tally::Tally;
use crate::base::Encoding;
use crate::clock::Clock;
use crate::protocol::ping;

/// What all subscribers share.
#[derive(Debug)]
pub(super) struct Audience {
    pub(super) tally: RefCell<Tally>,
    pub(super) clock: Clock,
    /// A publication was received by everybody, or a subscriber is gone.
    pub(super) changed: Notify,
    /// Why the first one that is gone went.
    first_end: RefCell<Option<String>>,
    scan: Sequences,
    scratch: RefCell<Vec<u8>>,
    pong: Vec<u8>,
}

impl Audience {
    pub(super) fn new(tally: Tally, speech: Speech) -> Rc<Self> {
        Rc::new(Self {
            tally: RefCell::new(tally),
            clock: Clock::new(),
            changed: Notify::new(),
            first_end: RefCell::new(None),
            scan: Sequences::new(),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES]),
            pong: pong(speech),
        })
    }

    /// Has every link listen, each on a task of `tasks`; call it within a `LocalSet`.
    pub(super) fn attend(self: &Rc<Self>, links: Vec<Link>, tasks: &mut JoinSet<()>) {
        for link in links {
            let audience = self.clone();
            tasks.spawn_local(async move {
                let why = audience.listen(link).await;
                audience.first_end.borrow_mut().get_or_insert(why);
                audience.tally.borrow_mut().close();
                audience.changed.notify_one();
            });
        }
    }

    pub(super) fn first_end(&self) -> Option<String> {
        self.first_end.borrow().clone()
    }

    /// Listens until the connection ends; why it did.
    async fn listen(&self, link: Link) -> String {
        let Link { mut stream, mut unread } = link;
        let mut expected = 0;
        loop {
            let read = poll_fn(|context| {
                let mut scratch = self.scratch.borrow_mut();
                let mut buffer = ReadBuf::new(&mut scratch);
                // Not `try_read`: this one knows from a short read that nothing more is there.
                let polled = Pin::new(&mut stream).poll_read(context, &mut buffer);
                let Poll::Ready(read) = polled else { return Poll::Pending };
                if let Err(fault) = read {
                    return Poll::Ready(Err(fault.to_string()));
                }
                if buffer.filled().is_empty() {
                    return Poll::Ready(Err("the server hung up".to_owned()));
                }
                Poll::Ready(self.take(buffer.filled(), &mut unread, &mut expected))
            });
            match read.await {
                Ok(false) => {}
                Ok(true) => self.answer_ping(&stream),
                Err(why) => return why,
            }
        }
    }

    /// Counts what was read; whether there was a ping.
    fn take(&self, read: &[u8], unread: &mut Vec<u8>, expected: &mut u64) -> Result<bool, String> {
        if unread.is_empty() {
            let mut bytes = read;
            let pinged = self.count(&mut bytes, expected);
            // A frame is rarely cut: no connection keeps a buffer for it.
            *unread = bytes.to_vec();
            return pinged;
        }
        unread.extend_from_slice(read);
        let mut bytes = &unread[..];
        let pinged = self.count(&mut bytes, expected);
        *unread = bytes.to_vec();
        pinged
    }

    fn count(&self, bytes: &mut &[u8], expected: &mut u64) -> Result<bool, String> {
        let now = self.clock.moment();
        let mut tally = self.tally.borrow_mut();
        let complete = tally.complete();
        let mut pinged = false;
        while let Some(heard) = scan::next(bytes) {
            match heard {
                Heard::Messages(messages) => {
                    for number in self.scan.in_messages(messages) {
                        *expected = tally.receive(*expected, number, now);
                    }
                }
                Heard::Ping => pinged = true,
                Heard::Closed(code, reason) => {
                    return Err(format!("{} ({code})", String::from_utf8_lossy(reason)));
                }
                Heard::Nothing => {}
            }
        }
        if tally.complete() > complete {
            self.changed.notify_one();
        }
        Ok(pinged)
    }

    fn answer_ping(&self, stream: &TcpStream) {
        // A few bytes fit whenever the client has written nothing else; where they do not, the
        // server closes the connection and the report tells.
        drop(stream.try_write(&self.pong));
    }
}

/// The answer to a server's ping as a frame; empty where nobody pings.
pub(super) fn pong(speech: Speech) -> Vec<u8> {
    match speech {
        Speech::Protocol(Encoding::Json) => scan::client_frame(scan::TEXT, &ping(Encoding::Json)),
        Speech::Protocol(Encoding::Protobuf) => {
            scan::client_frame(scan::BINARY, &ping(Encoding::Protobuf))
        }
        Speech::WebSocket | Speech::Tcp => Vec::new(),
    }
}

/// What one read may take.
const SCRATCH_BYTES: usize = 256 << 10;
