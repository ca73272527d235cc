//! HTTP between a session and the gateway.

use bytes::Bytes;
use http::{Request, Response};
use ringcentral_ws_core::{HttpFailure, OpenFailure, Phase};
use ringcentral_ws_gateway::{HttpRequest, HttpResponse};

pub(crate) fn to_gateway(request: &Request<Bytes>) -> HttpRequest {
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()));
    HttpRequest {
        method: request.method().to_string(),
        target: request.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned(),
        headers: headers.collect(),
        body: request.body().to_vec(),
    }
}

pub(crate) fn from_gateway(answer: HttpResponse) -> Result<Response<Bytes>, http::Error> {
    let mut response = Response::builder().status(answer.status);
    for (name, value) in &answer.headers {
        response = response.header(name, value);
    }
    response.body(Bytes::from(answer.body))
}

pub(crate) fn http_failure(phase: Phase, not_sent: bool) -> HttpFailure {
    HttpFailure { phase, not_sent, message: "simulated".into() }
}

pub(crate) fn open_failure(phase: Phase) -> OpenFailure {
    OpenFailure { phase, status: None, retry_after: None, message: "simulated".into() }
}
