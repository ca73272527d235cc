//! Actions: what the driver does.

use bytes::Bytes;

use crate::ids::{AuthId, ConnId, HttpId, RequestId};
use crate::secret::{Secret, SecretUrl};

/// Something for the driver to do.
///
/// An asynchronous action is completed by exactly one [`Input`](crate::Input) with the same id. The table in the
/// documentation of [`Session`](crate::Session) lists them.
///
/// The enum is exhaustive on purpose, as [`Output`](crate::Output) is: a driver that ignores an action leaves the session
/// waiting for an input that never comes, so a new action must break the build of the driver.
#[derive(Clone)]
pub enum Action {
    /// Ask the credential source for an access token. Completed by `Authorized` or `AuthorizeFailed`.
    Authorize {
        /// The id of the completing input.
        id: AuthId,
        /// Why a token is needed.
        reason: AuthReason,
        /// The last token that the session accepted, whether it is in use or was refused. A credential source of
        /// several clients compares it with its own token: if that is a newer one, it is the answer. A token that came
        /// too late was not accepted, and is still unused.
        last: Option<Secret>,
    },
    /// Make an HTTPS call. Completed by `HttpResponse` or `HttpFailed`.
    Http {
        /// The id of the completing input.
        id: HttpId,
        /// What it is for.
        purpose: HttpPurpose,
        /// The call, with an absolute URI. The `Authorization` header is set and marked as sensitive.
        request: Box<http::Request<Bytes>>,
    },
    /// Open a WebSocket. Completed by `Opened` or `OpenFailed`.
    Open {
        /// The new live connection.
        conn: ConnId,
        /// The address. Its query is secret.
        url: SecretUrl,
    },
    /// Send a text message.
    Send {
        /// The live connection.
        conn: ConnId,
        /// The message.
        text: String,
        /// What it is for.
        purpose: Purpose,
    },
    /// Send a text message that creates the subscription anew, because the server lost it
    /// ([REC-3](crate::protocol#rec-3)).
    Resubscribe {
        /// The live connection.
        conn: ConnId,
        /// The message.
        text: String,
    },
    /// Start the close handshake, and go on reading. Completed by `Closed`.
    Close {
        /// The live connection.
        conn: ConnId,
        /// The close code.
        code: u16,
        /// The close reason.
        reason: &'static str,
    },
    /// Close the socket at once, without a close handshake, also while it is still opening. Has no completing input.
    Drop {
        /// The connection.
        conn: ConnId,
    },
    /// Abort an HTTPS call. Has no completing input, and a completion of the call itself no longer counts.
    AbortHttp {
        /// The id of the call.
        id: HttpId,
    },
}

impl PartialEq for Action {
    /// Compares what can be compared: two HTTPS calls are equal by method, URI, headers and body.
    fn eq(&self, other: &Self) -> bool {
        match self {
            Self::Authorize { id, reason, last } => {
                matches!(other, Self::Authorize { id: i, reason: r, last: l } if (i, r, l) == (id, reason, last))
            }
            Self::Http { id, purpose, request: a } => {
                matches!(other, Self::Http { id: i, purpose: p, request: b } if (i, p) == (id, purpose)
                    && a.method() == b.method()
                    && a.uri() == b.uri()
                    && a.headers() == b.headers()
                    && a.body() == b.body())
            }
            Self::Open { conn, url } => matches!(other, Self::Open { conn: c, url: u } if (c, u) == (conn, url)),
            Self::Send { conn, text, purpose } => {
                matches!(other, Self::Send { conn: c, text: t, purpose: p } if (c, t, p) == (conn, text, purpose))
            }
            Self::Resubscribe { conn, text } => {
                matches!(other, Self::Resubscribe { conn: c, text: t } if (c, t) == (conn, text))
            }
            Self::Close { conn, code, reason } => {
                matches!(other, Self::Close { conn: c, code: o, reason: r } if (c, o, r) == (conn, code, reason))
            }
            Self::Drop { conn } => matches!(other, Self::Drop { conn: c } if c == conn),
            Self::AbortHttp { id } => matches!(other, Self::AbortHttp { id: i } if i == id),
        }
    }
}

/// Why an access token is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum AuthReason {
    /// The session has none.
    Missing,
    /// The current one has used 80 % of its life. The connection goes on meanwhile.
    Expiring,
    /// The server refused the current one. The same one must not be given again.
    Refused,
}

/// The purpose of an HTTPS call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpPurpose {
    /// Fetches the token that the next connection presents.
    ConnectionToken,
    /// A REST call of the application.
    Request(RequestId),
}

/// The purpose of a message on the socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Purpose {
    /// Asks for a sign of life ([HB-1](crate::protocol#hb-1)).
    Heartbeat,
    /// Creates the subscription (POST).
    Subscribe,
    /// Changes its filters (PUT).
    Update,
    /// Removes it (DELETE).
    Unsubscribe,
    /// A REST call of the application.
    Request(RequestId),
}
