//! What an application can say of a single REST request.

use std::time::Duration;

use http::Request;

/// Options of a REST request. A client takes them beside the request (`request_with`); a [`Session`](crate::Session)
/// reads them from [`http::Request::extensions`].
///
/// ```
/// use std::time::Duration;
///
/// use ringcentral_ws_core::{Body, RequestOptions};
///
/// let options = RequestOptions::new().deadline(Duration::from_secs(5)).repeatable();
/// let request = http::Request::get("/restapi/v1.0/account/~").extension(options).body(Body::empty());
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestOptions {
    /// The longest time until the request ends, in place of [`Config::request_timeout`](crate::Config::request_timeout)
    /// ([REQ-4](crate::protocol#req-4)). `None`: that of the configuration.
    pub timeout: Option<Duration>,
    /// Whether GET, HEAD and OPTIONS may be sent again when the connection is lost ([REQ-8](crate::protocol#req-8)).
    /// Other methods never are.
    pub repeat_if_safe: bool,
    /// Whether the request goes over HTTPS even if the WebSocket could carry it ([REQ-5](crate::protocol#req-5)).
    pub over_https: bool,
}

impl RequestOptions {
    /// The defaults: the deadline of the configuration, sent once, over the way that the configuration chooses.
    #[must_use]
    pub const fn new() -> Self {
        Self { timeout: None, repeat_if_safe: false, over_https: false }
    }

    /// Ends the request after this time, counted from the call, whatever has become of it
    /// ([REQ-4](crate::protocol#req-4)).
    #[must_use]
    pub const fn deadline(self, after: Duration) -> Self {
        Self { timeout: Some(after), ..self }
    }

    /// Allows GET, HEAD and OPTIONS to be sent again when the connection is lost ([REQ-8](crate::protocol#req-8)).
    /// Other methods never are.
    #[must_use]
    pub const fn repeatable(self) -> Self {
        Self { repeat_if_safe: true, ..self }
    }

    /// Sends the request over HTTPS even if the WebSocket could carry it ([REQ-5](crate::protocol#req-5)).
    #[must_use]
    pub const fn over_https(self) -> Self {
        Self { over_https: true, ..self }
    }

    /// Those of a request: what its extensions say.
    pub(crate) fn of<T>(request: &Request<T>) -> Self {
        let options = request.extensions().get::<Self>().copied().unwrap_or_default();
        let asked = request.extensions().get::<OverHttps>().is_some();
        Self { over_https: options.over_https || asked, ..options }
    }
}

/// The same as [`RequestOptions::over_https`], as an extension of its own. For [`http::Request::extensions_mut`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OverHttps;
