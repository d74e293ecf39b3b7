//! JSON: commands one a line, and embedded text. Depth is found by a scan without recursion before
//! any parser sees the text.

use std::borrow::Cow;

use bytes::Bytes;
use memchr::{memchr2, memchr2_iter};
use serde_json::value::RawValue;

use super::codec::DecodeError;
use super::field::Object;
use crate::base::limits;

/// What is wrong with a text that should be JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum JsonFault {
    #[error("not UTF-8")]
    Utf8,
    #[error("nested deeper than {} levels", limits::JSON_DEPTH)]
    Depth,
    /// `at` is near the fault, in bytes from the start.
    #[error("not JSON, at byte {at}")]
    Syntax { at: usize },
}

/// Whether `data` is one JSON value of at most [`limits::JSON_DEPTH`] levels, perhaps with
/// whitespace around it.
pub(crate) fn is_json(data: &[u8]) -> Result<(), JsonFault> {
    parse_raw(data).map(|_| ())
}

/// A JSON string that holds `text`, or `None` where that is not UTF-8.
pub(crate) fn quoted(text: &[u8]) -> Option<Bytes> {
    let text = simdutf8::basic::from_utf8(text).ok()?;
    Some(serde_json::to_vec(text).expect("a string is JSON").into())
}

/// Reads a text as a message.
pub(super) fn message<M: Object>(text: &[u8]) -> Result<M, DecodeError> {
    let text = shallow(text)?;
    serde_json::from_str(text).map_err(|error| DecodeError::of_json(&error, text))
}

/// The text as an embeddable value, or `None` where it is not JSON.
pub(super) fn raw(data: &[u8]) -> Option<&RawValue> {
    parse_raw(data).ok()
}

/// The same JSON without line breaks, at which SDKs cut frames. Inside strings JSON has none, so
/// those that are there separate tokens, and spaces do as well.
pub(super) fn one_line(data: &[u8]) -> Cow<'_, [u8]> {
    if memchr2(b'\n', b'\r', data).is_none() {
        return Cow::Borrowed(data);
    }
    let spaced = data.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte });
    Cow::Owned(spaced.collect())
}

fn parse_raw(data: &[u8]) -> Result<&RawValue, JsonFault> {
    let text = shallow(data)?;
    serde_json::from_str(text).map_err(|error| JsonFault::Syntax { at: offset(&error, text) })
}

/// The data as text, if it is UTF-8 and not nested too deep.
fn shallow(data: &[u8]) -> Result<&str, JsonFault> {
    if depth_exceeds(data, limits::JSON_DEPTH) {
        return Err(JsonFault::Depth);
    }
    simdutf8::basic::from_utf8(data).map_err(|simdutf8::basic::Utf8Error {}| JsonFault::Utf8)
}

/// Whether arrays and objects nest deeper than `limit`. Of text that is not JSON the answer may be
/// either.
fn depth_exceeds(data: &[u8], limit: usize) -> bool {
    let mut depth = 0_usize;
    let mut rest = data;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'[' | b'{' => {
                depth += 1;
                if depth > limit {
                    return true;
                }
            }
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => rest = after_string(after),
            _ => {}
        }
    }
    false
}

/// What follows the string whose opening quote was just read; nothing, if it does not end.
fn after_string(text: &[u8]) -> &[u8] {
    let mut escaped = None;
    for at in memchr2_iter(b'"', b'\\', text) {
        if escaped == Some(at) {
            continue;
        }
        if text.get(at) == Some(&b'"') {
            return text.get(at + 1..).unwrap_or_default();
        }
        escaped = Some(at + 1);
    }
    &[]
}

/// Where a parser stopped, in bytes from the start of `text`.
pub(super) fn offset(error: &serde_json::Error, text: &str) -> usize {
    let lines_before = text.split_inclusive('\n').take(error.line().saturating_sub(1));
    let before: usize = lines_before.map(str::len).sum();
    // A column counts the bytes that were read, mostly with the offending one.
    (before + error.column()).saturating_sub(1).min(text.len())
}
