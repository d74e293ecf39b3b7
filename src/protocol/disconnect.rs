//! The table of reasons to end a connection, and of reasons to end a subscription.
//!
//! What an SDK does with a disconnect code: 3000 to 3499, 4000 to 4499 and from 5000 on it
//! reconnects with backoff (0.5 to 20 s, full jitter); 3500 to 3999 and 4500 to 4999 it gives up
//! until the application connects again. Numbers from 4000 to 4999 belong to applications.

use std::borrow::Cow;
use std::fmt;

use super::reply::{DisconnectPush, Unsubscribe};

/// Why a connection ends: the code and reason of a WebSocket close frame, or of a push elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
#[error("{reason} ({code})")]
pub(crate) struct Disconnect {
    /// 3000 to 4999, a valid WebSocket close code.
    pub(crate) code: u16,
    /// A close frame carries [`limits::CLOSE_REASON_BYTES`](crate::base::limits) of it; whoever
    /// writes the frame cuts.
    pub(crate) reason: Cow<'static, str>,
}

macro_rules! disconnects {
    ($($(#[$meta:meta])* $name:ident = $code:literal, $reason:literal;)*) => {
        impl Disconnect {
            $($(#[$meta])* pub(crate) const $name: Self = Self::of($code, $reason);)*

            /// Every row, for tables and metrics.
            pub(crate) const ALL: &[Self] = &[$(Self::$name),*];
        }
    };
}

disconnects! {
    CLOSED = 3000, "connection closed";
    SHUTDOWN = 3001, "shutdown";
    SERVER_ERROR = 3004, "internal server error";
    EXPIRED = 3005, "connection expired";
    SUBSCRIPTION_EXPIRED = 3006, "subscription expired";
    /// The client reads more slowly than its channels speak.
    SLOW = 3008, "slow";
    WRITE_ERROR = 3009, "write error";
    /// A server-side subscription missed publications.
    INSUFFICIENT_STATE = 3010, "insufficient state";
    FORCE_RECONNECT = 3011, "force reconnect";
    NO_PONG = 3012, "no pong";
    TOO_MANY_REQUESTS = 3013, "too many requests";
    /// The SDK drops its token and every position.
    STATE_INVALIDATED = 3014, "state invalidated";
    INVALID_TOKEN = 3500, "invalid token";
    BAD_REQUEST = 3501, "bad request";
    /// No connect command came in time.
    STALE = 3502, "stale";
    FORCE_NO_RECONNECT = 3503, "force disconnect";
    CONNECTION_LIMIT = 3504, "connection limit";
    CHANNEL_LIMIT = 3505, "channel limit";
    /// Binary data to a JSON client, or text to a Protobuf client.
    INAPPROPRIATE_PROTOCOL = 3506, "inappropriate protocol";
    PERMISSION_DENIED = 3507, "permission denied";
    NOT_AVAILABLE = 3508, "not available";
    TOO_MANY_ERRORS = 3509, "too many errors";
}

impl Disconnect {
    const fn of(code: u16, reason: &'static str) -> Self {
        Self { code, reason: Cow::Borrowed(reason) }
    }

    /// The same code with a reason for the developer who reads it: `bad request: second connect`.
    pub(crate) fn because(self, reason: impl fmt::Display) -> Self {
        Self { code: self.code, reason: Cow::Owned(format!("{}: {reason}", self.reason)) }
    }

    /// Whether an SDK comes back by itself.
    pub(crate) const fn reconnects(&self) -> bool {
        !matches!(self.code, 3500..=3999 | 4500..=4999)
    }
}

impl From<Disconnect> for DisconnectPush {
    fn from(disconnect: Disconnect) -> Self {
        Self {
            code: u32::from(disconnect.code),
            reconnect: disconnect.reconnects(),
            reason: disconnect.reason.into_owned(),
        }
    }
}

/// Why the server ends a subscription. An SDK subscribes again from 2500 on; below, the
/// subscription stays ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum UnsubscribeCode {
    /// The server's wish.
    Server = 2000,
    /// What it was to have is more than it may; asking again would not help.
    LimitExceeded = 2106,
    /// Publications were missed; subscribing again recovers them.
    InsufficientState = 2500,
    /// The subscription's token expired.
    Expired = 2501,
    /// The SDK drops the subscription's token and position.
    StateInvalidated = 2502,
}

impl UnsubscribeCode {
    pub(crate) const fn number(self) -> u32 {
        self as u32
    }

    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Server => "server unsubscribe",
            Self::LimitExceeded => "too many objects in the area",
            Self::InsufficientState => "insufficient state",
            Self::Expired => "subscription expired",
            Self::StateInvalidated => "state invalidated",
        }
    }
}

impl From<UnsubscribeCode> for Unsubscribe {
    fn from(code: UnsubscribeCode) -> Self {
        Self { code: code.number(), reason: code.text().to_owned() }
    }
}
