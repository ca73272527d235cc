//! The page's backend, which alone has the app's secret. It logs in once, and hands out access tokens of that one
//! login: a session can be recovered only within the login it was made in.

use std::sync::Arc;
use std::time::{Duration, Instant};

use ringcentral_ws_api::{ClientApp, TokenSet};
use ringcentral_ws_core::Secret;
use ringcentral_ws_gateway::{HttpRequest, Server};
use serde_json::{Value, json};

use crate::Result;

/// A token with less life left is refreshed before it is handed out.
const MARGIN: Duration = Duration::from_secs(60);

pub(crate) struct Backend {
    gateway: Arc<Server>,
    app: ClientApp,
    jwt: Secret,
    held: Option<(TokenSet, Instant)>,
}

impl Backend {
    pub(crate) fn new(gateway: Arc<Server>) -> Result<Self> {
        let (app, jwt) = gateway.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
        let app = ClientApp {
            server: gateway.http_url().parse()?,
            client_id: app.client_id,
            client_secret: Some(app.client_secret.into()),
        };
        Ok(Self { gateway, app, jwt: jwt.into(), held: None })
    }

    /// A token for the page. `refused`: the service did not take the last one.
    pub(crate) fn token(&mut self, refused: bool) -> Result<Value> {
        let good = |(tokens, since): &(TokenSet, Instant)| !refused && since.elapsed() + MARGIN < tokens.expires_in;
        if !self.held.as_ref().is_some_and(good) {
            let refresh = self.held.take().and_then(|(tokens, _)| tokens.refresh_token);
            let refreshed = refresh.map(|refresh| self.call(self.app.refresh_request(&refresh)));
            // A new login is the last resort: it loses the session.
            let tokens = match refreshed {
                Some(Ok(tokens)) => tokens,
                _ => self.call(self.app.jwt_request(&self.jwt))?,
            };
            self.held = Some((tokens, Instant::now()));
        }
        let (tokens, since) = self.held.as_ref().ok_or("no token")?;
        let left = tokens.expires_in.saturating_sub(since.elapsed()).as_secs();
        Ok(json!({ "access_token": tokens.access_token.expose(), "expires_in": left }))
    }

    /// The stand-in is in this process, so the call needs no network.
    fn call(&self, request: http::Request<impl AsRef<[u8]>>) -> Result<TokenSet> {
        let target = request.uri().path_and_query().map_or("/", |target| target.as_str());
        let mut call = HttpRequest::new(request.method().as_str(), target).with_body(request.body().as_ref());
        for (name, value) in request.headers() {
            call = call.header(name.as_str(), value.to_str()?);
        }
        let answer = self.gateway.with_gateway(|g, now| g.http(&call, now));
        let response = http::Response::builder().status(answer.status).body(answer.body.into())?;
        TokenSet::parse(&response).map_err(|failure| failure.message.into_string().into())
    }
}
