//! The calls `geo.move`, `geo.position`, `geo.nearby`, `geo.nearest` and `geo.zones`.

use bytes::Bytes;
use serde_json::{Map, Value};

use super::objects::{error_of, object_list};
use super::subscribe::{Named, bad};
use crate::access::token::Operation;
use crate::base::{Now, limits};
use crate::channel::{AreaSource, Channel, GeoKind, GeoOptions, ObjectQuery, Refusal, Sighting};
use crate::geo::json::{self, AreaSpec};
use crate::geo::{GeoError, LatLng, Metres, Point};
use crate::protocol::{ErrorCode, Reply, RpcRequest, RpcResult};
use crate::session::action::{Actions, Request};
use crate::session::answer::Expected;
use crate::session::{Failure, Session};

/// What the answer to a call is written from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::session) enum Call {
    /// Nothing to tell but that it is done.
    Done,
    Objects,
    Zones,
}

impl Session {
    pub(in crate::session) fn rpc(
        &mut self,
        id: u32,
        request: &RpcRequest,
        now: Now,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        match request.method.as_str() {
            "geo.move" => self.move_area(id, &request.data, now, actions),
            "geo.position" => self.position(id, &request.data, now, actions),
            "geo.nearby" => self.nearby(id, &request.data, now, actions),
            "geo.nearest" => self.nearest(id, &request.data, now, actions),
            "geo.zones" => self.zones(id, &request.data, actions),
            _ => Err(ErrorCode::NotAvailable.because("method: unknown").into()),
        }
    }

    pub(in crate::session) fn answer_call(&self, id: u32, data: Bytes, actions: &mut Actions) {
        let rpc = Some(RpcResult { data });
        self.reply(id, Reply { rpc, ..Reply::default() }, actions);
    }

    /// The answer to a query has come.
    pub(in crate::session) fn answer_objects(
        &self,
        id: u32,
        found: Result<(Vec<Sighting>, bool), Refusal>,
        actions: &mut Actions,
    ) {
        match found {
            Err(refusal) => self.fail(id, error_of(&refusal), actions),
            Ok((objects, has_more)) => {
                let last = objects.last().filter(|_| has_more);
                let cursor = last.map(|last| {
                    let key = serde_json::to_string(&*last.object.fix.key);
                    ("cursor", key.expect("a string is JSON"))
                });
                let data = object_list(&objects, cursor.as_slice());
                self.answer_call(id, data, actions);
            }
        }
    }

    fn move_area(
        &mut self,
        id: u32,
        data: &Bytes,
        now: Now,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let mut fields = Fields::of(data, &["channel", "area"])?;
        let named = self.named(&fields.text("channel")?)?;
        let Some(options) = named.geo().cloned() else { return Err(no_geography()) };
        let area = fields.take("area").ok_or_else(|| bad(GeoError::new("area", "missing")))?;
        let area = AreaSpec::parse(&area, &self.area_limits(&options));
        let source = self.source(area.map_err(|fault| bad(fault.within("area")))?)?;
        self.check_source(&source, &named, now)?;
        let Some(subscription) = self.subscriptions.find_mut(named.full.as_str()) else {
            let why = "channel: not subscribed";
            return Err(ErrorCode::BadRequest.because(why).into());
        };
        let sub = subscription.id;
        let viewing = subscription.viewing.as_mut().ok_or_else(no_geography)?;
        if viewing.is_named {
            let why = "channel: its label is the area, which cannot be moved";
            return Err(ErrorCode::BadRequest.because(why).into());
        }
        if viewing.is_one_kind_only(&source) {
            let why = "area: nearest and other areas do not become one another; subscribe again";
            return Err(ErrorCode::BadRequest.because(why).into());
        }
        if viewing.moves.len() >= limits::MOVES {
            let why = format_args!("geo.move: at most {} under way", limits::MOVES);
            return Err(ErrorCode::TooManyRequests.because(why).into());
        }
        viewing.tokens += 1;
        let token = viewing.tokens;
        viewing.moves.push_back((token, id));
        let before = std::mem::replace(&mut viewing.source, source.clone());
        let asked = viewing.asked;
        let channel = named.base.clone();
        self.refollow(sub, &channel, Some(&before), Some(&source), actions);
        let move_area = Request::MoveArea { channel, sub, area: source.clone(), token };
        self.request(move_area, Expected::Nothing, actions);
        self.remember(named.full, asked, source, actions);
        Ok(())
    }

    /// Keeps a moved area for when the same user comes back on the same device.
    fn remember(&mut self, channel: Channel, asked: u64, area: AreaSource, actions: &mut Actions) {
        let (user, device) = (self.identity.user.clone(), self.device().to_owned());
        if user.is_empty() && device.is_empty() {
            return;
        }
        let remember = Request::Remember { user, device, channel, asked, area };
        self.request(remember, Expected::Nothing, actions);
    }

    fn nearby(
        &mut self,
        id: u32,
        data: &Bytes,
        now: Now,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let mut fields = Fields::of(data, &["channel", "area", "limit", "cursor"])?;
        let named = self.objects_for_queries(&fields.text("channel")?)?;
        let options = options_of(&named)?;
        let area = fields.take("area").ok_or_else(|| bad(GeoError::new("area", "missing")))?;
        let area = AreaSpec::parse(&area, &self.area_limits(&options));
        let area = self.source(area.map_err(|fault| bad(fault.within("area")))?)?;
        if let AreaSource::Nearest { .. } | AreaSource::FollowObject { .. } = area {
            let why = "area: not one to ask for; use geo.nearest";
            return Err(ErrorCode::BadRequest.because(why).into());
        }
        self.check_source(&area, &named, now)?;
        let limit = fields.count("limit", limits::QUERY_OBJECTS)?.unwrap_or(limits::QUERY_PAGE);
        let after = fields.optional_text("cursor")?.map(Into::into);
        let position = self.position_in(&options);
        let within = self.geo_bounds().and_then(|bounds| bounds.within.clone());
        let query = ObjectQuery::Nearby { area, position, within, limit, after };
        self.ask(id, named, query, actions);
        Ok(())
    }

    fn nearest(
        &mut self,
        id: u32,
        data: &Bytes,
        now: Now,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let mut fields = Fields::of(data, &["channel", "to", "k", "within_m"])?;
        let named = self.objects_for_queries(&fields.text("channel")?)?;
        let to = fields.take("to").ok_or_else(|| bad(GeoError::new("to", "missing")))?;
        let to = point_of(&to).map_err(|fault| bad(fault.within("to")))?;
        let count = fields.count("k", limits::NEAREST)?.unwrap_or(1);
        let within = fields.number("within_m", 0.0)?.map(Metres);
        let source = AreaSource::Nearest { count, to, within };
        self.check_source(&source, &named, now)?;
        let allowed = self.geo_bounds().and_then(|bounds| bounds.within.clone());
        let query = ObjectQuery::Nearest { to, count, within, allowed };
        self.ask(id, named, query, actions);
        Ok(())
    }

    fn zones(&mut self, id: u32, data: &Bytes, actions: &mut Actions) -> Result<(), Failure> {
        let value = Value::Object(Fields::of(data, &["lat", "lng"])?.0);
        let at = point_of(&value).map_err(bad)?;
        let expected = Expected::Call { id, call: Call::Zones };
        self.request(Request::ZonesAt { at }, expected, actions);
        Ok(())
    }

    fn ask(&mut self, id: u32, named: Named, query: ObjectQuery, actions: &mut Actions) {
        let expected = Expected::Call { id, call: Call::Objects };
        self.request(Request::Query { channel: named.base, query }, expected, actions);
    }

    /// A channel of objects that this client may see.
    fn objects_for_queries(&self, name: &str) -> Result<Named, Failure> {
        let named = self.named(name)?;
        if named.geo().is_none_or(|geo| geo.kind != GeoKind::Objects) {
            let why = "channel: not a channel of objects";
            return Err(ErrorCode::BadRequest.because(why).into());
        }
        let is_subscribed = self.subscriptions.is_in(&named.base);
        let operation = Operation::Subscribe;
        if !is_subscribed && !self.permit(operation, named.base.as_str(), &named.namespace) {
            return Err(ErrorCode::PermissionDenied.into());
        }
        Ok(named)
    }
}

fn options_of(named: &Named) -> Result<std::sync::Arc<GeoOptions>, Failure> {
    named.geo().cloned().ok_or_else(no_geography)
}

fn no_geography() -> Failure {
    ErrorCode::BadRequest.because("channel: its namespace has no geography").into()
}

/// `{"lat":…,"lng":…}` and nothing else.
pub(super) fn point_of(value: &Value) -> Result<Point, GeoError> {
    let object = value.as_object().ok_or_else(|| GeoError::new("", "not an object"))?;
    if let Some(key) = object.keys().find(|key| !matches!(key.as_str(), "lat" | "lng")) {
        return Err(GeoError::new(key.as_str(), "unknown"));
    }
    let number = |name: &str| {
        let value = object.get(name).ok_or_else(|| GeoError::new(name, "missing"))?;
        value.as_f64().ok_or_else(|| GeoError::new(name, "not a number"))
    };
    let at = LatLng::new(number("lat")?, number("lng")?);
    at.map(Point::from).map_err(|fault| GeoError::new(fault.field(), fault))
}

/// The fields of a call.
struct Fields(Map<String, Value>);

impl Fields {
    fn of(data: &Bytes, known: &[&str]) -> Result<Self, Failure> {
        crate::protocol::is_json(data)
            .map_err(|fault| ErrorCode::BadRequest.because(format_args!("data: {fault}")))?;
        let Value::Object(fields) = json::parse(data).map_err(bad)? else {
            return Err(ErrorCode::BadRequest.because("data: not an object").into());
        };
        if let Some(key) = fields.keys().find(|key| !known.contains(&key.as_str())) {
            let key: String = key.chars().take(64).collect();
            return Err(bad(GeoError::new(key, "unknown")));
        }
        Ok(Self(fields))
    }

    fn take(&mut self, name: &str) -> Option<Value> {
        self.0.remove(name).filter(|value| !value.is_null())
    }

    fn optional_text(&mut self, name: &str) -> Result<Option<String>, Failure> {
        match self.take(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(bad(GeoError::new(name, "not a string"))),
        }
    }

    fn text(&mut self, name: &str) -> Result<String, Failure> {
        self.optional_text(name)?.ok_or_else(|| bad(GeoError::new(name, "missing")))
    }

    fn count(&mut self, name: &str, most: usize) -> Result<Option<usize>, Failure> {
        let Some(value) = self.take(name) else { return Ok(None) };
        let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
        match count.filter(|count| (1..=most).contains(count)) {
            Some(count) => Ok(Some(count)),
            None => Err(bad(GeoError::new(name, format_args!("must be a number 1..{most}")))),
        }
    }

    fn number(&mut self, name: &str, least: f64) -> Result<Option<f64>, Failure> {
        let Some(value) = self.take(name) else { return Ok(None) };
        match value.as_f64().filter(|number| *number >= least) {
            Some(number) => Ok(Some(number)),
            None => Err(bad(GeoError::new(name, format_args!("must be a number from {least}")))),
        }
    }
}
