//! What became of clients that were not let in, for the operator: each is counted and told at level
//! DEBUG. What a wrong option is the likely cause of is told at level WARN, once a minute.

use std::net::SocketAddr;
use std::sync::Arc;

use tracing::{debug, warn};

use super::admission::Turned;
use super::opening::Refused;
use super::throttle::Throttle;
use crate::base::{Moment, limits};
use crate::telemetry::Metrics;

/// Why a request for a session is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reason {
    /// Nothing is served there.
    Path,
    /// The page may not connect (`client.allowed_origins`).
    Origin,
    /// `client.connection_limit` is reached.
    Limit,
    /// `client.connection_rate_limit` is reached.
    Rate,
    Draining,
}

impl Reason {
    /// In metrics.
    fn name(self) -> &'static str {
        match self {
            Self::Path => "path",
            Self::Origin => "origin",
            Self::Limit => "limit",
            Self::Rate => "rate",
            Self::Draining => "draining",
        }
    }

    /// The answer's status and one sentence for its body.
    pub(super) fn answer(self) -> (u16, &'static str) {
        match self {
            Self::Path => (404, "no such path"),
            Self::Origin => (403, "The Origin is not allowed."),
            Self::Limit => (503, "connection limit"),
            Self::Rate => (429, "connection rate limit"),
            Self::Draining => (503, "shutting down"),
        }
    }
}

impl From<Turned> for Reason {
    fn from(turned: Turned) -> Self {
        match turned {
            Turned::Full => Self::Limit,
            Turned::TooFast => Self::Rate,
        }
    }
}

/// Who asks for a session, and for what; the texts are the client's own.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked<'a> {
    /// As metrics call it.
    pub(super) transport: &'static str,
    pub(super) peer: SocketAddr,
    /// Without the query, which may hold a token.
    pub(super) path: &'a str,
    pub(super) origin: Option<&'a str>,
}

/// Counts and tells.
#[derive(Debug)]
pub(super) struct Refusals {
    metrics: Arc<Metrics>,
    origins: Throttle,
    strangers: Throttle,
    headers: Throttle,
}

impl Refusals {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        let throttle = || Throttle::new(limits::REFUSALS_TOLD);
        Self { metrics, origins: throttle(), strangers: throttle(), headers: throttle() }
    }

    /// A request that is answered by a status.
    pub(super) fn request(&self, asked: Asked<'_>, reason: Reason, now: Moment) {
        let Asked { transport, peer, path, origin } = asked;
        self.metrics.request_refused(transport, reason.name());
        let (path, origin) = (shown(path), origin.map(shown));
        debug!(transport, %peer, path, origin, reason = reason.name(), "request refused");
        if reason == Reason::Origin && self.origins.pass(now) {
            let option = "client.allowed_origins";
            warn!(transport, %peer, origin, option, "a page was refused for its Origin");
        }
    }

    /// A connection that does not get as far as HTTP.
    pub(super) fn connection(&self, peer: SocketAddr, refused: &Refused, now: Moment) {
        self.metrics.refused(refused.reason());
        debug!(%peer, %refused, "connection refused");
        let throttle = match refused {
            Refused::NoProxy => &self.strangers,
            Refused::Proxy(_) => &self.headers,
            Refused::Tls(_) | Refused::Slow => return,
        };
        if throttle.pass(now) {
            let option = "listen.proxy_protocol_from";
            warn!(%peer, %refused, option, "a connection to listen.http was refused");
        }
    }
}

/// As much of a client's text as the log takes.
fn shown(text: &str) -> &str {
    text.get(..text.floor_char_boundary(limits::LOGGED_BYTES)).unwrap_or(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_clients_write_is_cut_between_two_characters() {
        assert_eq!(shown("/a"), "/a");
        let most = limits::LOGGED_BYTES;
        let long = "x".repeat(most - 1) + "üx";
        assert_eq!(shown(&long), "x".repeat(most - 1));
        assert_eq!(shown(&"x".repeat(most + 1)).len(), most);
    }
}
