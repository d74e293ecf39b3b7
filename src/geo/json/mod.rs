//! Geography as JSON, in and out: areas, views, fixes, places of events, and what is shown of
//! objects. GeoJSON's order of longitude before latitude exists nowhere else. Every fault names the
//! path of its field.

mod area;
mod fields;
mod fix;
mod geojson;
mod out;
mod place;
mod text;
mod view;

pub(crate) use area::{APPROACH, AreaLimits, AreaSpec, nearest};
pub(crate) use fields::{Fields, point};
pub(crate) use fix::FixSpec;
pub(crate) use geojson::{features, geometry};
pub(crate) use out::Shown;
pub(crate) use place::{
    PlaceFields, coarse_circle, coarsen, coarsen_object, coarsen_tags, fixed_area, lasting_area,
    place_in, place_of, round, snap,
};
pub(crate) use text::{parse, parse_small};
pub(crate) use view::{ViewSpec, bands, detect, is_nothing};

#[cfg(test)]
mod tests;
