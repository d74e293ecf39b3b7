//! The options of a namespace, and of the channels without one.

use std::time::Duration;

use crate::base::limits;
use crate::channel::{Namespace, RecoveryMode};
use crate::config::table::Kind::{
    Bool, Choice, Choices, Count, Duration as Time, DurationOption, Pattern, Text,
};
use crate::config::table::Row;

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// `name` first; the channels without namespace have every other.
pub(crate) static NAMESPACE: &[Row<Namespace>] = &[
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
];
