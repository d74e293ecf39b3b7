//! Namespaces: options for channels by prefix. Names and meanings are Centrifugo's.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use regex::Regex;

use crate::channel::GeoOptions;
use crate::channel::name::ChannelRules;

/// Who may do one kind of thing in a channel, besides those whom a token or capability lets.
#[expect(clippy::struct_excessive_bools, reason = "each is one documented option of the operator")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Allow {
    /// Any client with a user id (`allow_…_for_client`).
    pub(crate) client: bool,
    /// Any client that is subscribed to the channel (`allow_…_for_subscriber`).
    pub(crate) subscriber: bool,
    /// Also clients without a user id, where `client` is on (`allow_…_for_anonymous`).
    pub(crate) anonymous: bool,
}

/// The permissions of a namespace. `subscribe.subscriber` has no meaning and stays false.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Grants {
    pub(crate) subscribe: Allow,
    pub(crate) publish: Allow,
    pub(crate) presence: Allow,
    pub(crate) history: Allow,
}

/// What a recovering subscriber gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum RecoveryMode {
    /// Every publication it missed, or the word that this is not possible.
    #[default]
    Stream,
    /// The latest publication alone.
    Cache,
}

/// The options of one namespace, or of the channels without one.
#[expect(clippy::struct_excessive_bools, reason = "each is one documented option of the operator")]
#[derive(Clone, Debug, Default)]
pub(crate) struct NamespaceOptions {
    pub(crate) presence: bool,
    pub(crate) join_leave: bool,
    pub(crate) force_push_join_leave: bool,
    /// Publications kept in each channel's stream; 0 keeps none.
    pub(crate) history_size: usize,
    /// How long a publication is kept; zero keeps none.
    pub(crate) history_ttl: Duration,
    /// How long position and epoch of a stream outlive its last publication; `None` takes the
    /// engine's default (`channel.history_meta_ttl`).
    pub(crate) history_meta_ttl: Option<Duration>,
    pub(crate) force_positioning: bool,
    pub(crate) allow_positioning: bool,
    pub(crate) force_recovery: bool,
    pub(crate) allow_recovery: bool,
    pub(crate) force_recovery_mode: RecoveryMode,
    pub(crate) grants: Grants,
    /// `ns:x#42,43` admits the users 42 and 43.
    pub(crate) allow_user_limited_channels: bool,
    pub(crate) allow_tags_filter: bool,
    /// Subscriptions may ask for Fossil deltas (`allowed_delta_types = ["fossil"]`).
    pub(crate) allow_delta_fossil: bool,
    /// Every publication is delivered as a delta where subscribers negotiated them, those of
    /// backends as well.
    pub(crate) delta_publish: bool,
    /// Names in this namespace must match; without it any name does.
    pub(crate) channel_regex: Option<Regex>,
    /// Data is opaque bytes: JSON clients are refused.
    pub(crate) binary: bool,
    /// Its channels are of events or objects that have a place.
    pub(crate) geo: Option<Arc<GeoOptions>>,
}

impl NamespaceOptions {
    /// Whether publications are numbered and kept.
    pub(crate) fn keeps_history(&self) -> bool {
        self.history_size > 0 && !self.history_ttl.is_zero()
    }
}

/// A namespace: its name (empty for the channels without one) and options.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespace {
    pub(crate) name: String,
    pub(crate) options: NamespaceOptions,
}

/// All namespaces of a node and the rules by which names are read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Namespaces {
    pub(crate) rules: ChannelRules,
    without: Arc<Namespace>,
    named: HashMap<String, Arc<Namespace>>,
}

impl Namespaces {
    pub(crate) fn new(
        rules: ChannelRules,
        without: NamespaceOptions,
        named: impl IntoIterator<Item = Namespace>,
    ) -> Self {
        Self {
            rules,
            without: Arc::new(Namespace { name: String::new(), options: without }),
            named: named.into_iter().map(|one| (one.name.clone(), Arc::new(one))).collect(),
        }
    }

    /// Whether nothing was configured: no namespace, and no stream in channels without one.
    pub(crate) fn is_plain(&self) -> bool {
        self.named.is_empty() && !self.without.options.keeps_history()
    }

    /// The one of channels without a namespace too, which has no name.
    pub(crate) fn all(&self) -> impl Iterator<Item = &Namespace> {
        self.named.values().chain([&self.without]).map(Arc::as_ref)
    }

    /// Whether channels of any have areas.
    pub(crate) fn have_geography(&self) -> bool {
        self.all().any(|namespace| namespace.options.geo.is_some())
    }

    /// The namespace that a channel's name names; `None` where there is no such namespace.
    pub(crate) fn find(&self, channel: &str) -> Option<&Arc<Namespace>> {
        match self.rules.namespace(channel) {
            None => Some(&self.without),
            Some(name) => self.named.get(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_finds_its_namespace_and_an_unknown_one_finds_none() {
        let chat = Namespace {
            name: "chat".into(),
            options: NamespaceOptions { presence: true, ..NamespaceOptions::default() },
        };
        let all = Namespaces::new(ChannelRules::default(), NamespaceOptions::default(), [chat]);
        assert!(all.find("chat:1").is_some_and(|found| found.options.presence));
        assert!(all.find("$chat:1").is_some_and(|found| found.name == "chat"));
        assert!(all.find("news").is_some_and(|found| found.name.is_empty()));
        assert!(all.find("other:1").is_none());
    }
}
