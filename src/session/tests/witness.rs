//! What a client may conclude from what it receives: it follows replies and pushes as an SDK does
//! and panics at the first that breaks the protocol's word.

use std::collections::BTreeMap;

use crate::channel::apply_patch;
use crate::protocol::{Publication, Push, Reply, SubscribeResult};

/// What a command that is due a reply was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Connect,
    Subscribe {
        channel: String,
        /// The latest publication alone is replayed.
        is_cache: bool,
        since: Option<(u64, String)>,
    },
    Unsubscribe {
        channel: String,
    },
    Other,
}

/// A subscription as the client sees it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    /// The command that asked for it; 0 where the server did.
    asked: u32,
    number: i64,
    positioned: bool,
    pub(super) offset: u64,
    pub(super) epoch: String,
    delta: bool,
    /// Data of the last publication, where it has deltas.
    base: Option<Vec<u8>>,
    /// Publications that came as a patch.
    pub(super) patches: usize,
}

#[derive(Debug, Default)]
pub(super) struct Witness {
    asked: BTreeMap<u32, Asked>,
    is_connected: bool,
    pub(super) subscribed: BTreeMap<String, Seen>,
    /// So many publications of each stream are kept: who missed no more recovers.
    kept: u64,
    /// Where ended subscriptions stood.
    pub(super) positions: BTreeMap<String, (u64, String)>,
}

impl Witness {
    pub(super) fn new(kept: u64) -> Self {
        Self { kept, ..Self::default() }
    }

    pub(super) fn ask(&mut self, id: u32, asked: Asked) {
        assert!(self.asked.insert(id, asked).is_none(), "tests use an id once");
    }

    /// No reply is due.
    pub(super) fn is_answered(&self) -> bool {
        self.asked.is_empty()
    }

    /// Whether the command has been answered.
    pub(super) fn is_past(&self, id: u32) -> bool {
        !self.asked.contains_key(&id)
    }

    /// A message in the row of the subscription that this command asked for, if it is still there.
    pub(super) fn read_row(&mut self, asked: u32, reply: Reply) {
        if self.subscribed.values().any(|one| one.asked == asked) {
            self.read(reply);
        }
    }

    pub(super) fn read(&mut self, reply: Reply) {
        if let Some(push) = reply.push {
            assert_eq!(reply.id, 0);
            return self.push(push);
        }
        if reply.id == 0 {
            assert_eq!(reply, Reply::default(), "a ping");
            assert!(self.is_connected);
            return;
        }
        let asked = self.asked.remove(&reply.id);
        let asked = asked.unwrap_or_else(|| panic!("nobody waits for {reply:?}"));
        assert!(self.is_connected || asked == Asked::Connect, "before the connect: {reply:?}");
        if reply.error.is_some() {
            return;
        }
        match asked {
            Asked::Connect => {
                self.is_connected = true;
                for entry in reply.connect.expect("its result").subs {
                    let result = entry.result.expect("written even where nothing is set");
                    self.subscribe(0, entry.channel, result, None, false);
                }
            }
            Asked::Subscribe { channel, is_cache, since } => {
                let result = reply.subscribe.expect("its result");
                self.subscribe(reply.id, channel, result, since, is_cache);
            }
            Asked::Unsubscribe { channel } => {
                reply.unsubscribe.expect("its result");
                self.end(&channel);
            }
            Asked::Other => assert!(reply.connect.is_none() && reply.subscribe.is_none()),
        }
    }

    fn subscribe(
        &mut self,
        asked: u32,
        channel: String,
        result: SubscribeResult,
        since: Option<(u64, String)>,
        is_cache: bool,
    ) {
        let mut seen = Seen {
            asked,
            number: result.id,
            positioned: result.positioned,
            offset: result.offset,
            epoch: result.epoch,
            delta: result.delta,
            base: None,
            patches: 0,
        };
        assert!(result.positioned || !result.recoverable);
        assert_eq!(result.positioned, !seen.epoch.is_empty());
        if let Some((offset, epoch)) = &since
            && result.was_recovering
            && !result.recovered
            && !is_cache
            && *epoch == seen.epoch
        {
            let missed = result.offset.checked_sub(*offset);
            assert!(missed.is_none_or(|missed| missed > self.kept), "{missed:?} could be had");
        }
        if let Some((offset, epoch)) = since.filter(|_| result.recovered && !is_cache) {
            assert!(result.was_recovering);
            assert_eq!(result.offset, offset, "a recovered client goes on from where it was");
            assert!(epoch.is_empty() || epoch == seen.epoch);
        }
        for publication in &result.publications {
            assert!(result.recovered);
            if is_cache {
                seen.offset = publication.offset;
                seen.read(publication);
            } else {
                seen.follow(publication);
            }
        }
        assert!(!self.subscribed.values().any(|one| one.number != 0 && one.number == seen.number));
        let before = self.subscribed.insert(channel.clone(), seen);
        assert!(before.is_none(), "{channel} is subscribed twice");
    }

    fn push(&mut self, push: Push) {
        assert!(self.is_connected, "before the connect reply: {push:?}");
        if push.refresh.is_some() {
            return;
        }
        let channel = match push.id {
            0 => push.channel,
            id => {
                let mut named = self.subscribed.iter().filter(|(_, one)| one.number == id);
                named.next().unwrap_or_else(|| panic!("the number {id} is unknown")).0.clone()
            }
        };
        if let Some(subscribe) = push.subscribe {
            let result = SubscribeResult {
                recoverable: subscribe.recoverable,
                positioned: subscribe.positioned,
                epoch: subscribe.epoch,
                offset: subscribe.offset,
                ..SubscribeResult::default()
            };
            return self.subscribe(0, channel, result, None, false);
        }
        let seen = self.subscribed.get_mut(&channel);
        let seen = seen.unwrap_or_else(|| panic!("a push for {channel}, which is not subscribed"));
        if let Some(publication) = push.r#pub {
            seen.follow(&publication);
        } else if push.unsubscribe.is_some() {
            self.end(&channel);
        } else {
            assert!(push.join.is_some() || push.leave.is_some());
        }
    }

    fn end(&mut self, channel: &str) {
        if let Some(seen) = self.subscribed.remove(channel).filter(Seen::is_positioned) {
            self.positions.insert(channel.to_owned(), (seen.offset, seen.epoch));
        }
    }
}

impl Seen {
    pub(super) fn is_positioned(&self) -> bool {
        self.positioned
    }

    /// Offsets of a positioned subscription grow by one.
    fn follow(&mut self, publication: &Publication) {
        if self.positioned && publication.offset > 0 {
            assert_eq!(publication.offset, self.offset + 1, "no hole and nothing twice");
            self.offset = publication.offset;
        }
        self.read(publication);
    }

    /// Applies patches as SDKs do; a document says which offset it was published at.
    fn read(&mut self, publication: &Publication) {
        assert!(self.delta || !publication.delta, "a patch that nobody asked for");
        let mut data = publication.data.to_vec();
        if self.delta {
            // In JSON a string holds text or patch; no document and no patch begins with a quote.
            if data.starts_with(b"\"") {
                data = serde_json::from_slice::<String>(&data).expect("a string").into_bytes();
            }
            if publication.delta {
                let base = self.base.as_ref().expect("the first is whole");
                data = apply_patch(base, &data).expect("a patch against the last publication");
                self.patches += 1;
            }
            self.base = Some(data.clone());
        }
        let data: serde_json::Value = serde_json::from_slice(&data).expect("JSON was published");
        if let Some(offset) = data.get("n") {
            assert_eq!(*offset, publication.offset, "what was published at the offset");
        }
    }
}
