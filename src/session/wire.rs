//! Domain values as the protocol writes them.

use std::sync::Arc;

use crate::base::limits;
use crate::channel::{ClientDetails, Publication};
use crate::protocol::{self, ClientInfo};

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
