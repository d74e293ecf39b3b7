//! A client that may break every rule: bytes as they stand.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::time::within;

pub(crate) const LAST: u8 = 0x80;
pub(crate) const TEXT: u8 = 0x1;
pub(crate) const BINARY: u8 = 0x2;
pub(crate) const CLOSE: u8 = 0x8;
pub(crate) const PING: u8 = 0x9;
pub(crate) const PONG: u8 = 0xA;

#[derive(Debug)]
pub(crate) struct Raw {
    pub(crate) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Raw {
    pub(crate) async fn dial(address: SocketAddr) -> Raw {
        let stream = within("a connection", TcpStream::connect(address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Raw::over(stream)
    }

    pub(crate) fn over(stream: TcpStream) -> Raw {
        Raw { stream, buffer: Vec::new() }
    }

    /// Dials and becomes a WebSocket; `query` with its question mark.
    pub(crate) async fn open(address: SocketAddr, query: &str) -> Raw {
        let mut raw = Raw::dial(address).await;
        raw.write(upgrade(&format!("/connection/websocket{query}"), &[]).as_bytes()).await;
        let head = raw.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        raw
    }

    /// Writes; the server may have hung up already.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        drop(within("writing", self.stream.write_all(bytes)).await);
    }

    pub(crate) async fn text(&mut self, text: &str) {
        self.write(&frame(LAST | TEXT, text.as_bytes())).await;
    }

    pub(crate) async fn binary(&mut self, bytes: &[u8]) {
        self.write(&frame(LAST | BINARY, bytes)).await;
    }

    /// Status line and headers of an answer.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                let head: Vec<u8> = self.buffer.drain(..end + 4).collect();
                return String::from_utf8(head).unwrap();
            }
            if !self.fill().await {
                let got = String::from_utf8_lossy(&self.buffer);
                panic!("the connection ended in place of an answer; {got:?} came");
            }
        }
    }

    /// The next frame: opcode and payload; `None` at the end of the connection.
    pub(crate) async fn frame(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((opcode, head, length)) = header(&self.buffer)
                && self.buffer.len() >= head + length
            {
                let whole: Vec<u8> = self.buffer.drain(..head + length).collect();
                return Some((opcode, whole[head..].to_vec()));
            }
            if !self.fill().await {
                return None;
            }
        }
    }

    /// The code of the close frame that ends the connection; `None` where none came.
    pub(crate) async fn close_code(&mut self) -> Option<u16> {
        while let Some((opcode, payload)) = self.frame().await {
            if opcode == CLOSE {
                return Some(u16::from_be_bytes([payload[0], payload[1]]));
            }
        }
        None
    }

    /// Everything up to the end of the connection.
    pub(crate) async fn end(&mut self) -> Vec<u8> {
        while self.fill().await {}
        std::mem::take(&mut self.buffer)
    }

    /// Reads some more; `false` at the end of the connection.
    async fn fill(&mut self) -> bool {
        let read = within("a byte", self.stream.read_buf(&mut self.buffer)).await;
        read.is_ok_and(|length| length > 0)
    }
}

/// A request for a WebSocket; a header of the same name replaces that which belongs there, an empty
/// one removes it.
pub(crate) fn upgrade(target: &str, headers: &[(&str, &str)]) -> String {
    let proper = [
        ("Host", "localhost"),
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    let kept = proper.iter().filter(|(name, _)| headers.iter().all(|(other, _)| other != name));
    let given = headers.iter().filter(|(_, value)| !value.is_empty());
    let lines: String =
        kept.chain(given).map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("GET {target} HTTP/1.1\r\n{lines}\r\n")
}

/// A masked frame; `first` is the first byte as it stands.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x37, 0xFA, 0x21, 0x3D];
    let mut bytes = announce(first, payload.len() as u64);
    bytes.extend(mask);
    bytes.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// First byte and length of a masked frame, without the mask.
pub(crate) fn announce(first: u8, length: u64) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..=125 => bytes.push(0x80 | u8::try_from(length).unwrap()),
        126..=0xFFFF => {
            bytes.push(0x80 | 126);
            bytes.extend(u16::try_from(length).unwrap().to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend(length.to_be_bytes());
        }
    }
    bytes
}

/// Opcode, length of the header and of the payload of a server's frame.
fn header(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let opcode = bytes.first()? & 0xF;
    Some(match *bytes.get(1)? {
        126 => (opcode, 4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        127 => {
            let length = u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap());
            (opcode, 10, usize::try_from(length).unwrap())
        }
        length => (opcode, 2, usize::from(length)),
    })
}
