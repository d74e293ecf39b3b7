//! What is shown of objects.

use std::collections::BTreeMap;

use crate::geo::point::{LatLng, Metres};

/// An object as JSON. Members that are not there are left out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shown<'a> {
    pub(crate) event: Option<&'a str>,
    pub(crate) key: Option<&'a str>,
    pub(crate) at: LatLng,
    pub(crate) reason: Option<&'a str>,
    /// JSON, or empty.
    pub(crate) data: &'a [u8],
    /// Told to a tenth of a metre.
    pub(crate) distance: Option<Metres>,
    pub(crate) accuracy: Option<Metres>,
    pub(crate) speed_mps: Option<f64>,
    pub(crate) heading_deg: Option<f64>,
    pub(crate) time_ms: Option<u64>,
    /// Time or speed are not to be believed.
    pub(crate) suspect: bool,
    /// Where nothing beside the object carries them.
    pub(crate) tags: Option<&'a BTreeMap<String, String>>,
}

impl Shown<'_> {
    pub(crate) fn write(&self, out: &mut Vec<u8>) {
        out.push(b'{');
        for (name, text) in [("event", self.event), ("key", self.key)] {
            if let Some(text) = text {
                member(out, name);
                string(out, text);
            }
        }
        for (name, number) in [
            ("lat", Some(self.at.lat())),
            ("lng", Some(self.at.lng())),
            ("accuracy_m", self.accuracy.map(|accuracy| accuracy.0)),
            ("speed_mps", self.speed_mps),
            ("heading_deg", self.heading_deg),
        ] {
            if let Some(number) = number {
                member(out, name);
                write_number(out, number);
            }
        }
        if let Some(time) = self.time_ms {
            member(out, "time_ms");
            out.extend(time.to_string().as_bytes());
        }
        if let Some(reason) = self.reason {
            member(out, "reason");
            string(out, reason);
        }
        if let Some(distance) = self.distance {
            member(out, "distance_m");
            write_number(out, (distance.0 * 10.0).round() / 10.0);
        }
        if self.suspect {
            member(out, "suspect");
            out.extend(b"true");
        }
        if let Some(tags) = self.tags.filter(|tags| !tags.is_empty()) {
            member(out, "tags");
            serde_json::to_writer(&mut *out, tags).expect("a vector takes every string");
        }
        if !self.data.is_empty() {
            member(out, "data");
            out.extend(self.data);
        }
        out.push(b'}');
    }
}

fn member(out: &mut Vec<u8>, name: &str) {
    if out.last() != Some(&b'{') {
        out.push(b',');
    }
    out.push(b'"');
    out.extend(name.as_bytes());
    out.extend(b"\":");
}

fn string(out: &mut Vec<u8>, text: &str) {
    serde_json::to_writer(out, text).expect("a vector takes every string");
}

/// The shortest decimals that give the same number again.
fn write_number(out: &mut Vec<u8>, number: f64) {
    serde_json::to_writer(out, &number).expect("a vector takes every number");
}
