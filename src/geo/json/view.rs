//! The data of a subscribe request in a geo channel: the area, and what is told of it.

use std::time::Duration;

use serde_json::Value;

use super::area::{AreaLimits, AreaSpec};
use super::fields::{Fields, not};
use super::text;
use crate::base::limits;
use crate::geo::detect::{Detect, Transition};
use crate::geo::error::GeoError;
use crate::geo::point::Metres;

/// What a subscription asks for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ViewSpec {
    pub(crate) area: AreaSpec,
    /// Only these transitions are told.
    pub(crate) detect: Option<Detect>,
    pub(crate) dwell: Option<Duration>,
    pub(crate) hysteresis: Option<Metres>,
    pub(crate) approach: Option<Metres>,
    /// Objects that the area may have.
    pub(crate) limit: Option<usize>,
    pub(crate) max_hz: Option<f64>,
    pub(crate) min_move: Option<Metres>,
    /// Deliveries carry the distance to the area's centre.
    pub(crate) distance: bool,
    /// `where`, a tag filter as clients write them, as it came.
    pub(crate) filter: Option<Value>,
}

const MEMBERS: [&str; 9] = [
    "detect",
    "dwell_ms",
    "hysteresis_m",
    "approach_m",
    "limit",
    "max_hz",
    "min_move_m",
    "distance",
    "where",
];

impl ViewSpec {
    /// Everything else as it is unless asked for.
    pub(crate) fn of(area: AreaSpec) -> Self {
        Self {
            area,
            detect: None,
            dwell: None,
            hysteresis: None,
            approach: None,
            limit: None,
            max_hz: None,
            min_move: None,
            distance: false,
            filter: None,
        }
    }

    /// Refuses what says how objects are told where there are none.
    pub(crate) fn check_kind(&self, has_objects: bool) -> Result<(), GeoError> {
        let of_objects = [
            ("detect", self.detect.is_some()),
            ("limit", self.limit.is_some()),
            ("max_hz", self.max_hz.is_some()),
            ("min_move_m", self.min_move.is_some()),
        ];
        match of_objects.into_iter().find(|(_, is_there)| *is_there && !has_objects) {
            Some((name, _)) => Err(GeoError::new(name, "only in a channel of objects")),
            None => Ok(()),
        }
    }

    pub(crate) fn parse(data: &[u8], limits: &AreaLimits) -> Result<Self, GeoError> {
        if is_nothing(data) {
            return Err(GeoError::new("data", "missing: a geo channel wants an area"));
        }
        let value = text::parse_small(data).map_err(|fault| fault.within("data"))?;
        Fields::any(&value).map_err(|fault| fault.within("data"))?;
        let area = AreaSpec::among(&value, &MEMBERS, limits)?;
        Self::rest(&value, area, limits)
    }

    /// For an area that is known already: `data` has everything else.
    pub(crate) fn parse_for(
        data: &[u8],
        area: AreaSpec,
        limits: &AreaLimits,
    ) -> Result<Self, GeoError> {
        let value = text::parse_small(data).map_err(|fault| fault.within("data"))?;
        Fields::any(&value).map_err(|fault| fault.within("data"))?;
        Fields::of(&value, &MEMBERS)?;
        Self::rest(&value, area, limits)
    }

    fn rest(value: &Value, area: AreaSpec, limits: &AreaLimits) -> Result<Self, GeoError> {
        let fields = Fields::any(value)?;
        let detect = fields.find("detect").map(detect).transpose();
        let detect = detect.map_err(|fault| fault.within("detect"))?;
        if detect.is_some() && matches!(area, AreaSpec::Nearest { .. }) {
            return Err(GeoError::new("detect", "not together with nearest"));
        }
        let dwell = fields.count("dwell_ms", (1, limits::DWELL_MS))?;
        let dwells = detect.is_some_and(|detect| detect.has(Transition::Dwell));
        if dwells != dwell.is_some() {
            let why = if dwells { "missing: detect has dwell" } else { "only with detect dwell" };
            return Err(GeoError::new("dwell_ms", why));
        }
        for name in ["hysteresis_m", "approach_m"] {
            if detect.is_none() && fields.find(name).is_some() {
                return Err(GeoError::new(name, "only with detect"));
            }
        }
        let (hysteresis, approach) = bands(&fields)?;
        Ok(Self {
            area,
            detect,
            dwell: dwell.map(|dwell| Duration::from_millis(dwell as u64)),
            hysteresis,
            approach: limits.approach(approach)?,
            limit: fields.count("limit", (1, limits::VIEW_OBJECTS))?,
            max_hz: fields.number("max_hz", (0.01, 100.0))?,
            min_move: fields.number("min_move_m", (0.0, BAND_M))?.map(Metres),
            distance: fields.flag("distance")?,
            filter: fields.find("where").cloned(),
        })
    }
}

/// Whether there is no data: some SDKs say null.
pub(crate) fn is_nothing(data: &[u8]) -> bool {
    matches!(data.trim_ascii(), b"" | b"null")
}

/// Hysteresis, approach and the least move are local.
const BAND_M: f64 = 100_000.0;

/// The members `hysteresis_m` and `approach_m` of what detects.
pub(crate) fn bands(fields: &Fields<'_>) -> Result<(Option<Metres>, Option<Metres>), GeoError> {
    let band = |name, least| fields.number(name, (least, BAND_M));
    let (hysteresis, approach) = (band("hysteresis_m", 0.0)?, band("approach_m", 1.0)?);
    Ok((hysteresis.map(Metres), approach.map(Metres)))
}

/// A list of names of transitions.
pub(crate) fn detect(value: &Value) -> Result<Detect, GeoError> {
    let list = value.as_array().ok_or_else(|| not("a list of names", value))?;
    if list.is_empty() {
        return Err(GeoError::new("", "empty"));
    }
    let one = |(index, value): (usize, &Value)| {
        let known = Transition::ALL.into_iter().find(|one| value == one.name());
        known.ok_or_else(|| {
            let names = Transition::ALL.map(Transition::name).join(", ");
            GeoError::new(format!("[{index}]"), format_args!("must be one of {names}"))
        })
    };
    list.iter().enumerate().map(one).collect()
}
