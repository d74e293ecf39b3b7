mod autobahn;
mod client;
mod connection;
mod frame;
mod handshake;
mod outgoing;

use std::future::poll_fn;
use std::io;

use crate::transport::{Received, Transport, Turn};

/// The next message, writing what is queued meanwhile.
async fn receive(socket: &mut impl Transport) -> Received {
    loop {
        if let Turn::Received(received) = poll_fn(|cx| socket.poll_turn(cx, true)).await {
            return received;
        }
    }
}

/// Writes what is queued; an error where the connection is gone.
async fn flush(socket: &mut impl Transport) -> io::Result<()> {
    if socket.queued_bytes() == 0 {
        return Ok(());
    }
    match poll_fn(|cx| socket.poll_turn(cx, false)).await {
        Turn::Flushed => Ok(()),
        Turn::Received(_) | Turn::Lost { .. } => Err(io::ErrorKind::NotConnected.into()),
    }
}
