//! Where everything is: fences, watchers and movers by chance, and movers that go straight on until
//! they come to the city's edge.

use serde_json::{Value, json};

use super::CityArgs;
use crate::cli::dice::Dice;

/// A square with its south-west corner at a place of middling latitude.
#[derive(Debug)]
pub(super) struct City {
    dice: Dice,
    side_m: f64,
    step_m: f64,
    movers: Vec<Mover>,
}

/// Metres east and north of the corner, and what a step adds to them.
#[derive(Clone, Copy, Debug)]
struct Mover {
    place: [f64; 2],
    step: [f64; 2],
}

impl City {
    pub(super) fn new(load: &CityArgs) -> Self {
        let (side_m, step_m) = (f64::from(load.city_km) * 1000.0, f64::from(load.step_m));
        let mut city = Self { dice: Dice::new(load.seed), side_m, step_m, movers: Vec::new() };
        city.movers = (0..load.movers).map(|_| city.newcomer()).collect();
        city
    }

    /// The area of a subscription, somewhere.
    pub(super) fn circle(&mut self, radius_m: u32) -> Value {
        let (lat, lng) = degrees(self.anywhere());
        json!({"near": {"lat": lat, "lng": lng, "radius_m": radius_m}})
    }

    /// Who moves next, and where it is then, as members of a JSON object.
    pub(super) fn step(&mut self, number: u64) -> (usize, String) {
        let movers = self.movers.len() as u64;
        let at = usize::try_from(number % movers).expect("less than the movers");
        let Mover { place, step } = &mut self.movers[at];
        for (metres, step) in place.iter_mut().zip(step) {
            if !(0.0..=self.side_m).contains(&(*metres + *step)) {
                *step = -*step;
            }
            *metres += *step;
        }
        let (lat, lng) = degrees(*place);
        (at, format!(r#""lat":{lat:.7},"lng":{lng:.7}"#))
    }

    fn newcomer(&mut self) -> Mover {
        let place = self.anywhere();
        let heading = self.dice.between(0.0, std::f64::consts::TAU);
        Mover { place, step: [heading.sin() * self.step_m, heading.cos() * self.step_m] }
    }

    fn anywhere(&mut self) -> [f64; 2] {
        [self.dice.between(0.0, self.side_m), self.dice.between(0.0, self.side_m)]
    }
}

/// Near enough for a city.
fn degrees([east, north]: [f64; 2]) -> (f64, f64) {
    let (lat, lng) = CORNER;
    (lat + north / M_A_DEGREE, lng + east / (M_A_DEGREE * lat.to_radians().cos()))
}

/// Latitude and longitude.
const CORNER: (f64, f64) = (48.1, 16.2);

/// Of latitude.
const M_A_DEGREE: f64 = 111_195.0;
