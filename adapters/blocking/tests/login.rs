//! Logins, and whose HTTP client makes the calls.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use ringcentral_ws_blocking::oauth::{Callback, ClientApp, Pkce, TokenSet};
use ringcentral_ws_blocking::{
    Body, Client, Close, Event, HttpFailure, HttpsSender, IoLimits, Jwt, RefreshToken, http, https_client,
};
use ringcentral_ws_gateway::{Server, ServerConfig};

/// Nothing here takes this long; it only turns a hang into a failure.
const PATIENCE: Duration = Duration::from_secs(20);
const ACCOUNT: &str = "/restapi/v1.0/account/~";

fn app(server: &Server) -> ClientApp {
    let app = server.with_gateway(|g, _| g.config().app.clone());
    let server = server.http_url().parse().unwrap();
    ClientApp { server, client_id: app.client_id, client_secret: Some(app.client_secret.into()) }
}

fn status(client: &Client) -> u16 {
    client.request(http::Request::get(ACCOUNT).body(Body::empty()).unwrap()).unwrap().status().as_u16()
}

#[test]
fn a_login_by_authorization_code_lives_on_its_refresh_token() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let (app, https) = (app(&server), https_client(IoLimits::default(), None));
    let (pkce, redirect) = (Pkce::new([9; 32]), "http://localhost:8080/callback");
    // As a browser would: the stand-in agrees at once.
    let address = pkce.authorize_url(&app, redirect, "state-1");
    let back = https.send(http::Request::get(address.as_str()).body(Default::default()).unwrap()).unwrap();
    let back = back.headers()["location"].to_str().unwrap().parse().unwrap();
    let Callback::Code(code) = Callback::read(&back, "state-1") else { panic!("{back}") };
    let tokens = TokenSet::parse(&https.send(pkce.exchange_request(&app, &code, redirect)).unwrap()).unwrap();
    let issued = Arc::new(AtomicU64::new(0));
    let told = Arc::clone(&issued);
    let source = RefreshToken::from_tokens(app, tokens).on_tokens(move |tokens| {
        assert!(tokens.refresh_token.is_some());
        told.fetch_add(1, Ordering::Relaxed);
    });
    let source = Arc::new(source);
    let calls = server.observations().token_calls;
    let (client, mut events) = Client::builder(Arc::clone(&source)).start().unwrap();
    assert_eq!((status(&client), server.observations().token_calls), (200, calls), "the first access token is used");
    server.with_gateway(|g, now| g.expire_access_tokens(now));
    assert_eq!((status(&client), server.observations().token_calls), (200, calls + 1), "refreshed");
    assert_eq!(issued.load(Ordering::Relaxed), 1);
    source.revoke(&*https).unwrap();
    let reason = loop {
        if let Some(Event::Closed { reason }) = events.next_timeout(PATIENCE).expect("an event") {
            break format!("{reason:?}");
        }
    };
    assert!(reason.contains("log in again"), "{reason}");
}

/// Counts.
struct Mine(Arc<dyn HttpsSender>, Arc<AtomicU64>);

impl HttpsSender for Mine {
    fn send(&self, request: http::Request<bytes::Bytes>) -> Result<http::Response<bytes::Bytes>, HttpFailure> {
        self.1.fetch_add(1, Ordering::Relaxed);
        self.0.send(request)
    }
}

#[test]
fn an_http_client_of_the_users_makes_all_calls() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let calls = Arc::new(AtomicU64::new(0));
    let mine = Mine(https_client(IoLimits::default(), None), Arc::clone(&calls));
    let jwt = server.with_gateway(|g, _| g.config().users[0].jwt.clone());
    let source = Arc::new(Jwt::new(app(&server), jwt));
    let (client, _events) = Client::builder(Arc::clone(&source)).http_client(mine).start().unwrap();
    assert_eq!(status(&client), 200);
    client.close(Close::Revoke);
    assert!(calls.load(Ordering::Relaxed) >= 2, "the login and the call");
    let sessions = || server.with_gateway(|g, _| g.oauth_session_count());
    assert_eq!(sessions(), 1);
    source.revoke(&*https_client(IoLimits::default(), None)).unwrap();
    assert_eq!(sessions(), 0);
}
