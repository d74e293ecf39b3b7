//! PROXY protocol, version 2: a proxy in front of us says whom it speaks for before anything else.
//! <https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt>

use std::io;
use std::net::SocketAddr;

use proxy_header::{ParseConfig, Protocol, ProxyHeader};
use tokio::io::{AsyncRead, AsyncReadExt};

use crate::base::limits;

/// Why there is no header.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    #[error("no PROXY protocol header: {0}")]
    Cut(io::Error),
    #[error("a PROXY protocol header of {0} bytes, more than {max}", max = limits::PROXY_HEADER_BYTES)]
    TooLong(usize),
    #[error("not a PROXY protocol header (version 2)")]
    Malformed,
}

/// Reads a header and nothing after it: the client's address. `None` where the proxy speaks for
/// itself, as for its health checks, or for a client that has no TCP address.
pub(super) async fn client<S: AsyncRead + Unpin>(
    stream: &mut S,
) -> Result<Option<SocketAddr>, ProxyError> {
    let mut header = vec![0; HEAD_BYTES];
    stream.read_exact(&mut header).await.map_err(ProxyError::Cut)?;
    if !header.starts_with(SIGNATURE) {
        return Err(ProxyError::Malformed);
    }
    let rest = usize::from(u16::from_be_bytes([header[14], header[15]]));
    let length = HEAD_BYTES + rest;
    if length > limits::PROXY_HEADER_BYTES {
        return Err(ProxyError::TooLong(length));
    }
    header.resize(length, 0);
    stream.read_exact(&mut header[HEAD_BYTES..]).await.map_err(ProxyError::Cut)?;
    // Section 2.2: where the proxy speaks for itself the family says nothing.
    if header[12] == LOCAL {
        return Ok(None);
    }
    let config = ParseConfig { include_tlvs: false, allow_v1: false, allow_v2: true };
    let Ok((parsed, _)) = ProxyHeader::parse(&header, config) else {
        return Err(ProxyError::Malformed);
    };
    let stream = parsed.proxied_address().filter(|proxied| proxied.protocol == Protocol::Stream);
    Ok(stream.map(|proxied| proxied.source))
}

/// Signature, version and command, family, length.
const HEAD_BYTES: usize = 16;
const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Version 2, command LOCAL.
const LOCAL: u8 = 0x20;

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use proptest::prelude::*;
    use proxy_header::{ProxiedAddress, Tlv};
    use tokio::io::AsyncWriteExt;

    use super::*;

    /// What is read of these bytes, and what is left of them.
    fn read(bytes: &[u8]) -> (Result<Option<SocketAddr>, String>, Vec<u8>) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let mut rest = bytes;
        let read = runtime.block_on(client(&mut rest));
        (read.map_err(|error| error.to_string()), rest.to_vec())
    }

    fn at(address: &str) -> SocketAddr {
        address.parse().unwrap()
    }

    fn header(proxied: ProxiedAddress, more: usize) -> Vec<u8> {
        let note = Tlv::Noop(more);
        let mut bytes = Vec::new();
        ProxyHeader::with_tlvs(Some(proxied), [note]).encode_v2(&mut bytes).unwrap();
        bytes
    }

    /// A header with this command and family and so many bytes of zero.
    fn plain(command: u8, family: u8, length: u16) -> Vec<u8> {
        let mut bytes = SIGNATURE.to_vec();
        bytes.extend([command, family]);
        bytes.extend(length.to_be_bytes());
        bytes.extend(vec![0; usize::from(length)]);
        bytes
    }

    #[test]
    fn a_client_is_told_and_what_follows_is_left() {
        for source in ["203.0.113.7:12345", "[2001:db8::7]:443"] {
            let proxied = ProxiedAddress::stream(at(source), at(source));
            for more in [0, 1, 900] {
                let bytes = [header(proxied.clone(), more), b"GET /".to_vec()].concat();
                assert_eq!(read(&bytes), (Ok(Some(at(source))), b"GET /".to_vec()));
            }
        }
    }

    #[test]
    fn a_proxy_may_speak_for_itself_or_for_what_has_no_tcp_address() {
        let source = at("203.0.113.7:12345");
        let datagram = header(ProxiedAddress::datagram(source, source), 0);
        for bytes in [
            plain(LOCAL, 0, 0),
            plain(LOCAL, 0x11, 0),
            plain(LOCAL, 0x11, 12),
            plain(LOCAL, 0xff, 300),
            plain(0x21, 0, 0),
            plain(0x21, 0, 7),
            plain(0x21, 0x31, 216),
            datagram,
        ] {
            assert_eq!(read(&bytes), (Ok(None), Vec::new()), "{bytes:?}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let malformed = "not a PROXY protocol header (version 2)";
        for bytes in [
            b"PROXY TCP4 203.0.113.7 203.0.113.8 1 2\r\n".to_vec(),
            b"GET /connection/websocket HTTP/1.1\r\n".to_vec(),
            plain(0x11, 0x11, 12),
            plain(0x22, 0x11, 12),
            plain(0x21, 0x41, 12),
            plain(0x21, 0x11, 11),
            plain(0x21, 0x21, 35),
            plain(0x21, 0x31, 215),
        ] {
            assert_eq!(read(&bytes).0, Err(malformed.to_owned()), "{bytes:?}");
        }
        let most = u16::try_from(limits::PROXY_HEADER_BYTES - HEAD_BYTES).unwrap();
        assert_eq!(read(&plain(0x21, 0x11, most)).0, Ok(Some(at("0.0.0.0:0"))));
        let told = "a PROXY protocol header of 4097 bytes, more than 4096";
        assert_eq!(read(&plain(0x21, 0x11, most + 1)).0, Err(told.to_owned()));
    }

    #[tokio::test]
    async fn a_header_may_come_byte_by_byte() {
        let source = at("203.0.113.7:12345");
        let bytes = header(ProxiedAddress::stream(source, source), 9);
        let (mut proxy, mut server) = tokio::io::duplex(1);
        let told = async {
            for byte in &bytes {
                proxy.write_all(&[*byte]).await.unwrap();
            }
        };
        let (read, ()) = tokio::join!(client(&mut server), told);
        assert_eq!(read.unwrap(), Some(source));
    }

    #[test]
    fn a_header_that_is_cut_is_none() {
        let source = at("[2001:db8::7]:443");
        let whole = header(ProxiedAddress::stream(source, source), 40);
        for end in 0..whole.len() {
            let fault = read(&whole[..end]).0.unwrap_err();
            assert!(fault.starts_with("no PROXY protocol header: "), "{end}: {fault}");
        }
    }

    proptest! {
        #[test]
        fn garbage_never_panics_and_at_most_a_header_is_read(
            signed in any::<bool>(),
            command in prop_oneof![Just(0x20), Just(0x21), any::<u8>()],
            family in prop_oneof![Just(0x11), Just(0x21), Just(0x31), any::<u8>()],
            length in prop_oneof![0..300_u16, any::<u16>()],
            rest in proptest::collection::vec(any::<u8>(), 0..600),
        ) {
            let start = if signed { Cow::Borrowed(SIGNATURE) } else { Cow::Owned(vec![]) };
            let head = [command, family];
            let bytes = [&start, head.as_slice(), &length.to_be_bytes(), &rest].concat();
            let (_, left) = read(&bytes);
            let most = HEAD_BYTES + usize::from(length);
            prop_assert!(bytes.len() - left.len() <= most.clamp(HEAD_BYTES, limits::PROXY_HEADER_BYTES));
        }
    }
}
