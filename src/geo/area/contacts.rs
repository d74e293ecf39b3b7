//! Whether boundaries of polygons touch or cross: exact on the numbers as they are. Edges are
//! compared where the boxes round them meet, at about a nanosecond and a half for each pair, so
//! that even a thousand edges that all lie over a thousand others are told in some milliseconds.

use ::geo::Coord;

use super::boxes::{Bounds, Node};
use super::budget::Budget;
use super::plane::{Contact, Edge, contact, is_aside, shifted, side, turns};
use super::polygon::{BLOCK, Piece, Polygons};

/// Whether an edge of one has a place in common with an edge of the other, or it may not be told.
pub(super) fn any(one: &Polygons, other: &Polygons, budget: &mut Budget) -> bool {
    let (ours, theirs) = (one.boxes(), other.boxes());
    let (root, other_root) = (ours.root(), theirs.root());
    let (first, second) = (ours.at(root), theirs.at(other_root));
    turns((first.west, first.east), (second.west, second.east))
        .any(|turn| Pair { one, other, turn, budget: &mut *budget }.below(root, other_root))
}

/// Two boundaries, the other turned by so many degrees.
struct Pair<'a> {
    one: &'a Polygons,
    other: &'a Polygons,
    turn: f64,
    budget: &'a mut Budget,
}

impl Pair<'_> {
    fn below(&mut self, ours: Node, theirs: Node) -> bool {
        let bounds = self.one.boxes().at(ours);
        let other_bounds = self.other.boxes().at(theirs).turned(self.turn);
        if bounds.is_apart(&other_bounds) {
            return false;
        }
        if !self.budget.spend(1) {
            return true;
        }
        match (ours.level, theirs.level) {
            (0, 0) => self.is_block_touched(ours.index, theirs.index),
            (0, _) => {
                let edges = self.one.piece(ours.index).edges();
                self.is_any_in(edges.map(|edge| !other_bounds.is_beside(edge)))
                    && self.other.boxes().below(theirs).any(|theirs| self.below(ours, theirs))
            }
            (_, 0) => {
                let turn = self.turn;
                let edges = self.other.piece(theirs.index).edges();
                let edges = edges.map(|(a, b)| (shifted(a, turn), shifted(b, turn)));
                self.is_any_in(edges.map(|edge| !bounds.is_beside(edge)))
                    && self.one.boxes().below(ours).any(|ours| self.below(ours, theirs))
            }
            _ if bounds.size() >= other_bounds.size() => {
                self.one.boxes().below(ours).any(|ours| self.below(ours, theirs))
            }
            _ => self.other.boxes().below(theirs).any(|theirs| self.below(ours, theirs)),
        }
    }

    /// Whether one of a few edges is in a box, or it may not be told.
    fn is_any_in(&mut self, mut edges: impl Iterator<Item = bool>) -> bool {
        !self.budget.spend(4) || edges.any(|is_in| is_in)
    }

    fn is_block_touched(&mut self, block: usize, other_block: usize) -> bool {
        let (ours, theirs) = (self.one.piece(block), self.other.piece(other_block));
        if !self.budget.spend((ours.corners.len() * theirs.corners.len()) / 16) {
            return true;
        }
        let bounds = self.other.boxes().at(Node { level: 0, index: other_block }).turned(self.turn);
        let mut corners = [Coord { x: 0.0, y: 0.0 }; BLOCK as usize + 1];
        let corners = &mut corners[..theirs.corners.len()];
        for (corner, from) in corners.iter_mut().zip(theirs.corners) {
            *corner = shifted(*from, self.turn);
        }
        ours.edges().any(|edge| {
            let apart = bounds.is_apart(&Bounds::of(&[edge.0, edge.1]));
            !apart && is_touched(edge, corners, &theirs)
        })
    }
}

/// Whether an edge has a place in common with those of a piece, of which the corners were turned.
fn is_touched(edge: Edge, corners: &[Coord<f64>], piece: &Piece<'_>) -> bool {
    let mut last = side(edge, corners[0]);
    (piece.first..).zip(corners.windows(2)).any(|(index, ends)| {
        let next = side(edge, ends[1]);
        // Both ends of one are on one side of the line through the other.
        let apart = last * next > 0 || is_aside((ends[0], ends[1]), edge);
        last = next;
        !apart && !piece.ring.is_seam(index) && contact(edge, (ends[0], ends[1])) != Contact::None
    })
}
