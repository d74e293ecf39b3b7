//! The area of a subscription: from the request's data, from the channel's label, or from a tag
//! filter.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::Way;
use super::backlog::{Backlog, Pace};
use super::viewing::{AreaOrigin, Viewing};
use crate::base::Now;
use crate::channel::{
    AreaSource, Centers, Channel, Form, GeoKind, GeoOptions, Namespace, ObjectName, TagFilter, View,
};
use crate::geo::json::{AreaLimits, AreaSpec, ViewSpec, is_nothing};
use crate::geo::{Area, Metres, Vertex, built_in_zone};
use crate::protocol::{ErrorCode, FilterNode, SubscribeRequest};
use crate::session::{Failure, Session, wire};

/// A channel as a client names it.
#[derive(Debug)]
pub(in crate::session) struct Named {
    /// With the label.
    pub(in crate::session) full: Channel,
    /// Without it: what permissions, lanes, presence and history go by.
    pub(in crate::session) base: Channel,
    pub(in crate::session) label: Option<String>,
    pub(in crate::session) namespace: Arc<Namespace>,
}

impl Named {
    pub(in crate::session) fn geo(&self) -> Option<&Arc<GeoOptions>> {
        self.namespace.options.geo.as_ref()
    }

    /// The options of a channel of objects.
    pub(super) fn objects(&self) -> Option<&Arc<GeoOptions>> {
        self.geo().filter(|geo| geo.kind == GeoKind::Objects)
    }

    /// Whether the label says what the area is.
    pub(in crate::session) fn is_area(&self) -> bool {
        self.label.as_deref().is_some_and(is_area_label)
    }
}

fn is_area_label(label: &str) -> bool {
    ["near:", "h3:", "zone:"].iter().any(|form| label.starts_with(form))
}

/// How a new subscription of a geo channel sees it.
#[derive(Debug)]
pub(in crate::session) struct Sight {
    pub(in crate::session) view: Arc<View>,
    pub(in crate::session) viewing: Box<Viewing>,
}

impl Session {
    /// Reads a channel's name. In a geo namespace, what follows the first `@` is a label.
    pub(in crate::session) fn named(&self, name: &str) -> Result<Named, Failure> {
        let full = self.channel(name)?;
        let namespace = self.namespace(&full)?;
        if namespace.options.geo.is_some()
            && let Some((base, label)) = name.split_once('@')
        {
            let base = self.channel(base)?;
            return Ok(Named { full, base, label: Some(label.to_owned()), namespace });
        }
        Ok(Named { base: full.clone(), full, label: None, namespace })
    }

    /// The view of a subscribe request; `None` in a channel without geography.
    pub(in crate::session) fn sight(
        &mut self,
        request: &SubscribeRequest,
        named: &Named,
        tags: Option<&TagFilter>,
        now: Now,
    ) -> Result<Option<Sight>, Failure> {
        let Some(options) = named.geo().cloned() else { return Ok(None) };
        let limits = self.area_limits(&options);
        let form = if request.r#type == 1 { Form::Map } else { Form::Stream };
        let label = named.label.as_deref().filter(|label| is_area_label(label));
        let from_label = label.and_then(|label| AreaSpec::of_label(label, &limits));
        let (spec, source) = match from_label {
            Some(area) => {
                let area = area?;
                (plain(request, &area, &limits)?, self.source(area)?)
            }
            None => match tags
                .filter(|_| is_nothing(&request.data))
                .and_then(|tags| by_tags(tags, &options))
            {
                Some(source) => {
                    if let AreaSource::TagBox(area) = &source {
                        limits.check(area).map_err(|fault| fault.within("tf"))?;
                    }
                    (ViewSpec::of(AreaSpec::Fixed(Arc::default())), source)
                }
                None => {
                    let spec = ViewSpec::parse(&request.data, &limits)?;
                    let source = self.source(spec.area.clone())?;
                    (spec, source)
                }
            },
        };
        spec.check_kind(options.kind == GeoKind::Objects)?;
        self.check_source(&source, named, now)?;
        let filter = spec.filter.as_ref().map(filter_of).transpose()?.map(Arc::new);
        let view = Arc::new(View {
            area: source.clone(),
            within: self.geo_bounds().and_then(|bounds| bounds.within.clone()),
            detect: spec.detect,
            dwell: spec.dwell,
            hysteresis: spec.hysteresis,
            approach: spec.approach,
            limit: spec.limit,
            distance: spec.distance,
            filter,
            centers: Centers { session: self.position_in(&options), object: None },
            options: options.clone(),
        });
        let pace = Pace {
            interval: spec.max_hz.map(|hertz| Duration::from_secs_f64(1.0 / hertz)),
            min_move: spec.min_move,
        };
        let viewing = Box::new(Viewing {
            base: named.base.clone(),
            options,
            source,
            origin: if named.is_area() { AreaOrigin::Label } else { AreaOrigin::Asked },
            form,
            detects: spec.detect.is_some(),
            backlog: Backlog::new(pace),
            moves: Default::default(),
            tokens: 0,
            asked: self.asked(&request.data),
            shows_distance: spec.distance,
        });
        Ok(Some(Sight { view, viewing }))
    }

    /// Names what is asked for, and everything that says what may be: a moved area is only for who
    /// might move it there again.
    fn asked(&self, data: &Bytes) -> u64 {
        let mut hasher = DefaultHasher::new();
        data.hash(&mut hasher);
        let rights = (&self.identity.capabilities, self.geo_bounds());
        if rights.1.is_some() || !rights.0.is_empty() {
            format!("{rights:?}").hash(&mut hasher);
        }
        hasher.finish()
    }

    pub(super) fn area_limits(&self, options: &GeoOptions) -> AreaLimits {
        let token = self.geo_bounds().and_then(|bounds| bounds.radius_max);
        let least = |one: Option<Metres>, other: Option<Metres>| match (one, other) {
            (Some(one), Some(other)) => Some(if one < other { one } else { other }),
            (one, other) => one.or(other),
        };
        AreaLimits { radius_min: options.radius_min, radius_max: least(options.radius_max, token) }
    }

    /// What an area is, if this client may have it.
    pub(super) fn source(&self, area: AreaSpec) -> Result<AreaSource, Failure> {
        Ok(match area {
            AreaSpec::Fixed(area) => AreaSource::Fixed(area),
            AreaSpec::Zone(name) => AreaSource::Zone(name.into()),
            AreaSpec::FollowMe { radius } => AreaSource::FollowMe { radius },
            AreaSpec::FollowObject { channel, key, radius } => {
                let named = self.named(&channel)?;
                if named.objects().is_none() {
                    let why = "follow.channel: not a channel of objects";
                    return Err(ErrorCode::BadRequest.because(why).into());
                }
                let operation = crate::access::token::Operation::Subscribe;
                if !self.permit(operation, named.base.as_str(), &named.namespace) {
                    return Err(ErrorCode::PermissionDenied.because("follow.channel").into());
                }
                let object = ObjectName { channel: named.base, key: key.into() };
                AreaSource::FollowObject { object, radius }
            }
            AreaSpec::Nearest { count, to, within } => AreaSource::Nearest { count, to, within },
        })
    }

    /// Whether an area of this source can be had in the channel.
    pub(super) fn check_source(
        &mut self,
        source: &AreaSource,
        named: &Named,
        now: Now,
    ) -> Result<(), Failure> {
        let Some(options) = named.geo().cloned() else { return Ok(()) };
        if options.kind == GeoKind::Events && matches!(source, AreaSource::Nearest { .. }) {
            let why = "nearest: only in a channel of objects";
            return Err(ErrorCode::BadRequest.because(why).into());
        }
        let center = match source {
            AreaSource::Fixed(area) | AreaSource::TagBox(area) => area.center(),
            AreaSource::Nearest { to, .. } => Some(*to),
            AreaSource::Zone(name) => built_in_zone(name).and_then(|area| area.center()),
            AreaSource::FollowMe { .. } => self.whereabouts.as_ref().and_then(|one| one.position),
            AreaSource::FollowObject { .. } | AreaSource::TagCells(_) => None,
        };
        if let Some(center) = center {
            let is_me = matches!(source, AreaSource::FollowMe { .. });
            let way = if is_me { Way::Me } else { Way::Asked };
            self.check_travel((&named.base, way), &options, center, now)?;
        }
        if let AreaSource::Fixed(area) = source
            && let Some(within) = self.geo_bounds().and_then(|bounds| bounds.within.as_ref())
            && !area.is_within(within)
        {
            let why = "area: outside of what the token allows";
            return Err(ErrorCode::PermissionDenied.because(why).into());
        }
        Ok(())
    }
}

/// A subscription whose area is its label may say everything else in its data.
fn plain(
    request: &SubscribeRequest,
    area: &AreaSpec,
    limits: &AreaLimits,
) -> Result<ViewSpec, Failure> {
    if is_nothing(&request.data) {
        return Ok(ViewSpec::of(area.clone()));
    }
    Ok(ViewSpec::parse_for(&request.data, area.clone(), limits)?)
}

/// The box or cells of tags that a filter asks for.
fn by_tags(tags: &TagFilter, options: &GeoOptions) -> Option<AreaSource> {
    if options.kind != GeoKind::Events {
        return None;
    }
    let (lat, lng) = (tags.range(&options.lat), tags.range(&options.lng));
    if lat.is_some() || lng.is_some() {
        let within = |range: Option<(f64, f64)>, most: f64| {
            let (least, greatest) = range.unwrap_or((-most, most));
            (least.clamp(-most, most), greatest.clamp(-most, most))
        };
        let ((south, north), (west, east)) = (within(lat, 90.0), within(lng, 180.0));
        if south <= north && west < east {
            let southwest = Vertex { lng: west, lat: south };
            let northeast = Vertex { lng: east, lat: north };
            let area = Area::bbox(southwest, northeast).ok()?;
            return Some(AreaSource::TagBox(Arc::new(area)));
        }
    }
    let cells = tags.values("cell")?;
    Some(AreaSource::TagCells(cells.into_iter().map(Arc::from).collect()))
}

fn filter_of(filter: &serde_json::Value) -> Result<TagFilter, Failure> {
    let node: FilterNode = serde_json::from_value(filter.clone())
        .map_err(|fault| ErrorCode::BadRequest.because(format_args!("where: {fault}")))?;
    let part = wire::filter_part(node);
    TagFilter::parse("where", part).map_err(|fault| ErrorCode::BadRequest.because(fault).into())
}
