//! Fixes by datagram: nobody is answered, and of each object the one with the highest number counts,
//! whatever the network lost, doubled or turned round.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;

use crate::base::{Now, limits};
use crate::geo::GeoError;
use crate::geo::json::FixSpec;
use crate::session::action::{Actions, Note, Request};
use crate::session::answer::Expected;
use crate::session::{Failure, Session};

/// Why a datagram counts for nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Dropped {
    /// The client did not ask for datagrams, or is not connected.
    Unasked,
    Empty,
    Oversized,
    /// No fix, or one that this client may not send.
    Wrong {
        /// For whoever writes the client: the field, and what is wrong with it.
        why: Cow<'static, str>,
    },
    /// One with its number or a higher one came before.
    Late,
}

impl Dropped {
    /// As metrics call it.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Unasked => "unasked",
            Self::Empty => "empty",
            Self::Oversized => "oversized",
            Self::Wrong { .. } => "wrong",
            Self::Late => "late",
        }
    }
}

/// What a datagram moves, by the names it uses: the object of a channel, or the session.
type Target = (Option<String>, Option<String>);

/// The last number of each target. A client counts all of its datagrams in one row, so of what had to
/// be forgotten the highest number is enough: nothing new is below it.
#[derive(Debug, Default)]
pub(super) struct Sequences {
    last: BTreeMap<Target, u64>,
    /// Above this is what a target must have that is not known.
    forgotten: Option<u64>,
}

impl Sequences {
    fn is_new(&self, target: &Target, number: u64) -> bool {
        let last = self.last.get(target).copied().or(self.forgotten);
        last.is_none_or(|last| number > last)
    }

    fn note(&mut self, target: Target, number: u64) {
        debug_assert!(self.is_new(&target, number), "numbers of a target grow");
        if self.last.len() >= limits::DATAGRAM_TARGETS && !self.last.contains_key(&target) {
            let oldest = self.last.iter().min_by_key(|(_, number)| **number);
            if let Some((oldest, number)) = oldest.map(|(target, number)| (target.clone(), *number))
            {
                self.last.remove(&oldest);
                self.forgotten = self.forgotten.max(Some(number));
            }
        }
        self.last.insert(target, number);
    }
}

impl Session {
    /// A datagram of the client: one fix with its number.
    pub(crate) fn handle_datagram(&mut self, data: &Bytes, now: Now, actions: &mut Actions) {
        match self.take_datagram(data, now) {
            Ok(locate) => self.request(locate, Expected::Nothing, actions),
            Err(dropped) => actions.notes.push(Note::DatagramDropped(dropped)),
        }
    }

    fn take_datagram(&mut self, data: &Bytes, now: Now) -> Result<Request, Dropped> {
        if !self.is_open() || !self.extras.datagrams {
            return Err(Dropped::Unasked);
        }
        if data.is_empty() {
            return Err(Dropped::Empty);
        }
        if data.len() > limits::DATAGRAM_BYTES {
            return Err(Dropped::Oversized);
        }
        let wrong = |why| Dropped::Wrong { why };
        crate::protocol::is_json(data).map_err(|fault| wrong(fault.to_string().into()))?;
        let (fix, number) = FixSpec::in_sequence(data).map_err(|fault| wrong(words(&fault)))?;
        let target = (fix.channel.clone(), fix.key.clone());
        if !self.whereabouts_mut().datagrams.is_new(&target, number) {
            return Err(Dropped::Late);
        }
        // One that is refused leaves no trace.
        let locate = self.locate(fix, now).map_err(|failure| match failure {
            Failure::Reply(error) => wrong(error.message),
            Failure::Disconnect(disconnect) => wrong(disconnect.reason),
        })?;
        self.whereabouts_mut().datagrams.note(target, number);
        Ok(locate)
    }
}

/// A fault as the log may tell it. A number that is no latitude may be the longitude of where
/// somebody is, so of a place only the field is named.
fn words(fault: &GeoError) -> Cow<'static, str> {
    match fault.path.as_str() {
        "lat" => "lat: missing, or not in degrees".into(),
        "lng" => "lng: missing, or not in degrees".into(),
        _ => fault.to_string().into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(number: usize) -> Target {
        (Some("c".to_owned()), Some(number.to_string()))
    }

    #[test]
    fn of_each_target_the_highest_number_counts() {
        let mut known = Sequences::default();
        for (one, number, counts) in
            [(1, 5, true), (1, 5, false), (1, 4, false), (2, 3, true), (1, 6, true), (2, 2, false)]
        {
            assert_eq!(known.is_new(&target(one), number), counts, "{one} {number}");
            if counts {
                known.note(target(one), number);
            }
        }
        assert!(Sequences::default().is_new(&target(1), 0));
    }

    #[test]
    fn nothing_older_counts_where_targets_had_to_be_forgotten() {
        let mut known = Sequences::default();
        let most = limits::DATAGRAM_TARGETS;
        for number in 0..=most {
            known.note(target(number), number as u64);
            assert!(known.last.len() <= most);
        }
        assert!(!known.is_new(&target(0), 0), "the first was forgotten");
        assert!(known.is_new(&target(0), 1));
        assert!(!known.is_new(&target(1), 1), "the second was not");
    }
}
