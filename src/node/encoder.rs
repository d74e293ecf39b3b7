//! One event's bodies, encoded when the first subscriber needs them and shared by all others.

use crate::base::{Encoding, Moment};
use crate::channel::{EventKind, PushBody};
use crate::hub::Encoder;
use crate::protocol::{self, Join, Leave, encode_push_body};
use crate::session::wire;

/// For a single event: make a new one for the next.
#[derive(Debug, Default)]
pub(super) struct SharedEncoder {
    json: Option<PushBody>,
    protobuf: Option<PushBody>,
}

impl Encoder for SharedEncoder {
    fn encode(&mut self, encoding: Encoding, event: &EventKind) -> PushBody {
        let shared = match encoding {
            Encoding::Json => &mut self.json,
            Encoding::Protobuf => &mut self.protobuf,
        };
        shared.get_or_insert_with(|| encode(encoding, event)).clone()
    }
}

fn encode(encoding: Encoding, event: &EventKind) -> PushBody {
    let (offset, accepted) = match event {
        EventKind::Publication { publication, .. } => (publication.offset, publication.accepted),
        EventKind::Join(_) | EventKind::Leave(_) | EventKind::Gap => (0, Moment::default()),
    };
    let body = match event {
        EventKind::Publication { publication, .. } => {
            protocol::PushBody::Pub(wire::publication(publication))
        }
        EventKind::Join(details) => {
            protocol::PushBody::Join(Join { info: Some(wire::client_info(details)) })
        }
        EventKind::Leave(details) => {
            protocol::PushBody::Leave(Leave { info: Some(wire::client_info(details)) })
        }
        EventKind::Gap => unreachable!("a gap is no push"),
    };
    PushBody { offset, accepted, bytes: encode_push_body(encoding, &body) }
}
