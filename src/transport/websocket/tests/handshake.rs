use hyper::header::{CONNECTION, HeaderMap, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_PROTOCOL, UPGRADE};
use hyper::{Request, Version};
use proptest::prelude::proptest;
use regex::Regex;

use super::super::handshake::{Accepted, Refused, accept};
use crate::transport::Format;
use crate::transport::Origins;

/// A request as a browser makes it, with `changes` applied: a value replaces, `None` removes.
fn request(uri: &str, changes: &[(&str, Option<&str>)]) -> Request<()> {
    let mut headers = vec![
        ("host", "rt.example.com"),
        ("upgrade", "websocket"),
        ("connection", "Upgrade"),
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ];
    headers.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
    headers.extend(changes.iter().filter_map(|(name, value)| Some((*name, (*value)?))));
    let mut request = Request::get(uri);
    for (name, value) in headers {
        request = request.header(name, value);
    }
    request.body(()).unwrap()
}

fn answer(changes: &[(&str, Option<&str>)]) -> Result<Accepted, Refused> {
    accept(&request("/connection/websocket", changes), &Origins::default())
}

fn status(changes: &[(&str, Option<&str>)]) -> u16 {
    answer(changes).map_or_else(|refused| refused.status.as_u16(), |_| 101)
}

fn origins(patterns: &[&str], origin: Option<&str>) -> u16 {
    let origins = Origins::new(patterns.iter().map(ToString::to_string));
    accept(&request("/", &[("origin", origin)]), &origins)
        .map_or_else(|refused| refused.status.as_u16(), |_| 101)
}

fn value<'a>(headers: &'a HeaderMap, name: &hyper::header::HeaderName) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap())
}

proptest! {
    /// Against regular expressions.
    #[test]
    fn a_star_stands_for_any_run_of_characters(pattern in "[ab*]{1,7}", origin in "[ab]{1,9}") {
        let oracle = Regex::new(&format!("^{}$", pattern.replace('*', ".*"))).unwrap();
        let expected = if oracle.is_match(&origin) { 101 } else { 403 };
        assert_eq!(origins(&[&pattern], Some(&origin)), expected);
    }
}

#[test]
fn answers_the_key_of_the_rfc() {
    let accepted = answer(&[]).unwrap();
    // RFC 6455 section 1.3.
    let expected = Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    assert_eq!(value(&accepted.headers, &SEC_WEBSOCKET_ACCEPT), expected);
    assert_eq!(value(&accepted.headers, &UPGRADE), Some("websocket"));
    assert_eq!(value(&accepted.headers, &CONNECTION), Some("Upgrade"));
    assert_eq!(value(&accepted.headers, &SEC_WEBSOCKET_PROTOCOL), None);
    assert_eq!(accepted.format, Format::Text);
    assert!(!accepted.native_ping);
}

#[test]
fn tolerates_what_clients_and_proxies_write() {
    assert_eq!(status(&[("connection", Some("keep-alive, UPGRADE"))]), 101);
    assert_eq!(status(&[("upgrade", Some("WebSocket"))]), 101);
    assert_eq!(status(&[("upgrade", Some("h2c, websocket"))]), 101);
    assert_eq!(status(&[("sec-websocket-extensions", Some("permessage-deflate"))]), 101);
}

#[test]
fn refuses_what_is_no_websocket_request() {
    assert_eq!(status(&[("upgrade", None)]), 426);
    assert_eq!(status(&[("upgrade", Some("h2c"))]), 426);
    assert_eq!(status(&[("connection", None)]), 426);
    assert_eq!(status(&[("connection", Some("close"))]), 426);
    assert_eq!(status(&[("sec-websocket-version", None)]), 426);
    assert_eq!(status(&[("sec-websocket-version", Some("8"))]), 426);
    let refused = answer(&[("sec-websocket-version", Some("8"))]).unwrap_err();
    assert_eq!(refused.headers.get("sec-websocket-version").unwrap(), "13");
    assert_eq!(refused.headers.get("upgrade").unwrap(), "websocket");

    let mut post = request("/", &[]);
    *post.method_mut() = hyper::Method::POST;
    assert_eq!(accept(&post, &Origins::default()).unwrap_err().status, 405);
    let mut old = request("/", &[]);
    *old.version_mut() = Version::HTTP_10;
    assert_eq!(accept(&old, &Origins::default()).unwrap_err().status, 426);
}

#[test]
fn the_key_must_be_sixteen_bytes_once() {
    assert_eq!(status(&[("sec-websocket-key", None)]), 400);
    for key in
        ["", "abc", "dGhlIHNhbXBsZSBub25jZQ", "dGhlIHNhbXBsZSBub25j", "AAAAAAAAAAAAAAAAAAAAAAA="]
    {
        assert_eq!(status(&[("sec-websocket-key", Some(key))]), 400, "{key}");
    }
    let long = "A".repeat(4_000);
    assert_eq!(status(&[("sec-websocket-key", Some(&long))]), 400);
    // Stray bits behind the sixteenth byte.
    assert_eq!(status(&[("sec-websocket-key", Some("dGhlIHNhbXBsZSBub25jZR=="))]), 101);
    let mut twice = request("/", &[]);
    let key = twice.headers()["sec-websocket-key"].clone();
    twice.headers_mut().append("sec-websocket-key", key);
    assert_eq!(accept(&twice, &Origins::default()).unwrap_err().status, 400);
}

#[test]
fn selects_the_subprotocol() {
    let selected = |offer: &str| {
        let accepted = answer(&[("sec-websocket-protocol", Some(offer))]).unwrap();
        let name = value(&accepted.headers, &SEC_WEBSOCKET_PROTOCOL).map(ToOwned::to_owned);
        (name, accepted.format)
    };
    let named = |name: &str, format| (Some(name.to_owned()), format);
    assert_eq!(selected("centrifuge-protobuf"), named("centrifuge-protobuf", Format::Binary));
    assert_eq!(selected("centrifuge-json"), named("centrifuge-json", Format::Text));
    let both = "centrifuge-json,  centrifuge-protobuf";
    assert_eq!(selected(both), named("centrifuge-protobuf", Format::Binary));
    assert_eq!(selected(""), (None, Format::Text));
    assert_eq!(selected("graphql-ws"), (None, Format::Text));
}

#[test]
fn the_query_selects_where_no_subprotocol_does() {
    let asked = |query: &str, offer| {
        let uri = format!("/connection/websocket{query}");
        let request = request(&uri, &[("sec-websocket-protocol", offer)]);
        let accepted = accept(&request, &Origins::default()).unwrap();
        (accepted.format, accepted.native_ping)
    };
    assert_eq!(asked("?cf_protocol=protobuf", None), (Format::Binary, false));
    assert_eq!(asked("?a=b&format=protobuf", Some("")), (Format::Binary, false));
    assert_eq!(asked("?format=json", None), (Format::Text, false));
    assert_eq!(asked("?xformat=protobuf", None), (Format::Text, false));
    assert_eq!(asked("?format=protobuf", Some("centrifuge-json")), (Format::Text, false));
    assert_eq!(asked("?cf_ws_frame_ping_pong=true", None), (Format::Text, true));
    assert_eq!(asked("?cf_ws_frame_ping_pong=false", None), (Format::Text, false));
}

#[test]
fn without_patterns_only_the_own_origin_passes() {
    assert_eq!(origins(&[], None), 101);
    assert_eq!(origins(&[], Some("https://RT.example.com")), 101);
    for foreign in ["null", "https://example.com", "https://rt.example.com:8443", "rt.example.com"]
    {
        assert_eq!(origins(&[], Some(foreign)), 403, "{foreign}");
    }
    let mut twice = request("/", &[("origin", Some("https://rt.example.com"))]);
    let origin = twice.headers()["origin"].clone();
    twice.headers_mut().append("origin", origin);
    assert_eq!(accept(&twice, &Origins::default()).unwrap_err().status, 403);
}

#[test]
fn patterns_decide_alone_where_there_are_any() {
    let list = ["https://*.Example.com", "http://localhost:3000", "app://*"];
    for allowed in ["https://a.example.com", "https://a.b.EXAMPLE.com", "http://localhost:3000"] {
        assert_eq!(origins(&list, Some(allowed)), 101, "{allowed}");
    }
    assert_eq!(origins(&list, Some("app://x")), 101);
    assert_eq!(origins(&list, None), 101);
    for foreign in [
        "https://example.com",
        "https://a.example.com.evil.org",
        "http://a.example.com",
        "http://localhost:30000",
        "https://evil.org",
        "null",
    ] {
        assert_eq!(origins(&list, Some(foreign)), 403, "{foreign}");
    }
    assert_eq!(origins(&["https://other.org"], Some("https://rt.example.com")), 403);
    assert_eq!(origins(&["*"], Some("null")), 101);
    assert_eq!(origins(&["*"], Some("https://evil.org")), 101);
    assert_eq!(origins(&["a*b*c"], Some("abc")), 101);
    assert_eq!(origins(&["a*b*c"], Some("acb")), 403);
    assert_eq!(origins(&["ab*bc"], Some("abc")), 403);
    assert_eq!(origins(&["*a*a*"], Some("a")), 403);
}
