//! Fixes: where the client's device is, and the objects that it moves.

use std::sync::Arc;

use bytes::Bytes;
use serde_json::Value;

use super::rpc::Call;
use super::subscribe::Named;
use super::{Way, Whereabouts};
use crate::access::token::Operation;
use crate::base::{Now, SubId, UnixMillis, limits};
use crate::channel::{AreaSource, Channel, Fix, GeoOptions, KeyRule, Publication};
use crate::geo::json::{self, Fields, FixSpec};
use crate::geo::{GeoError, Point};
use crate::protocol::{ClientError, ErrorCode, PublishRequest};
use crate::session::action::{Actions, Note, Request};
use crate::session::answer::Expected;
use crate::session::{Failure, Session};

impl Session {
    /// `geo.position`.
    pub(super) fn position(
        &mut self,
        id: u32,
        data: &Bytes,
        now: Now,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let locate = self.take_fix(data, now)?;
        self.request(locate, Expected::Call { id, call: Call::Done }, actions);
        Ok(())
    }

    /// A fix that nobody waits for: one that is wrong is dropped and counted.
    pub(in crate::session) fn handle_send(
        &mut self,
        data: &Bytes,
        now: Now,
        actions: &mut Actions,
    ) {
        match self.take_fix(data, now) {
            Ok(locate) => self.request(locate, Expected::Nothing, actions),
            Err(_) => actions.notes.push(Note::FixDropped),
        }
    }

    /// Moves the session, and the object of the fix's channel, if it names one.
    fn take_fix(&mut self, data: &Bytes, now: Now) -> Result<Request, Failure> {
        crate::protocol::is_json(data)
            .map_err(|fault| ErrorCode::BadRequest.because(format_args!("data: {fault}")))?;
        self.locate(FixSpec::parse(data)?, now)
    }

    pub(super) fn locate(&mut self, mut spec: FixSpec, now: Now) -> Result<Request, Failure> {
        let at = spec.point;
        self.check_place(&at)?;
        let time = spec.time_ms.map(|time| device_time(UnixMillis(time), now));
        let last = self.whereabouts.as_ref().and_then(|known| known.position_time);
        let is_late = time.zip(last).is_some_and(|(time, last)| time <= last);
        let followers = if is_late { Vec::new() } else { self.slow_followers() };
        // Refused by one, it leaves no trace in any.
        for (channel, options) in &followers {
            self.may_travel((channel, Way::Me), options, at, now)?;
        }
        let fix = match spec.channel.take() {
            None if spec.key.is_some() => {
                return Err(GeoError::new("key", "only with channel").into());
            }
            None => None,
            Some(channel) => {
                let named = self.named(&channel)?;
                let options = self.may_move(&named)?;
                let fix = self.fix(&named.base, spec, &options, now)?;
                Some((named.base, fix, options))
            }
        };
        if is_late {
            return Ok(Request::Locate { subs: Vec::new(), fix });
        }
        for (channel, _) in followers {
            self.note_center((channel, Way::Me), at, now);
        }
        let known = self.whereabouts_mut();
        known.position = Some(at);
        known.position_time = time;
        Ok(Request::Locate { subs: self.located(at), fix })
    }

    /// Channels that limit how fast the areas in them that follow the session may travel.
    fn slow_followers(&self) -> Vec<(Channel, Arc<GeoOptions>)> {
        self.subscriptions
            .iter()
            .filter_map(|one| one.viewing.as_ref())
            .filter(|viewing| viewing.follows_me() && viewing.options.query_speed_max.is_some())
            .map(|viewing| (viewing.base.clone(), viewing.options.clone()))
            .collect()
    }

    /// Publish in a channel of objects: a fix, or the removal of one.
    pub(in crate::session) fn publish_object(
        &mut self,
        id: u32,
        named: &Named,
        request: &PublishRequest,
        now: Now,
        actions: &mut Actions,
    ) -> Result<(), Failure> {
        let options = self.may_move(named)?;
        let expected = Expected::Published { id };
        let channel = named.base.clone();
        if request.removed {
            let key = self.key(Some(request.key.clone()), &options)?;
            self.request(Request::RemoveObject { channel, key }, expected, actions);
            return Ok(());
        }
        let mut spec = FixSpec::of_publication(&request.data, &options.fields())?;
        if !request.key.is_empty() {
            spec.key = Some(request.key.clone());
        }
        self.check_place(&spec.point)?;
        let fix = self.fix(&channel, spec, &options, now)?;
        self.request(Request::PublishFix { channel, fix, options }, expected, actions);
        Ok(())
    }

    fn may_move(&self, named: &Named) -> Result<Arc<GeoOptions>, Failure> {
        let Some(options) = named.objects() else {
            let why = "channel: not a channel of objects";
            return Err(ErrorCode::BadRequest.because(why).into());
        };
        if !self.permit(Operation::Publish, named.base.as_str(), &named.namespace) {
            return Err(ErrorCode::PermissionDenied.into());
        }
        Ok(options.clone())
    }

    fn check_place(&self, at: &Point) -> Result<(), ClientError> {
        match self.geo_bounds().and_then(|bounds| bounds.within.as_ref()) {
            Some(within) if !within.contains(at) => Err(out_of_bounds("lat, lng")),
            _ => Ok(()),
        }
    }

    /// Whether this client may tell of an event where it is; of a shape all must be in bounds.
    pub(in crate::session) fn check_event(
        &self,
        event: &Publication,
        options: &GeoOptions,
    ) -> Result<(), Failure> {
        let within = self.geo_bounds().and_then(|bounds| bounds.within.as_ref());
        let Some(within) = within else { return Ok(()) };
        let located = json::place_of(&event.data, &options.fields(), &event.tags)?;
        let is_in = located.is_none_or(|located| match &located.place.shape {
            Some(shape) => shape.is_within(within),
            None => within.contains(&located.place.at),
        });
        if is_in { Ok(()) } else { Err(out_of_bounds("data").into()) }
    }

    /// The token allows other things than before: whatever was resolved under the old one ends, so
    /// that the client asks again. Where the session is counts no more if it may not be there.
    pub(in crate::session) fn rebind(&mut self, actions: &mut Actions) {
        let position = self.whereabouts.as_ref().and_then(|known| known.position);
        if position.is_some_and(|at| self.check_place(&at).is_err()) {
            self.whereabouts_mut().position = None;
        }
        let bound: Vec<SubId> = self
            .subscriptions
            .iter()
            .filter(|one| one.viewing.is_some())
            .map(|one| one.id)
            .collect();
        for sub in bound {
            self.invalidate(sub, actions);
        }
    }

    /// The fix of one of this client's objects, which may from here on go with the session.
    fn fix(
        &mut self,
        channel: &Channel,
        spec: FixSpec,
        options: &GeoOptions,
        now: Now,
    ) -> Result<Arc<Fix>, Failure> {
        let key = self.key(spec.key.clone(), options)?;
        let owner = (options.key == KeyRule::Client).then_some(self.origin.session);
        self.note_set(channel, options, now)?;
        if owner.is_some() {
            self.whereabouts_mut().owned.insert(channel.clone());
        }
        Ok(Arc::new(options.fix(spec, key, owner, now.moment)))
    }

    /// The object that this client may move, which it may leave unsaid.
    fn key(&self, key: Option<String>, options: &GeoOptions) -> Result<Arc<str>, Failure> {
        let own = match options.key {
            KeyRule::Free => None,
            KeyRule::User => Some(self.identity.user.clone()),
            KeyRule::Client => Some(self.origin.client.to_string()),
        };
        let key = match (key.filter(|key| !key.is_empty()), own) {
            (None, None) => return Err(GeoError::new("key", "missing").into()),
            (None, Some(own)) if own.is_empty() => {
                let why = "key: a client without a user id has none in this channel";
                return Err(ErrorCode::PermissionDenied.because(why).into());
            }
            (Some(key), Some(own)) if key != own && !self.identity.insecure => {
                let why = "key: this client moves only its own object";
                return Err(ErrorCode::PermissionDenied.because(why).into());
            }
            (Some(key), _) => key,
            (None, Some(own)) => own,
        };
        if key.len() > limits::OBJECT_KEY_BYTES {
            let most = limits::OBJECT_KEY_BYTES;
            return Err(GeoError::new("key", format_args!("longer than {most} bytes")).into());
        }
        Ok(key.into())
    }

    /// Which subscriptions are to know that the session is here.
    fn located(&self, at: Point) -> Vec<(Channel, SubId, Point)> {
        self.subscriptions
            .iter()
            .filter_map(|one| Some((one, one.viewing.as_ref()?)))
            .filter(|(_, viewing)| viewing.follows_me() || !viewing.has_objects())
            .map(|(one, viewing)| (viewing.base.clone(), one.id, viewing.options.snapped(at)))
            .collect()
    }

    /// The session's position as a namespace sees it.
    pub(super) fn position_in(&self, options: &GeoOptions) -> Option<Point> {
        let position = self.whereabouts.as_ref()?.position?;
        Some(options.snapped(position))
    }

    pub(in crate::session) fn whereabouts_mut(&mut self) -> &mut Whereabouts {
        self.whereabouts.get_or_insert_default()
    }

    /// What connect data say of the device: `device`, its name, and `position`, where it is; and what
    /// the client asks of its transport. They are the application's, so what has another form is its
    /// own.
    pub(in crate::session) fn take_device(&mut self, data: &Bytes) -> Result<(), ClientError> {
        let Some(data) = json::parse(data).ok().filter(Value::is_object) else { return Ok(()) };
        self.take_extras(&data)?;
        if let Some(device) = data["device"].as_str() {
            let device = device.chars().take(limits::DEVICE_CHARACTERS).collect();
            self.whereabouts_mut().device = device;
        }
        let is_place = ["lat", "lng"].iter().any(|name| data["position"].get(name).is_some());
        if is_place && self.context.namespaces.have_geography() {
            let at = Fields::any(&data).and_then(|data| data.need_point("position"));
            let at = at.map_err(|fault| ErrorCode::BadRequest.because(fault.within("data")))?;
            self.check_place(&at)?;
            self.whereabouts_mut().position = Some(at);
        }
        Ok(())
    }

    /// Names the device, from the connect data; empty for none.
    pub(super) fn device(&self) -> &str {
        self.whereabouts.as_ref().map_or("", |known| &known.device)
    }

    /// Bounds the channels in which the client has objects: whoever they are of, they last for their
    /// time to live.
    fn note_set(
        &mut self,
        channel: &Channel,
        options: &GeoOptions,
        now: Now,
    ) -> Result<(), Failure> {
        let known = self.whereabouts_mut();
        let until = now.moment.after(options.object_ttl);
        if let Some(last) = known.set.get_mut(channel) {
            *last = until;
            return Ok(());
        }
        if known.set.len() >= limits::SESSION_PLACES {
            let owned = &known.owned;
            known.set.retain(|channel, until| *until > now.moment || owned.contains(channel));
        }
        if known.set.len() >= limits::SESSION_PLACES {
            let most = limits::SESSION_PLACES;
            let why = format_args!("channel: a client has objects in at most {most} channels");
            return Err(ErrorCode::LimitExceeded.because(why).into());
        }
        known.set.insert(channel.clone(), until);
        Ok(())
    }

    /// The session ends: its objects go.
    pub(in crate::session) fn go_offline(&mut self, actions: &mut Actions) {
        let Some(known) = self.whereabouts.take() else { return };
        for channel in known.owned {
            self.request(Request::Offline { channel }, Expected::Nothing, actions);
        }
    }

    /// Begins to follow another object than before, or none.
    pub(in crate::session) fn refollow(
        &mut self,
        sub: SubId,
        channel: &Channel,
        before: Option<&AreaSource>,
        after: Option<&AreaSource>,
        actions: &mut Actions,
    ) {
        for (source, begins) in [(before, false), (after, true)] {
            let Some(object) = source.and_then(AreaSource::followed).cloned() else { continue };
            let namespace = self.context.namespaces.find(object.channel.as_str());
            let options = namespace.and_then(|namespace| namespace.options.geo.clone());
            let Some(options) = options else { continue };
            let by = (channel.clone(), sub);
            let follow = Request::Follow { object, by, options, begins };
            self.request(follow, Expected::Nothing, actions);
        }
    }

    /// Takes note of where the centre of an area or query is, if it has travelled no faster than it
    /// may.
    pub(super) fn check_travel(
        &mut self,
        (channel, way): (&Channel, Way),
        options: &GeoOptions,
        center: Point,
        now: Now,
    ) -> Result<(), Failure> {
        self.may_travel((channel, way), options, center, now)?;
        if options.query_speed_max.is_some() {
            self.note_center((channel.clone(), way), center, now);
        }
        Ok(())
    }

    fn may_travel(
        &self,
        (channel, way): (&Channel, Way),
        options: &GeoOptions,
        center: Point,
        now: Now,
    ) -> Result<(), Failure> {
        let Some(speed_max) = options.query_speed_max else { return Ok(()) };
        let Some(known) = &self.whereabouts else { return Ok(()) };
        let Some((last, at)) = known.centers.get(&(channel.clone(), way)) else { return Ok(()) };
        let seconds = now.moment.since(*at).as_secs_f64();
        if last.distance(&center).0 > speed_max * seconds {
            let why = format_args!("area: its centre may travel at {speed_max} m/s");
            return Err(ErrorCode::TooManyRequests.because(why).into());
        }
        Ok(())
    }

    fn note_center(&mut self, track: (Channel, Way), center: Point, now: Now) {
        let centers = &mut self.whereabouts_mut().centers;
        if centers.len() >= limits::SESSION_PLACES && !centers.contains_key(&track) {
            let oldest = centers.iter().min_by_key(|(_, (_, at))| *at);
            if let Some(oldest) = oldest.map(|(track, _)| track.clone()) {
                centers.remove(&oldest);
            }
        }
        centers.insert(track, (center, now.moment));
    }
}

/// A clock that is ahead counts for nothing.
fn device_time(time: UnixMillis, now: Now) -> UnixMillis {
    let ahead = u128::from(time.0.saturating_sub(now.unix.0));
    if ahead > limits::CLOCK_AHEAD.as_millis() { now.unix } else { time }
}

fn out_of_bounds(field: &str) -> ClientError {
    let why = format_args!("{field}: outside of what the token allows");
    ErrorCode::PermissionDenied.because(why)
}
