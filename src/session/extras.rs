//! What a client asks of a transport that has more than one row of messages: `webtransport` in the
//! connect data. On other transports that member is the application's own.

use bytes::Bytes;
use serde_json::{Map, Value, json};

use super::Session;
use crate::base::limits;
use crate::geo::json::Fields;
use crate::protocol::{ClientError, ErrorCode};

/// What the client asked for and gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Extras {
    /// Fixes come by datagram.
    pub(super) datagrams: bool,
    /// What is pushed of each of its subscriptions comes on a stream of its own.
    pub(super) streams: bool,
}

const MEMBERS: [&str; 2] = ["datagrams", "streams"];

impl Session {
    pub(super) fn take_extras(&mut self, data: &Value) -> Result<(), ClientError> {
        if !self.origin.extras {
            return Ok(());
        }
        let Some(wanted) = data.get("webtransport") else { return Ok(()) };
        let read = Fields::of(wanted, &MEMBERS).and_then(|fields| {
            Ok(Extras { datagrams: fields.flag("datagrams")?, streams: fields.flag("streams")? })
        });
        self.extras = read.map_err(|fault| {
            ErrorCode::BadRequest.because(fault.within("webtransport").within("data"))
        })?;
        Ok(())
    }

    /// What the connect reply says of it; empty where nothing was asked for.
    pub(super) fn extras_told(&self) -> Bytes {
        let Extras { datagrams, streams } = self.extras;
        let mut told = Map::new();
        if datagrams {
            told.insert("datagram_bytes_max".to_owned(), limits::DATAGRAM_BYTES.into());
        }
        if streams {
            told.insert("streams_max".to_owned(), limits::STREAMS.into());
        }
        if told.is_empty() {
            return Bytes::new();
        }
        json!({ "webtransport": told }).to_string().into()
    }
}
