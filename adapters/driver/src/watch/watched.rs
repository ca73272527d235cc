//! A login that reports whether its calls get through to a server.

use bytes::Bytes;
use futures_util::future::BoxFuture;
use http::{Request, Response};
use ringcentral_ws_adapter::watch::reach::LoginCalls;
use ringcentral_ws_core::Identity;
use ringcentral_ws_core::{AccessToken, AuthFailure, HttpFailure};
use url::Url;

use crate::credentials::{CredentialSource, TokenRequest};
use crate::https::HttpsSender;

/// A credential source whose calls are watched.
pub(super) struct Watched<C> {
    pub(super) source: C,
    pub(super) calls: LoginCalls,
}

struct WatchedCalls<'a> {
    https: &'a dyn HttpsSender,
    calls: &'a LoginCalls,
}

impl HttpsSender for WatchedCalls<'_> {
    fn send(&self, request: Request<Bytes>) -> BoxFuture<'_, Result<Response<Bytes>, HttpFailure>> {
        Box::pin(async move {
            self.calls.began();
            let result = self.https.send(request).await;
            self.calls.ended(&result);
            result
        })
    }
}

impl<C: CredentialSource> CredentialSource for Watched<C> {
    fn access_token<'a>(&'a self, request: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
        Box::pin(async move {
            let https = WatchedCalls { https: request.https, calls: &self.calls };
            self.source.access_token(TokenRequest { https: &https, ..request }).await
        })
    }

    fn server(&self) -> Option<&Url> {
        self.source.server()
    }

    fn identity(&self) -> Option<Identity> {
        self.source.identity()
    }
}
