//! [`LiveNearest`]: the points nearest to a place, kept as points move. It knows some more than it
//! shows, so that most departures are made good without a search; it sends nothing and looks at
//! the index only where what it knows has run out.

use super::area::Circle;
use super::point::{FARTHEST, Metres, Point};
use super::points::PointIndex;

/// One standing query for the `count` points nearest to a place.
///
/// Between two calls it knows exactly the accepted points up to its horizon, which are at least
/// those it shows. So whoever keeps it must tell it of each change of a point that was or is within
/// [`LiveNearest::reach`], and of each accepted point that no longer is or the other way round,
/// after the index has it. Changes beyond the reach may be told too.
#[derive(Debug)]
pub(crate) struct LiveNearest {
    to: Point,
    count: usize,
    within: Option<Metres>,
    /// Nothing beyond counts.
    limit: Circle,
    /// Nearest first, equal distances by number.
    known: Vec<Near>,
    /// The last of what is known of; `None` where nothing is beyond what is known.
    horizon: Option<Near>,
}

/// A point, by its distance.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Near {
    /// Square of the chord, which is what the index orders by.
    chord: f64,
    id: u32,
    distance: Metres,
}

/// What happened to a point of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) id: u32,
    pub(crate) change: Change,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    Enter,
    /// Was in the list and still is: it moved, or whatever else was told of it.
    Move,
    Exit,
}

impl Near {
    fn of(id: u32, point: &Point, to: &Point) -> Self {
        Self { chord: to.unit.chord_squared(point.unit), id, distance: to.distance(point) }
    }

    fn is_before(&self, other: &Self) -> bool {
        self.chord.total_cmp(&other.chord).then(self.id.cmp(&other.id)).is_lt()
    }
}

impl LiveNearest {
    /// Nothing is known before [`LiveNearest::start`]. Points farther than `within` do not count.
    pub(crate) fn new(to: Point, count: usize, within: Option<Metres>) -> Self {
        assert!(count > 0, "a list of none never changes");
        let limit = Circle::new(to, within.unwrap_or(FARTHEST));
        Self { to, count, within, limit, known: Vec::new(), horizon: None }
    }

    /// Looks everything up anew.
    pub(crate) fn start(&mut self, index: &PointIndex, accepts: impl FnMut(u32) -> bool) {
        // One more than is kept tells whether there is more.
        let kept = self.kept();
        let found = index.nearest(&self.to, kept + 1, self.within, accepts);
        let is_all = found.len() <= kept;
        let point = |id| index.point(id).expect("what was found is there");
        self.known.clear();
        let known = found.into_iter().take(kept).map(|(id, _)| Near::of(id, &point(id), &self.to));
        self.known.extend(known);
        self.horizon = if is_all { None } else { self.known.last().copied() };
        debug_assert!(self.known.is_sorted_by(Near::is_before), "the index and we agree");
    }

    /// The list: numbers and distances, nearest first, equal distances by number.
    pub(crate) fn list(&self) -> impl ExactSizeIterator<Item = (u32, Metres)> {
        self.shown().iter().map(|near| (near.id, near.distance))
    }

    /// Within that of the place, changes matter; `None` where they do everywhere. It is the same
    /// for as long as what is known suffices.
    pub(crate) fn reach(&self) -> Option<Metres> {
        let farthest = self.within.unwrap_or(FARTHEST);
        let reach = match &self.horizon {
            // A little more than rounding could make of the same distance.
            Some(last) => last.distance.0 * (1.0 + 1e-9) + 1e-6,
            None => farthest.0,
        };
        (reach < FARTHEST.0).then_some(Metres(reach.min(farthest.0)))
    }

    /// A point appeared or moved, is no longer there (`None`), or `accepts` may have changed its
    /// mind about it. What leaves the list comes before what enters it, so that a receiver never
    /// has more than asked for.
    pub(crate) fn handle_moved(
        &mut self,
        id: u32,
        point: Option<Point>,
        index: &PointIndex,
        mut accepts: impl FnMut(u32) -> bool,
    ) -> Vec<Step> {
        let was = self.known.iter().position(|near| near.id == id);
        let is = point
            .filter(|point| self.limit.contains(point.unit))
            .map(|point| Near::of(id, &point, &self.to))
            .filter(|near| self.horizon.is_none_or(|last| !last.is_before(near)))
            .filter(|_| accepts(id));
        if was.is_none() && is.is_none() {
            return Vec::new();
        }
        let before = self.ids();
        if let Some(was) = was {
            self.known.remove(was);
        }
        if let Some(near) = is {
            let at = self.known.partition_point(|one| one.is_before(&near));
            self.known.insert(at, near);
        }
        if self.known.len() < self.count && self.horizon.is_some() {
            self.start(index, accepts);
        } else if self.known.len() > 2 * self.kept() {
            self.known.truncate(self.kept());
            self.horizon = self.known.last().copied();
        }
        self.steps(&before, id)
    }

    /// The place itself moves. Numbers that came into the list, and those that left it.
    pub(crate) fn recenter(
        &mut self,
        to: Point,
        index: &PointIndex,
        accepts: impl FnMut(u32) -> bool,
    ) -> (Vec<u32>, Vec<u32>) {
        let before = self.ids();
        self.to = to;
        self.limit = Circle::new(to, self.limit.radius);
        self.start(index, accepts);
        let after = self.ids();
        (only_in(&after, &before), only_in(&before, &after))
    }

    fn steps(&self, before: &[u32], moved: u32) -> Vec<Step> {
        let after = self.ids();
        let step = |change| move |id| Step { id, change };
        let mut steps = Vec::new();
        if before != after {
            steps.extend(only_in(before, &after).into_iter().map(step(Change::Exit)));
        }
        if before.contains(&moved) && after.contains(&moved) {
            steps.push(Step { id: moved, change: Change::Move });
        }
        if before != after {
            steps.extend(only_in(&after, before).into_iter().map(step(Change::Enter)));
        }
        steps
    }

    fn shown(&self) -> &[Near] {
        &self.known[..self.known.len().min(self.count)]
    }

    fn ids(&self) -> Vec<u32> {
        self.shown().iter().map(|near| near.id).collect()
    }

    /// How many are looked up at once: departures of the surplus cost no search.
    fn kept(&self) -> usize {
        self.count + self.count / 2 + 4
    }
}

/// In the order of the first.
fn only_in(one: &[u32], other: &[u32]) -> Vec<u32> {
    let mut other = other.to_vec();
    other.sort_unstable();
    one.iter().filter(|id| other.binary_search(id).is_err()).copied().collect()
}

#[cfg(test)]
mod tests;
