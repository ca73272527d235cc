//! How REST requests end.

use bytes::Bytes;

use crate::classify::Cause;

/// How a REST request ended, and whether it may have run.
///
/// ```
/// use ringcentral_ws_core::RequestOutcome;
///
/// fn may_have_run(outcome: &RequestOutcome) -> bool {
///     match outcome {
///         RequestOutcome::NotSent(_) => false,
///         RequestOutcome::TimedOut { sent } | RequestOutcome::Cancelled { sent } => *sent,
///         _ => true,
///     }
/// }
/// ```
#[derive(Clone)]
#[non_exhaustive]
pub enum RequestOutcome {
    /// The server answered, with any status.
    Response {
        /// Status, headers and body as they came. From status 400 on the extensions have a [`Masker`](crate::Masker)
        /// with the session's secrets, which [`ApiError::from_response`](crate::ApiError::from_response) uses.
        response: Box<http::Response<Bytes>>,
        /// The way that the request went.
        via: Via,
    },
    /// The request did not run: it was not sent, or the server refused its access token. Repeating it is safe.
    NotSent(Cause),
    /// The request was sent, and its answer was lost. It may have run.
    Unknown(Cause),
    /// The deadline passed ([REQ-4](crate::protocol#req-4)).
    TimedOut {
        /// Whether the request was sent. Then it may have run.
        sent: bool,
    },
    /// The application cancelled the request.
    Cancelled {
        /// Whether the request was sent. Then it may have run.
        sent: bool,
    },
}

impl PartialEq for RequestOutcome {
    fn eq(&self, other: &Self) -> bool {
        match self {
            Self::Response { response: a, via } => {
                matches!(other, Self::Response { response: b, via: v } if v == via
                    && a.status() == b.status()
                    && a.headers() == b.headers()
                    && a.body() == b.body())
            }
            Self::NotSent(cause) => matches!(other, Self::NotSent(c) if c == cause),
            Self::Unknown(cause) => matches!(other, Self::Unknown(c) if c == cause),
            Self::TimedOut { sent } => matches!(other, Self::TimedOut { sent: s } if s == sent),
            Self::Cancelled { sent } => matches!(other, Self::Cancelled { sent: s } if s == sent),
        }
    }
}

/// The way that a REST request went ([REQ-5](crate::protocol#req-5)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Via {
    /// Over the WebSocket.
    WebSocket,
    /// Over HTTPS.
    Https,
}

impl Via {
    /// A word such as `websocket`, which stays the same between versions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WebSocket => "websocket",
            Self::Https => "https",
        }
    }
}
