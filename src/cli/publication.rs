//! Publications as `sub` and `history` show them.

use std::fmt::Write as _;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::protocol::{ClientInfo, Publication};

/// An offset where the channel has a stream, the data, then tags and publisher where there are any:
/// `12 {"a":1} #kind=alert @42`.
pub(super) fn line(publication: &Publication) -> String {
    let mut line = String::new();
    if publication.offset > 0 {
        write_to(&mut line, format_args!("{} ", publication.offset));
    }
    line.push_str(&readable(&publication.data));
    for (key, value) in &publication.tags {
        write_to(&mut line, format_args!(" #{key}={value}"));
    }
    if let Some(info) = &publication.info {
        write_to(&mut line, format_args!(" @{}", name(info)));
    }
    line
}

/// The user, or the client where the user is anonymous.
pub(super) fn name(info: &ClientInfo) -> &str {
    if info.user.is_empty() { &info.client } else { &info.user }
}

/// Data as JSON where it is, else its bytes in base64.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Data {
    Data(Box<RawValue>),
    B64data(String),
}

impl Data {
    pub(super) fn of(bytes: &[u8]) -> Self {
        match serde_json::from_slice(bytes) {
            Ok(json) => Self::Data(json),
            Err(_binary) => Self::B64data(STANDARD.encode(bytes)),
        }
    }
}

fn readable(data: &[u8]) -> String {
    match Data::of(data) {
        Data::Data(json) => json.get().replace(['\n', '\r'], " "),
        Data::B64data(text) => format!("base64:{text}"),
    }
}

fn write_to(line: &mut String, text: std::fmt::Arguments<'_>) {
    line.write_fmt(text).expect("a string grows");
}
