//! Whether the rings of a polygon are fit to be one: no ring crosses or touches itself, and
//! different ones touch in single places at most. The time grows with the square of the number of
//! vertices, at well under a nanosecond and a half for each pair in the worst case.

use ::geo::Coord;

use super::plane::{Contact, Edge, contact, is_aside, shifted, side, turns};
use super::ring::Ring;
use crate::geo::error::GeoError;

pub(super) fn check(rings: &[Ring]) -> Result<(), GeoError> {
    let chains: Vec<Chain<'_>> =
        rings.iter().enumerate().flat_map(|(index, ring)| Chain::of(index, ring)).collect();
    for (at, one) in chains.iter().enumerate() {
        for other in &chains[at..] {
            if one.south > other.north || other.south > one.north {
                continue;
            }
            for turn in turns((one.west, one.east), (other.west, other.east)) {
                Pair { one, other, turn }.check()?;
            }
        }
    }
    Ok(())
}

/// A few edges of a ring that follow one another.
struct Chain<'a> {
    ring: usize,
    of: &'a Ring,
    /// Number of the first edge, and of edges of the ring.
    first: usize,
    count: usize,
    corners: &'a [Coord<f64>],
    west: f64,
    east: f64,
    south: f64,
    north: f64,
}

impl<'a> Chain<'a> {
    fn of(index: usize, ring: &'a Ring) -> impl Iterator<Item = Self> {
        let corners = ring.corners();
        let count = corners.len() - 1;
        (0..count).step_by(EDGES).map(move |first| {
            let corners = &corners[first..=(first + EDGES).min(count)];
            let fold = |of: fn(&Coord<f64>) -> f64, pick: fn(f64, f64) -> f64| {
                corners.iter().map(of).reduce(pick).expect("a chain has corners")
            };
            Self {
                ring: index,
                of: ring,
                first,
                count,
                corners,
                west: fold(|corner| corner.x, f64::min),
                east: fold(|corner| corner.x, f64::max),
                south: fold(|corner| corner.y, f64::min),
                north: fold(|corner| corner.y, f64::max),
            }
        })
    }
}

/// Two chains, the other turned by so many degrees.
struct Pair<'a> {
    one: &'a Chain<'a>,
    other: &'a Chain<'a>,
    turn: f64,
}

impl Pair<'_> {
    fn check(&self) -> Result<(), GeoError> {
        let Self { one, other, turn } = *self;
        let mut theirs = [Coord { x: 0.0, y: 0.0 }; EDGES + 1];
        let theirs = &mut theirs[..other.corners.len()];
        for (corner, from) in theirs.iter_mut().zip(other.corners) {
            *corner = shifted(*from, turn);
        }
        let same = turn == 0.0 && one.ring == other.ring && one.first == other.first;
        for (at, ends) in one.corners.windows(2).enumerate() {
            let edge = (ends[0], ends[1]);
            let (south, north) = (edge.0.y.min(edge.1.y), edge.0.y.max(edge.1.y));
            let (west, east) = (edge.0.x.min(edge.1.x), edge.0.x.max(edge.1.x));
            let apart = south > other.north
                || north < other.south
                || west > other.east + turn
                || east < other.west + turn;
            let from = if same { at + 1 } else { 0 };
            let apart = apart || one.of.is_seam(one.first + at);
            if !apart && from + 1 < theirs.len() {
                self.check_edge(edge, one.first + at, &theirs[from..], other.first + from)?;
            }
        }
        Ok(())
    }

    /// One edge, number `at` of its ring, against those of the other that begin with `first`.
    fn check_edge(
        &self,
        edge: Edge,
        at: usize,
        corners: &[Coord<f64>],
        first: usize,
    ) -> Result<(), GeoError> {
        let mut last = side(edge, corners[0]);
        for (theirs, ends) in (first..).zip(corners.windows(2)) {
            let next = side(edge, ends[1]);
            // Both ends of one are on one side of the line through the other.
            let apart = last * next > 0 || is_aside((ends[0], ends[1]), edge);
            last = next;
            if !apart && !self.other.of.is_seam(theirs) {
                self.judge(contact(edge, (ends[0], ends[1])), at, theirs)?;
            }
        }
        Ok(())
    }

    fn judge(&self, contact: Contact, at: usize, theirs: usize) -> Result<(), GeoError> {
        let Self { one, other, turn } = *self;
        let same_ring = one.ring == other.ring;
        let apart = at.abs_diff(theirs);
        let neighbours = same_ring && (apart == 1 || apart == one.count - 1);
        // A ring round the Earth meets itself where it is laid again.
        let again = same_ring && turn != 0.0;
        let allowed = match contact {
            Contact::None => true,
            Contact::Touching => !same_ring || neighbours || again,
            Contact::Overlapping => again,
            Contact::Crossing => again && apart == one.count - 1 && self.joins(theirs > at),
        };
        if allowed {
            return Ok(());
        }
        // Of a hole that crosses another ring, the hole is named.
        let last = if same_ring { at.max(theirs) } else { theirs };
        let path = format!("[{}][{last}]", other.ring);
        let what = if same_ring { "the ring crosses or touches itself" } else { "rings cross" };
        Err(GeoError::new(path, what))
    }

    /// Whether the turn lays the ring's last edge before its first one, in the other chain or not:
    /// they share a corner, and rounding could have them cross there.
    fn joins(&self, other_is_last: bool) -> bool {
        let corners = self.one.of.corners();
        let round = corners[corners.len() - 1].x - corners[0].x;
        let turn = if other_is_last { -self.turn } else { self.turn };
        (round - turn).abs() < 1.0
    }
}

/// Edges of a chain.
const EDGES: usize = 32;
