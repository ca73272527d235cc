//! Logins, and whose HTTP client makes the calls.

use crate::common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use common::*;
use ringcentral_ws_conformance::fake;
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_tokio::Timestamp;
use ringcentral_ws_tokio::{
    AccessToken, AuthFailure, Body, BoxFuture, Client, Close, Config, CredentialSource, Download, Event, Events,
    FixedToken, HttpFailure, HttpsSender, IoLimits, Jwt, RefreshToken, RequestErrorKind, TokenRequest, Tokio, Via,
    bytes, http, https_client, url,
};
use ringcentral_ws_tokio::{Callback, LoginCall, LoginLimiter, LoginLimits, LoginWait, Pkce, TokenBudget, TokenSet};

/// As a browser would: the stand-in agrees at once.
async fn agree(https: &dyn HttpsSender, address: &str) -> String {
    let request = http::Request::get(address).body(Default::default()).unwrap();
    let reply = https.send(request).await.unwrap();
    assert!(reply.status().is_redirection(), "{reply:?}");
    reply.headers()["location"].to_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_login_by_authorization_code_lives_on_its_refresh_token() {
    let (server, tls) = tls_server(GatewayConfig::default());
    let app = app(&server);
    let https = https_client(Tokio, IoLimits::default(), Some(Arc::clone(&tls))).unwrap();
    let pkce = Pkce::new([9; 32]);
    let redirect = "http://localhost:8080/callback";
    let back = agree(&*https, pkce.authorize_url(&app, redirect, "state-1").as_str()).await;
    assert_eq!(Callback::read(&back.parse().unwrap(), "another"), Callback::Foreign);
    let Callback::Code(code) = Callback::read(&back.parse().unwrap(), "state-1") else { panic!("{back}") };
    let tokens = TokenSet::parse(&https.send(pkce.exchange_request(&app, &code, redirect)).await.unwrap()).unwrap();
    let source = Arc::new(RefreshToken::from_tokens(app, tokens));
    let calls = server.observations().token_calls;
    let (client, mut events) = Client::builder(Arc::clone(&source)).config(config()).tls(tls).start().unwrap();
    assert_eq!(client.request(get("/restapi/v1.0/account/~")).await.unwrap().status().as_u16(), 200);
    assert_eq!(server.observations().token_calls, calls, "the first access token is used");
    server.with_gateway(|g, now| g.expire_access_tokens(now));
    assert_eq!(client.request(get("/restapi/v1.0/account/~")).await.unwrap().status().as_u16(), 200);
    assert_eq!(server.observations().token_calls, calls + 1, "refreshed");
    source.revoke(&*https).await.unwrap();
    let reason = closed(&mut events).await;
    assert!(reason.contains("log in again"), "{reason}");
}

#[tokio::test]
async fn a_restart_with_kept_tokens_needs_no_token_call() {
    let server = server();
    let store = Arc::new(Mutex::new(String::new()));
    let keep = |store: &Arc<Mutex<String>>| {
        let store = Arc::clone(store);
        move |tokens: &TokenSet| *store.lock().unwrap() = serde_json::to_string(tokens).unwrap()
    };
    let kept = || serde_json::from_str::<TokenSet>(&store.lock().unwrap()).unwrap();
    let jwt = || credentials(&server).on_tokens(keep(&store));
    let calls = || server.observations().token_calls;
    let ask = async |client: &Client| client.request(get("/restapi/v1.0/account/~")).await.unwrap().status().as_u16();
    let (client, _events) = Client::builder(jwt()).config(config()).start().unwrap();
    assert_eq!((ask(&client).await, calls()), (200, 1));
    client.close(Close::Detach).await;
    let (client, events) = Client::builder(jwt().with_tokens(kept()).unwrap()).config(config()).start().unwrap();
    assert_eq!((ask(&client).await, calls()), (200, 1), "the access token is good");
    server.with_gateway(|g, now| g.expire_access_tokens(now));
    assert_eq!((ask(&client).await, calls()), (200, 2), "refreshed");
    // It ends without a word, and what it had at that moment is in the store.
    drop((client, events));
    let login = RefreshToken::from_tokens(app(&server), kept()).on_tokens(keep(&store));
    let (client, _events) = Client::builder(login).config(config()).start().unwrap();
    assert_eq!((ask(&client).await, calls()), (200, 2));
    server.with_gateway(|g, now| g.expire_access_tokens(now));
    assert_eq!((ask(&client).await, calls()), (200, 3), "the refresh token in the store was the new one");
    client.close(Close::Revoke).await;
}

#[tokio::test]
async fn a_refresh_that_was_killed_before_its_tokens_were_kept_costs_no_login() {
    let server = server();
    let store = Arc::new(Mutex::new(None));
    let sink = Arc::clone(&store);
    let source = credentials(&server).on_tokens(move |tokens| *sink.lock().unwrap() = Some(tokens.clone()));
    let (client, _events) = Client::builder(source).config(config()).start().unwrap();
    assert_eq!(client.request(get("/restapi/v1.0/account/~")).await.unwrap().status().as_u16(), 200);
    client.close(Close::Detach).await;
    let kept: TokenSet = store.lock().unwrap().take().unwrap();
    // The server takes the refresh token, and nobody keeps what it answers.
    let https = https_client(Tokio, IoLimits::default(), None).unwrap();
    let answer = https.send(app(&server).refresh_request(kept.refresh_token.as_ref().unwrap())).await.unwrap();
    assert_eq!((answer.status().as_u16(), server.observations().token_calls), (200, 2));
    let login = RefreshToken::from_tokens(app(&server), kept);
    let (client, _events) = Client::builder(login).config(config()).start().unwrap();
    assert_eq!(client.request(get("/restapi/v1.0/account/~")).await.unwrap().status().as_u16(), 200);
    assert_eq!(server.observations().token_calls, 3, "the kept access token is dead, the refresh token is not");
    client.close(Close::Revoke).await;
}

/// Panics the first time.
struct Nervous(Jwt, AtomicU64);

impl CredentialSource for Nervous {
    fn access_token<'a>(&'a self, request: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
        Box::pin(async {
            assert!(self.1.fetch_add(1, Ordering::Relaxed) > 0, "the first call");
            self.0.access_token(request).await
        })
    }

    fn server(&self) -> Option<&url::Url> {
        self.0.server()
    }
}

#[tokio::test]
async fn a_panic_in_a_source_does_not_end_the_client() {
    let server = server();
    let source = Nervous(credentials(&server), AtomicU64::new(0));
    let (client, mut events) =
        Client::builder(source).config(config()).filters(["/restapi/v1.0/account/~"]).start().unwrap();
    let cause = until(&mut events, |e| if let Event::Retry { cause, .. } = e { Some(cause.to_string()) } else { None });
    assert!(cause.await.contains("panicked"));
    subscribed(&mut events).await;
    client.close(Close::Revoke).await;
}

/// Counts, and answers one path itself.
struct Mine(Arc<dyn HttpsSender>, Arc<AtomicU64>);

impl HttpsSender for Mine {
    fn send(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<bytes::Bytes>, HttpFailure>> {
        self.1.fetch_add(1, Ordering::Relaxed);
        if request.uri().path() == "/mine" {
            let host = request.uri().host().unwrap_or_default().to_owned();
            return Box::pin(async move { Ok(http::Response::new(host.into())) });
        }
        self.0.send(request)
    }
}

#[tokio::test]
async fn an_http_client_of_the_users_makes_all_calls() {
    let server = server();
    let calls = Arc::new(AtomicU64::new(0));
    let mine = Mine(https_client(Tokio, IoLimits::default(), None).unwrap(), Arc::clone(&calls));
    let (client, mut events) = builder(&server).http_client(mine).start().unwrap();
    subscribed(&mut events).await;
    assert!(calls.load(Ordering::Relaxed) >= 2, "the login and the WebSocket token");
    let reply = client.request(get("/mine")).await.unwrap();
    assert_eq!(
        (reply.body().as_bytes().as_ref(), reply.extensions().get::<Via>()),
        (&b"127.0.0.1"[..], Some(&Via::Https))
    );
    let content = client.download(get("https://media.ringcentral.com/mine")).await.unwrap();
    let mut body: ringcentral_ws_tokio::Download = content.into_body();
    assert_eq!(&body.chunk().await.unwrap().unwrap()[..], b"media.ringcentral.com");
    client.close(Close::Revoke).await;
}

/// Streams without end, counting what was asked for, and redirects once.
struct Fountain(Arc<dyn HttpsSender>, Arc<AtomicU64>);

impl HttpsSender for Fountain {
    fn send(
        &self,
        request: http::Request<bytes::Bytes>,
    ) -> BoxFuture<'_, Result<http::Response<bytes::Bytes>, HttpFailure>> {
        self.0.send(request)
    }

    fn stream(
        self: Arc<Self>,
        request: http::Request<bytes::Bytes>,
    ) -> BoxFuture<'static, Result<http::Response<Download>, HttpFailure>> {
        let made = Arc::clone(&self.1);
        let piece = move |n: u64| {
            made.fetch_add(1, Ordering::Relaxed);
            if n < 3 { Ok(bytes::Bytes::from_static(&[7; 1000])) } else { Err("the source ran dry") }
        };
        let body = Download::from_stream(futures_util::stream::iter((0..5).map(piece)));
        let mut response = http::Response::new(body);
        match request.uri().path() {
            "/first" => {
                *response.status_mut() = http::StatusCode::FOUND;
                response.headers_mut().insert("location", http::HeaderValue::from_static("/endless"));
            }
            "/refused" => *response.status_mut() = http::StatusCode::FORBIDDEN,
            _ => {}
        }
        Box::pin(async { Ok(response) })
    }
}

#[tokio::test]
async fn an_http_client_of_the_users_can_stream() {
    let server = server();
    let made = Arc::new(AtomicU64::new(0));
    let mine = Fountain(https_client(Tokio, IoLimits::default(), None).unwrap(), Arc::clone(&made));
    let (client, mut events) = builder(&server).http_client(mine).start().unwrap();
    subscribed(&mut events).await;
    let mut body = client.download(get("/first")).await.unwrap().into_body();
    assert_eq!(made.load(Ordering::Relaxed), 0, "nothing is read before it is wanted");
    assert_eq!((body.chunk().await.unwrap().unwrap().len(), made.load(Ordering::Relaxed)), (1000, 1));
    assert_eq!((body.chunk().await.unwrap().unwrap().len(), body.chunk().await.unwrap().unwrap().len()), (1000, 1000));
    let error = body.chunk().await.unwrap().unwrap_err();
    assert!(error.received() == 3000 && error.to_string().contains("ran dry"), "{error}");
    assert!(body.chunk().await.is_none(), "the first error is the end");
    // What is no success is read at once, and broke off.
    let broken = client.download(get("/refused")).await.unwrap_err();
    assert!(matches!(broken.kind(), RequestErrorKind::Unknown(_)) && broken.to_string().starts_with("GET /refused: "));
    client.close(Close::Revoke).await;
}

#[tokio::test]
async fn content_hosts_are_a_setting() {
    let (first, second) = (fake::bad_server(), fake::bad_server());
    let config = Config { server: format!("http://{first}").parse().unwrap(), ..config() };
    let start = |hosts: &[&str]| {
        let builder = Client::builder(FixedToken::new("token")).config(config.clone());
        builder.content_hosts(hosts.iter().copied()).start().unwrap()
    };
    let content = || http::Request::get(format!("http://{second}/ok")).body(Body::empty()).unwrap();
    let (client, _events) = start(&["127.0.0.1"]);
    let mut body = client.download(content()).await.unwrap().into_body();
    assert_eq!(&body.chunk().await.unwrap().unwrap()[..], b"ok", "with the token");
    let (client, _events) = start(&[]);
    let refused = client.download(content()).await.unwrap_err();
    assert!(matches!(refused.kind(), RequestErrorKind::Refused(_)), "{refused}");
}

/// The cause of the first try that waits for a limit on this side, and for how long.
async fn waits(events: &mut Events) -> (String, Duration) {
    until(events, |e| match e {
        Event::Retry { cause, delay, .. } if cause.as_str() == "login_limit" => Some((cause.to_string(), *delay)),
        _ => None,
    })
    .await
}

// CLAUSE TOK-9
#[tokio::test]
async fn a_wait_for_the_ceiling_of_the_app_is_reported() {
    let server = server();
    let limits = LoginLimits::default().app_ceiling(Some(1)).on_loopback(true);
    let start = || {
        let source = credentials(&server).login_limits(limits);
        Client::builder(source).config(config()).filters(["/restapi/v1.0/account/~"]).start().unwrap()
    };
    let (first, mut events) = start();
    subscribed(&mut events).await;
    let (second, mut events) = start();
    let (cause, delay) = waits(&mut events).await;
    for part in ["the login waits", "1 token call a minute for one app", "LoginLimits::app_ceiling"] {
        assert!(cause.contains(part), "{cause}");
    }
    assert!(delay > Duration::from_secs(1), "{delay:?}");
    assert_eq!(server.observations().token_calls, 1);
    first.close(Close::Revoke).await;
    second.close(Close::Revoke).await;
}

/// A limit of another kind, and the built-in one behind it.
struct Closed(TokenBudget, AtomicU64);

impl LoginLimiter for Closed {
    fn acquire(&self, call: &LoginCall<'_>, now: Timestamp) -> Result<(), LoginWait> {
        if self.1.fetch_add(1, Ordering::Relaxed) == 0 {
            let message = "the permits of this machine are used up".into();
            return Err(LoginWait { retry_after: Duration::from_millis(10), message });
        }
        self.0.acquire(call, now)
    }

    fn give_back(&self, call: &LoginCall<'_>, acquired: Timestamp, now: Timestamp) {
        self.0.give_back(call, acquired, now);
    }

    fn pause(&self, call: &LoginCall<'_>, pause: Duration, now: Timestamp) {
        self.0.pause(call, pause, now);
    }
}

// CLAUSE TOK-9
#[tokio::test]
async fn a_limiter_of_the_users_decides() {
    let server = server();
    let limiter = Arc::new(Closed(TokenBudget::new(), AtomicU64::new(0)));
    let source = credentials(&server).limiter(Arc::clone(&limiter) as Arc<dyn LoginLimiter>);
    let (client, mut events) =
        Client::builder(source).config(config()).filters(["/restapi/v1.0/account/~"]).start().unwrap();
    assert!(waits(&mut events).await.0.contains("the permits of this machine are used up"));
    subscribed(&mut events).await;
    assert_eq!((limiter.1.load(Ordering::Relaxed), server.observations().token_calls), (2, 1));
    client.close(Close::Revoke).await;
}
