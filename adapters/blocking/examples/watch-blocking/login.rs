//! A login that reports whether its calls get through to a server.

use ringcentral_ws_adapter::watch::reach::LoginCalls;
use ringcentral_ws_blocking::Identity;
use ringcentral_ws_blocking::http::{Request, Response};
use ringcentral_ws_blocking::{AccessToken, AuthFailure, HttpFailure};
use ringcentral_ws_blocking::{CredentialSource, HttpsSender, Jwt, TokenRequest};

/// The credentials, and how their calls ended.
pub(crate) struct Login {
    pub(crate) jwt: Jwt,
    pub(crate) calls: LoginCalls,
}

/// Calls that are watched.
struct Watched<'a>(&'a dyn HttpsSender, &'a LoginCalls);

impl HttpsSender for Watched<'_> {
    fn send(&self, request: Request<bytes::Bytes>) -> Result<Response<bytes::Bytes>, HttpFailure> {
        self.1.began();
        let result = self.0.send(request);
        self.1.ended(&result);
        result
    }
}

impl CredentialSource for Login {
    fn access_token(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
        let https = Watched(request.https, &self.calls);
        self.jwt.access_token(TokenRequest { https: &https, ..request })
    }

    fn server(&self) -> Option<&url::Url> {
        self.jwt.server()
    }

    fn identity(&self) -> Option<Identity> {
        self.jwt.identity()
    }
}
