use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use proptest::collection::vec;
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use tokio::io::AsyncWrite;

use super::super::outgoing::Outgoing;
use super::client;
use crate::transport::Format;

/// A socket that takes so many bytes more and then makes the writer wait.
#[derive(Debug, Default)]
struct Socket {
    room: usize,
    taken: Vec<u8>,
    vectored: bool,
    calls: usize,
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.room == 0 {
            return Poll::Pending;
        }
        let taken = bytes.len().min(self.room);
        assert!(taken > 0, "an empty slice is written");
        self.room -= taken;
        self.calls += 1;
        self.taken.extend(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if self.vectored {
            return self
                .poll_write(cx, &slices.iter().flat_map(|s| s.to_vec()).collect::<Vec<_>>());
        }
        let first = slices.iter().find(|slice| !slice.is_empty()).unwrap();
        self.as_mut().poll_write(cx, first)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Socket {
    /// Gives room for `bytes` and lets the queue write. Whether it wrote everything.
    fn take(&mut self, outgoing: &mut Outgoing, bytes: usize) -> bool {
        self.room = bytes;
        let mut cx = Context::from_waker(Waker::noop());
        match outgoing.poll_write(self, &mut cx) {
            Poll::Ready(written) => {
                written.unwrap();
                true
            }
            Poll::Pending => false,
        }
    }
}

#[derive(Clone, Debug)]
enum Step {
    Message { head: usize, body: usize },
    Ping,
    Write(usize),
    Discard,
}

fn step() -> impl Strategy<Value = Step> {
    let sizes = || {
        prop_oneof![
            4 => 0..200_usize,
            2 => 0..9_000_usize,
            1 => Just(8_192_usize),
            1 => Just(8_191_usize),
            1 => 60_000..70_000_usize,
        ]
    };
    prop_oneof![
        4 => (0..200_usize, sizes()).prop_map(|(head, body)| Step::Message { head, body }),
        1 => (sizes(), sizes()).prop_map(|(head, body)| Step::Message { head, body }),
        1 => Just(Step::Ping),
        4 => sizes().prop_map(Step::Write),
        1 => Just(Step::Discard),
    ]
}

/// Distinct content per message, so that swapped, doubled or lost bytes show.
fn content(seed: usize, length: usize) -> Vec<u8> {
    (0..length).map(|at| ((at * 31 + seed * 17 + at / 251) % 256).try_into().unwrap()).collect()
}

fn expected_frame(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = client::header(client::LAST | opcode, payload.len() as u64);
    frame[1] &= 0x7F;
    frame.extend(payload);
    frame
}

proptest! {
    /// Against a model that keeps every frame apart: the wire carries the frames in order, each
    /// once and whole, except those that were discarded before their first byte.
    #[test]
    fn writes_each_frame_once_whole_and_in_order(
        steps in vec(step(), 0..60),
        vectored in any::<bool>(),
    ) {
        let mut outgoing = Outgoing::default();
        let mut socket = Socket { vectored, ..Socket::default() };
        let mut frames: Vec<Vec<u8>> = Vec::new();
        let total = |frames: &[Vec<u8>]| frames.iter().map(Vec::len).sum::<usize>();
        for (seed, step) in steps.into_iter().enumerate() {
            match step {
                Step::Message { head, body } => {
                    let payload = content(seed, head + body);
                    let body = Bytes::copy_from_slice(&payload[head..]);
                    outgoing.message(Format::Binary, &payload[..head], &body);
                    frames.push(expected_frame(client::BINARY, &payload));
                }
                Step::Ping => {
                    outgoing.ping();
                    frames.push(expected_frame(client::PING, &[]));
                }
                Step::Write(bytes) => {
                    socket.take(&mut outgoing, bytes);
                }
                Step::Discard => {
                    outgoing.discard();
                    let mut start = 0;
                    frames.retain(|frame| {
                        start += frame.len();
                        start - frame.len() < socket.taken.len()
                    });
                }
            }
            assert_eq!(outgoing.queued_bytes(), total(&frames) - socket.taken.len());
        }
        assert!(socket.take(&mut outgoing, usize::MAX));
        assert!(socket.taken == frames.concat());
        assert_eq!((outgoing.queued_bytes(), outgoing.capacity()), (0, 0));
    }
}

#[test]
fn a_thousand_small_messages_take_few_calls_and_little_memory() {
    let mut outgoing = Outgoing::default();
    let mut socket = Socket { vectored: true, ..Socket::default() };
    let body = Bytes::from(content(1, 200));
    for _ in 0..1_000 {
        outgoing.message(Format::Text, b"head", &body);
    }
    assert!(outgoing.capacity() < 2 * outgoing.queued_bytes());
    assert!(socket.take(&mut outgoing, usize::MAX));
    assert_eq!(socket.calls, 1);
    assert_eq!(client::answers(&socket.taken).0.len(), 1_000);
    assert_eq!(outgoing.capacity(), 0);
}

#[test]
fn large_bodies_are_shared_and_small_ones_copied() {
    let mut outgoing = Outgoing::default();
    let large = Bytes::from(content(1, 8_192));
    let small = Bytes::from(content(1, 8_191));
    outgoing.message(Format::Text, b"head", &large);
    assert!(!large.is_unique());
    assert!(outgoing.capacity() < 1_000);
    outgoing.message(Format::Text, b"head", &small);
    assert!(small.is_unique());
}

#[test]
fn written_memory_is_given_back_though_the_queue_never_empties() {
    let mut outgoing = Outgoing::default();
    let mut socket = Socket::default();
    let body = Bytes::from(content(1, 100));
    outgoing.message(Format::Text, b"", &body);
    for _ in 0..10_000 {
        outgoing.message(Format::Text, b"", &body);
        socket.take(&mut outgoing, body.len() + 2);
        assert!(outgoing.queued_bytes() > 0);
        assert!(outgoing.capacity() < 64 << 10);
    }
}

#[test]
fn pings_are_all_answered_in_a_short_queue_and_the_latest_in_a_long_one() {
    let mut outgoing = Outgoing::default();
    let mut socket = Socket::default();
    for ping in 0..10 {
        outgoing.pong([ping].into());
    }
    assert!(socket.take(&mut outgoing, usize::MAX));
    let pongs: Vec<_> = (0..10).map(|ping| (client::PONG, vec![ping])).collect();
    assert_eq!(client::answers(&socket.taken).0, pongs);

    let mut socket = Socket::default();
    outgoing.message(Format::Text, &content(1, 5_000), &Bytes::new());
    let queued_bytes = outgoing.queued_bytes();
    for ping in 0..200 {
        outgoing.pong([ping].into());
    }
    assert_eq!(outgoing.queued_bytes(), queued_bytes + 3);
    assert!(socket.take(&mut outgoing, usize::MAX));
    let (answers, rest) = client::answers(&socket.taken);
    assert_eq!(answers[1..], [(client::PONG, vec![0]), (client::PONG, vec![199])]);
    assert!(rest.is_empty());
}

#[test]
fn an_older_ping_is_not_answered_after_a_newer_one() {
    let mut outgoing = Outgoing::default();
    let mut socket = Socket::default();
    outgoing.message(Format::Text, &content(1, 5_000), &Bytes::new());
    outgoing.pong([0].into());
    outgoing.pong([1].into());
    assert!(!socket.take(&mut outgoing, 5_000));
    outgoing.pong([2].into());
    assert!(socket.take(&mut outgoing, usize::MAX));
    let (answers, _) = client::answers(&socket.taken);
    assert_eq!(answers[1..], [(client::PONG, vec![0]), (client::PONG, vec![2])]);
}

#[test]
fn a_discarded_pong_holds_up_no_other() {
    let mut outgoing = Outgoing::default();
    outgoing.pong([0].into());
    outgoing.discard();
    outgoing.message(Format::Text, &content(1, 5_000), &Bytes::new());
    outgoing.pong([1].into());
    assert_eq!(outgoing.queued_bytes(), 5_004 + 3);
}

#[test]
fn a_close_reason_is_cut_between_characters() {
    for (reason, kept) in [("", 0), ("bye", 3), (&"é".repeat(70), 122), (&"x".repeat(200), 123)] {
        let mut outgoing = Outgoing::default();
        let mut socket = Socket::default();
        outgoing.close(Some(3001), reason);
        assert!(socket.take(&mut outgoing, usize::MAX));
        let body = [&3001_u16.to_be_bytes(), &reason.as_bytes()[..kept]].concat();
        assert_eq!(client::answers(&socket.taken).0, [(client::CLOSE, body)]);
    }
}
