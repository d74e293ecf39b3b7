//! Areas that clients moved, kept for a while for when they come back.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use crate::base::{Moment, limits};
use crate::channel::{AreaSource, Channel};

/// Whose area it is: a user (empty for an anonymous one) on a device (empty where it has no name)
/// in a channel with its label.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Owner {
    pub(super) user: String,
    pub(super) device: String,
    pub(super) channel: Channel,
}

#[derive(Debug, Default)]
pub(super) struct MovedAreas {
    areas: HashMap<Owner, Moved>,
    /// In the order of their ends, with those that were replaced since.
    ends: VecDeque<(Moment, Owner)>,
}

#[derive(Debug)]
struct Moved {
    /// Of what the client had asked for at first.
    asked: u64,
    area: AreaSource,
    until: Moment,
}

impl MovedAreas {
    /// What is over the bound goes, the oldest first.
    pub(super) fn remember(&mut self, owner: Owner, asked: u64, area: AreaSource, now: Moment) {
        let until = now.after(KEPT);
        self.expire(now);
        self.areas.insert(owner.clone(), Moved { asked, area, until });
        self.ends.push_back((until, owner));
        while self.areas.len() > limits::MOVED_AREAS || self.ends.len() > 4 * limits::MOVED_AREAS {
            let Some((until, owner)) = self.ends.pop_front() else { break };
            self.drop_if_ended(until, &owner);
        }
    }

    /// The client wants it no more.
    pub(super) fn forget(&mut self, owner: &Owner) {
        self.areas.remove(owner);
    }

    /// The area that the owner gave the channel, if it asks for the channel as it did then.
    pub(super) fn recall(&mut self, owner: &Owner, asked: u64, now: Moment) -> Option<AreaSource> {
        self.expire(now);
        let moved = self.areas.get(owner)?;
        if moved.asked != asked {
            self.areas.remove(owner);
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

    fn drop_if_ended(&mut self, until: Moment, owner: &Owner) {
        if self.areas.get(owner).is_some_and(|moved| moved.until <= until) {
            self.areas.remove(owner);
        }
    }
}

const KEPT: Duration = Duration::from_secs(600);

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn owner(user: &str) -> Owner {
        let channel = Channel::parse("alerts:city@map").unwrap();
        Owner { user: user.into(), device: String::new(), channel }
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
        areas.remember(owner("ada"), 1, zone("a"), at(0));
        areas.remember(owner("ada"), 1, zone("b"), at(300));
        assert_eq!(areas.recall(&owner("ada"), 1, at(899)), Some(zone("b")));
        assert_eq!(areas.recall(&owner("eve"), 1, at(899)), None);
        assert_eq!(areas.recall(&owner("ada"), 1, at(900)), None);
        assert!(areas.areas.is_empty() && areas.ends.is_empty());
    }

    #[test]
    fn whoever_asks_for_something_else_gets_that() {
        let mut areas = MovedAreas::default();
        areas.remember(owner("ada"), 1, zone("a"), at(0));
        assert_eq!(areas.recall(&owner("ada"), 2, at(1)), None);
        assert_eq!(areas.recall(&owner("ada"), 1, at(2)), None, "it was given up");
        areas.remember(owner("ada"), 1, zone("a"), at(3));
        areas.forget(&owner("ada"));
        assert_eq!(areas.recall(&owner("ada"), 1, at(4)), None);
    }

    #[test]
    fn many_moves_of_one_owner_take_no_more_room_than_the_bound() {
        let mut areas = MovedAreas::default();
        for second in 0..500_000 {
            areas.remember(owner("ada"), 1, zone("a"), at(second / 1000));
        }
        assert!(areas.ends.len() <= 4 * limits::MOVED_AREAS);
        assert_eq!(areas.recall(&owner("ada"), 1, at(501)), Some(zone("a")));
    }
}
