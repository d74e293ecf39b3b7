//! The two halves of an open connection, whatever carries it.

use std::fmt::Debug;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

/// What is read from.
pub(super) trait Source: AsyncRead + Debug + Unpin {}

impl<S: AsyncRead + Debug + Unpin> Source for S {}

/// What is written to.
pub(super) trait Sink: AsyncWrite + Debug + Unpin {}

impl<S: AsyncWrite + Debug + Unpin> Sink for S {}

pub(super) type Reading = Box<dyn Source>;

#[derive(Debug)]
pub(super) struct Writing {
    stream: Box<dyn Sink>,
    /// What would end the connection if it were dropped.
    _kept: Option<Box<dyn Debug>>,
}

impl Writing {
    pub(super) fn new(stream: impl Sink + 'static) -> Self {
        Self { stream: Box::new(stream), _kept: None }
    }

    pub(super) fn keeping(self, kept: impl Debug + 'static) -> Self {
        Self { _kept: Some(Box::new(kept)), ..self }
    }

    /// Writes all of it, to the network.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await?;
        self.stream.flush().await
    }

    /// Writes as much as fits without waiting.
    pub(super) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut context = Context::from_waker(Waker::noop());
        let written = Pin::new(&mut self.stream).poll_write(&mut context, bytes);
        let flushed = Pin::new(&mut self.stream).poll_flush(&mut context);
        match (written, flushed) {
            (Poll::Pending, _) => Err(io::ErrorKind::WouldBlock.into()),
            (Poll::Ready(Ok(_)), Poll::Ready(Err(fault))) => Err(fault),
            // What is not flushed yet goes out with the next write.
            (Poll::Ready(written), _) => written,
        }
    }
}
