//! Couriers in a city: they ride or walk the streets to where something is to be picked up, wait
//! for it, take it to somebody, and begin again. Who does what when hangs on the seed alone.

use std::collections::{BTreeMap, VecDeque};

use serde_json::json;

use super::streets::{CornerId, Leg, Streets};
use crate::cli::dice::Dice;
use crate::geo::json::FixSpec;
use crate::geo::{LatLng, Point};

#[derive(Debug)]
pub(super) struct City {
    streets: Streets,
    dice: Dice,
    couriers: Vec<Courier>,
}

#[derive(Debug)]
struct Courier {
    key: String,
    name: String,
    vehicle: Vehicle,
    /// On a free street.
    speed_mps: f64,
    errand: Errand,
    /// The last corner that was reached.
    corner: CornerId,
    /// What is left of the way; the first leg is under way.
    way: VecDeque<Leg>,
    /// Metres on the first leg.
    gone_m: f64,
    /// Seconds that are still to be waited here.
    pause_s: u32,
    heading_deg: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Vehicle {
    Bike,
    Foot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Errand {
    ToPickup,
    PickingUp,
    Delivering,
    HandingOver,
}

const NAMES: [&str; 40] = [
    "Ada", "Alva", "Amir", "Anna", "Astrid", "Bo", "Carl", "Dina", "Ebba", "Elias", "Elin", "Emil",
    "Freja", "Greta", "Hugo", "Ida", "Ines", "Ivar", "Jonas", "Kaja", "Karim", "Lea", "Liv",
    "Lukas", "Maja", "Malik", "Mira", "Nils", "Noor", "Olle", "Pia", "Rafael", "Saga", "Selma",
    "Signe", "Tage", "Tuva", "Vera", "Wilma", "Yusuf",
];

/// Everybody has been under way for up to this long when the city begins.
const BEFORE_S: u32 = 240;

impl City {
    pub(super) fn new(streets: Streets, couriers: u32, seed: u64) -> Self {
        let mut city = Self { streets, dice: Dice::new(seed), couriers: Vec::new() };
        city.couriers = (0..couriers).map(|number| city.hire(number)).collect();
        for index in 0..city.couriers.len() {
            for _ in 0..city.dice.below(BEFORE_S) {
                city.advance(index);
            }
        }
        city
    }

    pub(super) fn len(&self) -> usize {
        self.couriers.len()
    }

    /// Where a courier is.
    pub(super) fn fix(&self, index: usize) -> FixSpec {
        let courier = &self.couriers[index];
        let data = json!({
            "kind": courier.vehicle.word(),
            "state": courier.errand.word(),
            "name": courier.name,
        });
        let kind = ("kind".to_owned(), courier.vehicle.word().to_owned());
        FixSpec {
            channel: None,
            key: Some(courier.key.clone()),
            point: self.place(courier),
            accuracy: None,
            speed_mps: Some(courier.speed_now()),
            heading_deg: Some(courier.heading_deg),
            time_ms: None,
            data: data.to_string().into(),
            tags: BTreeMap::from([kind]),
        }
    }

    /// Lets a second pass for one courier.
    pub(super) fn advance(&mut self, index: usize) {
        let (streets, dice) = (&self.streets, &mut self.dice);
        self.couriers[index].advance(streets, dice);
    }

    /// A corner where something may happen.
    pub(super) fn any_place(&mut self) -> Point {
        let corner = self.streets.any_corner(&mut self.dice);
        *self.streets.place(corner)
    }

    pub(super) fn dice(&mut self) -> &mut Dice {
        &mut self.dice
    }

    fn hire(&mut self, number: u32) -> Courier {
        let dice = &mut self.dice;
        let vehicle = if dice.below(4) == 0 { Vehicle::Foot } else { Vehicle::Bike };
        let speed_mps = match vehicle {
            Vehicle::Bike => dice.between(4.0, 6.0),
            Vehicle::Foot => dice.between(1.2, 1.6),
        };
        let initial = char::from(*dice.pick(b"ABDEGHJKLMNPRSTW"));
        Courier {
            key: format!("c{:03}", number + 1),
            name: format!("{} {initial}.", dice.pick(&NAMES)),
            vehicle,
            speed_mps,
            errand: *dice.pick(&[Errand::PickingUp, Errand::HandingOver]),
            corner: self.streets.any_corner(dice),
            way: VecDeque::new(),
            gone_m: 0.0,
            pause_s: 0,
            heading_deg: 0.0,
        }
    }

    fn place(&self, courier: &Courier) -> Point {
        let Some(leg) = courier.way.front() else { return *self.streets.place(courier.corner) };
        let (from, to) = (self.streets.place(leg.from).at, self.streets.place(leg.to).at);
        let part = (courier.gone_m / leg.length.0).clamp(0.0, 1.0);
        let between = |from: f64, to: f64| from + (to - from) * part;
        let (lat, lng) = (between(from.lat(), to.lat()), between(from.lng(), to.lng()));
        LatLng::new(lat, lng).expect("between two places is a place").into()
    }
}

impl Courier {
    fn advance(&mut self, streets: &Streets, dice: &mut Dice) {
        if self.pause_s > 0 {
            self.pause_s -= 1;
            return;
        }
        if self.way.is_empty() {
            self.set_out(streets, dice);
        }
        let mut left_s = 1.0;
        while let Some(leg) = self.way.front().copied() {
            self.heading_deg = heading(streets.place(leg.from).at, streets.place(leg.to).at);
            let speed_mps = leg.speed(self.speed_mps);
            let rest_m = leg.length.0 - self.gone_m;
            if rest_m > speed_mps * left_s {
                self.gone_m += speed_mps * left_s;
                return;
            }
            left_s -= rest_m / speed_mps;
            self.corner = leg.to;
            self.gone_m = 0.0;
            self.way.pop_front();
        }
        self.arrive(dice);
    }

    /// Chooses where to go next; a corner that is near or far enough turns up after a few tries, or
    /// the last that did is taken.
    fn set_out(&mut self, streets: &Streets, dice: &mut Dice) {
        let here = *streets.place(self.corner);
        let mut to = self.corner;
        for _ in 0..24 {
            to = streets.any_corner(dice);
            if self.vehicle.range_m().contains(&here.distance(streets.place(to)).0) {
                break;
            }
        }
        self.way = streets.way(self.corner, to, self.speed_mps).into();
        self.errand = self.errand.next();
    }

    fn arrive(&mut self, dice: &mut Dice) {
        self.errand = self.errand.next();
        self.pause_s = match self.errand {
            Errand::PickingUp => 10 + dice.below(50),
            _ => 5 + dice.below(20),
        };
    }

    /// Metres a second.
    fn speed_now(&self) -> f64 {
        self.way.front().map_or(0.0, |leg| leg.speed(self.speed_mps))
    }
}

impl Vehicle {
    fn word(self) -> &'static str {
        match self {
            Self::Bike => "bike",
            Self::Foot => "foot",
        }
    }

    /// How far somebody is sent, in metres as the crow flies.
    fn range_m(self) -> std::ops::Range<f64> {
        match self {
            Self::Bike => 400.0..1500.0,
            Self::Foot => 120.0..600.0,
        }
    }
}

impl Errand {
    fn word(self) -> &'static str {
        match self {
            Self::ToPickup => "to pickup",
            Self::PickingUp => "picking up",
            Self::Delivering => "delivering",
            Self::HandingOver => "handing over",
        }
    }

    fn next(self) -> Self {
        match self {
            Self::ToPickup => Self::PickingUp,
            Self::PickingUp => Self::Delivering,
            Self::Delivering => Self::HandingOver,
            Self::HandingOver => Self::ToPickup,
        }
    }
}

/// Degrees clockwise from north, for places in one city.
fn heading(from: LatLng, to: LatLng) -> f64 {
    let east = (to.lng() - from.lng()) * from.lat().to_radians().cos();
    east.atan2(to.lat() - from.lat()).to_degrees().rem_euclid(360.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn city(couriers: u32, seed: u64) -> City {
        City::new(Streets::central_gothenburg(), couriers, seed)
    }

    fn second(city: &mut City) -> Vec<FixSpec> {
        (0..city.len())
            .map(|index| {
                city.advance(index);
                city.fix(index)
            })
            .collect()
    }

    #[test]
    fn a_seed_gives_one_city_and_another_seed_another() {
        let (mut one, mut same, mut other) = (city(30, 7), city(30, 7), city(30, 8));
        assert_eq!(one.fix(0), same.fix(0));
        for _ in 0..60 {
            assert_eq!(second(&mut one), second(&mut same));
        }
        assert_ne!(one.fix(0).point, other.fix(0).point);
        assert_ne!(second(&mut one), second(&mut other));
    }

    #[test]
    fn couriers_keep_to_their_speed_and_run_all_kinds_of_errands() {
        let mut city = city(40, 1);
        let mut last: Vec<Point> = (0..city.len()).map(|index| city.fix(index).point).collect();
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..400 {
            for (index, fix) in second(&mut city).into_iter().enumerate() {
                let courier = &city.couriers[index];
                let gone = last[index].distance(&fix.point).0;
                assert!(
                    gone <= courier.speed_mps * 1.02 + 0.2,
                    "{gone} m in a second: {courier:?}"
                );
                assert!((0.0..360.0).contains(&courier.heading_deg), "{courier:?}");
                last[index] = fix.point;
                seen.insert((courier.vehicle.word(), courier.errand.word()));
            }
        }
        assert_eq!(seen.len(), 8, "{seen:?}");
    }

    #[test]
    fn headings_go_clockwise_from_north() {
        let at = |lat, lng| LatLng::new(lat, lng).unwrap();
        let from = at(57.7, 11.96);
        for (to, expected) in
            [(at(57.71, 11.96), 0.0), (at(57.7, 11.97), 90.0), (at(57.69, 11.96), 180.0)]
        {
            assert!((heading(from, to) - expected).abs() < 1e-9);
        }
        assert!((heading(from, at(57.7, 11.95)) - 270.0).abs() < 1e-9);
    }
}
