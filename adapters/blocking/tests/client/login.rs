//! Logins, and whose HTTP client makes the calls.

use std::io::{self, Write};
use std::net::Shutdown;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringcentral_ws_blocking::{
    AccessToken, AuthFailure, Body, Client, Close, CommandError, Config, CredentialSource, Event, HttpFailure,
    HttpsSender, IoLimits, Jwt, RefreshToken, Secret, TokenRequest, http, https_client,
};
use ringcentral_ws_blocking::{Callback, ClientApp, LoginLimits, Pkce, TokenSet};
use ringcentral_ws_conformance::{fake, until};
use ringcentral_ws_gateway::{Server, ServerConfig};

/// Nothing here takes this long; it only turns a hang into a failure.
const DEADLINE: Duration = Duration::from_secs(20);
const ACCOUNT: &str = "/restapi/v1.0/account/~";

fn app(server: &Server) -> ClientApp {
    let client_secret = Some(server.client_secret().into());
    ClientApp { server: server.http_url().parse().unwrap(), client_id: server.client_id(), client_secret }
}

fn status(client: &Client) -> u16 {
    client.request(http::Request::get(ACCOUNT).body(Body::empty()).unwrap()).unwrap().status().as_u16()
}

#[test]
fn a_login_by_authorization_code_lives_on_its_refresh_token() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let (app, https) = (app(&server), https_client(IoLimits::default(), None).unwrap());
    let (pkce, redirect) = (Pkce::new([9; 32]), "http://localhost:8080/callback");
    // As a browser would: the stand-in agrees at once.
    let address = pkce.authorize_url(&app, redirect, "state-1");
    let back = https.send(http::Request::get(address.as_str()).body(Default::default()).unwrap()).unwrap();
    let back = back.headers()["location"].to_str().unwrap().parse().unwrap();
    let Callback::Code(code) = Callback::read(&back, "state-1") else { panic!("{back}") };
    let tokens = TokenSet::parse(&https.send(pkce.exchange_request(&app, &code, redirect)).unwrap()).unwrap();
    let issued = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&issued);
    let source = RefreshToken::from_tokens(app, tokens).on_tokens(move |tokens| {
        assert!(tokens.refresh_token.is_some());
        counter.fetch_add(1, Ordering::Relaxed);
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
        if let Some(Event::Closed { reason }) = events.next_timeout(DEADLINE).expect("an event") {
            break format!("{reason:?}");
        }
    };
    assert!(reason.contains("log in again"), "{reason}");
}

#[test]
fn a_restart_with_kept_tokens_needs_no_token_call() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let store = Arc::new(Mutex::new(String::new()));
    let keep = |store: &Arc<Mutex<String>>| {
        let store = Arc::clone(store);
        move |tokens: &TokenSet| *store.lock().unwrap() = serde_json::to_string(tokens).unwrap()
    };
    let kept = || serde_json::from_str::<TokenSet>(&store.lock().unwrap()).unwrap();
    let jwt = || Jwt::new(app(&server), server.jwt(0)).on_tokens(keep(&store));
    let calls = || server.observations().token_calls;
    let (client, _events) = Client::builder(jwt()).start().unwrap();
    assert_eq!((status(&client), calls()), (200, 1));
    client.close(Close::Detach);
    let (client, events) = Client::builder(jwt().with_tokens(kept()).unwrap()).start().unwrap();
    assert_eq!((status(&client), calls()), (200, 1), "the access token is good");
    server.with_gateway(|g, now| g.expire_access_tokens(now));
    assert_eq!((status(&client), calls()), (200, 2), "refreshed");
    // It ends without a word, and what it had at that moment is in the store.
    drop((client, events));
    let login = RefreshToken::from_tokens(app(&server), kept()).on_tokens(keep(&store));
    let (client, _events) = Client::builder(login).start().unwrap();
    assert_eq!((status(&client), calls()), (200, 2));
    server.with_gateway(|g, now| g.expire_access_tokens(now));
    assert_eq!((status(&client), calls()), (200, 3), "the refresh token in the store was the new one");
    client.close(Close::Revoke);
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
    let mine = Mine(https_client(IoLimits::default(), None).unwrap(), Arc::clone(&calls));
    let jwt = server.jwt(0);
    let source = Arc::new(Jwt::new(app(&server), jwt));
    let (client, _events) = Client::builder(Arc::clone(&source)).http_client(mine).start().unwrap();
    assert_eq!(status(&client), 200);
    client.close(Close::Revoke);
    assert!(calls.load(Ordering::Relaxed) >= 2, "the login and the call");
    let sessions = || server.with_gateway(|g, _| g.oauth_session_count());
    assert_eq!(sessions(), 1);
    source.revoke(&*https_client(IoLimits::default(), None).unwrap()).unwrap();
    assert_eq!(sessions(), 0);
}

// CLAUSE CLS-1
#[test]
fn a_login_under_way_is_waited_for_and_its_refresh_token_kept() {
    // The server has replaced the refresh token, but its answer is slow.
    let ((asks, asked), (answers, answer)) = (channel(), channel::<()>());
    let answer = Arc::new(Mutex::new(answer));
    let server = fake::listen(move |_, mut stream| {
        let _ = asks.send(());
        let _ = answer.lock().unwrap().recv_timeout(DEADLINE);
        let body = r#"{"access_token":"a1","expires_in":3600,"refresh_token":"r1"}"#;
        let head = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all((head + body).as_bytes())?;
        stream.shutdown(Shutdown::Write)?;
        io::copy(&mut stream, &mut io::sink()).map(drop)
    });
    let server = format!("http://{server}").parse().unwrap();
    let app = ClientApp { server, client_id: "id".to_owned(), client_secret: Some("secret".into()) };
    let kept = Arc::new(Mutex::new(Vec::new()));
    let store = Arc::clone(&kept);
    let source = RefreshToken::new(app, "r0").on_tokens(move |tokens| {
        store.lock().unwrap().extend(tokens.refresh_token.as_ref().map(|token| token.expose().to_owned()));
    });
    let config = Config { close_timeout: DEADLINE, ..Config::default() };
    let (client, events) = Client::builder(source).config(config).start().unwrap();
    asked.recv_timeout(DEADLINE).unwrap();
    let closer = client.clone();
    let closing = std::thread::spawn(move || closer.close(Close::Detach));
    until(DEADLINE, "it closes", || matches!(client.recover(), Err(CommandError::Closed(()))));
    assert!(kept.lock().unwrap().is_empty());
    answers.send(()).unwrap();
    closing.join().unwrap();
    assert_eq!(*kept.lock().unwrap(), ["r1"], "when close returns, the store has it");
    assert!(events.last().is_some_and(|event| matches!(event, Event::Closed { .. })));
}

/// Its new tokens arrive only when they are let go.
struct Slow(Jwt, Mutex<(Option<Secret>, Receiver<()>)>);

impl CredentialSource for Slow {
    fn access_token(&self, request: TokenRequest<'_>) -> Result<AccessToken, AuthFailure> {
        let token = self.0.access_token(request)?;
        let mut held = self.1.lock().unwrap();
        if held.0.replace(token.secret.clone()).as_ref() != Some(&token.secret) {
            let _ = held.1.recv_timeout(DEADLINE);
        }
        Ok(token)
    }
}

// CLAUSE C14
#[test]
fn a_token_that_came_too_late_is_used_by_the_next_try() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let jwt = server.jwt(0);
    let (let_go, held) = channel();
    let source = Slow(Jwt::new(app(&server), jwt.as_str()), Mutex::new((None, held)));
    let server_url = server.http_url().parse().unwrap();
    let config = Config { server: server_url, token_timeout: Duration::from_millis(300), ..Config::default() };
    let (client, mut events) = Client::builder(source).config(config).filters([ACCOUNT]).start().unwrap();
    loop {
        match events.next_timeout(DEADLINE).expect("an event") {
            // It was given up.
            Some(Event::Retry { .. }) => drop(let_go.send(())),
            Some(Event::Subscribed(_)) => break,
            _ => {}
        }
    }
    assert_eq!(server.observations().token_calls, 1);
    client.close(Close::Revoke);
}

// CLAUSE TOK-9
#[test]
fn a_wait_for_the_ceiling_of_the_app_is_reported() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let jwt = server.jwt(0);
    let limits = LoginLimits::default().app_ceiling(Some(1)).on_loopback(true);
    let start = || Client::builder(Jwt::new(app(&server), jwt.as_str()).login_limits(limits)).start().unwrap();
    let (first, _events) = start();
    assert_eq!(status(&first), 200);
    let (second, mut events) = start();
    let (cause, delay) = loop {
        if let Some(Event::Retry { cause, delay, .. }) = events.next_timeout(DEADLINE).expect("an event") {
            break (cause.to_string(), delay);
        }
    };
    assert!(cause.contains("1 token call a minute for one app"), "{cause}");
    assert!(delay > Duration::from_secs(1), "{delay:?}");
    assert_eq!(server.observations().token_calls, 1);
    first.close(Close::Revoke);
    second.close(Close::Revoke);
}
