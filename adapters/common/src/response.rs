//! The answer to a request of the application.

use std::fmt;
use std::ops::Deref;

use http::header;
use ringcentral_ws_core::{ApiError, Body, RequestLine, Via};
use serde::Deserialize;

/// The answer to a REST request: status, headers and the whole body. Every status is an answer, also 404 or 503;
/// [`error_for_status`](Self::error_for_status) makes errors of those.
///
/// It is a [`http::Response`] by `Deref`, so `status()`, `headers()` and `body()` are there. `Debug` shows the status and
/// how long the body is.
///
/// ```
/// use ringcentral_ws_adapter::Response;
/// use ringcentral_ws_core::{Body, Via};
///
/// let answer = http::Response::new(Body::from(r#"{"id":7}"#));
/// let response = Response::new(answer, Via::Https);
/// assert_eq!(response.status(), 200);
/// let json: serde_json::Value = response.error_for_status()?.json()?;
/// assert_eq!(json["id"], 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Response {
    answer: http::Response<Body>,
    via: Via,
}

impl Response {
    /// An answer that came this way, for tests of programs. It gets `via` as an extension too.
    #[must_use]
    pub fn new(mut answer: http::Response<Body>, via: Via) -> Self {
        answer.extensions_mut().insert(via);
        Self { answer, via }
    }

    /// The same, with the name of its request for its error.
    #[must_use]
    pub(crate) fn of(mut self, request: RequestLine) -> Self {
        self.answer.extensions_mut().insert(request);
        self
    }

    /// The way that the request went: over the WebSocket or over HTTPS.
    #[must_use]
    pub const fn via(&self) -> Via {
        self.via
    }

    /// Reads the body as JSON into a type, which may borrow from this response. It does not look at the status: call
    /// [`error_for_status`](Self::error_for_status) first, because the body of an error has other fields.
    ///
    /// # Errors
    ///
    /// The body is empty (as that of 204 is), or no JSON, or does not fit the type.
    pub fn json<'a, T: Deserialize<'a>>(&'a self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(self.answer.body().as_ref())
    }

    /// The body as text, such as that of an error page or of a list in CSV. It does not look at the status.
    ///
    /// # Errors
    ///
    /// The body is not UTF-8, such as that of a recording.
    pub fn text(&self) -> Result<&str, std::str::Utf8Error> {
        std::str::from_utf8(self.answer.body().as_ref())
    }

    /// The response if its status is below 400, else the error that it reports.
    ///
    /// # Errors
    ///
    /// [`ApiError`]: which request it was, RingCentral's code and message, the id of the request for its support, and how
    /// long to wait.
    #[expect(clippy::result_large_err, reason = "the response in its place is larger")]
    pub fn error_for_status(self) -> Result<Self, ApiError> {
        match ApiError::from_response(&self.answer) {
            Some(error) => Err(error),
            None => Ok(self),
        }
    }

    /// Whether the server did something, or may have: it neither refused the call nor was too busy for it.
    #[doc(hidden)]
    #[must_use]
    pub fn ran(&self) -> bool {
        !matches!(self.answer.status().as_u16(), 400..=499 | 503)
    }

    /// The body alone.
    #[must_use]
    pub fn into_body(self) -> Body {
        self.answer.into_body()
    }

    /// The response of the crate `http`. Its extension [`Via`] is the way that the request went.
    #[must_use]
    pub fn into_inner(self) -> http::Response<Body> {
        self.answer
    }
}

impl Deref for Response {
    type Target = http::Response<Body>;

    fn deref(&self) -> &http::Response<Body> {
        &self.answer
    }
}

impl From<Response> for http::Response<Body> {
    fn from(response: Response) -> Self {
        response.answer
    }
}

impl fmt::Debug for Response {
    /// Without the headers, which may have cookies, and without the body, which may be what a user wrote.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Response")
            .field("status", &self.status().as_u16())
            .field("content_type", &self.headers().get(header::CONTENT_TYPE))
            .field("body", self.body())
            .field("via", &self.via)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn response(status: u16, body: &'static str) -> Response {
        let answer = http::Response::builder().status(status).header("set-cookie", "hunter2");
        Response::new(answer.body(Body::from(body)).unwrap(), Via::WebSocket)
    }

    // CLAUSE REQ-9
    #[test]
    fn a_response_is_read_as_json_or_as_an_error() {
        #[derive(Deserialize)]
        struct Me<'a> {
            name: &'a str,
        }
        let fine = response(200, r#"{"name":"Ann"}"#);
        assert_eq!((fine.json::<Me<'_>>().unwrap().name, fine.via()), ("Ann", Via::WebSocket));
        let inner = fine.clone().error_for_status().unwrap().into_inner();
        assert_eq!(inner.extensions().get::<Via>(), Some(&Via::WebSocket));
        assert!(response(204, "").json::<serde_json::Value>().unwrap_err().is_eof());
        let refused = response(404, r#"{"errorCode":"CMN-102","message":"not here"}"#);
        assert_eq!(refused.status(), 404);
        assert_eq!(refused.error_for_status().unwrap_err().to_string(), "HTTP 404 CMN-102: not here");
        assert_eq!((response(200, "né").text(), response(204, "").text()), (Ok("né"), Ok("")));
        let binary = Response::new(http::Response::new(Body::from(&b"\xff"[..])), Via::Https);
        assert!(binary.text().is_err());
        assert_eq!(response(200, "x").into_body(), Body::from("x"));
    }

    // CLAUSE SEC-1
    #[test]
    fn it_shows_neither_body_nor_headers() {
        let shown = format!("{:?}", response(200, "hunter2"));
        assert!(!shown.contains("hunter2") && shown.contains("200") && shown.contains("7 bytes"), "{shown}");
    }
}
