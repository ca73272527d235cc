//! The scenarios of the reference client's own tests, with ours. `gateway/interop/scenarios.mjs` plays the same with the
//! reference client itself; `gateway/README.md` lists them.

use crate::harness;

use std::time::{Duration, Instant};

use harness::{TOKIO, wait_for};
use ringcentral_ws_conformance::{DEADLINE, settings::quick};
use ringcentral_ws_core::{ConnId, Resumption};
use ringcentral_ws_gateway::{GatewayConfig, Observations, Server, ServerConfig};
use ringcentral_ws_tokio::{
    Body, Client, ClientApp, Close, Config, Event, Events, Filter, Jwt, SessionState, Via, http,
};
use serde_json::{Value, json};

const EXTENSION: &str = "/restapi/v1.0/account/~/extension/~";

/// A client, and what it got.
struct Session {
    server: Server,
    client: Client,
    events: Events,
    conn: Option<ConnId>,
    subscription: Option<String>,
}

fn server(change: impl FnOnce(&mut GatewayConfig)) -> Server {
    let mut config = ServerConfig::default();
    change(&mut config.gateway);
    Server::start(config).unwrap()
}

/// By hand, as with `autoRecover: false`.
fn by_hand() -> Config {
    Config { auto_recover: false, ..quick() }
}

fn over_the_socket(config: Config) -> Config {
    Config { rest_over_websocket: true, ..config }
}

impl Session {
    /// A session that is connected, and has subscribed where there is a filter.
    fn open(server: Server, config: Config, filters: &[Filter]) -> Self {
        let app = ClientApp {
            server: server.http_url().parse().unwrap(),
            client_id: server.client_id(),
            client_secret: Some(server.client_secret().into()),
        };
        let builder = Client::builder(Jwt::new(app, server.jwt(0))).config(config).filters(filters);
        let (client, events) = TOKIO.block_on(async { builder.start() }).unwrap();
        let mut session = Self { server, client, events, conn: None, subscription: None };
        session.until("the connection", |session, _| session.conn.is_some());
        if !filters.is_empty() {
            session.until("the subscription", |session, _| session.subscription.is_some());
        }
        session
    }

    fn with_messages(server: Server, config: Config) -> Self {
        Self::open(server, config, &[Filter::message_store()])
    }

    /// Takes events until it is so.
    fn until(&mut self, what: &str, mut is_so: impl FnMut(&Self, Option<&Event>) -> bool) {
        let end = Instant::now() + DEADLINE;
        let mut event = None;
        while !is_so(self, event.as_ref()) {
            let left = end.saturating_duration_since(Instant::now());
            let next = async { tokio::time::timeout(left, self.events.next()).await };
            let next = TOKIO.block_on(next).unwrap_or_else(|_| panic!("in vain: {what}")).expect("the session goes on");
            match &next {
                Event::Connected { conn, .. } => self.conn = Some(*conn),
                Event::Subscribed(info) => self.subscription = Some(info.server_id.to_string()),
                _ => {}
            }
            event = Some(next);
        }
    }

    fn resumption(&mut self) -> Resumption {
        let mut found = None;
        self.until("a connection", |_, event| {
            found = if let Some(Event::Connected { resumption, .. }) = event { Some(*resumption) } else { None };
            found.is_some()
        });
        found.unwrap()
    }

    fn call(&self, method: &str, path: &str, body: Option<Value>) -> (u16, Value, Option<Via>) {
        let mut request = http::Request::builder().method(method).uri(path);
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = request.body(body).unwrap();
        let answer = wait_for(|work| TOKIO.block_on(work), self.client.request(request)).unwrap();
        let value = serde_json::from_slice(answer.body().as_bytes()).unwrap_or(Value::Null);
        (answer.status().as_u16(), value, answer.extensions().get().copied())
    }

    fn post(&self, what: &str, party: &Value) {
        let message = json!({ "from": party, "to": [party], "text": "Hello" });
        let (status, answer, _) = self.call("POST", &format!("{EXTENSION}/{what}"), Some(message));
        assert_eq!(status, 200, "{answer}");
    }

    fn notified(&mut self) {
        self.until("a notification", |_, event| matches!(event, Some(Event::Notification(_))));
    }

    /// A message to oneself, which arrives.
    fn pager(&mut self) {
        self.post("company-pager", &json!({ "extensionNumber": "101" }));
        self.notified();
    }

    fn seen(&self) -> Observations {
        self.server.observations()
    }

    fn sessions(&self) -> usize {
        self.server.with_gateway(|gateway, _| gateway.session_count())
    }

    fn close(self) {
        TOKIO.block_on(self.client.close(Close::Revoke));
        assert!(self.server.with_gateway(|gateway, _| gateway.subscriptions().next().is_none()));
        assert!(self.server.wait_until(DEADLINE, |gateway| gateway.connections().next().is_none()));
    }
}

// SCENARIO installing it connects
#[test]
fn starting_it_connects() {
    let session = Session::open(server(|_| {}), quick(), &[]);
    assert!(matches!(session.client.state(), SessionState::Ready { .. }));
    session.close();
}

// SCENARIO REST over the socket
// CLAUSE REQ-1
#[test]
fn rest_over_the_socket() {
    let session = Session::open(server(|_| {}), over_the_socket(quick()), &[]);
    let (status, extension, via) = session.call("GET", EXTENSION, None);
    assert_eq!((status, &extension["extensionNumber"], via), (200, &json!("101"), Some(Via::WebSocket)));
    assert_eq!(session.seen().requests, 1);
    session.close();
}

// SCENARIO an answer without a body
// CLAUSE REQ-7
#[test]
fn an_answer_without_a_body() {
    let session = Session::open(server(|_| {}), over_the_socket(quick()), &[]);
    let answer = session.call("DELETE", "/restapi/v1.0/_empty", None);
    assert_eq!(answer, (204, Value::Null, Some(Via::WebSocket)));
    session.close();
}

// SCENARIO a message to oneself
#[test]
fn a_message_to_oneself() {
    let mut session = Session::with_messages(server(|_| {}), quick());
    let busy = json!({ "userStatus": "Busy", "message": "Hello" });
    assert_eq!(session.call("PUT", &format!("{EXTENSION}/presence"), Some(busy)).0, 200);
    session.post("company-pager", &json!({ "extensionNumber": "101" }));
    session.until("a notification", |_, event| {
        let Some(Event::Notification(notification)) = event else { return false };
        assert!(notification.event().ends_with("/message-store"), "presence is another filter: {notification:?}");
        true
    });
    assert_eq!(session.seen().requests, 1, "all but the subscription went over HTTPS");
    session.close();
}

// SCENARIO an SMS to oneself
#[test]
fn an_sms_to_oneself() {
    let mut session = Session::open(server(|_| {}), quick(), &[Filter::sms()]);
    let number = session.call("GET", EXTENSION, None).1["contact"]["businessPhone"].clone();
    session.post("sms", &json!({ "phoneNumber": number }));
    session.notified();
    session.close();
}

// SCENARIO REST works after an automatic recovery
#[test]
fn rest_after_an_automatic_recovery() {
    let mut session = Session::open(server(|_| {}), over_the_socket(quick()), &[]);
    session.server.drop_connections();
    session.resumption();
    assert_eq!(session.call("GET", EXTENSION, None).0, 200);
    session.close();
}

// SCENARIO a message after an automatic recovery
// CLAUSE REC-2
#[test]
fn a_message_after_an_automatic_recovery() {
    let mut session = Session::with_messages(server(|_| {}), quick());
    let subscription = session.subscription.clone();
    session.server.drop_connections();
    assert_eq!(session.resumption(), Resumption::Recovered);
    session.pager();
    assert_eq!(session.subscription, subscription);
    session.close();
}

// SCENARIO an event names the new socket
#[test]
fn an_event_names_the_new_connection() {
    let mut session = Session::with_messages(server(|_| {}), quick());
    let before = session.conn.unwrap();
    session.server.drop_connections();
    session.until("recovered", |_, event| matches!(event, Some(Event::Recovered { conn }) if *conn > before));
    assert_eq!(session.seen().recoveries, 1);
    session.close();
}

/// The connection ends, and nothing is tried by itself.
fn left(session: &mut Session) {
    session.server.drop_connections();
    session.until("the end", |_, event| matches!(event, Some(Event::Disconnected { .. })));
    assert!(session.server.wait_until(DEADLINE, |gateway| gateway.connections().next().is_none()));
}

fn recover(session: &Session) {
    TOKIO.block_on(session.client.recover()).unwrap();
}

// SCENARIO recovery by hand
// CLAUSE REC-6 REC-7
#[test]
fn recovery_by_hand() {
    let mut session = Session::with_messages(server(|_| {}), over_the_socket(by_hand()));
    let subscription = session.subscription.clone();
    left(&mut session);
    assert_eq!(session.seen().upgrades, 1, "nothing happens by itself");
    recover(&session);
    assert_eq!(session.resumption(), Resumption::Recovered);
    session.pager();
    assert_eq!(session.subscription, subscription);
    session.close();
}

// SCENARIO another connection without recovery
#[test]
fn another_client_without_the_session_of_the_first() {
    let mut first = Session::with_messages(server(|_| {}), over_the_socket(by_hand()));
    left(&mut first);
    let Session { server, client, events, subscription, .. } = first;
    drop((client, events));
    let mut second = Session::with_messages(server, over_the_socket(by_hand()));
    assert_ne!(second.subscription, subscription, "subscribed anew");
    assert_eq!((second.seen().recoveries, second.seen().recoveries_failed), (0, 0));
    second.pager();
    // The subscription of the first client is left to its end on the server.
    TOKIO.block_on(second.client.close(Close::Revoke));
}

// SCENARIO recovery of a live connection
// CLAUSE REC-7
#[test]
fn recovery_of_a_live_connection() {
    let mut session = Session::with_messages(server(|_| {}), quick());
    let conn = session.conn;
    recover(&session);
    session.pager();
    assert_eq!((session.conn, session.seen().upgrades), (conn, 1));
    session.close();
}

// SCENARIO too late to recover
// CLAUSE REC-3
#[test]
fn too_late_to_recover() {
    let short = server(|config| config.recovery_timeout = Duration::from_secs(1));
    let mut session = Session::with_messages(short, over_the_socket(by_hand()));
    let subscription = session.subscription.clone();
    left(&mut session);
    assert!(session.server.wait_until(DEADLINE, |gateway| gateway.session_count() == 0));
    recover(&session);
    assert_eq!(session.resumption(), Resumption::Lost);
    session.until("a gap", |_, event| matches!(event, Some(Event::Gap(_))));
    session.until("another subscription", |session, _| session.subscription != subscription);
    session.pager();
    assert_eq!(session.sessions(), 1);
    TOKIO.block_on(session.client.close(Close::Revoke));
}

/// Outlives the idle limit of the server by what `sign` counts.
fn outlives(session: &Session, mut live: impl FnMut(&Session), sign: impl Fn(&Observations) -> u64) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(4) || sign(&session.seen()) < 4 {
        assert!(began.elapsed() < DEADLINE, "no signs of life");
        live(session);
        std::thread::sleep(Duration::from_millis(100));
    }
    let seen = session.seen();
    assert_eq!((seen.upgrades, session.server.with_gateway(|gateway, _| gateway.connections().count())), (1, 1));
}

fn impatient() -> Server {
    server(|config| config.idle_timeout = Duration::from_secs(3))
}

// SCENARIO heartbeats
// CLAUSE HB-1
#[test]
fn heartbeats() {
    let config = Config { heartbeat_interval: Duration::from_millis(500), ..quick() };
    let session = Session::open(impatient(), config, &[]);
    outlives(&session, |_| {}, |seen| seen.heartbeats);
    session.close();
}

// SCENARIO heartbeats of the program
#[test]
fn calls_of_the_program_are_signs_of_life() {
    let session = Session::open(impatient(), over_the_socket(quick()), &[]);
    let call = |session: &Session| assert_eq!(session.call("GET", EXTENSION, None).0, 200);
    outlives(&session, call, |seen| seen.requests);
    assert_eq!(session.seen().heartbeats, 0);
    session.close();
}

#[test]
fn the_readme_lists_what_both_clients_play() {
    let read = |path: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    };
    let names = |text: &str, before: &str, after: &str| -> Vec<String> {
        let parts = text.split(before).skip(1);
        parts.map(|part| part.split(after).next().unwrap_or_default().to_owned()).collect()
    };
    let theirs = names(&read("gateway/interop/scenarios.mjs"), "\nscenario('", "'");
    let ours = names(include_str!("reference.rs"), "\n// SCENARIO ", "\n");
    assert_eq!(ours, theirs);
    let readme = read("gateway/README.md");
    let table = readme.split("| Scenario |").nth(1).unwrap().split("\n\n").next().unwrap();
    assert_eq!(names(table, "\n| `", "`"), theirs);
}
