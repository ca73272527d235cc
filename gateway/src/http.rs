//! HTTP requests and responses as plain values.

use crate::text;

/// A request as it reached the gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HttpRequest {
    /// Method in capitals.
    pub method: String,
    /// Path and query, without scheme and host.
    pub target: String,
    /// Header names and values, in order; names in any case.
    pub headers: Vec<(String, String)>,
    /// The body; empty if there is none.
    pub body: Vec<u8>,
}

impl HttpRequest {
    /// A request without headers and body.
    pub fn new(method: &str, target: &str) -> Self {
        Self { method: method.to_owned(), target: target.to_owned(), ..Self::default() }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Adds `Authorization: Bearer`.
    #[must_use]
    pub fn bearer(self, access_token: &str) -> Self {
        self.header("Authorization", &format!("Bearer {access_token}"))
    }

    /// Sets the body.
    #[must_use]
    pub fn with_body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// The first header of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    pub(crate) fn path_and_query(&self) -> (&str, &str) {
        self.target.split_once('?').unwrap_or((&self.target, ""))
    }
}

/// The gateway's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpResponse {
    /// Status code.
    pub status: u16,
    /// Header names and values.
    pub headers: Vec<(String, String)>,
    /// The body; empty if there is none.
    pub body: Vec<u8>,
    /// So many bytes follow the body, made by [`filler`](Self::filler) where they are needed, so that a
    /// large download costs no memory here.
    pub filler_len: u64,
}

impl HttpResponse {
    /// A response without headers, with a body as given.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: body.into(), filler_len: 0 }
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Byte number `offset` of the filler: the bytes run from 0 to 250 and start again.
    #[must_use]
    pub fn filler(offset: u64) -> u8 {
        (offset % 251) as u8
    }

    /// The first header of that name.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body as text, if it is UTF-8.
    #[must_use]
    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }
}

fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
}

/// The answer to a REST call, before it is known whether it travels over HTTP or the socket.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
    /// How much longer than usual the reply takes, in microseconds.
    pub(crate) delay: u64,
}

#[derive(Debug, Clone)]
pub(crate) enum Body {
    Empty,
    Json(String),
    Multipart {
        boundary: String,
        text: String,
    },
    Text {
        content_type: String,
        text: String,
    },
    /// So many bytes, made where they are needed; not possible over the socket.
    Binary {
        content_type: String,
        len: u64,
    },
}

impl Reply {
    pub(crate) fn new(status: u16, body: Body) -> Self {
        Self { status, headers: Vec::new(), body, delay: 0 }
    }

    pub(crate) fn json(text: String) -> Self {
        Self::new(200, Body::Json(text))
    }

    pub(crate) fn no_content() -> Self {
        Self::new(204, Body::Empty)
    }

    /// The common error body: the code and message twice, alone and as the first of `errors`.
    pub(crate) fn error(status: u16, code: &str, message: &str) -> Self {
        Self::error_with(status, code, message, None)
    }

    pub(crate) fn error_with(status: u16, code: &str, message: &str, parameter: Option<&str>) -> Self {
        let mut one = format!("\"errorCode\":{},\"message\":{}", text::json(code), text::json(message));
        if let Some(parameter) = parameter {
            one.push_str(",\"parameterName\":");
            text::push_json(&mut one, parameter);
        }
        Self::new(status, Body::Json(format!("{{{one},\"errors\":[{{{one}}}]}}")))
    }

    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.to_owned(), value.into()));
        self
    }

    pub(crate) fn content_type(&self) -> Option<String> {
        match &self.body {
            Body::Empty => None,
            Body::Json(_) => Some("application/json".to_owned()),
            Body::Multipart { boundary, .. } => Some(format!("multipart/mixed; boundary={boundary}")),
            Body::Text { content_type, .. } => Some(content_type.clone()),
            Body::Binary { content_type, .. } => Some(content_type.clone()),
        }
    }
}
