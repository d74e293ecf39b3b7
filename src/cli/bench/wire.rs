//! The two halves of an open connection, whatever carries it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use quinn::RecvStream;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt, ReadBuf, ReadHalf, WriteHalf, split};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio_rustls::client::TlsStream;

use super::webtransport::Session;

#[derive(Debug)]
pub(super) enum Reading {
    Tcp(OwnedReadHalf),
    Tls(ReadHalf<TlsStream<TcpStream>>),
    WebTransport(RecvStream),
}

#[derive(Debug)]
pub(super) enum Writing {
    Tcp(OwnedWriteHalf),
    Tls(WriteHalf<TlsStream<TcpStream>>),
    WebTransport(Box<Session>),
}

pub(super) fn tcp(stream: TcpStream) -> (Reading, Writing) {
    let (read, write) = stream.into_split();
    (Reading::Tcp(read), Writing::Tcp(write))
}

pub(super) fn tls(stream: TlsStream<TcpStream>) -> (Reading, Writing) {
    let (read, write) = split(stream);
    (Reading::Tls(read), Writing::Tls(write))
}

impl Writing {
    /// Writes all of it, to the network.
    pub(super) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes).await?;
        self.flush().await
    }

    /// Writes as much as fits without waiting.
    pub(super) fn try_write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Self::Tcp(stream) = self {
            return stream.try_write(bytes);
        }
        let mut context = Context::from_waker(Waker::noop());
        let written = Pin::new(&mut *self).poll_write(&mut context, bytes);
        let flushed = Pin::new(self).poll_flush(&mut context);
        match (written, flushed) {
            (Poll::Pending, _) => Err(io::ErrorKind::WouldBlock.into()),
            (Poll::Ready(Ok(_)), Poll::Ready(Err(fault))) => Err(fault),
            // What is not flushed yet goes out with the next write.
            (Poll::Ready(written), _) => written,
        }
    }
}

impl AsyncRead for Reading {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::WebTransport(stream) => AsyncRead::poll_read(Pin::new(stream), context, buffer),
        }
    }
}

impl AsyncWrite for Writing {
    fn poll_write(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::WebTransport(session) => {
                AsyncWrite::poll_write(Pin::new(&mut session.stream), context, bytes)
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
            Self::WebTransport(_) => Poll::Ready(Ok(())),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            Self::WebTransport(session) => Pin::new(&mut session.stream).poll_shutdown(context),
        }
    }
}
