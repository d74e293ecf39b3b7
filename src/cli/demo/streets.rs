//! The streets of a city, and the quickest way through them.

use std::cmp::Ordering;
use std::collections::BinaryHeap;

use serde::Deserialize;

use crate::cli::dice::Dice;
use crate::geo::{LatLng, Metres, Point};

/// Central Gothenburg; what is in it is told in `geo-data/SOURCES.md`.
pub(super) const JSON: &str = include_str!("../../../geo-data/city/streets.json");

#[derive(Deserialize)]
struct File {
    /// Longitude, latitude.
    nodes: Vec<(f64, f64)>,
    /// Nodes at both ends, length in metres, speed limit in km/h.
    edges: Vec<(usize, usize, f64, f64)>,
}

/// A graph of corners, all of which can be reached from one another.
#[derive(Debug)]
pub(super) struct Streets {
    corners: Vec<Corner>,
}

#[derive(Debug)]
struct Corner {
    at: Point,
    legs: Vec<Leg>,
}

/// A straight piece of street in one direction.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Leg {
    pub(super) from: CornerId,
    pub(super) to: CornerId,
    pub(super) length: Metres,
    /// Metres a second.
    pub(super) limit_mps: f64,
}

/// A corner of the streets that it came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CornerId(usize);

/// Lengths are never 0, so that no leg takes no time.
const LENGTH_MIN_M: f64 = 0.1;

impl Streets {
    pub(super) fn central_gothenburg() -> Self {
        let file: File = serde_json::from_str(JSON).expect("the city that comes with the program");
        Self::of(file)
    }

    fn of(file: File) -> Self {
        let corner = |(lng, lat)| {
            let at = LatLng::new(lat, lng).expect("corners are places");
            Corner { at: at.into(), legs: Vec::new() }
        };
        let mut corners: Vec<Corner> = file.nodes.into_iter().map(corner).collect();
        for (one, other, length_m, limit_kmh) in file.edges {
            let length = Metres(length_m.max(LENGTH_MIN_M));
            for (from, to) in [(one, other), (other, one)] {
                let (from, to) = (CornerId(from), CornerId(to));
                let leg = Leg { from, to, length, limit_mps: limit_kmh / 3.6 };
                corners[from.0].legs.push(leg);
            }
        }
        Self { corners }
    }

    pub(super) fn place(&self, corner: CornerId) -> &Point {
        &self.corners[corner.0].at
    }

    pub(super) fn any_corner(&self, dice: &mut Dice) -> CornerId {
        let count = u32::try_from(self.corners.len()).expect("a city has fewer corners");
        CornerId(usize::try_from(dice.below(count)).expect("an index fits"))
    }

    /// The quickest way at a speed that limits hold down: A*, by the seconds that the straight line
    /// would take at least. Empty where `from` is `to`, or where there is no way.
    pub(super) fn way(&self, from: CornerId, to: CornerId, speed_mps: f64) -> Vec<Leg> {
        let goal = self.place(to);
        let mut best = vec![f64::INFINITY; self.corners.len()];
        let mut came_by: Vec<Option<Leg>> = vec![None; self.corners.len()];
        let mut open = BinaryHeap::new();
        best[from.0] = 0.0;
        open.push(Step { total_s: 0.0, so_far_s: 0.0, at: from });
        while let Some(Step { so_far_s, at, .. }) = open.pop() {
            if at == to {
                break;
            }
            if so_far_s > best[at.0] {
                continue;
            }
            for leg in &self.corners[at.0].legs {
                let so_far_s = so_far_s + leg.length.0 / leg.speed(speed_mps);
                if so_far_s < best[leg.to.0] {
                    best[leg.to.0] = so_far_s;
                    came_by[leg.to.0] = Some(*leg);
                    let rest_s = self.place(leg.to).distance(goal).0 / speed_mps;
                    open.push(Step { total_s: so_far_s + rest_s, so_far_s, at: leg.to });
                }
            }
        }
        let mut way = Vec::new();
        let mut at = to;
        while let Some(leg) = came_by[at.0].filter(|_| at != from) {
            way.push(leg);
            at = leg.from;
        }
        way.reverse();
        way
    }
}

impl Leg {
    /// How fast someone goes here who goes so fast where nothing holds them up.
    pub(super) fn speed(&self, speed_mps: f64) -> f64 {
        speed_mps.min(self.limit_mps)
    }
}

/// An end of a way that is looked at; the most promising is the greatest.
struct Step {
    total_s: f64,
    so_far_s: f64,
    at: CornerId,
}

impl Ord for Step {
    fn cmp(&self, other: &Self) -> Ordering {
        other.total_s.total_cmp(&self.total_s).then_with(|| other.at.0.cmp(&self.at.0))
    }
}

impl PartialOrd for Step {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Step {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl Eq for Step {}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(way: &[Leg], speed_mps: f64) -> f64 {
        way.iter().map(|leg| leg.length.0 / leg.speed(speed_mps)).sum()
    }

    /// Bellman and Ford, as slow as it is plain: seconds to every corner.
    fn all_from(streets: &Streets, from: CornerId, speed_mps: f64) -> Vec<f64> {
        let mut best = vec![f64::INFINITY; streets.corners.len()];
        best[from.0] = 0.0;
        let mut changed = true;
        while changed {
            changed = false;
            for leg in streets.corners.iter().flat_map(|corner| &corner.legs) {
                let through = best[leg.from.0] + leg.length.0 / leg.speed(speed_mps);
                if through < best[leg.to.0] {
                    best[leg.to.0] = through;
                    changed = true;
                }
            }
        }
        best
    }

    #[test]
    fn ways_are_connected_and_no_other_is_quicker() {
        let streets = Streets::central_gothenburg();
        let mut dice = Dice::new(3);
        for speed_mps in [1.4, 5.0] {
            let from = streets.any_corner(&mut dice);
            let best = all_from(&streets, from, speed_mps);
            for _ in 0..20 {
                let to = streets.any_corner(&mut dice);
                let way = streets.way(from, to, speed_mps);
                assert_eq!(way.first().map(|leg| leg.from), (from != to).then_some(from));
                assert!(way.windows(2).all(|pair| pair[0].to == pair[1].from));
                assert_eq!(way.last().map_or(from, |leg| leg.to), to);
                let (took, least) = (seconds(&way, speed_mps), best[to.0]);
                // Lengths in the file are rounded to a decimetre: the straight line may be longer.
                assert!(took <= least * 1.002 + 0.1, "{took} s where {least} s would do");
            }
        }
    }

    #[test]
    fn legs_are_as_long_as_their_ends_are_apart() {
        let streets = Streets::central_gothenburg();
        for leg in streets.corners.iter().flat_map(|corner| &corner.legs) {
            let apart = streets.place(leg.from).distance(streets.place(leg.to));
            assert!((apart.0 - leg.length.0).abs() < 1.0 + apart.0 * 0.01, "{leg:?}: {apart:?}");
        }
    }
}
