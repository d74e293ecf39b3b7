//! The calls `geo.move`, `geo.position`, `geo.nearby`, `geo.nearest` and `geo.zones`.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::objects::{error_of, object_list};
use super::subscribe::Named;
use super::viewing::{AreaOrigin, Move};
use crate::access::token::Operation;
use crate::base::{Now, SubId, limits};
use crate::channel::{AreaSource, Channel, GeoOptions, ObjectQuery, Refusal, Sighting};
use crate::geo::json::{self, AreaSpec, Fields};
use crate::protocol::{ErrorCode, Reply, RpcRequest, RpcResult};
use crate::session::action::{Actions, AreaOwner, Recall, Request};
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
            _ => {
                let why = "method: unknown; there are geo.move, geo.position, geo.nearby, \
                           geo.nearest, geo.zones";
                Err(ErrorCode::NotAvailable.because(why).into())
            }
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
        let value = read(data)?;
        let fields = Fields::of(&value, &["channel", "area"])?;
        let named = self.named(fields.need_text("channel")?)?;
        let options = named.geo().ok_or_else(no_geography)?.clone();
        let area = AreaSpec::of_call(&fields, &self.area_limits(&options))?;
        let source = self.source(area)?;
        self.check_source(&source, &named, now)?;
        let Some(subscription) = self.subscriptions.find_mut(named.full.as_str()) else {
            let why = "channel: not subscribed";
            return Err(ErrorCode::BadRequest.because(why).into());
        };
        let sub = subscription.id;
        let viewing = subscription.viewing.as_mut().ok_or_else(no_geography)?;
        if !viewing.can_move() {
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
        let (area, bytes) = (source.clone(), AREA_BYTES + AREA_BYTES_EACH * data.len());
        viewing.moves.push_back(Move { token, id, source, bytes });
        let position = self.position_in(&options);
        let move_area = Request::MoveArea { channel: named.base, sub, area, position, token };
        self.request(move_area, Expected::Nothing, actions);
        Ok(())
    }

    /// The lane has given the subscription another area: it follows and is remembered from here on.
    pub(super) fn area_is(&mut self, sub: SubId, is: Move, actions: &mut Actions) {
        let Some(subscription) = self.subscriptions.by_id(sub) else { return };
        let (full, base) = (subscription.channel.clone(), subscription.base().clone());
        let Some(viewing) = &mut subscription.viewing else { return };
        let before = std::mem::replace(&mut viewing.source, is.source.clone());
        viewing.origin = AreaOrigin::Moved;
        let asked = viewing.asked;
        self.refollow(sub, &base, Some(&before), Some(&is.source), actions);
        if let Some(owner) = self.area_owner(full) {
            let (recall, area, bytes) = (Recall { owner, asked }, is.source, is.bytes);
            self.request(Request::Remember { recall, area, bytes }, Expected::Nothing, actions);
        }
    }

    /// The client left the channel itself: it begins anew with whatever it asks for next.
    pub(in crate::session) fn forget_area(&mut self, channel: Channel, actions: &mut Actions) {
        if let Some(owner) = self.area_owner(channel) {
            self.request(Request::ForgetArea { owner }, Expected::Nothing, actions);
        }
    }

    /// Who comes back to a moved area; `None` for somebody who could be anybody.
    pub(in crate::session) fn area_owner(&self, channel: Channel) -> Option<AreaOwner> {
        let (user, device) = (self.identity.user.clone(), self.device().to_owned());
        (!user.is_empty() || !device.is_empty()).then_some(AreaOwner { user, device, channel })
    }

    fn nearby(
        &mut self,
        id: u32,
        data: &Bytes,
        now: Now,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let value = read(data)?;
        let fields = Fields::of(&value, &["channel", "area", "limit", "cursor"])?;
        let (named, options) = self.objects_for_queries(&fields)?;
        let area = self.source(AreaSpec::of_call(&fields, &self.area_limits(&options))?)?;
        if let AreaSource::Nearest { .. } | AreaSource::FollowObject { .. } = area {
            let why = "area: not one to ask for; use geo.nearest";
            return Err(ErrorCode::BadRequest.because(why).into());
        }
        self.check_source(&area, &named, now)?;
        let limit = fields.count("limit", (1, limits::QUERY_OBJECTS))?;
        let limit = limit.unwrap_or(limits::QUERY_PAGE);
        let after = fields.text("cursor")?.map(Into::into);
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
        let value = read(data)?;
        let fields = Fields::of(&value, &["channel", "to", "k", "within_m"])?;
        let (named, options) = self.objects_for_queries(&fields)?;
        let (count, to, within) = json::nearest(&fields, "k", &self.area_limits(&options))?;
        let source = AreaSource::Nearest { count, to, within };
        self.check_source(&source, &named, now)?;
        let allowed = self.geo_bounds().and_then(|bounds| bounds.within.clone());
        let query = ObjectQuery::Nearest { to, count, within, allowed };
        self.ask(id, named, query, actions);
        Ok(())
    }

    fn zones(&mut self, id: u32, data: &Bytes, actions: &mut Actions) -> Result<(), Failure> {
        let at = json::point(&read(data)?)?;
        let expected = Expected::Call { id, call: Call::Zones };
        self.request(Request::ZonesAt { at }, expected, actions);
        Ok(())
    }

    fn ask(&mut self, id: u32, named: Named, query: ObjectQuery, actions: &mut Actions) {
        let expected = Expected::Call { id, call: Call::Objects };
        self.request(Request::Query { channel: named.base, query }, expected, actions);
    }

    /// The member `channel`: a channel of objects that this client may see.
    fn objects_for_queries(
        &self,
        fields: &Fields<'_>,
    ) -> Result<(Named, Arc<GeoOptions>), Failure> {
        let named = self.named(fields.need_text("channel")?)?;
        let Some(options) = named.objects().cloned() else {
            let why = "channel: not a channel of objects";
            return Err(ErrorCode::BadRequest.because(why).into());
        };
        let is_subscribed = self.subscriptions.is_in(&named.base);
        let operation = Operation::Subscribe;
        if !is_subscribed && !self.permit(operation, named.base.as_str(), &named.namespace) {
            return Err(ErrorCode::PermissionDenied.into());
        }
        Ok((named, options))
    }
}

/// `{"zones":[...]}`.
pub(crate) fn zone_names(names: &[Arc<str>]) -> Value {
    serde_json::json!({ "zones": names })
}

fn no_geography() -> Failure {
    ErrorCode::BadRequest.because("channel: its namespace has no geography").into()
}

/// An object.
fn read(data: &Bytes) -> Result<Value, Failure> {
    let object = json::parse_small(data).and_then(|value| {
        Fields::any(&value)?;
        Ok(value)
    });
    Ok(object.map_err(|fault| fault.within("data"))?)
}

/// About what an area takes beside and for each byte of its JSON.
const AREA_BYTES: usize = 512;
const AREA_BYTES_EACH: usize = 16;
