//! Places for tests, the same in each run.

use std::f64::consts::PI;

use h3o::Resolution;

use super::point::{EARTH_RADIUS, LatLng, Metres, Point, UnitVector};

/// Numbers of a fixed sequence (splitmix64), and places where indexes go wrong.
#[derive(Debug)]
pub(crate) struct Numbers(pub(crate) u64);

impl Numbers {
    fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let bits = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    /// 0 to 1, without 1.
    pub(crate) fn share(&mut self) -> f64 {
        f64::from_bits(self.bits() >> 12 | 1.0_f64.to_bits()) - 1.0
    }

    pub(crate) fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.bits() % u64::from(end)).expect("below a u32")
    }

    /// Small ones as likely as large ones, by their logarithm.
    pub(crate) fn between(&mut self, least: f64, most: f64) -> f64 {
        least * (most / least).powf(self.share())
    }

    pub(crate) fn anywhere(&mut self) -> Point {
        let (z, turn) = (self.share() * 2.0 - 1.0, self.share() * 2.0 * PI);
        let flat = (1.0 - z * z).sqrt();
        moved(UnitVector { x: flat * turn.cos(), y: flat * turn.sin(), z }, ZERO, 0.0)
    }

    /// At most about that far.
    pub(crate) fn near(&mut self, place: UnitVector, distance: Metres) -> Point {
        let far = distance.0 * self.share() / EARTH_RADIUS.0;
        moved(place, self.anywhere().unit, far)
    }

    /// Nearly exactly that far.
    pub(crate) fn at_distance(&mut self, place: UnitVector, distance: Metres) -> Point {
        let aside = place.cross(self.anywhere().unit);
        let length = aside.dot(aside).sqrt().max(1e-300);
        let (sin, cos) = (distance.0 / EARTH_RADIUS.0).sin_cos();
        let start = UnitVector { x: place.x * cos, y: place.y * cos, z: place.z * cos };
        moved(start, aside, sin / length)
    }

    /// Half anywhere; half at or near the corners and edges of the icosahedron that H3 is built
    /// on (its pentagons and borders of faces), the poles, the antimeridian and borders of cells.
    pub(crate) fn hard_place(&mut self) -> Point {
        let corner = |number: u32| {
            let cell = Resolution::Zero.pentagons().nth(slot(number)).expect("one of twelve");
            unit(h3o::LatLng::from(cell))
        };
        let near = Metres(self.between(1e-3, 1e5));
        match self.below(20) {
            0..10 => self.anywhere(),
            10..12 => {
                let corner = corner(self.below(12));
                self.near(corner, near)
            }
            12..15 => {
                let (one, two) = (corner(self.below(12)), corner(self.below(12)));
                // Neighbours have a dot product of 0.447; a corner with itself is as good.
                let two = if one.dot(two) > 0.4 { two } else { one };
                let on_edge = moved(one, two, self.share()).unit;
                self.near(on_edge, near)
            }
            15..17 => {
                let z = if self.below(2) == 0 { 1.0 } else { -1.0 };
                self.near(UnitVector { x: 0.0, y: 0.0, z }, near)
            }
            17 => point(self.share() * 180.0 - 90.0, 180.0),
            18 => {
                let antimeridian = point(self.share() * 180.0 - 90.0, 180.0);
                self.near(antimeridian.unit, near)
            }
            _ => {
                let Point { at, .. } = self.anywhere();
                let at = h3o::LatLng::new(at.lat(), at.lng()).expect("finite");
                let corners = at.to_cell(Resolution::Seven).boundary();
                let corner = unit(corners[0]);
                let on_edge = moved(corner, unit(corners[1]), self.share()).unit;
                self.near(on_edge, Metres(near.0 / 1e4))
            }
        }
    }
}

pub(crate) fn point(lat: f64, lng: f64) -> Point {
    LatLng::new(lat, lng).expect("a place").into()
}

fn slot(number: u32) -> usize {
    usize::try_from(number).expect("small")
}

fn unit(at: h3o::LatLng) -> UnitVector {
    point(at.lat(), at.lng()).unit
}

fn moved(place: UnitVector, aside: UnitVector, far: f64) -> Point {
    UnitVector {
        x: place.x + aside.x * far,
        y: place.y + aside.y * far,
        z: place.z + aside.z * far,
    }
    .to_lat_lng()
    .into()
}

const ZERO: UnitVector = UnitVector { x: 0.0, y: 0.0, z: 0.0 };

/// How many times as long a test runs where `NEARCAST_LONG` asks for the long form: `more` times.
#[expect(clippy::disallowed_methods, reason = "a test is asked for its long form in this way")]
pub(crate) fn long_runs<N: From<u8>>(more: N) -> N {
    if std::env::var("NEARCAST_LONG").is_ok() { more } else { N::from(1) }
}
