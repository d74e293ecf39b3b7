//! Channel names: validated once where they enter, cheap to clone afterwards.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

use crate::base::{Partition, limits};

/// The name of a channel: 1 to 255 bytes of printable ASCII. Equal names are equal channels.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Channel(Arc<str>);

/// Why a name is no channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ChannelError {
    #[error("channel: empty")]
    Empty,
    #[error("channel: longer than {0} bytes")]
    TooLong(usize),
    #[error("channel: has a character outside printable ASCII")]
    Character,
}

impl Channel {
    pub(crate) fn parse(name: &str) -> Result<Self, ChannelError> {
        if name.is_empty() {
            return Err(ChannelError::Empty);
        }
        if name.len() > limits::CHANNEL_BYTES {
            return Err(ChannelError::TooLong(limits::CHANNEL_BYTES));
        }
        if !name.bytes().all(|byte| (0x20..0x7f).contains(&byte)) {
            return Err(ChannelError::Character);
        }
        Ok(Self(Arc::from(name)))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn partition(&self) -> Partition {
        Partition::of(&self.0)
    }
}

impl Borrow<str> for Channel {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&*self.0, f)
    }
}

/// How names are read: the separators that give parts of a name a meaning. Names and defaults are
/// Centrifugo's (`channel.namespace_boundary` and so on).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChannelRules {
    /// Bytes of a name from a client, at most 255.
    pub(crate) length_max: usize,
    /// What is before the first of these names the namespace; default `:`.
    pub(crate) namespace_boundary: String,
    /// Names that begin with this need a subscription token; default `$`.
    pub(crate) private_prefix: String,
    /// What follows the last of these names the users who may subscribe; default `#`.
    pub(crate) user_boundary: String,
    /// Separates those users; default `,`.
    pub(crate) user_separator: String,
}

impl Default for ChannelRules {
    fn default() -> Self {
        Self {
            length_max: limits::CHANNEL_BYTES,
            namespace_boundary: ":".into(),
            private_prefix: "$".into(),
            user_boundary: "#".into(),
            user_separator: ",".into(),
        }
    }
}

impl ChannelRules {
    /// The namespace's name, without the private prefix; `None` for a channel without namespace.
    pub(crate) fn namespace<'a>(&self, channel: &'a str) -> Option<&'a str> {
        let bare = match self.private_prefix.as_str() {
            "" => channel,
            prefix => channel.strip_prefix(prefix).unwrap_or(channel),
        };
        bare.split_once(self.namespace_boundary.as_str()).map(|(namespace, _)| namespace)
    }

    /// Whether only a subscription token opens this channel.
    pub(crate) fn is_private(&self, channel: &str) -> bool {
        !self.private_prefix.is_empty() && channel.starts_with(&self.private_prefix)
    }

    /// The users that the name limits the channel to, if it does.
    pub(crate) fn users<'a>(&'a self, channel: &'a str) -> Option<impl Iterator<Item = &'a str>> {
        if self.user_boundary.is_empty() {
            return None;
        }
        let (_, users) = channel.rsplit_once(self.user_boundary.as_str())?;
        Some(users.split(self.user_separator.as_str()))
    }

    /// The channel of a user's own, in a namespace or (empty) in none. A user whose id has a mark
    /// with a meaning in names has none: it would be another channel, or another user's.
    pub(crate) fn personal(&self, namespace: &str, user: &str) -> Option<Channel> {
        let marks = [&self.user_boundary, &self.user_separator, &self.namespace_boundary];
        if marks.into_iter().any(|mark| !mark.is_empty() && user.contains(mark)) {
            return None;
        }
        let boundary = if namespace.is_empty() { "" } else { &self.namespace_boundary };
        Channel::parse(&format!("{namespace}{boundary}{}{user}", self.user_boundary)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_at_the_bound_pass_and_one_past_fail() {
        assert_eq!(Channel::parse(&"a".repeat(255)).map(|channel| channel.as_str().len()), Ok(255));
        assert_eq!(Channel::parse(&"a".repeat(256)), Err(ChannelError::TooLong(255)));
        assert_eq!(Channel::parse(""), Err(ChannelError::Empty));
        assert_eq!(Channel::parse("a\u{7f}"), Err(ChannelError::Character));
        assert_eq!(Channel::parse("a\nb"), Err(ChannelError::Character));
        assert_eq!(Channel::parse("é"), Err(ChannelError::Character));
        assert_eq!(
            Channel::parse("chat room:1 ~").map(|channel| channel.partition().index() < 64),
            Ok(true)
        );
    }

    #[test]
    fn parts_of_a_name_have_their_meaning() {
        let rules = ChannelRules::default();
        assert_eq!(rules.namespace("$chat:x:y"), Some("chat"));
        assert_eq!(rules.namespace("news"), None);
        assert!(rules.is_private("$chat:x") && !rules.is_private("chat:$x"));
        assert_eq!(rules.users("d#42,43").map(Iterator::collect), Some(vec!["42", "43"]));
        assert!(rules.users("d").is_none());
    }

    #[test]
    fn a_personal_channel_is_its_users_alone() {
        let rules = ChannelRules::default();
        let personal = |user| rules.personal("ns", user).map(|channel| channel.to_string());
        assert_eq!(personal("42"), Some("ns:#42".to_owned()));
        for user in ["x#42", "42,43", "a:b", "é"] {
            assert_eq!(personal(user), None, "{user}");
        }
    }
}
