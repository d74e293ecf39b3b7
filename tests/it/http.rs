//! HTTP/1.1 by hand, so that a test sees every byte.

use std::net::SocketAddr;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::time::within;

#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    /// Status line and headers.
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(": "));
        lines.into_iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }
}

/// A request after whose answer the connection ends.
pub(crate) fn request(method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    [head.as_bytes(), body].concat()
}

/// Sends a request on a connection of its own.
pub(crate) async fn exchange(address: SocketAddr, request: Vec<u8>) -> Response {
    let stream = within("a connection", TcpStream::connect(address)).await.unwrap();
    exchange_over(stream, request).await
}

pub(crate) async fn exchange_over(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    request: Vec<u8>,
) -> Response {
    let (mut reading, mut writing) = tokio::io::split(stream);
    // The server may answer before it has read everything.
    let write = async move { drop(writing.write_all(&request).await) };
    let read = async move {
        let mut answer = Vec::new();
        let ended = reading.read_to_end(&mut answer).await;
        (answer, ended)
    };
    let ((answer, ended), ()) = within("an answer", async { tokio::join!(read, write) }).await;
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n");
    let end = end.unwrap_or_else(|| panic!("no answer but {answer:?} and {ended:?}"));
    let head = String::from_utf8(answer[..end].to_vec()).unwrap();
    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
    Response { status, head, body: answer[end + 4..].to_vec() }
}
