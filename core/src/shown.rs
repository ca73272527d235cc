//! What inputs and outputs show of themselves when they are printed: which and how large, never a secret, and nothing
//! of what an application or its user wrote (SEC-1).

use std::fmt;

use bytes::Bytes;

use crate::input::{Frame, Input};
use crate::mask::mask;
use crate::output::{Action, RequestOutcome};

/// Its size alone.
struct Size(usize);

impl fmt::Debug for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({} bytes)", self.0)
    }
}

struct Response<'a>(&'a http::Response<Bytes>);

impl fmt::Debug for Response<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "HTTP {} {:?}", self.0.status().as_u16(), Size(self.0.body().len()))
    }
}

struct Request<'a>(&'a http::Request<Bytes>);

impl fmt::Debug for Request<'_> {
    /// Without the query, which the caller wrote.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let uri = self.0.uri();
        write!(f, "{} ", self.0.method())?;
        if let (Some(scheme), Some(host)) = (uri.scheme_str(), uri.authority()) {
            write!(f, "{scheme}://{host}")?;
        }
        write!(f, "{} {:?}", uri.path(), Size(self.0.body().len()))
    }
}

impl fmt::Debug for Frame<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "Text({})", mask(text)),
            Self::Binary(bytes) => write!(f, "Binary({:?})", Size(bytes.len())),
            Self::Control => f.write_str("Control"),
            Self::TooLarge(size) => f.debug_tuple("TooLarge").field(size).finish(),
            Self::Unreadable(what) => f.debug_tuple("Unreadable").field(what).finish(),
        }
    }
}

impl fmt::Debug for Input<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorized { id, token } => {
                f.debug_struct("Authorized").field("id", id).field("token", token).finish()
            }
            Self::AuthorizeFailed { id, failure } => {
                f.debug_struct("AuthorizeFailed").field("id", id).field("failure", failure).finish()
            }
            Self::HttpResponse { id, response } => {
                f.debug_struct("HttpResponse").field("id", id).field("response", &Response(response)).finish()
            }
            Self::HttpFailed { id, failure } => {
                f.debug_struct("HttpFailed").field("id", id).field("failure", failure).finish()
            }
            Self::Opened { conn } => f.debug_struct("Opened").field("conn", conn).finish(),
            Self::OpenFailed { conn, failure } => {
                f.debug_struct("OpenFailed").field("conn", conn).field("failure", failure).finish()
            }
            Self::Frame { conn, frame } => f.debug_struct("Frame").field("conn", conn).field("frame", frame).finish(),
            Self::Closed { conn, close } => f.debug_struct("Closed").field("conn", conn).field("close", close).finish(),
            Self::SendBlocked { conn } => f.debug_struct("SendBlocked").field("conn", conn).finish(),
            Self::SendReady { conn } => f.debug_struct("SendReady").field("conn", conn).finish(),
            Self::Unread { conn } => f.debug_struct("Unread").field("conn", conn).finish(),
            Self::NetworkChanged { online } => f.debug_struct("NetworkChanged").field("online", online).finish(),
            Self::Resumed => f.write_str("Resumed"),
            Self::Timeout => f.write_str("Timeout"),
        }
    }
}

impl fmt::Debug for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Authorize { id, reason, last } => {
                let last = &last.is_some();
                f.debug_struct("Authorize").field("id", id).field("reason", reason).field("last", last).finish()
            }
            Self::Http { id, purpose, request } => {
                let request = &Request(request);
                f.debug_struct("Http").field("id", id).field("purpose", purpose).field("request", request).finish()
            }
            Self::Open { conn, url } => f.debug_struct("Open").field("conn", conn).field("url", url).finish(),
            Self::Send { conn, text, purpose } => {
                let size = Size(text.len());
                f.debug_struct("Send").field("conn", conn).field("text", &size).field("purpose", purpose).finish()
            }
            Self::Resubscribe { conn, text } => {
                f.debug_struct("Resubscribe").field("conn", conn).field("text", &Size(text.len())).finish()
            }
            Self::Close { conn, code, reason } => {
                f.debug_struct("Close").field("conn", conn).field("code", code).field("reason", reason).finish()
            }
            Self::Drop { conn } => f.debug_struct("Drop").field("conn", conn).finish(),
            Self::AbortHttp { id } => f.debug_struct("AbortHttp").field("id", id).finish(),
        }
    }
}

impl fmt::Debug for RequestOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Response { response, via } => {
                f.debug_struct("Response").field("response", &Response(response)).field("via", via).finish()
            }
            Self::NotSent(cause) => f.debug_tuple("NotSent").field(cause).finish(),
            Self::Unknown(cause) => f.debug_tuple("Unknown").field(cause).finish(),
            Self::TimedOut { sent } => f.debug_struct("TimedOut").field("sent", sent).finish(),
            Self::Cancelled { sent } => f.debug_struct("Cancelled").field("sent", sent).finish(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classify::Cause;
    use crate::ids::ConnId;

    #[test]
    fn what_it_is_can_be_read() {
        let outcomes = [
            (RequestOutcome::NotSent(Cause::Closed), "NotSent(Closed)"),
            (RequestOutcome::Unknown(Cause::Closed), "Unknown(Closed)"),
            (RequestOutcome::TimedOut { sent: true }, "TimedOut { sent: true }"),
            (RequestOutcome::Cancelled { sent: false }, "Cancelled { sent: false }"),
        ];
        for (outcome, shown) in outcomes {
            assert_eq!(format!("{outcome:?}"), shown);
        }
        let conn = ConnId(1);
        assert_eq!(format!("{:?}", Action::Drop { conn }), format!("Drop {{ conn: {conn:?} }}"));
        assert_eq!(format!("{:?}", Input::Opened { conn }), format!("Opened {{ conn: {conn:?} }}"));
        assert_eq!(format!("{:?}", Input::Timeout), "Timeout");
    }
}
