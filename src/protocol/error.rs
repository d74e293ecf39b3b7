//! The table of errors that a reply can carry. What an SDK does with one: a number below 100, 109
//! or `temporary` is tried again with backoff (109 with a new token); any other ends the
//! subscription, or the connection if it answers a connect. Choose by what the client should do.

use std::borrow::Cow;
use std::fmt;

use super::reply::Error;

/// A row of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(u32)]
pub(crate) enum ErrorCode {
    Internal = 100,
    Unauthorized = 101,
    UnknownChannel = 102,
    PermissionDenied = 103,
    MethodNotFound = 104,
    AlreadySubscribed = 105,
    LimitExceeded = 106,
    BadRequest = 107,
    NotAvailable = 108,
    /// The SDK fetches another token and tries again.
    TokenExpired = 109,
    Expired = 110,
    TooManyRequests = 111,
    UnrecoverablePosition = 112,
    /// Pages of one map were asked for at the same time.
    ConcurrentPagination = 113,
}

impl ErrorCode {
    /// Every row, for tables and metrics.
    pub(crate) const ALL: [Self; 14] = [
        Self::Internal,
        Self::Unauthorized,
        Self::UnknownChannel,
        Self::PermissionDenied,
        Self::MethodNotFound,
        Self::AlreadySubscribed,
        Self::LimitExceeded,
        Self::BadRequest,
        Self::NotAvailable,
        Self::TokenExpired,
        Self::Expired,
        Self::TooManyRequests,
        Self::UnrecoverablePosition,
        Self::ConcurrentPagination,
    ];

    pub(crate) const fn number(self) -> u32 {
        self as u32
    }

    /// Centrifugo's own wording, which applications may compare with.
    pub(crate) const fn text(self) -> &'static str {
        match self {
            Self::Internal => "internal server error",
            Self::Unauthorized => "unauthorized",
            Self::UnknownChannel => "unknown channel",
            Self::PermissionDenied => "permission denied",
            Self::MethodNotFound => "method not found",
            Self::AlreadySubscribed => "already subscribed",
            Self::LimitExceeded => "limit exceeded",
            Self::BadRequest => "bad request",
            Self::NotAvailable => "not available",
            Self::TokenExpired => "token expired",
            Self::Expired => "expired",
            Self::TooManyRequests => "too many requests",
            Self::UnrecoverablePosition => "unrecoverable position",
            Self::ConcurrentPagination => "concurrent pagination",
        }
    }

    /// Whether the same request may succeed later.
    pub(crate) const fn is_temporary(self) -> bool {
        matches!(self, Self::Internal | Self::TooManyRequests | Self::ConcurrentPagination)
    }

    /// The error with a reason for the developer who reads it:
    /// `bad request: channel: longer than 255 bytes`.
    pub(crate) fn because(self, reason: impl fmt::Display) -> ClientError {
        let message = Cow::Owned(format!("{}: {reason}", self.text()));
        ClientError { message, ..ClientError::from(self) }
    }
}

/// An error for one client: a row of the table, perhaps with a reason, or an application's own
/// (400 to 1999).
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message} ({code})")]
pub(crate) struct ClientError {
    pub(crate) code: u32,
    pub(crate) message: Cow<'static, str>,
    pub(crate) temporary: bool,
}

impl From<ErrorCode> for ClientError {
    fn from(code: ErrorCode) -> Self {
        Self {
            code: code.number(),
            message: Cow::Borrowed(code.text()),
            temporary: code.is_temporary(),
        }
    }
}

impl From<ClientError> for Error {
    fn from(error: ClientError) -> Self {
        Self { code: error.code, message: error.message.into_owned(), temporary: error.temporary }
    }
}

impl From<ErrorCode> for Error {
    fn from(code: ErrorCode) -> Self {
        ClientError::from(code).into()
    }
}
