//! What happens in the demo: real earthquakes of the world, played again one after the other, and
//! small things at street corners that reach some hundred metres.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::json;

use super::city::City;
use crate::node::{Reach, ServerPublish};

/// A week of the U.S. Geological Survey's feed.
const QUAKES: &str = include_str!("../../../geo-data/events/earthquakes.json");

/// Weaker ones are many and felt by nobody.
const MAGNITUDE_MIN: f64 = 2.5;

#[derive(Clone, Debug, Deserialize)]
struct Quake {
    lat: f64,
    lng: f64,
    magnitude: f64,
    place: String,
    depth_km: f64,
    time_ms: u64,
}

/// Earthquakes in the order in which they happened, over and over.
pub(super) struct Quakes(std::iter::Cycle<std::vec::IntoIter<Quake>>);

impl Quakes {
    pub(super) fn of_a_week() -> Self {
        let mut all: Vec<Quake> =
            serde_json::from_str(QUAKES).expect("the earthquakes that come with the program");
        all.retain(|quake| quake.magnitude >= MAGNITUDE_MIN);
        Self(all.into_iter().cycle())
    }

    pub(super) fn next(&mut self) -> ServerPublish {
        let quake = self.0.next().expect("there were earthquakes in that week");
        let data = json!({
            "kind": "earthquake",
            "lat": quake.lat,
            "lng": quake.lng,
            "magnitude": quake.magnitude,
            "place": quake.place,
            "depth_km": quake.depth_km,
            "time_ms": quake.time_ms,
        });
        publish(data.to_string().into(), None)
    }
}

/// Kind, words, and how far it is of interest, in metres.
const HAPPENINGS: [(&str, &str, f64); 14] = [
    ("offer", "Cinnamon buns, two for one until they are gone", 500.0),
    ("offer", "Free coffee for couriers at the corner", 700.0),
    ("offer", "Last tickets for tonight, half price", 900.0),
    ("offer", "Flea market in the yard, everything must go", 600.0),
    ("traffic", "Tram stopped, track blocked", 1200.0),
    ("traffic", "Street closed for a delivery, ten minutes", 400.0),
    ("traffic", "Glass on the cycleway", 500.0),
    ("traffic", "Bridge opens for a boat", 1000.0),
    ("help", "Somebody needs a bicycle pump", 500.0),
    ("help", "Dog found, red collar, friendly", 800.0),
    ("help", "Keys lost between here and the square", 600.0),
    ("music", "A choir sings in the courtyard", 600.0),
    ("music", "Street band, third encore", 700.0),
    ("weather", "Hail, take shelter for a moment", 1500.0),
];

/// Something at a street corner.
pub(super) fn happening(city: &mut City) -> ServerPublish {
    let at = city.any_place().at;
    let (kind, text, reach_m) = city.dice().pick(&HAPPENINGS);
    let data = json!({
        "kind": kind,
        "text": text,
        "lat": at.lat(),
        "lng": at.lng(),
        "reach_m": reach_m,
    });
    publish(data.to_string().into(), Some(Reach::Metres(*reach_m)))
}

fn publish(data: Bytes, reach: Option<Reach>) -> ServerPublish {
    ServerPublish { data, reach, ..ServerPublish::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn earthquakes_come_in_order_and_begin_again() {
        let mut quakes = Quakes::of_a_week();
        let mut time = || {
            let quake: Quake = serde_json::from_slice(&quakes.next().data).unwrap();
            assert!(quake.magnitude >= MAGNITUDE_MIN);
            quake.time_ms
        };
        let first = time();
        let (mut last, mut count) = (first, 1);
        loop {
            let next = time();
            if next == first {
                break;
            }
            assert!(next >= last);
            (last, count) = (next, count + 1);
        }
        assert!(count > 200, "{count}");
    }
}
