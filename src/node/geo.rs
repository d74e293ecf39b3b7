//! Objects, fences and zones of a node, for sessions and for the server API.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};
use tokio_util::task::TaskTracker;

use super::Node;
use super::api::{Reach, unavailable};
use super::lanes::Lanes;
use crate::base::limits;
use crate::channel::{
    AreaSource, Channel, EventKind, Fence, GeoKind, GeoOptions, ObjectQuery, Publication, Refusal,
    Sighting,
};
use crate::geo::json::{self, AreaSpec, FixSpec};
use crate::geo::{Area, GeoError, Place, Point, Zones};
use crate::hooks::Address;
use crate::hub::{Input, ObjectAct};
use crate::protocol::{ClientError, ErrorCode};

impl Node {
    /// Objects of a channel, with whether there are more.
    pub(super) async fn query(
        &self,
        channel: &Channel,
        query: ObjectQuery,
    ) -> Result<(Vec<Sighting>, bool), Refusal> {
        let of = channel.clone();
        let found = self.lanes.look(channel, move |lane| lane.query(&of, &query)).await;
        found.unwrap_or_else(|| Ok((Vec::new(), false)))
    }

    /// Whether an event is where its namespace shows nothing: it goes no further.
    pub(super) async fn is_hidden(&self, event: &Publication, options: &GeoOptions) -> bool {
        let Some(place) = event.place.as_deref().filter(|_| !options.hide.is_empty()) else {
            return false;
        };
        let zones = self.zones.all().await;
        options.hide.iter().filter_map(|name| zones.find(name)).any(|zone| zone.has(place))
    }

    /// Names of the zones that contain a place.
    pub(crate) async fn zones_at(&self, at: Point) -> Vec<Arc<str>> {
        self.zones.all().await.at(&at)
    }

    /// Where the object is that an area follows.
    pub(super) async fn followed(&self, area: &AreaSource) -> Option<Point> {
        let object = area.followed()?.clone();
        let of = object.channel.clone();
        self.lanes.look(&of, move |lane| lane.place_of(&object)).await.flatten()
    }

    /// Puts an object where it is.
    pub(crate) async fn set_object(&self, name: &str, fix: FixSpec) -> Result<(), ClientError> {
        let (channel, options) = self.objects_channel(name)?;
        let key =
            fix.key.as_deref().ok_or_else(|| ErrorCode::BadRequest.because("key: missing"))?;
        let key = key.into();
        let fix = options.fix(fix, key, None, self.clock.moment());
        let kind = EventKind::Fix(Arc::new(fix), options);
        self.broker.emit(&channel, kind).await.map_err(unavailable)
    }

    pub(crate) async fn remove_object(&self, name: &str, key: &str) -> Result<(), ClientError> {
        let (channel, _) = self.objects_channel(name)?;
        let kind = EventKind::Removed { key: key.into() };
        self.broker.emit(&channel, kind).await.map_err(unavailable)
    }

    /// Answers a query of a channel of objects, with whether there are more.
    pub(crate) async fn objects(
        &self,
        name: &str,
        query: ObjectQuery,
    ) -> Result<(Vec<Sighting>, bool), ClientError> {
        let (channel, _) = self.objects_channel(name)?;
        self.query(&channel, query).await.map_err(refused)
    }

    /// How many objects are in an area; fewer than the namespace's floor are none.
    pub(crate) async fn count_objects(
        &self,
        name: &str,
        area: AreaSource,
    ) -> Result<usize, ClientError> {
        let (channel, options) = self.objects_channel(name)?;
        let of = channel.clone();
        let count = self.lanes.look(&channel, move |lane| lane.count(&of, &area)).await;
        let count = count.unwrap_or(Ok(0)).map_err(refused)?;
        Ok(if count < options.count_floor { 0 } else { count })
    }

    /// Adds a fence to a channel of objects, or replaces the one of that name.
    pub(crate) async fn set_fence(&self, name: &str, fence: Fence) -> Result<(), ClientError> {
        let (channel, options) = self.objects_channel(name)?;
        let (of, new) = (channel.clone(), fence.clone());
        let check = move |lane: &crate::hub::Lane<_>| lane.check_fence(&of, &new);
        self.lanes.look(&channel, check).await.unwrap_or(Ok(())).map_err(refused)?;
        let act = ObjectAct::SetFence { fence: Arc::new(fence), options };
        self.lanes.send(&channel, Input::Objects { channel: channel.clone(), act }).await;
        Ok(())
    }

    pub(crate) async fn remove_fence(&self, name: &str, fence: &str) -> Result<(), ClientError> {
        let (channel, _) = self.objects_channel(name)?;
        let act = ObjectAct::RemoveFence { name: fence.into() };
        self.lanes.send(&channel, Input::Objects { channel: channel.clone(), act }).await;
        Ok(())
    }

    /// The fences of a channel, by name.
    pub(crate) async fn fences(&self, name: &str) -> Result<Vec<Arc<Fence>>, ClientError> {
        let (channel, _) = self.objects_channel(name)?;
        let of = channel.clone();
        let fences = self.lanes.look(&channel, move |lane| lane.fences(&of)).await;
        Ok(fences.unwrap_or_default())
    }

    /// Adds a zone of the node's own, or replaces the one of that name.
    pub(crate) async fn set_zone(&self, name: &str, area: Arc<Area>) -> Result<(), ClientError> {
        let length = 1..=limits::ZONE_NAME_BYTES;
        if !length.contains(&name.len()) {
            let why = format_args!("name: a zone's name has 1 to {} bytes", length.end());
            return Err(ErrorCode::BadRequest.because(why));
        }
        if self.zones.set(name.into(), Some(area)).await {
            return Ok(());
        }
        Err(ErrorCode::LimitExceeded.because(format_args!("at most {} zones", limits::ZONES)))
    }

    /// Whether there was one.
    pub(crate) async fn remove_zone(&self, name: &str) -> bool {
        self.zones.set(name.into(), None).await
    }

    pub(crate) async fn zones(&self) -> Arc<Zones> {
        self.zones.all().await
    }

    /// The area that a backend names in a channel.
    pub(crate) fn area(&self, spec: AreaSpec) -> Result<AreaSource, ClientError> {
        match spec {
            AreaSpec::Fixed(area) => Ok(AreaSource::Fixed(area)),
            AreaSpec::Zone(name) => Ok(AreaSource::Zone(name.into())),
            AreaSpec::FollowMe { .. }
            | AreaSpec::FollowObject { .. }
            | AreaSpec::Nearest { .. } => {
                let why = "area: must be near, bbox, geometry, cells, route or zone";
                Err(ErrorCode::BadRequest.because(why))
            }
        }
    }

    /// Whether there is a namespace for a channel in which results are published.
    pub(crate) fn check_channel(&self, name: &str) -> Result<(), ClientError> {
        let (_, namespace) = self.channel(name)?;
        match namespace.options.geo {
            Some(_) => Err(ErrorCode::BadRequest.because("publish: not in a geo channel")),
            None => Ok(()),
        }
    }

    /// The address of a webhook.
    pub(crate) fn check_webhook(&self, url: &str) -> Result<Arc<str>, ClientError> {
        if self.options.webhook.secret.is_none() {
            let why = "webhook: webhook.secret is not set, and unsigned ones are not sent";
            return Err(ErrorCode::BadRequest.because(why));
        }
        let most = limits::URL_BYTES;
        if url.len() > most {
            let why = format_args!("webhook: longer than {most} bytes");
            return Err(ErrorCode::BadRequest.because(why));
        }
        let bad = |fault| ErrorCode::BadRequest.because(format_args!("webhook: {fault}"));
        Address::parse(url).map_err(bad)?;
        Ok(url.into())
    }

    fn objects_channel(&self, name: &str) -> Result<(Channel, Arc<GeoOptions>), ClientError> {
        let (channel, namespace) = self.channel(name)?;
        match &namespace.options.geo {
            Some(geo) if geo.kind == GeoKind::Objects => Ok((channel, geo.clone())),
            _ => Err(ErrorCode::BadRequest.because("channel: not a channel of objects")),
        }
    }
}

/// Gives an event its place, from where the publisher said it apart or from its data and tags.
pub(super) fn locate(
    publication: &mut Publication,
    options: &GeoOptions,
    place: Option<Place>,
    reach: Option<Reach>,
) -> Result<(), ClientError> {
    let bad = |fault: GeoError| ErrorCode::BadRequest.because(fault);
    publication.place = place.map(|place| Arc::new(options.coarse_place(place)));
    if let Some(Reach::Area(area)) = &reach {
        publication.reach = Some(options.coarse_reach(area.clone()));
    }
    options.locate(publication).map_err(bad)?;
    if let (Some(Reach::Metres(metres)), Some(place)) = (reach, &publication.place) {
        let round = json::round(place, metres).map_err(|fault| bad(fault.within("reach_m")))?;
        publication.reach = Some(round);
    }
    Ok(())
}

pub(super) fn refused(refusal: Refusal) -> ClientError {
    crate::session::error_of(&refusal)
}

// === Zones ===

#[derive(Debug)]
enum ZoneMessage {
    /// Answers whether it could be set, or was there to be removed.
    Set(Arc<str>, Option<Arc<Area>>, oneshot::Sender<bool>),
    All(oneshot::Sender<Arc<Zones>>),
}

/// The zones of a node. One task owns them and tells every lane of each change before it answers;
/// its queue is bounded, and whoever sends to a full one waits.
#[derive(Clone, Debug)]
pub(super) struct ZoneKeeper(mpsc::Sender<ZoneMessage>);

impl ZoneKeeper {
    pub(super) fn start(tasks: &TaskTracker, lanes: Lanes, zones: Zones) -> Self {
        let (sender, inbox) = mpsc::channel(limits::ZONE_QUEUE);
        tasks.spawn(keep(inbox, lanes, Arc::new(zones)));
        Self(sender)
    }

    async fn set(&self, name: Arc<str>, area: Option<Arc<Area>>) -> bool {
        let (reply, answer) = oneshot::channel();
        let sent = self.0.send(ZoneMessage::Set(name, area, reply)).await;
        sent.is_ok() && answer.await.unwrap_or(false)
    }

    async fn all(&self) -> Arc<Zones> {
        let (reply, answer) = oneshot::channel();
        match self.0.send(ZoneMessage::All(reply)).await {
            Ok(()) => answer.await.unwrap_or_default(),
            Err(_stopped) => Arc::default(),
        }
    }
}

async fn keep(mut inbox: mpsc::Receiver<ZoneMessage>, lanes: Lanes, mut zones: Arc<Zones>) {
    lanes.send_all(&Input::Zones { all: zones.clone(), changed: None }).await;
    while let Some(message) = inbox.recv().await {
        match message {
            // Whoever asked may be gone.
            ZoneMessage::All(reply) => drop(reply.send(zones.clone()).err()),
            ZoneMessage::Set(name, area, reply) => {
                let mut next = Zones::clone(&zones);
                let done = match area {
                    Some(_) if next.len() >= limits::ZONES && !next.has(&name) => false,
                    Some(area) => {
                        next.set(name.clone(), area);
                        true
                    }
                    None => next.remove(&name),
                };
                if done {
                    zones = Arc::new(next);
                    let input = Input::Zones { all: zones.clone(), changed: Some(name) };
                    lanes.send_all(&input).await;
                }
                let _asker_is_gone = reply.send(done);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geo::json::snap;
    use crate::geo::{Circle, LatLng, Metres};

    #[test]
    fn a_reach_that_is_said_apart_is_as_coarse_as_the_place() {
        let exact = Point::from(LatLng::new(52.523_456, 13.412_345).unwrap());
        let coarse = snap(exact, 7);
        let area = Arc::new(Area::Circle(Circle::new(exact, Metres(200.0))));
        let options = GeoOptions { snap: Some(7), ..GeoOptions::default() };
        for reach in [Reach::Area(area), Reach::Metres(200.0)] {
            let place = Some(Place { at: exact, shape: None });
            let mut event = Publication { data: "{}".into(), ..Publication::default() };
            locate(&mut event, &options, place, Some(reach)).unwrap();
            assert_eq!(event.place.unwrap().at, coarse);
            assert_eq!(event.reach.unwrap().cap(), Some((coarse, Metres(200.0))));
        }
    }
}
