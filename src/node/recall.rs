//! Areas that clients moved, kept for a while for when they come back.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::base::{Moment, limits};
use crate::channel::AreaSource;
use crate::session::{AreaOwner, Recall};

/// At most [`limits::MOVED_AREAS`] and [`limits::MOVED_AREA_BYTES`] of them.
#[derive(Debug, Default)]
pub(super) struct MovedAreas {
    areas: HashMap<AreaOwner, Moved>,
    /// In the order of their ends, with those that were replaced since.
    ends: VecDeque<(Moment, AreaOwner)>,
    bytes: usize,
}

#[derive(Debug)]
struct Moved {
    asked: u64,
    area: AreaSource,
    bytes: usize,
    until: Moment,
}

impl MovedAreas {
    /// What is over a bound goes, the oldest first.
    pub(super) fn remember(
        &mut self,
        Recall { owner, asked }: Recall,
        (area, bytes): (AreaSource, usize),
        now: Moment,
    ) {
        let until = now.after(KEPT);
        self.expire(now);
        self.forget(&owner);
        self.bytes += bytes;
        self.areas.insert(owner.clone(), Moved { asked, area, bytes, until });
        self.ends.push_back((until, owner));
        while self.areas.len() > limits::MOVED_AREAS
            || self.ends.len() > 4 * limits::MOVED_AREAS
            || self.bytes > limits::MOVED_AREA_BYTES
        {
            let Some((until, owner)) = self.ends.pop_front() else { break };
            self.drop_if_ended(until, &owner);
        }
    }

    pub(super) fn forget(&mut self, owner: &AreaOwner) {
        if let Some(moved) = self.areas.remove(owner) {
            self.bytes -= moved.bytes;
        }
    }

    /// The area that the owner gave the channel, if it asks for the channel as it did then.
    pub(super) fn recall(&mut self, recall: &Recall, now: Moment) -> Option<AreaSource> {
        self.expire(now);
        let moved = self.areas.get(&recall.owner)?;
        if moved.asked != recall.asked {
            self.forget(&recall.owner);
            return None;
        }
        Some(moved.area.clone())
    }

    fn expire(&mut self, now: Moment) {
        while let Some((until, _)) = self.ends.front()
            && *until <= now
        {
            let (until, owner) = self.ends.pop_front().expect("found just above");
            self.drop_if_ended(until, &owner);
        }
    }

    fn drop_if_ended(&mut self, until: Moment, owner: &AreaOwner) {
        if self.areas.get(owner).is_some_and(|moved| moved.until <= until) {
            self.forget(owner);
        }
    }
}

const KEPT: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::channel::Channel;

    fn of(user: &str, asked: u64) -> Recall {
        let channel = Channel::parse("alerts:city@map").unwrap();
        let owner = AreaOwner { user: user.into(), device: String::new(), channel };
        Recall { owner, asked }
    }

    fn zone(name: &str) -> AreaSource {
        AreaSource::Zone(Arc::from(name))
    }

    fn at(seconds: u64) -> Moment {
        Moment(seconds * 1_000_000_000)
    }

    #[test]
    fn a_moved_area_is_there_for_ten_minutes_after_the_last_move() {
        let mut areas = MovedAreas::default();
        areas.remember(of("ada", 1), (zone("a"), 10), at(0));
        areas.remember(of("ada", 1), (zone("b"), 20), at(300));
        assert_eq!(areas.recall(&of("ada", 1), at(899)), Some(zone("b")));
        assert_eq!(areas.recall(&of("eve", 1), at(899)), None);
        assert_eq!(areas.bytes, 20);
        assert_eq!(areas.recall(&of("ada", 1), at(900)), None);
        assert!(areas.areas.is_empty() && areas.ends.is_empty() && areas.bytes == 0);
    }

    #[test]
    fn whoever_asks_for_something_else_gets_that() {
        let mut areas = MovedAreas::default();
        areas.remember(of("ada", 1), (zone("a"), 10), at(0));
        assert_eq!(areas.recall(&of("ada", 2), at(1)), None);
        assert_eq!(areas.recall(&of("ada", 1), at(2)), None, "it was given up");
        areas.remember(of("ada", 1), (zone("a"), 10), at(3));
        areas.forget(&of("ada", 1).owner);
        assert_eq!(areas.recall(&of("ada", 1), at(4)), None);
    }

    #[test]
    fn many_moves_of_one_owner_take_no_more_room_than_the_bound() {
        let mut areas = MovedAreas::default();
        for second in 0..500_000 {
            areas.remember(of("ada", 1), (zone("a"), 10), at(second / 1000));
        }
        assert!(areas.ends.len() <= 4 * limits::MOVED_AREAS);
        assert_eq!(areas.recall(&of("ada", 1), at(501)), Some(zone("a")));
    }

    #[test]
    fn large_areas_push_out_the_oldest() {
        let mut areas = MovedAreas::default();
        let third = limits::MOVED_AREA_BYTES / 3;
        for user in ["ada", "bob", "eve", "joe"] {
            areas.remember(of(user, 1), (zone(user), third), at(0));
        }
        assert_eq!(areas.recall(&of("ada", 1), at(1)), None);
        assert_eq!(areas.recall(&of("bob", 1), at(1)), Some(zone("bob")));
        assert_eq!(areas.bytes, 3 * third);
    }
}
