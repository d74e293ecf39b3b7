//! `nearcast near` and `nearcast nearest`: what is near a place, as it moves, in a terminal.

use clap::Args;
use serde_json::{Value, json};

use super::Outcome;
use super::subscribe::{Event, Kind, Watch, listen};
use crate::protocol::SubscribeRequest;

#[derive(Clone, Debug, Args)]
pub(super) struct NearArgs {
    channel: String,
    /// Latitude, longitude, and radius in metres: 52.52,13.405,1500
    #[arg(value_name = "LAT,LNG,RADIUS", value_parser = circle, allow_hyphen_values = true)]
    area: Circle,
    /// At most so many tellings of an object a second
    #[arg(long, value_name = "HERTZ")]
    max_hz: Option<f64>,
    #[command(flatten)]
    watch: Watch,
}

#[derive(Clone, Debug, Args)]
pub(super) struct NearestArgs {
    channel: String,
    /// Latitude and longitude: 52.52,13.405
    #[arg(value_name = "LAT,LNG", value_parser = place, allow_hyphen_values = true)]
    to: Place,
    /// So many objects
    #[arg(long, short, default_value_t = 5, value_parser = clap::value_parser!(u8).range(1..=100))]
    k: u8,
    /// No farther than so many metres
    #[arg(long, value_name = "METRES")]
    within: Option<f64>,
    #[command(flatten)]
    watch: Watch,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    lat: f64,
    lng: f64,
}

#[derive(Clone, Copy, Debug)]
struct Circle {
    center: Place,
    radius_m: f64,
}

/// Numbers between commas; the server says whether they are a place.
fn numbers<const N: usize>(text: &str) -> Result<[f64; N], String> {
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|part| part.trim().parse()).collect();
    let numbers = numbers.map_err(|fault| format!("{fault}"))?;
    numbers.try_into().map_err(|_other| format!("{N} numbers between commas"))
}

fn place(text: &str) -> Result<Place, String> {
    let [lat, lng] = numbers(text)?;
    Ok(Place { lat, lng })
}

fn circle(text: &str) -> Result<Circle, String> {
    let [lat, lng, radius_m] = numbers(text)?;
    Ok(Circle { center: Place { lat, lng }, radius_m })
}

pub(super) fn run_near(arguments: &NearArgs) -> Outcome {
    let Circle { center: Place { lat, lng }, radius_m } = arguments.area;
    let mut data = json!({
        "near": { "lat": lat, "lng": lng, "radius_m": radius_m },
        "distance": true,
    });
    if let Some(hertz) = arguments.max_hz {
        data["max_hz"] = json!(hertz);
    }
    watch(&arguments.channel, &data, &arguments.watch)
}

pub(super) fn run_nearest(arguments: &NearestArgs) -> Outcome {
    let Place { lat, lng } = arguments.to;
    let mut data = json!({
        "nearest": arguments.k,
        "to": { "lat": lat, "lng": lng },
        "distance": true,
    });
    if let Some(metres) = arguments.within {
        data["within_m"] = json!(metres);
    }
    watch(&arguments.channel, &data, &arguments.watch)
}

fn watch(channel: &str, data: &Value, watch: &Watch) -> Outcome {
    let request = SubscribeRequest {
        channel: channel.to_owned(),
        data: data.to_string().into(),
        recoverable: true,
        ..SubscribeRequest::default()
    };
    listen(watch, request, text)
}

/// Lines for people: what happened, to which object, where, how far away, and why.
fn text(event: &Event<'_>) -> Option<String> {
    match event.kind {
        Kind::Subscribed(result) => {
            let data: Value = serde_json::from_slice(&result.data).ok()?;
            let objects = data["objects"].as_array()?;
            let lines: Vec<String> =
                objects.iter().filter_map(|object| line(object, "here")).collect();
            (!lines.is_empty()).then(|| lines.join("\n"))
        }
        Kind::Publication(publication) => {
            let told = serde_json::from_slice::<Value>(&publication.data).ok();
            let told = told.and_then(|told| line(&told, told["event"].as_str()?));
            told.or_else(|| event.text())
        }
        Kind::Join(_) | Kind::Leave(_) | Kind::Unsubscribed(_) => event.text(),
    }
}

fn line(object: &Value, happening: &str) -> Option<String> {
    let key = object["key"].as_str()?;
    let (lat, lng) = (object["lat"].as_f64()?, object["lng"].as_f64()?);
    let away = object["distance_m"].as_f64().map(|metres| format!(" {metres:.0} m"));
    let reason = object["reason"].as_str().map(|reason| format!(" ({reason})"));
    let data = object.get("data").map(|data| format!(" {data}"));
    let [away, reason, data] = [away, reason, data].map(Option::unwrap_or_default);
    Some(format!("{happening:<8} {key:<16} {lat:.5},{lng:.5}{away}{reason}{data}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_what_where_and_how_far() {
        let told = json!({
            "event": "enter", "key": "d42", "lat": 52.52, "lng": 13.405, "reason": "moved",
            "distance_m": 119.6, "data": {"kind": "bike"},
        });
        assert_eq!(
            line(&told, "enter").unwrap(),
            "enter    d42              52.52000,13.40500 120 m (moved) {\"kind\":\"bike\"}"
        );
        assert_eq!(line(&json!({"n": 1}), "enter"), None);
    }

    #[test]
    fn places_and_circles_are_numbers_between_commas() {
        assert!(circle("52.52, 13.405,1500").is_ok_and(|circle| circle.radius_m > 1499.0));
        assert!(place("-52.52,-13.405").is_ok_and(|place| place.lat < 0.0));
        assert_eq!(circle("52.52,13.405").unwrap_err(), "3 numbers between commas");
        assert!(place("here").unwrap_err().contains("float"));
    }
}
