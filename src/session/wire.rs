//! Domain values as the protocol writes them, and back.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;

use crate::base::{ClientId, Encoding, limits};
use crate::channel::{ClientDetails, DeltaBody, FilterPart, Object, Publication, PushBody};
use crate::geo::Metres;
use crate::geo::json::Shown;
use crate::protocol::{self, ClientInfo, FilterNode, encode_push_body, is_json, quoted};

pub(crate) fn client_info(details: &ClientDetails) -> ClientInfo {
    ClientInfo {
        user: details.user.clone(),
        client: details.client.clone(),
        conn_info: details.connection_info.clone(),
        chan_info: details.channel_info.clone(),
    }
}

pub(crate) fn publication(publication: &Publication) -> protocol::Publication {
    protocol::Publication {
        data: publication.data.clone(),
        info: publication.info.as_deref().map(client_info),
        offset: publication.offset,
        tags: publication.tags.clone(),
        time: i64::try_from(publication.time.0).unwrap_or(i64::MAX),
        ..protocol::Publication::default()
    }
}

/// The whole of a publication for a subscription with deltas. In JSON its data is a string that
/// holds the text, from which the next patch is taken; the SDK parses it, so what is not JSON is
/// `null`.
pub(crate) fn whole(encoding: Encoding, publication: &Publication) -> protocol::Publication {
    let plain = self::publication(publication);
    let text = || quoted(&plain.data).filter(|_| is_json(&plain.data).is_ok());
    let data = match encoding {
        Encoding::Json => text().unwrap_or(Bytes::from_static(b"\"null\"")),
        Encoding::Protobuf => plain.data,
    };
    protocol::Publication { data, ..plain }
}

/// A publication for subscriptions with deltas, the `sequence`th of them: whole, and where there is
/// a patch against the publication before (`base`), as that.
pub(crate) fn step_body(
    encoding: Encoding,
    publication: &Publication,
    sequence: u64,
    base: Option<(&Publication, &Bytes)>,
) -> PushBody {
    let push = |event| encode_push_body(encoding, &protocol::PushBody::Pub(event));
    let patch = base.and_then(|(base, patch)| patched(encoding, publication, base, patch));
    PushBody {
        offset: publication.offset,
        accepted: publication.accepted,
        bytes: push(whole(encoding, publication)),
        delta: Some(Arc::new(DeltaBody { sequence, patch: patch.map(push) })),
    }
}

/// `None` where a JSON client cannot have read `base` as it is, or cannot read the publication.
fn patched(
    encoding: Encoding,
    publication: &Publication,
    base: &Publication,
    patch: &Bytes,
) -> Option<protocol::Publication> {
    let data = match encoding {
        Encoding::Json => {
            is_json(&base.data).and_then(|()| is_json(&publication.data)).ok()?;
            quoted(patch)?
        }
        Encoding::Protobuf => patch.clone(),
    };
    Some(protocol::Publication { data, delta: true, ..self::publication(publication) })
}

/// Codecs bound how deep a filter may be.
pub(crate) fn filter_part(node: FilterNode) -> FilterPart {
    let FilterNode { op, key, cmp, val, vals, nodes } = node;
    let nodes = nodes.into_iter().map(filter_part).collect();
    FilterPart { op, key, cmp, val, vals, nodes }
}

/// About the bytes that an answer with these members has.
pub(crate) fn presence_bytes(members: &[(ClientId, Arc<ClientDetails>)]) -> usize {
    let member = |(_, details): &(ClientId, Arc<ClientDetails>)| {
        let infos = details.connection_info.len() + details.channel_info.len();
        2 * details.client.len() + details.user.len() + infos
    };
    members.iter().map(member).sum()
}

/// As many publications as one reply may hold in bytes, and at least one.
pub(crate) fn page(publications: &[Arc<Publication>]) -> Vec<protocol::Publication> {
    let mut bytes = 0;
    publications
        .iter()
        .enumerate()
        .take_while(|(index, one)| {
            bytes += one.data.len();
            *index == 0 || bytes <= limits::HISTORY_REPLY_BYTES
        })
        .map(|(_, one)| publication(one))
        .collect()
}

/// Where a geo channel keeps the distance of an event from an area's centre.
pub(crate) fn note_distance(tags: &mut BTreeMap<String, String>, away: Metres) {
    tags.insert("distance_m".to_owned(), format!("{:.1}", away.0));
}

/// An object as deliveries show it, with the names of an event and its reason. Its tags are the
/// publication's.
pub(crate) fn shown<'a>(
    object: &'a Object,
    (event, reason): (Option<&'a str>, Option<&'a str>),
    distance: Option<Metres>,
) -> Shown<'a> {
    let fix = &object.fix;
    Shown {
        event,
        key: Some(&fix.key),
        at: fix.point.at,
        reason,
        data: &fix.data,
        distance,
        accuracy: fix.accuracy,
        speed_mps: fix.speed_mps,
        heading_deg: fix.heading_deg,
        time_ms: fix.time.map(|time| time.0),
        suspect: object.suspect,
        tags: None,
    }
}
