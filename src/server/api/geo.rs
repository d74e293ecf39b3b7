//! The methods of the server API about objects, fences and zones.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Outcome;
use super::methods::{done, raw};
use crate::base::limits;
use crate::channel::{AreaSource, Channel, Fence, ObjectQuery, TagFilter};
use crate::geo::json::{self, AreaLimits, AreaSpec, Fields, FixSpec};
use crate::geo::{Area, GeoError, Transition};
use crate::node::Node;
use crate::protocol::{ClientError, ErrorCode, FilterNode};
use crate::session::{object_list, wire, zone_names};

/// Carries out one method; `None` where there is none of this name.
pub(super) async fn call(node: &Node, method: &str, body: &[u8]) -> Option<Outcome> {
    Some(match method {
        "geo_set" => set(node, body).await,
        "geo_remove" => remove(node, body).await,
        "geo_nearby" => nearby(node, body).await,
        "geo_nearest" => nearest(node, body).await,
        "geo_count" => count(node, body).await,
        "geo_zones" => zones_at(node, body).await,
        "fence_set" => set_fence(node, body).await,
        "fence_list" => list_fences(node, body).await,
        "fence_remove" => remove_fence(node, body).await,
        "zone_set" => set_zone(node, body).await,
        "zone_list" => list_zones(node).await,
        "zone_remove" => remove_zone(node, body).await,
        _ => return None,
    })
}

async fn set(node: &Node, body: &[u8]) -> Outcome {
    let mut fix = FixSpec::parse(body).map_err(bad)?;
    let channel = fix.channel.take().ok_or_else(|| bad(GeoError::new("channel", "missing")))?;
    node.set_object(&channel, fix).await?;
    done()
}

async fn remove(node: &Node, body: &[u8]) -> Outcome {
    let value = json::parse(body).map_err(bad)?;
    let fields = Fields::of(&value, &["channel", "key"]).map_err(bad)?;
    let (channel, key) = (text(&fields, "channel")?, text(&fields, "key")?);
    node.remove_object(channel, key).await?;
    done()
}

async fn nearby(node: &Node, body: &[u8]) -> Outcome {
    let value = json::parse(body).map_err(bad)?;
    let fields = Fields::of(&value, &["channel", "area", "limit", "cursor"]).map_err(bad)?;
    let area = area(node, &fields)?;
    let limit = fields.count("limit", (1, limits::QUERY_OBJECTS)).map_err(bad)?;
    let after = fields.text("cursor").map_err(bad)?.map(Arc::from);
    let limit = limit.unwrap_or(limits::QUERY_PAGE);
    let query = ObjectQuery::Nearby { area, position: None, within: None, limit, after };
    let (objects, has_more) = node.objects(text(&fields, "channel")?, query).await?;
    let last = objects.last().filter(|_| has_more);
    let cursor = last.map(|last| ("cursor", Value::from(&*last.object.fix.key).to_string()));
    answer(&object_list(&objects, cursor.as_slice()))
}

async fn nearest(node: &Node, body: &[u8]) -> Outcome {
    let value = json::parse(body).map_err(bad)?;
    let fields = Fields::of(&value, &["channel", "to", "k", "within_m"]).map_err(bad)?;
    let (count, to, within) = json::nearest(&fields, "k", &AreaLimits::default()).map_err(bad)?;
    let query = ObjectQuery::Nearest { to, count, within, allowed: None };
    let (objects, _) = node.objects(text(&fields, "channel")?, query).await?;
    answer(&object_list(&objects, &[]))
}

async fn count(node: &Node, body: &[u8]) -> Outcome {
    let value = json::parse(body).map_err(bad)?;
    let fields = Fields::of(&value, &["channel", "area"]).map_err(bad)?;
    let area = area(node, &fields)?;
    let count = node.count_objects(text(&fields, "channel")?, area).await?;
    raw(&json!({ "count": count }))
}

async fn zones_at(node: &Node, body: &[u8]) -> Outcome {
    let at = json::parse(body).and_then(|value| json::point(&value)).map_err(bad)?;
    raw(&zone_names(&node.zones_at(at).await))
}

// === Fences ===

const FENCE: [&str; 10] = [
    "name",
    "channel",
    "area",
    "detect",
    "dwell_ms",
    "hysteresis_m",
    "approach_m",
    "where",
    "publish",
    "webhook",
];

async fn set_fence(node: &Node, body: &[u8]) -> Outcome {
    let value = json::parse(body).map_err(bad)?;
    let fields = Fields::of(&value, &FENCE).map_err(bad)?;
    let fence = fence(node, &fields)?;
    node.set_fence(text(&fields, "channel")?, fence).await?;
    done()
}

fn fence(node: &Node, fields: &Fields<'_>) -> Result<Fence, ClientError> {
    let name = text(fields, "name")?;
    if name.is_empty() || name.len() > limits::FENCE_NAME_BYTES {
        let why = format_args!("a fence's name has 1 to {} bytes", limits::FENCE_NAME_BYTES);
        return Err(bad(GeoError::new("name", why)));
    }
    let detect = fields
        .need("detect")
        .and_then(|names| json::detect(names).map_err(|fault| fault.within("detect")));
    let detect = detect.map_err(bad)?;
    let dwell = fields.count("dwell_ms", (1, limits::DWELL_MS)).map_err(bad)?;
    if detect.has(Transition::Dwell) != dwell.is_some() {
        return Err(bad(GeoError::new("dwell_ms", "goes together with detect dwell")));
    }
    let (hysteresis, approach) = json::bands(fields).map_err(bad)?;
    let publish = fields.text("publish").map_err(bad)?.map(Channel::parse).transpose();
    let publish = publish.map_err(|fault| bad(GeoError::new("publish", fault)))?;
    let webhook = fields.text("webhook").map_err(bad)?;
    if publish.is_none() && webhook.is_none() {
        return Err(bad(GeoError::new("publish", "missing, and no webhook either")));
    }
    if let Some(channel) = &publish {
        node.check_channel(channel.as_str())?;
    }
    let webhook = webhook.map(|url| node.check_webhook(url)).transpose()?;
    let filter = fields.find("where").map(filter).transpose()?;
    Ok(Fence {
        name: name.into(),
        area: area(node, fields)?,
        detect,
        dwell: dwell.map(|dwell| Duration::from_millis(dwell as u64)),
        hysteresis,
        approach,
        filter: filter.map(Arc::new),
        publish,
        webhook,
    })
}

async fn list_fences(node: &Node, body: &[u8]) -> Outcome {
    let value = json::parse(body).map_err(bad)?;
    let fields = Fields::of(&value, &["channel"]).map_err(bad)?;
    let fences = node.fences(text(&fields, "channel")?).await?;
    let fences: Vec<Value> = fences
        .iter()
        .map(|fence| {
            let told = Transition::ALL.into_iter().filter(|one| fence.detect.has(*one));
            let detect: Vec<&str> = told.map(Transition::name).collect();
            json!({
                "name": &*fence.name,
                "detect": detect,
                "publish": fence.publish.as_ref().map(Channel::as_str),
                "webhook": fence.webhook.as_deref(),
            })
        })
        .collect();
    raw(&json!({ "fences": fences }))
}

async fn remove_fence(node: &Node, body: &[u8]) -> Outcome {
    let value = json::parse(body).map_err(bad)?;
    let fields = Fields::of(&value, &["channel", "name"]).map_err(bad)?;
    node.remove_fence(text(&fields, "channel")?, text(&fields, "name")?).await?;
    done()
}

// === Zones ===

async fn set_zone(node: &Node, body: &[u8]) -> Outcome {
    let value = json::parse(body).map_err(bad)?;
    let fields = Fields::of(&value, &["name", "area", "geometry"]).map_err(bad)?;
    let area = match (fields.find("area"), fields.find("geometry")) {
        (Some(area), None) => json::fixed_area(area).map_err(|fault| fault.within("area")),
        (None, Some(geometry)) => {
            json::geometry(geometry).map(Arc::new).map_err(|fault| fault.within("geometry"))
        }
        (_, _) => Err(GeoError::new("area", "give area or geometry")),
    };
    let area: Arc<Area> = area.map_err(bad)?;
    node.set_zone(text(&fields, "name")?, area).await?;
    done()
}

async fn list_zones(node: &Node) -> Outcome {
    let zones = node.zones().await;
    let names: Vec<_> = zones.own().map(|(name, _)| name.clone()).collect();
    raw(&zone_names(&names))
}

async fn remove_zone(node: &Node, body: &[u8]) -> Outcome {
    let value = json::parse(body).map_err(bad)?;
    let fields = Fields::of(&value, &["name"]).map_err(bad)?;
    let name = text(&fields, "name")?;
    if node.remove_zone(name).await {
        return done();
    }
    let name: String = name.chars().take(64).collect();
    Err(ErrorCode::BadRequest.because(format_args!("name: no zone {name:?}")))
}

// === What they share ===

fn area(node: &Node, fields: &Fields<'_>) -> Result<AreaSource, ClientError> {
    node.area(AreaSpec::of_call(fields, &AreaLimits::default()).map_err(bad)?)
}

fn filter(value: &Value) -> Result<TagFilter, ClientError> {
    let node: FilterNode = serde_json::from_value(value.clone())
        .map_err(|fault| ErrorCode::BadRequest.because(format_args!("where: {fault}")))?;
    TagFilter::parse("where", wire::filter_part(node))
        .map_err(|fault| ErrorCode::BadRequest.because(fault))
}

fn text<'a>(fields: &Fields<'a>, name: &str) -> Result<&'a str, ClientError> {
    fields.need_text(name).map_err(bad)
}

fn answer(json: &[u8]) -> Outcome {
    let text = String::from_utf8_lossy(json).into_owned();
    serde_json::value::RawValue::from_string(text).map_err(|_broken| ErrorCode::Internal.into())
}

fn bad(fault: GeoError) -> ClientError {
    ErrorCode::BadRequest.because(fault)
}
