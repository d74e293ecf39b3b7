use std::sync::Arc;

use bytes::Bytes;
use serde_json::json;

use super::*;
use crate::channel::{Publication, apply_patch};
use crate::protocol::{PushTarget, decode_replies, push_head};

fn publication(offset: u64, data: impl Into<Bytes>) -> Arc<Publication> {
    Arc::new(Publication { offset, data: data.into(), ..Publication::default() })
}

fn text(text: &str) -> Bytes {
    json!({"text": text, "same": "что рядом → сейчас"}).to_string().into()
}

fn step(base: impl Into<Bytes>, data: impl Into<Bytes>) -> Step {
    Step { publication: publication(2, data), sequence: 7, base: Some(publication(1, base)) }
}

fn read(encoding: Encoding, body: &Bytes) -> protocol::Publication {
    let mut message = Vec::new();
    push_head(encoding, &PushTarget::Channel("a"), body.len(), &mut message);
    message.extend_from_slice(body);
    let reply = decode_replies(encoding, &message.into()).next().unwrap().unwrap();
    reply.push.unwrap().r#pub.unwrap()
}

/// What an SDK makes of the data: the JSON one gets a string.
fn unwrap(encoding: Encoding, data: &Bytes) -> Bytes {
    match encoding {
        Encoding::Json => serde_json::from_slice::<String>(data).unwrap().into(),
        Encoding::Protobuf => data.clone(),
    }
}

#[test]
fn both_encodings_get_the_same_patch_and_whole_once() {
    let mut encoder = SharedEncoder::default();
    let step = step(text("one"), text("two"));
    for encoding in [Encoding::Json, Encoding::Protobuf] {
        let body = encoder.encode_step(encoding, &step);
        let again = encoder.encode_step(encoding, &step);
        let delta = body.delta.clone().unwrap();
        assert!(Arc::ptr_eq(&delta, &again.delta.unwrap()), "shared by all subscribers");
        assert_eq!(body.bytes.as_ptr(), again.bytes.as_ptr());
        let whole = read(encoding, &body.bytes);
        assert_eq!((whole.offset, whole.delta), (2, false));
        assert_eq!(unwrap(encoding, &whole.data), text("two"));
        let patched = read(encoding, delta.patch.as_ref().unwrap());
        assert_eq!((patched.offset, patched.delta, delta.sequence), (2, true, 7));
        let patch = unwrap(encoding, &patched.data);
        assert_eq!(apply_patch(&text("one"), &patch).unwrap(), text("two"));
    }
}

#[test]
fn subscribers_without_deltas_get_the_text_itself() {
    let mut encoder = SharedEncoder::default();
    let step = step(text("one"), text("two"));
    let (publication, epoch) = (step.publication.clone(), "e".into());
    encoder.encode_step(Encoding::Json, &step);
    let plain = encoder.encode(Encoding::Json, &EventKind::Publication { publication, epoch });
    assert!(plain.delta.is_none());
    assert_eq!(read(Encoding::Json, &plain.bytes).data, text("two"));
}

/// A namespace that was binary before a reload may still have such data in its streams.
#[test]
fn json_clients_get_no_patch_of_what_they_cannot_read() {
    let binary = Bytes::from(vec![0xff; 64]);
    for (base, data) in [(binary.clone(), text("two")), (text("one"), binary.clone())] {
        let body = SharedEncoder::default().encode_step(Encoding::Json, &step(base, data.clone()));
        assert_eq!(body.delta.unwrap().patch, None);
        let whole = unwrap(Encoding::Json, &read(Encoding::Json, &body.bytes).data);
        assert_eq!(whole, if data == binary { Bytes::from_static(b"null") } else { data });
    }
    let longer = [&binary[..], &[1]].concat();
    let body = SharedEncoder::default().encode_step(Encoding::Protobuf, &step(binary, longer));
    assert!(body.delta.unwrap().patch.is_some(), "Protobuf clients read any bytes");
}
