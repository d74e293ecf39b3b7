//! Channels and what is kept under a channel's name: publications, history and its recovery,
//! presence, namespaces. Pure: no IO, no clock, no wire format.

mod audience;
mod buckets;
mod draft;
mod filter;
mod fossil;
mod geo;
mod history;
mod mail;
mod name;
mod namespace;
mod object;
mod publication;
mod recovery;
mod view;

pub(crate) use audience::Audience;
pub(crate) use draft::Draft;
pub(crate) use filter::{FilterPart, TagFilter};
pub(crate) use fossil::patch;
#[cfg(test)]
pub(crate) use fossil::tests::apply as apply_patch;
pub(crate) use geo::{DistanceRule, GeoKind, GeoOptions, KeyRule, SuspectRule};
#[cfg(test)]
pub(crate) use history::weight;
pub(crate) use history::{Keep, Stream};
pub(crate) use mail::{
    Delivery, DeltaBody, EpochTag, Mail, Overrides, PushBody, ServerCommand, ServerSubscribe, Start,
};
pub(crate) use name::{Channel, ChannelRules};
#[cfg(test)]
pub(crate) use namespace::Grants;
pub(crate) use namespace::{Allow, Namespace, NamespaceOptions, Namespaces, RecoveryMode};
pub(crate) use object::{Change, Fix, Form, Happening, Moved, Object, Reason, Refusal, Sighting};
pub(crate) use publication::{
    ClientDetails, Event, EventKind, HistoryPage, HistoryQuery, Position, Publication, Since,
};
pub(crate) use recovery::{Recovery, recover, recovery_query};
pub(crate) use view::{AreaSource, Centers, Fence, ObjectName, ObjectQuery, View, around};
