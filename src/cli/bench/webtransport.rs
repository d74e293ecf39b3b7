//! The client's side of a WebTransport session, as little of HTTP/3 as a server of ours and others
//! insist on: settings, one request, one stream.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::sync::Arc;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{Endpoint, EndpointConfig, RecvStream, TokioRuntime};
use wtransport_proto::frame::{Frame, FrameKind};
use wtransport_proto::headers::Headers;
use wtransport_proto::session::SessionRequest;

use super::wire::{Reading, Writing};
use crate::base::limits;
use crate::client::Trust;
use crate::transport::webtransport::control_stream;

/// Opens sessions, each on a QUIC connection and a socket of its own.
#[derive(Debug)]
pub(super) struct Sessions {
    server: SocketAddr,
    host: String,
    request: SessionRequest,
    config: quinn::ClientConfig,
}

/// Why there is no session.
#[derive(Debug)]
pub(super) enum Fault {
    Network(io::Error),
    /// The status that the server answered.
    Refused(String),
}

impl<E: Into<io::Error>> From<E> for Fault {
    fn from(fault: E) -> Self {
        Self::Network(fault.into())
    }
}

impl Sessions {
    /// To `server`, with an `https` URL.
    pub(super) fn new(
        server: SocketAddr,
        host: &str,
        url: &str,
        trust: &Trust,
    ) -> Result<Self, &'static str> {
        let request = SessionRequest::new(url).map_err(|_invalid| "not a URL")?;
        let crypto = QuicClientConfig::try_from(trust.config(b"h3"));
        let crypto = crypto.expect("the provider has QUIC's first cipher");
        Ok(Self {
            server,
            host: host.to_owned(),
            request,
            config: quinn::ClientConfig::new(Arc::new(crypto)),
        })
    }

    /// Opens a session from `source`, an address of this machine.
    pub(super) async fn open(&self, source: Option<Ipv4Addr>) -> Result<(Reading, Writing), Fault> {
        let endpoint = self.endpoint(source)?;
        let connecting = endpoint.connect_with(self.config.clone(), self.server, &self.host);
        let connection = connecting.map_err(io::Error::other)?.await?;
        let mut control = connection.open_uni().await?;
        control.write_all(&control_stream()).await?;
        let mut connect = connection.open_bi().await?;
        let mut request = Vec::new();
        let headers = self.request.headers().generate_frame();
        headers.write(&mut request).expect("a vector takes every byte");
        connect.0.write_all(&request).await?;
        let status = read_status(&mut connect.1).await?;
        if !status.starts_with('2') {
            return Err(Fault::Refused(format!("status {status}")));
        }
        let (mut send, receive) = connection.open_bi().await?;
        send.write_all(SESSION_STREAM).await?;
        let writing = Writing::new(send).keeping((control, connect, connection));
        Ok((Box::new(receive), writing))
    }

    /// Each session has a socket of its own, as clients do: what one reads late makes no other lose.
    fn endpoint(&self, source: Option<Ipv4Addr>) -> io::Result<Endpoint> {
        let address = match (source, self.server) {
            (Some(source), _) => SocketAddr::from((source, 0)),
            (None, SocketAddr::V4(_)) => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
            (None, SocketAddr::V6(_)) => SocketAddr::from((Ipv6Addr::UNSPECIFIED, 0)),
        };
        let socket = UdpSocket::bind(address)?;
        Endpoint::new(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime))
    }
}

/// The status of the answer to a request; what follows it is left alone.
async fn read_status(stream: &mut RecvStream) -> Result<String, Fault> {
    let invalid = || io::Error::from(io::ErrorKind::InvalidData);
    let mut bytes = Vec::new();
    loop {
        let chunk = stream.read_chunk(limits::H3_RECORD_BYTES, true).await?;
        let chunk = chunk.ok_or(io::ErrorKind::UnexpectedEof)?;
        bytes.extend_from_slice(&chunk.bytes);
        if bytes.len() > limits::H3_RECORD_BYTES {
            return Err(invalid().into());
        }
        let frame = Frame::read(&mut bytes.as_slice()).map_err(|_unknown| invalid())?;
        let Some(frame) = frame else { continue };
        if !matches!(frame.kind(), FrameKind::Headers) {
            return Err(invalid().into());
        }
        let headers = Headers::with_frame(&frame).map_err(|_undecoded| invalid())?;
        return Ok(headers.get(":status").ok_or_else(invalid)?.to_owned());
    }
}

/// What a session's stream begins with: its kind, and the session's id, which is the first stream's
/// of a connection.
const SESSION_STREAM: &[u8] = &[0x40, 0x41, 0];
