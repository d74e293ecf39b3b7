//! What becomes of the answers to a session's requests. They come in the order of the requests.

use bytes::Bytes;

use super::action::{Actions, Answer};
use super::geo::{Call, zone_names};
use super::{Phase, Session, wire};
use crate::base::{Now, SubId, limits};
use crate::protocol::{
    Disconnect, ErrorCode, HistoryResult, PresenceResult, PresenceStatsResult, PublishResult, Reply,
};

/// What a request under way is for.
#[derive(Debug)]
pub(super) enum Expected {
    /// Nobody waits for it.
    Nothing,
    /// The connect goes on.
    Entered,
    /// The subscribe goes on, with the stream's position and what it recovers.
    Position(SubId),
    Published {
        id: u32,
    },
    History {
        id: u32,
        epoch: Option<String>,
    },
    Presence {
        id: u32,
    },
    PresenceStats {
        id: u32,
    },
    /// The subscribe goes on, perhaps with the area that was remembered.
    Joined(SubId),
    Call {
        id: u32,
        call: Call,
    },
}

impl Session {
    /// Takes the answer to the oldest request under way.
    pub(crate) fn handle_answer(&mut self, answer: Answer, now: Now, actions: &mut Actions) {
        let expected = self.expected.pop_front();
        let expected = expected.expect("every answer belongs to a request");
        if !matches!(self.phase, Phase::Closed) {
            self.take_answer(expected, answer, now, actions);
            self.settle(now, actions);
        }
    }

    fn take_answer(&mut self, expected: Expected, answer: Answer, now: Now, actions: &mut Actions) {
        let (expected, answer) = match self.take_geo_answer(expected, answer, actions) {
            Some(rest) => rest,
            None => return,
        };
        let reply = match (expected, answer) {
            (Expected::Nothing, _) => return,
            (Expected::Joined(sub), answer) => {
                return self.lane_asked(sub, answer, now, actions);
            }
            (Expected::Entered, Answer::OverLimit) => {
                return self.end_now(Disconnect::CONNECTION_LIMIT, actions);
            }
            (Expected::Entered, Answer::ShuttingDown) => {
                return self.end_now(Disconnect::SHUTDOWN, actions);
            }
            (Expected::Entered, Answer::Unavailable) => {
                return self.end_now(Disconnect::SERVER_ERROR, actions);
            }
            (Expected::Entered, _) => return self.entered(now, actions),
            (Expected::Position(sub), Answer::History(page)) => {
                return self.positioned(sub, Some(page), now, actions);
            }
            (Expected::Position(sub), _) => return self.positioned(sub, None, now, actions),
            (Expected::Published { id }, Answer::Published) => {
                (id, Reply { publish: Some(PublishResult::default()), ..Reply::default() })
            }
            (Expected::History { id, epoch }, Answer::History(page)) => {
                if epoch.is_some_and(|epoch| !epoch.is_empty() && *epoch != *page.top.epoch) {
                    return self.fail(id, ErrorCode::UnrecoverablePosition.into(), actions);
                }
                let history = HistoryResult {
                    publications: wire::page(&page.publications),
                    epoch: page.top.epoch.to_string(),
                    offset: page.top.offset,
                };
                (id, Reply { history: Some(history), ..Reply::default() })
            }
            (Expected::Presence { id }, Answer::Presence(members)) => {
                if wire::presence_bytes(&members) > limits::PRESENCE_REPLY_BYTES {
                    let why =
                        format_args!("presence: {} members are too many to list", members.len());
                    return self.fail(id, ErrorCode::LimitExceeded.because(why), actions);
                }
                let presence = members
                    .iter()
                    .map(|(client, details)| (client.to_string(), wire::client_info(details)))
                    .collect();
                let presence = Some(PresenceResult { presence });
                (id, Reply { presence, ..Reply::default() })
            }
            (Expected::PresenceStats { id }, Answer::PresenceStats { clients, users }) => {
                let presence_stats = Some(PresenceStatsResult {
                    num_clients: u32::try_from(clients).unwrap_or(u32::MAX),
                    num_users: u32::try_from(users).unwrap_or(u32::MAX),
                });
                (id, Reply { presence_stats, ..Reply::default() })
            }
            (
                Expected::Published { id }
                | Expected::History { id, .. }
                | Expected::Presence { id }
                | Expected::PresenceStats { id }
                | Expected::Call { id, .. },
                _,
            ) => return self.fail(id, ErrorCode::Internal.into(), actions),
        };
        self.reply(reply.0, reply.1, actions);
    }

    /// Takes an answer that is about areas or objects; any other comes back.
    fn take_geo_answer(
        &mut self,
        expected: Expected,
        answer: Answer,
        actions: &mut Actions,
    ) -> Option<(Expected, Answer)> {
        match (expected, answer) {
            (Expected::Call { id, call: Call::Objects }, Answer::Objects(found)) => {
                self.answer_objects(id, found, actions);
            }
            (Expected::Call { id, call: Call::Zones }, Answer::Zones(names)) => {
                self.answer_call(id, zone_names(&names).to_string().into(), actions);
            }
            (Expected::Call { id, call: Call::Done }, Answer::Done) => {
                self.answer_call(id, Bytes::from_static(b"{}"), actions);
            }
            (expected, answer) => return Some((expected, answer)),
        }
        None
    }
}
