use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{FutureExt, SinkExt, StreamExt};
use hyper_util::rt::TokioIo;
use proptest::collection::vec;
use proptest::prelude::{any, proptest};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream, DuplexStream};
use tokio::net::{TcpListener, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Role};

use super::super::{Turn, WebSocket, accept};
use super::client::{self, BINARY, CLOSE, LAST, PING, PONG, TEXT};
use crate::base::limits::MESSAGE_BYTES;
use crate::transport::Origins;
use crate::transport::{Format, Received, Transport};

fn socket<S: AsyncRead + AsyncWrite + Unpin + Send>(io: S) -> WebSocket<S> {
    let peer = SocketAddr::from(([127, 0, 0, 1], 1));
    WebSocket::new(io, peer, Format::Binary, MESSAGE_BYTES, Bytes::new())
}

fn pair(bytes: usize) -> (DuplexStream, WebSocket<DuplexStream>) {
    let (client, server) = tokio::io::duplex(bytes);
    (client, socket(server))
}

async fn tcp() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (client, listener.accept().await.unwrap().0)
}

async fn tungstenite<S: AsyncRead + AsyncWrite + Unpin>(io: S) -> WebSocketStream<S> {
    WebSocketStream::from_raw_socket(io, Role::Client, None).await
}

/// Fails instead of hanging.
async fn soon<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future).await.expect("it comes to an end")
}

/// Returns every message and closes as the peer or the rules want it.
async fn echo<S: AsyncRead + AsyncWrite + Unpin + Send>(mut socket: WebSocket<S>) {
    loop {
        match super::receive(&mut socket).await {
            Received::Pong => {}
            Received::Datagram(_) => unreachable!("a WebSocket has none"),
            Received::Message(_, message) => socket.queue(None, &[], &message),
            Received::Violation { code, reason } => return socket.close(code, reason).await,
            Received::Closed => return socket.close(1000, "").await,
        }
    }
}

fn content(seed: usize, length: usize) -> Bytes {
    (0..length).map(|at| u8::try_from((at * 31 + seed * 17 + at / 251) % 256).unwrap()).collect()
}

fn close_of(
    message: Option<Result<Message, tokio_tungstenite::tungstenite::Error>>,
) -> (u16, String) {
    match message {
        Some(Ok(Message::Close(Some(CloseFrame { code, reason })))) => {
            (code.into(), reason.to_string())
        }
        other => panic!("no close frame: {other:?}"),
    }
}

fn sizes() -> impl Iterator<Item = usize> {
    let borders = [0, 126, 4_096, 8_192, 16_384, 32_768, 65_534].into_iter();
    (0..70_000)
        .step_by(997)
        .chain(borders.flat_map(|border: usize| border.saturating_sub(3)..border + 3))
        .filter(|size| *size <= MESSAGE_BYTES)
}

#[tokio::test]
async fn echoes_every_size_over_tcp_and_in_memory() {
    let (client, server) = tcp().await;
    echoes(client, server).await;
    let (client, server) = tokio::io::duplex(1_000);
    echoes(client, server).await;
}

async fn echoes<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(client: S, server: S) {
    let server = tokio::spawn(echo(socket(server)));
    let mut client = tungstenite(client).await;
    for size in sizes() {
        let message = Message::Binary(content(size, size));
        soon(client.send(message.clone())).await.unwrap();
        assert!(soon(client.next()).await.unwrap().unwrap() == message, "{size}");
    }
    soon(client.send(Message::Binary(content(1, MESSAGE_BYTES + 1)))).await.unwrap();
    let expected = (1009, "message too big".to_owned());
    assert_eq!(close_of(soon(client.next()).await), expected);
    assert!(soon(client.next()).await.is_none_or(|end| end.is_err()));
    drop(client);
    soon(server).await.unwrap();
}

#[tokio::test]
async fn a_thousand_queued_messages_arrive_intact() {
    let (client, server) = tcp().await;
    let mut socket = socket(server);
    let messages: Vec<Bytes> =
        (0..1_000).map(|at| content(at, if at % 10 == 0 { 9_000 } else { at })).collect();
    for message in &messages {
        let (head, body) = message.split_at(message.len() / 10);
        socket.queue(None, head, &message.slice_ref(body));
    }
    let reader = async {
        let mut client = tungstenite(client).await;
        for message in &messages {
            let received = client.next().await.unwrap().unwrap().into_data();
            assert!(received == message);
        }
    };
    let (flushed, ()) = soon(async { tokio::join!(super::flush(&mut socket), reader) }).await;
    flushed.unwrap();
    assert_eq!(socket.queued_bytes(), 0);
}

#[tokio::test]
async fn text_clients_get_text() {
    let (client, server) = tokio::io::duplex(1_000);
    let peer = SocketAddr::from(([127, 0, 0, 1], 7));
    let mut socket = WebSocket::new(server, peer, Format::Text, MESSAGE_BYTES, Bytes::new());
    assert_eq!(socket.peer(), peer);
    socket.queue(None, b"he", &Bytes::from_static(b"llo"));
    soon(super::flush(&mut socket)).await.unwrap();
    let mut client = tungstenite(client).await;
    assert_eq!(soon(client.next()).await.unwrap().unwrap(), Message::text("hello"));
}

#[tokio::test]
async fn a_slow_reader_shows_in_the_queue() {
    let (mut client, mut socket) = pair(1_000);
    socket.queue(None, &[], &content(1, 3_000));
    assert!(super::flush(&mut socket).now_or_never().is_none());
    assert_eq!(socket.queued_bytes(), 3_004 - 1_000);
    soon(client.read_exact(&mut [0; 600])).await.unwrap();
    assert!(super::flush(&mut socket).now_or_never().is_none());
    assert_eq!(socket.queued_bytes(), 3_004 - 1_600);
}

proptest! {
    /// Both directions at once, each future dropped whenever it waits.
    #[test]
    fn dropped_futures_lose_and_double_nothing(
        steps in vec((0..6_u8, 1..3_000_usize), 1..120),
        pipe in 1..4_000_usize,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut client, mut socket) = pair(pipe);
            let (mut queued, mut read) = (Vec::new(), Vec::new());
            let (mut sent, mut wire, mut got) = (Vec::new(), Vec::new(), Vec::new());
            for (seed, (step, size)) in steps.into_iter().enumerate() {
                match step {
                    0 => {
                        let message = content(seed, size * 4);
                        socket.queue(None, &message[..size], &message.slice(size..));
                        queued.push((BINARY, message.to_vec()));
                    }
                    1 => {
                        if let Some(flushed) = super::flush(&mut socket).now_or_never() {
                            flushed.unwrap();
                        }
                    }
                    2 => {
                        let mut space = vec![0; size];
                        if let Some(bytes) = client.read(&mut space).now_or_never() {
                            read.extend(&space[..bytes.unwrap()]);
                        }
                    }
                    3 => {
                        let message = content(seed, size);
                        wire.extend(client::frame(LAST | BINARY, &message));
                        sent.push(message);
                    }
                    4 => {
                        let part = &wire[..size.min(wire.len())];
                        if let Some(bytes) = client.write(part).now_or_never() {
                            wire.drain(..bytes.unwrap());
                        }
                    }
                    _ => take(&mut got, super::receive(&mut socket).now_or_never()),
                }
            }
            let everything = async {
                while got.len() < sent.len() || read.len() < expected_bytes(&queued) {
                    if let Some(written) = client.write(&wire).now_or_never() {
                        wire.drain(..written.unwrap());
                    }
                    let mut space = [0; 1_000];
                    if let Some(bytes) = client.read(&mut space).now_or_never() {
                        read.extend(&space[..bytes.unwrap()]);
                    }
                    take(&mut got, super::receive(&mut socket).now_or_never());
                    tokio::task::yield_now().await;
                }
            };
            everything.await;
            assert!(got == sent);
            let (answers, rest) = client::answers(&read);
            assert!(answers == queued && rest.is_empty());
            assert_eq!(socket.queued_bytes(), 0);
        });
    }

    /// A close that is dropped and called again sends one close frame behind the messages.
    #[test]
    fn a_dropped_close_goes_on_where_it_was(size in 0..20_000_usize, pipe in 1..3_000_usize, answer in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut client, mut socket) = pair(pipe);
            let message = content(1, size);
            socket.queue(None, &[], &message);
            let mut read = Vec::new();
            let mut goodbye = if answer { client::close(3001, "") } else { Vec::new() };
            while socket.close(3001, "shutdown").now_or_never().is_none() {
                socket.queue(None, &[], &message);
                let mut space = [0; 1_000];
                if let Some(bytes) = client.read(&mut space).now_or_never() {
                    read.extend(&space[..bytes.unwrap()]);
                }
                if client::answers(&read).0.len() == 2 {
                    if goodbye.is_empty() {
                        client.shutdown().await.unwrap();
                    } else if let Some(bytes) = client.write(&goodbye).now_or_never() {
                        goodbye.drain(..bytes.unwrap());
                    }
                }
                tokio::task::yield_now().await;
            }
            assert!(goodbye.is_empty());
            let goodbye = [&3001_u16.to_be_bytes()[..], b"shutdown"].concat();
            let expected = ([(BINARY, message.to_vec()), (CLOSE, goodbye)].to_vec(), &[][..]);
            assert!(client::answers(&read) == expected);
            assert_eq!(socket.close(1000, "").now_or_never(), Some(()));
        });
    }
}

fn take(got: &mut Vec<Bytes>, received: Option<Received>) {
    match received {
        None => {}
        Some(Received::Message(Format::Binary, message)) => got.push(message),
        Some(other) => panic!("{other:?}"),
    }
}

fn expected_bytes(queued: &[(u8, Vec<u8>)]) -> usize {
    let header = |length: usize| client::header(0, length as u64).len();
    queued.iter().map(|(_, message)| header(message.len()) + message.len()).sum()
}

#[tokio::test]
async fn pings_are_answered_while_nothing_is_received() {
    let (client, server) = tcp().await;
    let server = tokio::spawn(echo(socket(server)));
    let mut client = tungstenite(client).await;
    for payload in [&b""[..], b"are you there?"] {
        soon(client.send(Message::Ping(payload.into()))).await.unwrap();
        assert_eq!(soon(client.next()).await.unwrap().unwrap(), Message::Pong(payload.into()));
    }
    soon(client.close(None)).await.unwrap();
    soon(server).await.unwrap();
}

#[tokio::test]
async fn nothing_follows_our_close_frame() {
    let (mut client, mut socket) = pair(1_000);
    assert!(socket.close(3001, "").now_or_never().is_none());
    client.write_all(&client::frame(LAST | PING, b"late")).await.unwrap();
    socket.queue_ping();
    for _ in 0..2 {
        assert!(socket.close(3001, "").now_or_never().is_none());
    }
    client.write_all(&client::close(3001, "")).await.unwrap();
    soon(socket.close(3001, "")).await;
    let mut read = Vec::new();
    soon(client.read_to_end(&mut read)).await.unwrap();
    let goodbye = (CLOSE, 3001_u16.to_be_bytes().to_vec());
    assert_eq!(client::answers(&read).0, [goodbye]);
}

#[tokio::test]
async fn a_stream_that_buffers_is_flushed() {
    let (mut client, server) = tokio::io::duplex(1_000);
    let mut socket = socket(BufStream::new(server));
    socket.queue(None, &[], &content(1, 100));
    soon(super::flush(&mut socket)).await.unwrap();
    soon(client.read_exact(&mut [0; 102])).await.unwrap();
    client.write_all(&client::frame(LAST | PING, b"")).await.unwrap();
    assert!(super::receive(&mut socket).now_or_never().is_none());
    soon(client.read_exact(&mut [0; 2])).await.unwrap();
}

#[tokio::test]
async fn native_pings_bring_pongs() {
    let (client, mut socket) = pair(1_000);
    let mut client = tungstenite(client).await;
    socket.queue_ping();
    soon(super::flush(&mut socket)).await.unwrap();
    assert_eq!(soon(client.next()).await.unwrap().unwrap(), Message::Ping(Bytes::new()));
    soon(client.flush()).await.unwrap();
    assert!(matches!(soon(super::receive(&mut socket)).await, Received::Pong));
    assert!(super::receive(&mut socket).now_or_never().is_none());
}

#[tokio::test]
async fn a_turn_tells_when_the_queue_is_written() {
    let (mut client, mut socket) = pair(100);
    assert!(std::future::poll_fn(|cx| socket.poll_turn(cx, false)).now_or_never().is_none());
    socket.queue(None, &[], &content(1, 150));
    assert!(std::future::poll_fn(|cx| socket.poll_turn(cx, true)).now_or_never().is_none());
    client.write_all(&client::frame(LAST | TEXT, b"hi")).await.unwrap();
    assert!(std::future::poll_fn(|cx| socket.poll_turn(cx, false)).now_or_never().is_none());
    let turn = std::future::poll_fn(|cx| socket.poll_turn(cx, true)).now_or_never();
    assert!(matches!(turn, Some(Turn::Received(Received::Message(Format::Text, _)))));
    soon(client.read_exact(&mut [0; 100])).await.unwrap();
    assert!(matches!(
        std::future::poll_fn(|cx| socket.poll_turn(cx, true)).now_or_never(),
        Some(Turn::Flushed)
    ));
    assert!(std::future::poll_fn(|cx| socket.poll_turn(cx, true)).now_or_never().is_none());
}

#[tokio::test]
async fn the_server_closes_with_code_and_reason() {
    let (client, server) = tcp().await;
    let mut client = tungstenite(client).await;
    let mut socket = socket(server);
    socket.queue(None, &[], &content(1, 9_000));
    // The client was in the middle of something.
    client.send(Message::Binary(content(2, 50_000))).await.unwrap();
    let reader = async {
        assert_eq!(client.next().await.unwrap().unwrap().len(), 9_000);
        assert_eq!(close_of(client.next().await), (3501, "bad request".to_owned()));
        assert!(client.next().await.is_none());
    };
    soon(async { tokio::join!(socket.close(3501, "bad request"), reader) }).await;
    soon(socket.close(3000, "again")).await;
    assert!(matches!(super::receive(&mut socket).now_or_never(), Some(Received::Closed)));
    socket.queue(None, &[], &content(1, 10));
    assert_eq!(socket.queued_bytes(), 0);
}

#[tokio::test]
async fn the_client_closes_and_is_answered() {
    let (client, server) = tcp().await;
    let mut client = tungstenite(client).await;
    let mut socket = socket(server);
    let frame = CloseFrame { code: CloseCode::from(4007), reason: "done".into() };
    client.close(Some(frame)).await.unwrap();
    assert!(matches!(soon(super::receive(&mut socket)).await, Received::Closed));
    // The answer is on its way without `close`.
    assert_eq!(close_of(soon(client.next()).await).0, 4007);
    assert!(matches!(super::receive(&mut socket).now_or_never(), Some(Received::Closed)));
    soon(socket.close(1000, "")).await;
    assert!(soon(client.next()).await.is_none());
}

#[tokio::test]
async fn replies_queued_before_a_goodbye_are_still_delivered() {
    let (mut client, mut socket) = pair(1_000);
    socket.queue(None, &[], &content(1, 2_000));
    client.write_all(&client::close(1000, "")).await.unwrap();
    assert!(matches!(soon(super::receive(&mut socket)).await, Received::Closed));
    let mut read = Vec::new();
    let (_, bytes) =
        soon(async { tokio::join!(socket.close(1000, ""), client.read_to_end(&mut read)) }).await;
    bytes.unwrap();
    let goodbye = (CLOSE, 1000_u16.to_be_bytes().to_vec());
    assert_eq!(client::answers(&read).0, [(BINARY, content(1, 2_000).to_vec()), goodbye]);
}

#[tokio::test]
async fn a_broken_connection_is_closed_without_ado() {
    let (client, mut socket) = pair(1_000);
    drop(client);
    assert!(matches!(soon(super::receive(&mut socket)).await, Received::Closed));
    soon(socket.close(1000, "")).await;

    let (mut client, mut socket) = pair(1_000);
    client.write_all(&client::frame(LAST | TEXT, b"cut")[..5]).await.unwrap();
    drop(client);
    assert!(matches!(soon(super::receive(&mut socket)).await, Received::Closed));

    let (client, mut socket) = pair(1_000);
    drop(client);
    socket.queue(None, &[], &content(1, 5_000));
    assert!(soon(super::flush(&mut socket)).await.is_err());
    assert!(matches!(super::receive(&mut socket).now_or_never(), Some(Received::Closed)));
}

#[tokio::test]
async fn a_violator_gets_its_code_though_it_keeps_sending() {
    let (mut client, server) = tcp().await;
    let server = tokio::spawn(echo(socket(server)));
    let bytes = [client::header(LAST | BINARY, 10_000_000), vec![7; 10_000_000]].concat();
    soon(client.write_all(&bytes)).await.unwrap();
    client.shutdown().await.unwrap();
    let mut read = Vec::new();
    soon(client.read_to_end(&mut read)).await.unwrap();
    let goodbye = [&1009_u16.to_be_bytes()[..], b"message too big"].concat();
    assert_eq!(client::answers(&read).0, [(CLOSE, goodbye)]);
    soon(server).await.unwrap();
}

#[tokio::test]
async fn messages_before_a_violation_are_received_first() {
    let (mut client, mut socket) = pair(1_000);
    let wire = [client::frame(LAST | TEXT, b"a"), client::frame(LAST | 3, b"")].concat();
    client.write_all(&wire).await.unwrap();
    assert!(matches!(soon(super::receive(&mut socket)).await, Received::Message(Format::Text, _)));
    assert!(matches!(
        soon(super::receive(&mut socket)).await,
        Received::Violation { code: 1002, .. }
    ));
}

#[tokio::test]
async fn a_slow_consumer_is_told_why_as_soon_as_it_reads() {
    let (mut client, mut socket) = pair(1_000);
    for seed in 0..100 {
        socket.queue(None, &[], &content(seed, 9_000));
    }
    assert!(super::flush(&mut socket).now_or_never().is_none());
    socket.discard_queued();
    assert_eq!(socket.queued_bytes(), 9_004 - 1_000);
    assert!(socket.close(3008, "slow").now_or_never().is_none());
    socket.discard_queued();
    let mut read = Vec::new();
    let reader = async {
        while client::answers(&read).0.len() < 2 {
            client.read_buf(&mut read).await.unwrap();
        }
        drop(client);
    };
    soon(async { tokio::join!(socket.close(3008, "slow"), reader) }).await;
    let goodbye = [&3008_u16.to_be_bytes()[..], b"slow"].concat();
    let expected = [(BINARY, content(0, 9_000).to_vec()), (CLOSE, goodbye)];
    assert!(client::answers(&read).0 == expected);
}

#[tokio::test]
async fn a_flood_of_control_frames_is_ended() {
    let (mut client, mut socket) = pair(1 << 16);
    client.write_all(&client::frame(LAST | PONG, b"").repeat(2_000)).await.unwrap();
    let mut pongs = 0;
    let ended = loop {
        match soon(super::receive(&mut socket)).await {
            Received::Pong => pongs += 1,
            other => break other,
        }
    };
    assert!(matches!(ended, Received::Violation { code: 1008, .. }), "{ended:?}");
    assert_eq!(pongs, 1_000);
    let (mut client, mut socket) = pair(1 << 16);
    for _ in 0..20 {
        client.write_all(&client::frame(LAST | PING, b"").repeat(100)).await.unwrap();
        assert!(super::receive(&mut socket).now_or_never().is_none());
        client.read_exact(&mut [0; 200]).await.unwrap();
    }
}

#[tokio::test]
async fn an_idle_connection_holds_nothing() {
    assert!(size_of::<WebSocket<TcpStream>>() <= 256, "{}", size_of::<WebSocket<TcpStream>>());
    let (mut client, server) = tcp().await;
    let mut socket = socket(server);
    // No read buffer hides in the futures.
    assert!(size_of_val(&super::receive(&mut socket)) <= 64);
    assert!(size_of_val(&super::flush(&mut socket)) <= 64);
    assert!(size_of_val(&socket.close(1000, "")) <= 64);

    socket.queue(None, &[], &content(1, 3_000));
    soon(client.write_all(&client::frame(LAST | TEXT, b"one").repeat(2))).await.unwrap();
    for _ in 0..2 {
        assert!(matches!(
            soon(super::receive(&mut socket)).await,
            Received::Message(Format::Text, _)
        ));
    }
    assert!(super::receive(&mut socket).now_or_never().is_none());
    assert_eq!((socket.queued_bytes(), socket.capacity()), (0, 0));
}

/// The whole way that the server takes: HTTP, upgrade, the bare socket and what was read behind
/// the request.
async fn serve_http(io: TcpStream) {
    let peer = io.peer_addr().unwrap();
    let service = hyper::service::service_fn(move |mut request: hyper::Request<_>| async move {
        let mut response = hyper::Response::new(String::new());
        match accept(&request, &Origins::default()) {
            Ok(accepted) => {
                *response.status_mut() = hyper::StatusCode::SWITCHING_PROTOCOLS;
                *response.headers_mut() = accepted.headers;
                tokio::spawn(async move {
                    let upgraded = hyper::upgrade::on(&mut request).await.unwrap();
                    let parts = upgraded.downcast::<TokioIo<TcpStream>>().unwrap();
                    let io = parts.io.into_inner();
                    let format = accepted.format;
                    echo(WebSocket::new(io, peer, format, MESSAGE_BYTES, parts.read_buf)).await;
                });
            }
            Err(refused) => {
                *response.status_mut() = refused.status;
                *response.headers_mut() = refused.headers;
                refused.text.clone_into(response.body_mut());
            }
        }
        Ok::<_, Infallible>(response)
    });
    let connection = hyper::server::conn::http1::Builder::new();
    connection.serve_connection(TokioIo::new(io), service).with_upgrades().await.unwrap();
}

#[tokio::test]
async fn a_client_comes_in_through_http() {
    let (client, server) = tcp().await;
    let server = tokio::spawn(serve_http(server));
    let request = tokio_tungstenite::tungstenite::ClientRequestBuilder::new(
        "ws://127.0.0.1/connection/websocket".parse().unwrap(),
    )
    .with_sub_protocol("centrifuge-protobuf");
    let (mut client, response) =
        soon(tokio_tungstenite::client_async(request, client)).await.unwrap();
    assert_eq!(response.headers()["sec-websocket-protocol"], "centrifuge-protobuf");
    soon(client.send(Message::Binary(content(1, 3_000)))).await.unwrap();
    assert_eq!(soon(client.next()).await.unwrap().unwrap(), Message::Binary(content(1, 3_000)));
    soon(client.close(None)).await.unwrap();
    soon(server).await.unwrap();
}

#[tokio::test]
async fn what_follows_the_request_at_once_is_not_lost() {
    let (mut client, server) = tcp().await;
    let server = tokio::spawn(serve_http(server));
    let request = "GET / HTTP/1.1\r\nhost: a\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
        sec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    let mut wire = request.as_bytes().to_vec();
    wire.extend(client::frame(LAST | TEXT, b"one"));
    wire.extend(client::frame(LAST | PING, b"two"));
    wire.extend(client::close(1000, ""));
    client.write_all(&wire).await.unwrap();
    let mut read = Vec::new();
    soon(client.read_to_end(&mut read)).await.unwrap();
    let end = read.windows(4).position(|window| window == b"\r\n\r\n").unwrap() + 4;
    assert!(read.starts_with(b"HTTP/1.1 101"));
    let goodbye = (CLOSE, 1000_u16.to_be_bytes().to_vec());
    let expected = [(TEXT, b"one".to_vec()), (PONG, b"two".to_vec()), goodbye];
    assert_eq!(client::answers(&read[end..]).0, expected);
    soon(server).await.unwrap();
}
