//! The area of a subscription, query, fence or token.

use std::sync::Arc;

use h3o::CellIndex;
use serde_json::Value;

use super::fields::{Fields, not, number, shown};
use super::fix::checked_key;
use super::geojson;
use crate::base::limits;
use crate::geo::area::{Area, Circle, Vertex};
use crate::geo::error::GeoError;
use crate::geo::point::{FARTHEST, LatLng, Metres, Point};
use crate::geo::zones;

/// An area as it is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum AreaSpec {
    Fixed(Arc<Area>),
    Zone(String),
    FollowMe { radius: Metres },
    FollowObject { channel: String, key: String, radius: Metres },
    Nearest { count: usize, to: Point, within: Option<Metres> },
}

/// How small and how large an area may be, whatever its form: circles by their radius, others by
/// [`Area::least_radius`] and [`Area::radius`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct AreaLimits {
    pub(crate) radius_min: Metres,
    pub(crate) radius_max: Option<Metres>,
}

impl Default for AreaLimits {
    fn default() -> Self {
        Self { radius_min: UNSET, radius_max: None }
    }
}

/// The least radius where none is set: only circles must have one at all.
const UNSET: Metres = Metres(0.001);
/// From how near approaches are told unless a fence says otherwise.
pub(crate) const APPROACH: Metres = Metres(200.0);

impl AreaLimits {
    /// Whether there may be an area of this size.
    pub(crate) fn check(&self, area: &Area) -> Result<(), GeoError> {
        let rounded = |radius: Metres| shown((radius.0 * 1000.0).round() / 1000.0);
        let least = area.least_radius();
        if self.least().is_some_and(|min| least < min) {
            let (least, min) = (rounded(least), shown(self.radius_min.0));
            let why = format_args!("a part with a radius of {least} is below the least, {min}");
            return Err(GeoError::new("", why));
        }
        let radius = area.radius();
        match self.radius_max {
            Some(most) if radius > most => {
                let (radius, most) = (rounded(radius), shown(most.0));
                Err(GeoError::new(
                    "",
                    format_args!("a radius of {radius} is above the most, {most}"),
                ))
            }
            _ => Ok(()),
        }
    }

    /// From how near approaches are told; `None` leaves it at [`APPROACH`].
    pub(super) fn approach(&self, asked: Option<Metres>) -> Result<Option<Metres>, GeoError> {
        match (asked, self.least()) {
            (Some(asked), Some(least)) if asked < least => {
                let (asked, least) = (shown(asked.0), shown(least.0));
                let why = format_args!("{asked} is below the least, {least}");
                Err(GeoError::new("approach_m", why))
            }
            (None, least) => Ok(least.filter(|least| *least > APPROACH)),
            (asked, _) => Ok(asked),
        }
    }

    /// The least radius, where one is set.
    fn least(&self) -> Option<Metres> {
        Some(self.radius_min).filter(|least| *least > UNSET)
    }

    /// The zones that come with the program; those of the node's own are as large as whoever made
    /// them wanted them.
    fn check_zone(&self, name: &str) -> Result<(), GeoError> {
        if self.radius_max.is_none() && self.least().is_none() {
            return Ok(());
        }
        zones::built_in(name).map_or(Ok(()), |area| self.check(&area))
    }

    /// Whether there may be what is asked for. Circles that follow something and the nearest are
    /// checked as they are read.
    fn admits(&self, spec: &AreaSpec) -> Result<(), GeoError> {
        match spec {
            AreaSpec::Fixed(area) => self.check(area),
            AreaSpec::Zone(name) => self.check_zone(name),
            AreaSpec::FollowMe { .. }
            | AreaSpec::FollowObject { .. }
            | AreaSpec::Nearest { .. } => Ok(()),
        }
    }
}

/// Members of which an area has exactly one.
const FORMS: [&str; 8] =
    ["near", "follow", "bbox", "geometry", "cells", "zone", "route", "nearest"];
/// Members beside them.
const REST: [&str; 4] = ["radius_m", "width_m", "to", "within_m"];

impl AreaSpec {
    /// An object with one of the forms and nothing unknown.
    pub(crate) fn parse(value: &Value, limits: &AreaLimits) -> Result<Self, GeoError> {
        Self::among(value, &[], limits)
    }

    /// The member `area` of a call.
    pub(crate) fn of_call(fields: &Fields<'_>, limits: &AreaLimits) -> Result<Self, GeoError> {
        let area = fields.need("area")?;
        Self::parse(area, limits).map_err(|fault| fault.within("area"))
    }

    /// An object that besides its area has members of the names `more`.
    pub(super) fn among(
        value: &Value,
        more: &[&str],
        limits: &AreaLimits,
    ) -> Result<Self, GeoError> {
        let known: Vec<&str> = FORMS.iter().chain(&REST).chain(more).copied().collect();
        let fields = Fields::of(value, &known)?;
        let mut forms = FORMS.iter().filter(|form| fields.find(form).is_some());
        let Some(form) = forms.next() else {
            return Err(GeoError::new(
                "area",
                format_args!("missing; one of {}", FORMS.join(", ")),
            ));
        };
        if let Some(other) = forms.next() {
            return Err(GeoError::new(*other, format_args!("not together with {form}")));
        }
        for (name, of) in [
            ("radius_m", "follow"),
            ("width_m", "route"),
            ("to", "nearest"),
            ("within_m", "nearest"),
        ] {
            if fields.find(name).is_some() && *form != of {
                return Err(GeoError::new(name, format_args!("only with {of}")));
            }
        }
        let spec = match *form {
            "near" => near(&fields, limits),
            "follow" => follow(&fields, limits),
            "bbox" => bbox(&fields),
            "geometry" => {
                let area = geojson::geometry(fields.need("geometry")?);
                Ok(fixed(area.map_err(|fault| fault.within("geometry"))?))
            }
            "cells" => cells(fields.need("cells")?).map_err(|fault| fault.within("cells")),
            "zone" => zone(fields.need_text("zone")?).map_err(|fault| fault.within("zone")),
            "route" => route(&fields, limits),
            _ => {
                let (count, to, within) = nearest(&fields, "nearest", limits)?;
                Ok(Self::Nearest { count, to, within })
            }
        }?;
        limits.admits(&spec).map_err(|fault| fault.within(form))?;
        Ok(spec)
    }

    /// The area that a channel's label is; `None` for a label that is a name of the client's.
    pub(crate) fn of_label(label: &str, limits: &AreaLimits) -> Option<Result<Self, GeoError>> {
        let (form, rest) = label.split_once(':')?;
        let spec = match form {
            "near" => near_label(rest, limits),
            "h3" => {
                let spec = cells(&Value::from(rest.split(',').collect::<Vec<_>>()));
                // The path says which cell of the label it is.
                spec.map_err(|fault| GeoError::new("", fault.within("h3")))
            }
            "zone" => zone(rest),
            _ => return None,
        };
        let spec = spec.and_then(|spec| limits.admits(&spec).map(|()| spec));
        Some(spec.map_err(|fault| fault.within("channel")))
    }
}

fn fixed(area: Area) -> AreaSpec {
    AreaSpec::Fixed(Arc::new(area))
}

fn near(fields: &Fields<'_>, limits: &AreaLimits) -> Result<AreaSpec, GeoError> {
    let read = || {
        let near = Fields::of(fields.need("near")?, &["lat", "lng", "radius_m"])?;
        let center = near.point("lat", "lng")?;
        let radius = number(near.need("radius_m")?).map_err(|fault| fault.within("radius_m"))?;
        circle(center, radius, limits).map_err(|fault| fault.within("radius_m"))
    };
    read().map_err(|fault: GeoError| fault.within("near"))
}

fn circle(center: Point, radius: f64, limits: &AreaLimits) -> Result<AreaSpec, GeoError> {
    let radius = checked(radius, limits)?;
    Ok(fixed(Area::Circle(Circle::new(center, radius))))
}

/// Beyond half the circumference a circle is the whole Earth, and the radius says no more.
fn checked(radius: f64, limits: &AreaLimits) -> Result<Metres, GeoError> {
    let least = limits.radius_min.0;
    if radius < least || radius <= 0.0 {
        let why = format!("{} is below the least, {}", shown(radius), shown(least));
        return Err(GeoError::new("", why));
    }
    match limits.radius_max {
        Some(most) if radius > most.0 => {
            let why = format!("{} is above the most, {}", shown(radius), shown(most.0));
            Err(GeoError::new("", why))
        }
        _ => Ok(Metres(radius.min(FARTHEST.0))),
    }
}

fn near_label(text: &str, limits: &AreaLimits) -> Result<AreaSpec, GeoError> {
    let numbers: Vec<&str> = text.split(',').collect();
    let [lat, lng, radius] = numbers.as_slice() else {
        return Err(GeoError::new("", "near: must be lat,lng,radius_m"));
    };
    let number = |name: &str, text: &str| {
        text.parse::<f64>()
            .ok()
            .filter(|number| number.is_finite())
            .ok_or_else(|| GeoError::new("", format_args!("near: {name} is not a number")))
    };
    let (lat, lng) = (number("lat", lat)?, number("lng", lng)?);
    let center = LatLng::new(lat, lng)
        .map_err(|fault| GeoError::new("", format_args!("near: {}: {fault}", fault.field())))?;
    circle(center.into(), number("radius_m", radius)?, limits)
        .map_err(|fault| GeoError::new("", format_args!("near: radius_m: {}", fault.fault)))
}

fn follow(fields: &Fields<'_>, limits: &AreaLimits) -> Result<AreaSpec, GeoError> {
    let radius = number(fields.need("radius_m")?).and_then(|radius| checked(radius, limits));
    let radius = radius.map_err(|fault| fault.within("radius_m"))?;
    let followed = fields.need("follow")?;
    if followed == "me" {
        return Ok(AreaSpec::FollowMe { radius });
    }
    if followed.is_string() {
        return Err(GeoError::new("follow", "must be \"me\" or {\"channel\", \"key\"}"));
    }
    let read = || {
        let object = Fields::of(followed, &["channel", "key"])?;
        let text = |name| object.need_text(name).map(str::to_owned);
        let key = checked_key(text("key")?).map_err(|fault| fault.within("key"))?;
        Ok(AreaSpec::FollowObject { channel: text("channel")?, key, radius })
    };
    read().map_err(|fault: GeoError| fault.within("follow"))
}

fn bbox(fields: &Fields<'_>) -> Result<AreaSpec, GeoError> {
    let read = || {
        let sides = ["west", "south", "east", "north"];
        let of = Fields::of(fields.need("bbox")?, &sides)?;
        let side = |name: &str, most: f64| {
            let value = of.number(name, (-most, most))?;
            value.ok_or_else(|| GeoError::new(name, "missing"))
        };
        let southwest = Vertex { lng: side("west", 180.0)?, lat: side("south", 90.0)? };
        let northeast = Vertex { lng: side("east", 180.0)?, lat: side("north", 90.0)? };
        Area::bbox(southwest, northeast).map(fixed)
    };
    read().map_err(|fault: GeoError| fault.within("bbox"))
}

fn cells(value: &Value) -> Result<AreaSpec, GeoError> {
    let list = value.as_array().ok_or_else(|| not("a list of H3 cells", value))?;
    if list.is_empty() {
        return Err(GeoError::new("", "no cells"));
    }
    if list.len() > limits::AREA_CELLS {
        let why = format_args!("{} cells; at most {}", list.len(), limits::AREA_CELLS);
        return Err(GeoError::new("", why));
    }
    let cell = |(index, value): (usize, &Value)| {
        let text = value.as_str().ok_or_else(|| not("a string", value));
        let cell = text.and_then(|text| {
            text.parse::<CellIndex>().map_err(|_not_a_cell| {
                let shown: String = text.chars().take(32).collect();
                GeoError::new("", format_args!("{shown:?} is no H3 cell"))
            })
        });
        cell.map_err(|fault| fault.within(&format!("[{index}]")))
    };
    let cells: Result<Vec<CellIndex>, GeoError> = list.iter().enumerate().map(cell).collect();
    Area::cells(&cells?).map(fixed)
}

fn zone(name: &str) -> Result<AreaSpec, GeoError> {
    if name.is_empty() || name.len() > limits::ZONE_NAME_BYTES {
        let most = limits::ZONE_NAME_BYTES;
        return Err(GeoError::new("", format_args!("a zone's name has 1 to {most} bytes")));
    }
    Ok(AreaSpec::Zone(name.to_owned()))
}

fn route(fields: &Fields<'_>, limits: &AreaLimits) -> Result<AreaSpec, GeoError> {
    let width = number(fields.need("width_m")?).and_then(|width| {
        if width > 0.0 && width <= limits::ROUTE_WIDTH_M {
            Ok(width)
        } else {
            let most = limits::ROUTE_WIDTH_M;
            let why = format!("{} is not above 0 and at most {most}", shown(width));
            Err(GeoError::new("", why))
        }
    });
    let half_width = width.map_err(|fault| fault.within("width_m"))? / 2.0;
    if let Some(least) = limits.least().filter(|least| half_width < least.0) {
        let (width, least) = (shown(half_width * 2.0), shown(least.0 * 2.0));
        let why = format_args!("{width} is below the least, {least}");
        return Err(GeoError::new("width_m", why));
    }
    if let Some(most) = limits.radius_max.filter(|most| half_width > most.0) {
        let why = format_args!("{} is above the most, {}", half_width * 2.0, most.0 * 2.0);
        return Err(GeoError::new("width_m", why));
    }
    let lines = geojson::lines(fields.need("route")?);
    let route = lines.and_then(|lines| {
        Area::routes(&lines, Metres(half_width)).map_err(|fault| fault.within("coordinates"))
    });
    route.map(fixed).map_err(|fault| fault.within("route"))
}

/// How many, the nearest to which place, within which distance; `count` is the name of the first.
pub(crate) fn nearest(
    fields: &Fields<'_>,
    count: &str,
    limits: &AreaLimits,
) -> Result<(usize, Point, Option<Metres>), GeoError> {
    let count = fields.count(count, (1, limits::NEAREST))?;
    let to = fields.need_point("to")?;
    let within = fields.find("within_m").map(|value| checked(number(value)?, limits));
    let within = within.transpose().map_err(|fault| fault.within("within_m"))?;
    // Without it any distance is near enough.
    if let Some(most) = limits.radius_max.filter(|_| within.is_none()) {
        return Err(GeoError::new("within_m", format_args!("missing; at most {}", shown(most.0))));
    }
    Ok((count.unwrap_or(1), to, within))
}
