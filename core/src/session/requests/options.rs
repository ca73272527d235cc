//! What an application can say of a single REST request.

use std::time::Duration;

/// Options of a REST request, for [`http::Request::extensions_mut`].
///
/// ```
/// use std::time::Duration;
///
/// use ringcentral_ws_core::{Body, RequestOptions};
///
/// let options = RequestOptions { timeout: Some(Duration::from_secs(5)), repeat_if_safe: true };
/// let request = http::Request::get("/restapi/v1.0/account/~").extension(options).body(Body::empty());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestOptions {
    /// The time-out of the request, in place of [`Config::request_timeout`](crate::Config::request_timeout)
    /// ([REQ-4](crate::protocol#req-4)).
    pub timeout: Option<Duration>,
    /// Whether GET, HEAD and OPTIONS may be sent again when the connection is lost ([REQ-8](crate::protocol#req-8)).
    /// Other methods never are.
    pub repeat_if_safe: bool,
}

/// Sends a request over HTTPS even if the WebSocket could carry it ([REQ-5](crate::protocol#req-5)). For
/// [`http::Request::extensions_mut`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OverHttps;
