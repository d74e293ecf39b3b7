//! Places on the Earth: degrees as people write them, unit vectors as they are computed with, and
//! the one distance.

use std::f64::consts::PI;

/// A distance or length in metres on the sphere of radius [`EARTH_RADIUS`].
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub(crate) struct Metres(pub(crate) f64);

/// Mean radius of the Earth (IUGG R1). Every distance in this crate is a great-circle distance on
/// this sphere.
pub(crate) const EARTH_RADIUS: Metres = Metres(6_371_008.8);

/// Half the circumference: no two places are farther apart.
pub(crate) const FARTHEST: Metres = Metres(EARTH_RADIUS.0 * PI);

/// Degrees WGS84: finite, latitude −90…90, longitude −180…180, where −180 and −0.0 are written as
/// 180 and 0. Where the latitude is ±90 every longitude is the same place, and is kept as given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LatLng {
    lat: f64,
    lng: f64,
}

/// Why two numbers are no place. `field` is `lat` or `lng`.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
pub(crate) enum PointError {
    #[error("not a finite number")]
    NotFinite { field: &'static str },
    #[error("{value:?} is outside -90..90; lat and lng look swapped")]
    Swapped { value: f64 },
    #[error("{value:?} is outside {}", if *field == "lat" { "-90..90" } else { "-180..180" })]
    OutOfRange { field: &'static str, value: f64 },
}

impl PointError {
    /// The coordinate that is wrong.
    pub(crate) fn field(&self) -> &'static str {
        match self {
            Self::NotFinite { field } | Self::OutOfRange { field, .. } => field,
            Self::Swapped { .. } => "lat",
        }
    }
}

impl LatLng {
    pub(crate) fn new(lat: f64, lng: f64) -> Result<Self, PointError> {
        for (field, value) in [("lat", lat), ("lng", lng)] {
            if !value.is_finite() {
                return Err(PointError::NotFinite { field });
            }
        }
        if lat.abs() > 90.0 && lng.abs() <= 90.0 && lat.abs() <= 180.0 {
            return Err(PointError::Swapped { value: lat });
        }
        for (field, value, most) in [("lat", lat, 90.0), ("lng", lng, 180.0)] {
            if value.abs() > most {
                return Err(PointError::OutOfRange { field, value });
            }
        }
        // Adding zero turns −0.0 into 0.
        let lng = if lng <= -180.0 { 180.0 } else { lng + 0.0 };
        Ok(Self { lat: lat + 0.0, lng })
    }

    pub(crate) fn lat(self) -> f64 {
        self.lat
    }

    pub(crate) fn lng(self) -> f64 {
        self.lng
    }
}

/// A place as a vector of length one from the centre of the Earth: x to latitude and longitude 0, z
/// to the north pole.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct UnitVector {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) z: f64,
}

impl From<LatLng> for UnitVector {
    fn from(at: LatLng) -> Self {
        let (lat, lng) = (at.lat.to_radians(), at.lng.to_radians());
        let (sin_lat, cos_lat) = lat.sin_cos();
        let (sin_lng, cos_lng) = lng.sin_cos();
        // The cosine of the nearest number to π/2 is not zero: the poles are one place each.
        let cos_lat = if at.lat.abs() >= 90.0 { 0.0 } else { cos_lat };
        // And the sine of π is not: longitude 180 is one place.
        let sin_lng = if at.lng.abs() >= 180.0 { 0.0 } else { sin_lng };
        Self { x: cos_lat * cos_lng, y: cos_lat * sin_lng, z: sin_lat }
    }
}

impl UnitVector {
    pub(crate) fn dot(self, other: Self) -> f64 {
        self.x * other.x + self.y * other.y + self.z * other.z
    }

    pub(crate) fn cross(self, other: Self) -> Self {
        Self {
            x: self.y * other.z - self.z * other.y,
            y: self.z * other.x - self.x * other.z,
            z: self.x * other.y - self.y * other.x,
        }
    }

    pub(crate) fn opposite(self) -> Self {
        Self { x: -self.x, y: -self.y, z: -self.z }
    }

    /// Of length one; the zero vector stays as it is.
    pub(crate) fn normalised(self) -> Self {
        let length = self.dot(self).sqrt();
        if length > 0.0 {
            Self { x: self.x / length, y: self.y / length, z: self.z / length }
        } else {
            self
        }
    }

    /// Square of the straight line through the Earth, in Earth radii: 0 for the same place, 4 for
    /// antipodes. It orders pairs as the distance does and keeps its precision for near ones.
    pub(crate) fn chord_squared(self, other: Self) -> f64 {
        let (x, y, z) = (self.x - other.x, self.y - other.y, self.z - other.z);
        x * x + y * y + z * z
    }

    /// Great-circle distance, as precise for near places as for antipodes (Kahan's half-angle form).
    pub(crate) fn distance(self, other: Self) -> Metres {
        let (x, y, z) = (self.x + other.x, self.y + other.y, self.z + other.z);
        let sum_squared = x * x + y * y + z * z;
        let half = self.chord_squared(other).sqrt().atan2(sum_squared.sqrt());
        Metres(2.0 * EARTH_RADIUS.0 * half)
    }

    /// Back to degrees. The zero vector has no direction and gives latitude and longitude 0.
    pub(crate) fn to_lat_lng(self) -> LatLng {
        let flat = self.x.hypot(self.y);
        let (lat, lng) = (self.z.atan2(flat).to_degrees(), self.y.atan2(self.x).to_degrees());
        LatLng::new(lat.clamp(-90.0, 90.0), lng.clamp(-180.0, 180.0))
            .unwrap_or(LatLng { lat: 0.0, lng: 0.0 })
    }
}

/// A place in both forms, so that each is computed once for a message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Point {
    pub(crate) at: LatLng,
    pub(crate) unit: UnitVector,
}

impl From<LatLng> for Point {
    fn from(at: LatLng) -> Self {
        Self { at, unit: at.into() }
    }
}

impl Point {
    pub(crate) fn distance(&self, other: &Self) -> Metres {
        self.unit.distance(other.unit)
    }
}

/// The square of the chord that belongs to a distance; see [`UnitVector::chord_squared`].
pub(crate) fn chord_squared_of(distance: Metres) -> f64 {
    let half = (distance.0.min(FARTHEST.0) / (2.0 * EARTH_RADIUS.0)).sin();
    4.0 * half * half
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(lat: f64, lng: f64) -> Point {
        LatLng::new(lat, lng).expect("a place").into()
    }

    #[test]
    fn refuses_what_is_no_place_and_names_the_coordinate() {
        let field = |lat, lng| LatLng::new(lat, lng).expect_err("no place").field();
        assert_eq!(field(f64::NAN, 0.0), "lat");
        assert_eq!(field(0.0, f64::INFINITY), "lng");
        assert_eq!(field(90.000001, 179.0), "lat");
        assert_eq!(field(45.0, 180.1), "lng");
        let swapped = LatLng::new(115.0, -33.0).expect_err("no place");
        assert!(swapped.to_string().contains("swapped"), "{swapped}");
    }

    #[test]
    fn both_ends_of_a_longitude_and_every_longitude_at_a_pole_are_one_place() {
        assert_eq!(point(12.0, -180.0), point(12.0, 180.0));
        assert_eq!(point(90.0, 17.0).distance(&point(90.0, -170.0)), Metres(0.0));
        let zero = LatLng::new(-0.0, -0.0).expect("a place");
        assert!(zero.lat().is_sign_positive() && zero.lng().is_sign_positive());
    }

    #[test]
    fn distances_are_those_of_the_sphere() {
        let quarter = FARTHEST.0 / 2.0;
        for (one, other, expected) in [
            (point(0.0, 0.0), point(0.0, 90.0), quarter),
            (point(90.0, 0.0), point(-90.0, 12.0), FARTHEST.0),
            (point(0.0, 179.5), point(0.0, -179.5), FARTHEST.0 / 180.0),
            (point(60.0, 0.0), point(60.0, 180.0), FARTHEST.0 / 3.0),
        ] {
            let found = one.distance(&other).0;
            assert!((found - expected).abs() < 1e-6 * expected, "{found} is not {expected}");
        }
    }
}
