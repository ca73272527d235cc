//! Servers that quote what they are sent: no failure, event or record shows a secret of the call. One test at a time, in a
//! process of its own, because the loggers are for all of it.

mod harness;

use std::sync::{Mutex, MutexGuard, Once, PoisonError};

use data_encoding::BASE64;
use harness::records::{self, Forms, Search, is_loud};
use harness::{TOKIO, wait_for};
use ringcentral_ws_conformance::fake::{Quote, quoting_proxy, quoting_server};
use ringcentral_ws_conformance::{DEADLINE, Harness, World};
use ringcentral_ws_core::{Cause, Close, CloseReason, Config, Event};
use ringcentral_ws_driver::{Builder, FixedToken, Proxy};
use ringcentral_ws_tokio::Tokio;

const CLIENT_SECRET: &str = "client/secret+0123456789";
const JWT: &str = "header.payload/of+the.jwt.signature";
const REFRESH: &str = "refresh/token+0123456789";
const ACCESS: &str = "access/token+0123456789";
const WEBSOCKET: &str = "websocket/token+0123456789";
const GRANTED: &str =
    r#"{"access_token":"access/token+0123456789","refresh_token":"refresh/token+9876543210","expires_in":3600}"#;

/// Records everything from now on, for one test at a time.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    static START: Once = Once::new();
    START.call_once(records::start);
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All that the application and its loggers get to see of a client, up to its first failure.
fn seen(harness: &dyn Harness, ending: &'static str, quote: Quote, has_refresh: bool) -> String {
    let mut world = World::new(harness, false);
    let app = &mut world.setup.app;
    app.server = format!("http://{}", quoting_server(ending, quote, GRANTED)).parse().unwrap();
    (app.client_id, app.client_secret) = ("id".to_owned(), Some(CLIENT_SECRET.into()));
    JWT.clone_into(&mut world.setup.jwt);
    world.setup.refresh_token = has_refresh.then(|| REFRESH.to_owned());
    world.start();
    let mut shown = String::new();
    loop {
        let event = world.client().next_event(DEADLINE).expect("it fails soon").expect("it says so");
        shown += &format!("{event:?}\n{event:#?}\n");
        let cause: &Cause = match &event {
            Event::Retry { cause, .. } | Event::Closed { reason: CloseReason::Permanent(cause) } => cause,
            _ => continue,
        };
        shown += &format!("{cause}\n");
        break;
    }
    world.client().close(Close::Detach);
    world.stop();
    shown
}

fn check(ending: &'static str, quotes: &[Quote]) {
    let _alone = alone();
    let pair = BASE64.encode(format!("id:{CLIENT_SECRET}").as_bytes());
    let searches = [CLIENT_SECRET, JWT, REFRESH, ACCESS, WEBSOCKET, &pair].map(Search::new);
    for harness in harness::all() {
        for (quote, has_refresh) in quotes.iter().flat_map(|quote| [(*quote, false), (*quote, true)]) {
            drop(records::take());
            let shown = seen(&*harness, ending, quote, has_refresh);
            is_clean(&format!("{} {ending} {quote:?} {has_refresh}", harness.name()), &shown, &searches);
        }
    }
}

/// Neither what the application saw nor what was logged meanwhile has any of these in it.
fn is_clean(place: &str, shown: &str, searches: &[Search]) {
    let quiet = records::take().into_iter().filter(|((_, target), _)| is_loud(target).is_none());
    let records: String = quiet.map(|((_, target), text)| format!("{target}: {text}\n")).collect();
    assert!(records.contains("ringcentral_ws") && shown.contains("cause"), "{records}{shown}");
    for (what, text) in [("the application", shown), ("the log", &records)] {
        let forms = Forms::of(text);
        let found: Vec<_> = searches.iter().filter(|search| search.finds(&forms)).map(|s| &s.secret).collect();
        assert!(found.is_empty(), "{place}: {what} sees {found:?}\n{text}");
    }
}

// CLAUSE SEC-1 SEC-6
#[test]
fn a_login_that_is_quoted_gives_nothing_away() {
    use Quote::{Echo, Json, Page};
    check("/oauth/token", &[Json(400), Page(401), Json(429), Page(503), Page(200), Echo]);
}

// CLAUSE SEC-1 SEC-6
#[test]
fn an_upgrade_that_is_quoted_gives_nothing_away() {
    check("/ws", &[Quote::Json(401), Quote::Page(503), Quote::Echo]);
}

// CLAUSE SEC-1 SEC-6
#[test]
fn a_call_for_a_websocket_token_that_is_quoted_gives_nothing_away() {
    check("/oauth/wstoken", &[Quote::Json(400), Quote::Page(403), Quote::Json(503), Quote::Page(200), Quote::Echo]);
}

// CLAUSE SEC-1 SEC-6
#[test]
fn a_proxy_that_quotes_its_password_gives_nothing_away() {
    let _alone = alone();
    let pair = BASE64.encode(b"user:proxy/password+0123456789");
    let searches = ["proxy/password+0123456789", ACCESS, &pair].map(Search::new);
    let proxy = || Proxy::new(&format!("http://user:proxy%2Fpassword+0123456789@{}", quoting_proxy())).unwrap();
    let config = || Config { server: "https://h.example".parse().unwrap(), ..Config::default() };
    let shown = |event: &Event| match event {
        Event::Retry { cause, .. } if cause.to_string().contains("***") => Some(format!("{event:?}\n{cause}")),
        Event::Retry { cause, .. } => panic!("{cause}"),
        _ => None,
    };

    drop(records::take());
    let builder = Builder::new(Tokio, FixedToken::new(ACCESS)).config(config()).proxy(Some(proxy()));
    let seen = wait_for(|work| TOKIO.block_on(work), async {
        let (_client, mut events) = builder.start().unwrap();
        loop {
            if let Some(seen) = shown(&events.next().await.expect("it fails soon")) {
                break seen;
            }
        }
    });
    is_clean("tokio", &seen, &searches);

    let builder = ringcentral_ws_blocking::Client::builder(ringcentral_ws_blocking::FixedToken::new(ACCESS));
    let (_client, mut events) = builder.config(config()).proxy(Some(proxy())).start().unwrap();
    let seen = loop {
        if let Some(seen) = shown(&events.next_timeout(DEADLINE).unwrap().expect("it fails soon")) {
            break seen;
        }
    };
    is_clean("blocking", &seen, &searches);
}
