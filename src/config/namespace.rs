//! The options of a namespace, and of the channels without one.

use std::sync::Arc;
use std::time::Duration;

use crate::base::limits;
use crate::channel::{
    DistanceRule, GeoKind, GeoOptions, KeyRule, Namespace, NamespaceOptions, RecoveryMode,
    SuspectRule,
};
use crate::config::table::Kind::{
    Bool, Choice, Choices, Count, CountOr, Duration as Time, DurationOption, List, Number,
    NumberOr, Pattern, Size, Text,
};
use crate::config::table::Row;
use crate::geo::Metres;

/// A namespace as it is read, before it is known whether it has geography.
#[derive(Clone, Debug, Default)]
pub(crate) struct NamespaceDraft {
    pub(crate) name: String,
    pub(crate) options: NamespaceOptions,
    geo: GeoOptions,
    geo_kind: Option<GeoKind>,
}

impl NamespaceDraft {
    pub(crate) fn finish(self) -> Namespace {
        let Self { name, mut options, geo, geo_kind } = self;
        options.geo = geo_kind.map(|kind| Arc::new(GeoOptions { kind, ..geo }));
        Namespace { name, options }
    }
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// `name` first; the channels without namespace have every other.
pub(crate) static NAMESPACE: &[Row<NamespaceDraft>] = &[
    Row::new(
        "name",
        Text(2..=limits::NAMESPACE_BYTES, |n| &mut n.name),
        "",
        "Names of channels in this namespace begin with it and the namespace boundary: letters, digits, \"-\", \"_\" and \".\". Every namespace needs one.",
    ),
    Row::new(
        "presence",
        Bool(|n| &mut n.options.presence),
        "false",
        "Keep who is subscribed, for presence requests.",
    ),
    Row::new(
        "join_leave",
        Bool(|n| &mut n.options.join_leave),
        "false",
        "Tell subscribers that ask for it who joins and leaves.",
    ),
    Row::new(
        "force_push_join_leave",
        Bool(|n| &mut n.options.force_push_join_leave),
        "false",
        "Tell every subscriber who joins and leaves, asked or not.",
    ),
    Row::new(
        "history_size",
        Count(0..=1_000_000, |n| &mut n.options.history_size),
        "0",
        "Publications kept in each channel; 0 keeps none. Needs history_ttl.",
    ),
    Row::new(
        "history_ttl",
        Time(Duration::ZERO..=YEAR, |n| &mut n.options.history_ttl),
        "0s",
        "How long publications are kept; 0s keeps none. Needs history_size.",
    ),
    Row::new(
        "history_meta_ttl",
        DurationOption(Duration::from_secs(1)..=YEAR, |n| &mut n.options.history_meta_ttl),
        "0s",
        "How long a channel's position outlives its last publication; 0s takes channel.history_meta_ttl.",
    ),
    Row::new(
        "force_positioning",
        Bool(|n| &mut n.options.force_positioning),
        "false",
        "Every subscription checks that it misses nothing.",
    ),
    Row::new(
        "allow_positioning",
        Bool(|n| &mut n.options.allow_positioning),
        "false",
        "A subscription that asks for it checks that it misses nothing.",
    ),
    Row::new(
        "force_recovery",
        Bool(|n| &mut n.options.force_recovery),
        "false",
        "Every subscription gets what it missed when it comes back. Needs history.",
    ),
    Row::new(
        "allow_recovery",
        Bool(|n| &mut n.options.allow_recovery),
        "false",
        "A subscription that asks for it gets what it missed when it comes back. Needs history.",
    ),
    Row::new(
        "force_recovery_mode",
        Choice(&["stream", "cache", ""], |n, index| {
            n.options.force_recovery_mode =
                if index == 1 { RecoveryMode::Cache } else { RecoveryMode::Stream };
        }),
        "stream",
        "What recovery gives: every missed publication (stream) or the latest alone (cache).",
    ),
    Row::new(
        "allow_subscribe_for_client",
        Bool(|n| &mut n.options.grants.subscribe.client),
        "false",
        "Clients with a user id may subscribe without a subscription token.",
    ),
    Row::new(
        "allow_subscribe_for_anonymous",
        Bool(|n| &mut n.options.grants.subscribe.anonymous),
        "false",
        "Clients without a user id may too, where allow_subscribe_for_client is on.",
    ),
    Row::new(
        "allow_publish_for_client",
        Bool(|n| &mut n.options.grants.publish.client),
        "false",
        "Clients with a user id may publish.",
    ),
    Row::new(
        "allow_publish_for_subscriber",
        Bool(|n| &mut n.options.grants.publish.subscriber),
        "false",
        "Subscribers of a channel may publish to it.",
    ),
    Row::new(
        "allow_publish_for_anonymous",
        Bool(|n| &mut n.options.grants.publish.anonymous),
        "false",
        "Clients without a user id may too, where allow_publish_for_client is on.",
    ),
    Row::new(
        "allow_presence_for_client",
        Bool(|n| &mut n.options.grants.presence.client),
        "false",
        "Clients with a user id may ask who is subscribed.",
    ),
    Row::new(
        "allow_presence_for_subscriber",
        Bool(|n| &mut n.options.grants.presence.subscriber),
        "false",
        "Subscribers of a channel may ask who is subscribed to it.",
    ),
    Row::new(
        "allow_presence_for_anonymous",
        Bool(|n| &mut n.options.grants.presence.anonymous),
        "false",
        "Clients without a user id may too, where allow_presence_for_client is on.",
    ),
    Row::new(
        "allow_history_for_client",
        Bool(|n| &mut n.options.grants.history.client),
        "false",
        "Clients with a user id may read history.",
    ),
    Row::new(
        "allow_history_for_subscriber",
        Bool(|n| &mut n.options.grants.history.subscriber),
        "false",
        "Subscribers of a channel may read its history.",
    ),
    Row::new(
        "allow_history_for_anonymous",
        Bool(|n| &mut n.options.grants.history.anonymous),
        "false",
        "Clients without a user id may too, where allow_history_for_client is on.",
    ),
    Row::new(
        "allow_user_limited_channels",
        Bool(|n| &mut n.options.allow_user_limited_channels),
        "false",
        "A name such as dialog#42,43 admits the users 42 and 43.",
    ),
    Row::new(
        "channel_regex",
        Pattern(|n, regex| n.options.channel_regex = regex),
        "",
        "Names of channels must match; empty lets any name pass.",
    ),
    Row::new(
        "allow_tags_filter",
        Bool(|n| &mut n.options.allow_tags_filter),
        "false",
        "Subscriptions may filter publications by their tags.",
    ),
    Row::new(
        "allowed_delta_types",
        Choices(&["fossil"], |n, chosen| n.options.allow_delta_fossil = !chosen.is_empty()),
        "[]",
        "Delta compressions that subscriptions may ask for.",
    ),
    Row::new(
        "delta_publish",
        Bool(|n| &mut n.options.delta_publish),
        "false",
        "Whatever is published is delivered as deltas where subscribers negotiated them; without it, what a backend publishes with delta.",
    ),
    Row::new(
        "binary",
        Bool(|n| &mut n.options.binary),
        "false",
        "Data is opaque bytes rather than JSON; clients that speak JSON are refused.",
    ),
    Row::new(
        "geo.kind",
        Choice(&["off", "events", "objects"], |n, index| {
            n.geo_kind = [None, Some(GeoKind::Events), Some(GeoKind::Objects)][index];
        }),
        "off",
        "What has a place in these channels: events (a stream), or objects that move; off for channels without geography.",
    ),
    Row::new(
        "geo.lat",
        Text(1..=64, |n| &mut n.geo.lat),
        "lat",
        "Member of a publication's data, or tag, that holds its latitude in degrees.",
    ),
    Row::new(
        "geo.lng",
        Text(1..=64, |n| &mut n.geo.lng),
        "lng",
        "Member of a publication's data, or tag, that holds its longitude in degrees.",
    ),
    Row::new(
        "geo.snap",
        CountOr("off", 1..=15, |n| &mut n.geo.snap),
        "off",
        "Replace each place by the centre of its H3 cell of this resolution, before anything is matched, shown or kept.",
    ),
    Row::new(
        "geo.key",
        Choice(&["user", "client", "free"], |n, index| {
            n.geo.key = [KeyRule::User, KeyRule::Client, KeyRule::Free][index];
        }),
        "user",
        "Which object a client may move: the one named as its user id, the one named as its client id (which goes when it disconnects), or any.",
    ),
    Row::new(
        "geo.object_ttl",
        Time(Duration::from_secs(1)..=YEAR, |n| &mut n.geo.object_ttl),
        "60s",
        "How long an object stays after its last fix.",
    ),
    Row::new(
        "geo.channel_objects_max",
        Count(1..=100_000_000, |n| &mut n.geo.channel_objects_max),
        "1000000",
        "Objects that one channel may have; fixes of further ones are dropped and counted.",
    ),
    Row::new(
        "geo.objects_max",
        Count(1..=limits::VIEW_OBJECTS, |n| &mut n.geo.objects_max),
        "10000",
        "Objects that may be in an area as a client subscribes to it; more are answered by error 106.",
    ),
    Row::new(
        "geo.snapshot_page",
        Count(1..=10_000, |n| &mut n.geo.snapshot_page),
        "200",
        "Objects in the subscribe reply; the rest follows one by one as the client reads.",
    ),
    Row::new(
        "geo.radius_m_min",
        Number(0.001..=20_100_000.0, |n, metres| n.geo.radius_min = Metres(metres)),
        "0.001",
        "Least radius of an area, in metres.",
    ),
    Row::new(
        "geo.radius_m_max",
        NumberOr("off", 0.001..=20_100_000.0, |n, metres| n.geo.radius_max = metres.map(Metres)),
        "off",
        "Largest radius of an area, and half of the largest width of a route, in metres.",
    ),
    Row::new(
        "geo.history_bytes_max",
        Size(1024..=1 << 40, |n| &mut n.geo.history_bytes_max),
        "64MiB",
        "Bytes of history that one channel of events keeps over all its cells.",
    ),
    Row::new(
        "geo.speed_max_mps",
        NumberOr("off", 0.1..=1_000_000.0, |n, speed| n.geo.speed_max = speed),
        "off",
        "Metres a second between two fixes of an object above which the later one is suspect.",
    ),
    Row::new(
        "geo.suspect",
        Choice(&["drop", "flag"], |n, index| {
            n.geo.suspect = [SuspectRule::Drop, SuspectRule::Flag][index];
        }),
        "drop",
        "What happens to a suspect fix: it is dropped and counted, or it counts and its object is marked.",
    ),
    Row::new(
        "geo.query_speed_max_mps",
        NumberOr("off", 0.1..=1_000_000.0, |n, speed| n.geo.query_speed_max = speed),
        "off",
        "Metres a second at which the centre of a client's areas and queries may travel.",
    ),
    Row::new(
        "geo.distance",
        Choice(&["exact", "rounded", "omitted"], |n, index| {
            n.geo.distance =
                [DistanceRule::Exact, DistanceRule::Rounded(ROUNDED), DistanceRule::Omitted][index];
        }),
        "exact",
        "How distances are told: as they are, rounded up to 100 metres, or not at all.",
    ),
    Row::new(
        "geo.hide",
        List(|n| &mut n.geo.hide),
        "[]",
        "Zones by name in which nothing is shown: neither objects nor events.",
    ),
    Row::new(
        "geo.count_floor",
        Count(0..=1_000_000, |n| &mut n.geo.count_floor),
        "5",
        "A count of the objects in an area that is lower is told as 0.",
    ),
    Row::new(
        "geo.cross_time_max",
        DurationOption(Duration::from_secs(1)..=YEAR, |n| &mut n.geo.cross_time_max),
        "0s",
        "Longest time between two fixes whose way may count as crossing an area; 0s is any.",
    ),
    Row::new(
        "geo.cross_speed_max_mps",
        NumberOr("off", 0.1..=1_000_000.0, |n, speed| n.geo.cross_speed_max = speed),
        "off",
        "Metres a second between two fixes above which their way does not count as crossing.",
    ),
    Row::new(
        "geo.publish_debounce",
        DurationOption(Duration::from_millis(1)..=Duration::from_secs(3600), |n| {
            &mut n.geo.publish_debounce
        }),
        "0s",
        "Least time between two publications of one client that its SDK is asked to keep (JavaScript); 0s asks for none.",
    ),
];

/// What distances are rounded to.
const ROUNDED: Metres = Metres(100.0);
