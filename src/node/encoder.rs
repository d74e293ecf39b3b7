//! One event's bodies, encoded when the first subscriber needs them and shared by all others.

use std::sync::Arc;

use bytes::Bytes;

use crate::base::{Encoding, Moment};
use crate::channel::{self, EventKind, Publication, PushBody};
use crate::geo::Metres;
use crate::hub::{Encoder, Step};
use crate::protocol::{self, Join, Leave, encode_push_body};
use crate::session::wire;

/// For a single event: make a new one for the next.
#[derive(Debug, Default)]
pub(super) struct SharedEncoder {
    json: Bodies,
    protobuf: Bodies,
    /// Equal in both encodings, and `None` inside where there is no patch.
    patch: Option<Option<Bytes>>,
}

#[derive(Debug, Default)]
struct Bodies {
    plain: Option<PushBody>,
    /// For subscribers with deltas.
    step: Option<PushBody>,
}

impl SharedEncoder {
    fn bodies(&mut self, encoding: Encoding) -> &mut Bodies {
        match encoding {
            Encoding::Json => &mut self.json,
            Encoding::Protobuf => &mut self.protobuf,
        }
    }
}

impl Encoder for SharedEncoder {
    fn encode(&mut self, encoding: Encoding, event: &EventKind) -> PushBody {
        self.bodies(encoding).plain.get_or_insert_with(|| encode(encoding, event)).clone()
    }

    fn encode_at(
        &mut self,
        encoding: Encoding,
        publication: &Publication,
        away: Metres,
    ) -> PushBody {
        let mut told = publication.clone();
        wire::note_distance(&mut told.tags, away);
        let kind = EventKind::Publication { publication: Arc::new(told), epoch: "".into() };
        encode(encoding, &kind)
    }

    fn encode_step(&mut self, encoding: Encoding, step: &Step) -> PushBody {
        if let Some(body) = &self.bodies(encoding).step {
            return body.clone();
        }
        let patch = self.patch.get_or_insert_with(|| patch(step)).as_ref();
        let base = step.base.as_deref().zip(patch);
        let body = wire::step_body(encoding, &step.publication, step.sequence, base);
        self.bodies(encoding).step.insert(body).clone()
    }
}

fn encode(encoding: Encoding, event: &EventKind) -> PushBody {
    let (offset, accepted) = match event {
        EventKind::Publication { publication, .. } => (publication.offset, publication.accepted),
        _ => (0, Moment::default()),
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
        EventKind::Fix(..) | EventKind::Removed { .. } | EventKind::Gap => {
            unreachable!("neither a gap nor what happens to objects is a push of a stream")
        }
    };
    PushBody { offset, accepted, bytes: encode_push_body(encoding, &body), delta: None }
}

fn patch(step: &Step) -> Option<Bytes> {
    let base = step.base.as_deref()?;
    channel::patch(&base.data, &step.publication.data).map(Bytes::from)
}

#[cfg(test)]
mod tests;
