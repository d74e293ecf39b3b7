//! [`Boxes`]: a tree of boxes in the plane of longitude and latitude round blocks of edges.

use ::geo::Coord;

use super::plane::{Edge, side};

/// Longitudes may be turns off, as those of a ring are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bounds {
    pub(super) west: f64,
    pub(super) south: f64,
    pub(super) east: f64,
    pub(super) north: f64,
}

impl Bounds {
    pub(super) fn of(corners: &[Coord<f64>]) -> Self {
        let one = |corner: &Coord<f64>| Self {
            west: corner.x,
            south: corner.y,
            east: corner.x,
            north: corner.y,
        };
        corners.iter().map(one).reduce(Self::with).expect("a block has corners")
    }

    fn with(self, other: Self) -> Self {
        Self {
            west: self.west.min(other.west),
            south: self.south.min(other.south),
            east: self.east.max(other.east),
            north: self.north.max(other.north),
        }
    }

    pub(super) fn turned(self, degrees: f64) -> Self {
        Self { west: self.west + degrees, east: self.east + degrees, ..self }
    }

    pub(super) fn is_apart(&self, other: &Self) -> bool {
        self.west > other.east
            || self.east < other.west
            || self.south > other.north
            || self.north < other.south
    }

    /// Whether certainly no place of the edge is in it: a long slanted edge has a large box, and
    /// passes most of what is in there.
    pub(super) fn is_beside(&self, edge: Edge) -> bool {
        if self.is_apart(&Self::of(&[edge.0, edge.1])) {
            return true;
        }
        let at = |x: f64, y: f64| side(edge, Coord { x, y });
        let first = at(self.west, self.south);
        first != 0
            && first == at(self.east, self.south)
            && first == at(self.east, self.north)
            && first == at(self.west, self.north)
    }

    /// Half of what is round it.
    pub(super) fn size(&self) -> f64 {
        self.east - self.west + self.north - self.south
    }
}

/// Which box: level 0 are those of the blocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Node {
    pub(super) level: usize,
    pub(super) index: usize,
}

/// Boxes round numbered blocks, round each few of those, and so on.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Boxes {
    /// First those of the blocks, last one that has all.
    levels: Vec<Vec<Bounds>>,
}

impl Boxes {
    /// Of at least one block.
    pub(super) fn new(blocks: Vec<Bounds>) -> Self {
        assert!(!blocks.is_empty(), "a boundary has blocks");
        let mut levels = vec![blocks];
        while let Some(last) = levels.last().filter(|last| last.len() > 1) {
            let round = |boxes: &[Bounds]| boxes.iter().copied().reduce(Bounds::with);
            levels.push(last.chunks(FAN).filter_map(round).collect());
        }
        Self { levels }
    }

    pub(super) fn root(&self) -> Node {
        Node { level: self.levels.len() - 1, index: 0 }
    }

    pub(super) fn at(&self, node: Node) -> Bounds {
        self.levels[node.level][node.index]
    }

    /// Those right below one that is round others.
    pub(super) fn below(&self, node: Node) -> impl Iterator<Item = Node> + use<> {
        let level = node.level - 1;
        let end = ((node.index + 1) * FAN).min(self.levels[level].len());
        (node.index * FAN..end).map(move |index| Node { level, index })
    }
}

/// Boxes in one of the next level.
const FAN: usize = 4;
