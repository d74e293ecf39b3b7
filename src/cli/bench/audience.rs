//! Who receives in a run: one task for each connection, all on one thread, all reading into one
//! buffer.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use super::dial::{Link, Speech};
use super::scan::Heard;
use super::wire::{Reading, Writing};
use crate::base::Moment;
use crate::clock::Clock;

/// Counts what a run's connections send and receive.
pub(super) trait Ear {
    /// What is known of one connection.
    type Memory: 'static;

    /// Counts the messages of one frame; an error ends the connection.
    fn hear(
        &mut self,
        messages: &[u8],
        memory: &mut Self::Memory,
        now: Moment,
    ) -> Result<(), String>;

    /// Counts a publication that is sent now; its number, from 0.
    fn send(&mut self, now: Moment) -> u64;

    /// Whether another publication may be sent.
    fn has_room(&self) -> bool;

    /// Publications that are not under way any more.
    fn complete(&self) -> u64;

    fn is_complete(&self) -> bool;

    /// Counts a connection that is gone.
    fn close(&mut self);

    fn closed(&self) -> u64;
}

/// What all connections share.
#[derive(Debug)]
pub(super) struct Audience<E> {
    pub(super) ear: RefCell<E>,
    pub(super) clock: Clock,
    /// A publication is not under way any more, or a connection is gone.
    pub(super) changed: Notify,
    /// Why the first one that is gone went.
    first_end: RefCell<Option<String>>,
    scratch: RefCell<Vec<u8>>,
    speech: Speech,
    pong: Vec<u8>,
}

impl<E: Ear + 'static> Audience<E> {
    pub(super) fn new(ear: E, speech: Speech) -> Rc<Self> {
        Rc::new(Self {
            ear: RefCell::new(ear),
            clock: Clock::new(),
            changed: Notify::new(),
            first_end: RefCell::new(None),
            scratch: RefCell::new(vec![0; SCRATCH_BYTES]),
            speech,
            pong: speech.pong(),
        })
    }

    /// Has a link listen, on a task of `tasks`, and write; call it within a `LocalSet`.
    pub(super) fn attend(
        self: &Rc<Self>,
        link: Link,
        memory: E::Memory,
        tasks: &mut JoinSet<()>,
    ) -> Rc<RefCell<Writing>> {
        let Link { reading, writing, unread } = link;
        let write = Rc::new(RefCell::new(writing));
        let (audience, answers) = (self.clone(), write.clone());
        tasks.spawn_local(async move {
            let why = audience.listen(reading, &answers, unread, memory).await;
            audience.first_end.borrow_mut().get_or_insert(why);
            audience.ear.borrow_mut().close();
            audience.changed.notify_one();
        });
        write
    }

    pub(super) fn first_end(&self) -> Option<String> {
        self.first_end.borrow().clone()
    }

    /// Listens until the connection ends; why it did.
    async fn listen(
        &self,
        mut stream: Reading,
        answers: &RefCell<Writing>,
        mut unread: Vec<u8>,
        mut memory: E::Memory,
    ) -> String {
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
                Poll::Ready(self.take(buffer.filled(), &mut unread, &mut memory))
            });
            match read.await {
                Ok(false) => {}
                Ok(true) => self.answer_ping(answers),
                Err(why) => return why,
            }
        }
    }

    /// Counts what was read; whether there was a ping.
    fn take(
        &self,
        read: &[u8],
        unread: &mut Vec<u8>,
        memory: &mut E::Memory,
    ) -> Result<bool, String> {
        if unread.is_empty() {
            let mut bytes = read;
            let pinged = self.count(&mut bytes, memory);
            // A frame is rarely cut: no connection keeps a buffer for it.
            *unread = bytes.to_vec();
            return pinged;
        }
        unread.extend_from_slice(read);
        let mut bytes = &unread[..];
        let pinged = self.count(&mut bytes, memory);
        *unread = bytes.to_vec();
        pinged
    }

    fn count(&self, bytes: &mut &[u8], memory: &mut E::Memory) -> Result<bool, String> {
        let now = self.clock.moment();
        let mut ear = self.ear.borrow_mut();
        let complete = ear.complete();
        let mut pinged = false;
        while let Some(heard) = self.speech.next(bytes) {
            match heard {
                Heard::Messages(messages) => ear.hear(messages, memory, now)?,
                Heard::Ping => pinged = true,
                Heard::Closed(code, reason) => {
                    return Err(format!("{} ({code})", String::from_utf8_lossy(reason)));
                }
                Heard::Nothing => {}
            }
        }
        if ear.complete() > complete {
            self.changed.notify_one();
        }
        Ok(pinged)
    }

    fn answer_ping(&self, stream: &RefCell<Writing>) {
        // A few bytes fit whenever the client has written nothing else; where they do not, the
        // server closes the connection and the report tells.
        drop(stream.borrow_mut().try_write(&self.pong));
    }
}

/// What one read may take.
const SCRATCH_BYTES: usize = 256 << 10;
