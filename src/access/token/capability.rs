//! What a connection token allows beyond the options of a namespace: its `caps` claim.

use regex::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::base::limits;

/// What a client may be allowed to do with a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
pub(crate) enum Operation {
    #[serde(rename = "sub")]
    Subscribe,
    #[serde(rename = "pub")]
    Publish,
    #[serde(rename = "prs")]
    Presence,
    #[serde(rename = "hst")]
    History,
}

/// One entry of `caps`.
#[derive(Clone, Debug)]
pub(crate) struct Capability {
    channels: Vec<ChannelPattern>,
    allow: Vec<Operation>,
}

/// Channels by name or by pattern.
#[derive(Clone, Debug)]
pub(crate) enum ChannelPattern {
    Exact(String),
    /// `*` stands for any run of characters, also an empty one.
    Wildcard(String),
    /// Matches anywhere in the name unless it is anchored, as in Centrifugo.
    Regex(Regex),
}

/// An entry of `caps` as tokens write it.
#[derive(Deserialize)]
pub(super) struct CapabilityClaim {
    #[serde(default)]
    channels: Vec<String>,
    #[serde(default, rename = "match")]
    matching: Matching,
    #[serde(default)]
    allow: Vec<Operation>,
}

#[derive(Clone, Copy, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Matching {
    #[default]
    #[serde(rename = "")]
    Exact,
    Wildcard,
    Regex,
}

impl CapabilityClaim {
    /// How many regular expressions the entry has.
    pub(super) fn regexes(&self) -> usize {
        if matches!(self.matching, Matching::Regex) { self.channels.len() } else { 0 }
    }
}

impl Capability {
    pub(crate) fn allows(&self, operation: Operation, channel: &str) -> bool {
        self.allow.contains(&operation)
            && self.channels.iter().any(|pattern| pattern.matches(channel))
    }

    pub(super) fn from_claim(claim: CapabilityClaim) -> Result<Self, &'static str> {
        let pattern = |text| match claim.matching {
            Matching::Exact => Ok(ChannelPattern::Exact(text)),
            Matching::Wildcard => Ok(ChannelPattern::Wildcard(text)),
            Matching::Regex => RegexBuilder::new(&text)
                .size_limit(limits::REGEX_BYTES)
                .build()
                .map(ChannelPattern::Regex)
                .map_err(|_invalid| "not a regular expression, or too large a one"),
        };
        let channels = claim.channels.into_iter().map(pattern).collect::<Result<_, _>>()?;
        Ok(Self { channels, allow: claim.allow })
    }
}

impl ChannelPattern {
    pub(crate) fn matches(&self, channel: &str) -> bool {
        match self {
            Self::Exact(name) => name == channel,
            Self::Wildcard(pattern) => wildcard_matches(pattern, channel),
            Self::Regex(regex) => regex.is_match(channel),
        }
    }
}

/// Whether a channel's name is `pattern`, in which `*` stands for any run of characters. Takes
/// each literal between two stars at its first occurrence, which leaves the most room for
/// those that follow: no backtracking.
pub(crate) fn wildcard_matches(pattern: &str, channel: &str) -> bool {
    let Some((prefix, pattern)) = pattern.split_once('*') else {
        return pattern == channel;
    };
    let (middle, suffix) = pattern.rsplit_once('*').unwrap_or(("", pattern));
    let Some(inner) = channel.strip_prefix(prefix).and_then(|channel| channel.strip_suffix(suffix))
    else {
        return false;
    };
    middle
        .split('*')
        .try_fold(inner, |rest, literal| rest.split_once(literal).map(|(_, rest)| rest))
        .is_some()
}
