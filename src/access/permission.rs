//! Who may do what in a channel: namespace options, the channel's own name and the capabilities of
//! a token, decided in one place. Pure: tokens are verified elsewhere.

use crate::access::token::{Capability, Operation};
use crate::channel::{Allow, ChannelRules, Namespace};

/// Who asks.
#[derive(Clone, Debug, Default)]
pub(crate) struct Identity {
    /// Empty for an anonymous client.
    pub(crate) user: String,
    pub(crate) capabilities: Vec<Capability>,
    /// Development only: everything is allowed.
    pub(crate) insecure: bool,
}

/// What is asked for.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Request<'a> {
    pub(crate) operation: Operation,
    pub(crate) channel: &'a str,
    pub(crate) namespace: &'a Namespace,
    pub(crate) rules: &'a ChannelRules,
    /// Whether the client is subscribed to the channel already.
    pub(crate) subscribed: bool,
}

impl Identity {
    /// Whether the client may, without a subscription token (which opens any channel it names).
    pub(crate) fn may(&self, request: Request<'_>) -> bool {
        if self.insecure || self.has_capability(request.operation, request.channel) {
            return true;
        }
        let Request { operation, channel, namespace, rules, subscribed } = request;
        if operation == Operation::Subscribe && rules.is_private(channel) {
            return false;
        }
        if namespace.options.allow_user_limited_channels
            && let Some(mut users) = rules.users(channel)
        {
            let member = !self.user.is_empty() && users.any(|user| user == self.user);
            if operation == Operation::Subscribe || !member {
                return member;
            }
        }
        let grants = namespace.options.grants;
        self.is_covered(
            match operation {
                Operation::Subscribe => grants.subscribe,
                Operation::Publish => grants.publish,
                Operation::Presence => grants.presence,
                Operation::History => grants.history,
            },
            subscribed,
        )
    }

    fn is_covered(&self, allow: Allow, subscribed: bool) -> bool {
        let known = !self.user.is_empty() || allow.anonymous;
        known && (allow.client || (allow.subscriber && subscribed))
    }

    fn has_capability(&self, operation: Operation, channel: &str) -> bool {
        self.capabilities.iter().any(|capability| capability.allows(operation, channel))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::channel::{Grants, NamespaceOptions};

    fn namespace(change: impl FnOnce(&mut NamespaceOptions)) -> Namespace {
        let mut options = NamespaceOptions::default();
        change(&mut options);
        Namespace { name: "ns".into(), options }
    }

    fn may(user: &str, operation: Operation, channel: &str, namespace: &Namespace) -> bool {
        let identity = Identity { user: user.into(), ..Identity::default() };
        let rules = &ChannelRules::default();
        identity.may(Request { operation, channel, namespace, rules, subscribed: false })
    }

    #[test]
    fn nothing_is_allowed_unless_an_option_says_so() {
        let closed = namespace(|_| ());
        for operation in
            [Operation::Subscribe, Operation::Publish, Operation::Presence, Operation::History]
        {
            assert!(!may("u", operation, "ns:x", &closed));
        }
    }

    #[test]
    fn anonymous_clients_need_an_option_of_their_own() {
        let client = Allow { client: true, ..Allow::default() };
        let open = |anonymous| {
            namespace(|options| {
                options.grants =
                    Grants { subscribe: Allow { anonymous, ..client }, ..Grants::default() };
            })
        };
        assert!(may("u", Operation::Subscribe, "ns:x", &open(false)));
        assert!(!may("", Operation::Subscribe, "ns:x", &open(false)));
        assert!(may("", Operation::Subscribe, "ns:x", &open(true)));
    }

    #[test]
    fn a_private_channel_opens_to_tokens_alone() {
        let open = namespace(|options| options.grants.subscribe.client = true);
        assert!(!may("u", Operation::Subscribe, "$ns:x", &open));
    }

    #[test]
    fn a_user_limited_channel_admits_its_users_only() {
        let limited = namespace(|options| {
            options.allow_user_limited_channels = true;
            options.grants.publish.client = true;
        });
        assert!(may("42", Operation::Subscribe, "ns:x#42,43", &limited));
        assert!(!may("4", Operation::Subscribe, "ns:x#42,43", &limited));
        assert!(!may("", Operation::Subscribe, "ns:x#", &limited));
        assert!(!may("4", Operation::Publish, "ns:x#42,43", &limited));
        assert!(may("43", Operation::Publish, "ns:x#42,43", &limited));
    }
}
