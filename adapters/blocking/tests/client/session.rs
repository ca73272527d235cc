//! The client against the stand-in, over real sockets.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use ringcentral_ws_blocking::ClientApp;
use ringcentral_ws_blocking::{
    Body, Builder, Client, Close, CommandError, Config, Event, Events, Filter, Filters, FixedToken, IoLimits, Jwt,
    RefreshToken, SessionState, StartError, TimedOut, Via, http,
};
use ringcentral_ws_conformance::until as until_so;
use ringcentral_ws_gateway::{GatewayConfig, Server, ServerConfig};

/// Nothing here takes this long; it only turns a hang into a failure.
const DEADLINE: Duration = Duration::from_secs(20);

fn server() -> Server {
    Server::start(ServerConfig::default()).unwrap()
}

fn app(server: &Server) -> (ClientApp, String) {
    let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
    let server = server.http_url().parse().unwrap();
    (ClientApp { server, client_id: app.client_id, client_secret: Some(app.client_secret.into()) }, jwt)
}

fn builder(server: &Server) -> Builder {
    let (app, jwt) = app(server);
    Client::builder(Jwt::new(app, jwt)).filters([Filter::sms()])
}

fn get(path: &str) -> http::Request<Body> {
    http::Request::get(path).body(Body::empty()).unwrap()
}

fn until<T>(events: &mut Events, mut found: impl FnMut(&Event) -> Option<T>) -> T {
    loop {
        let event = events.next_timeout(DEADLINE).expect("an event").expect("it goes on");
        if let Some(found) = found(&event) {
            return found;
        }
    }
}

fn subscribed(events: &mut Events) {
    until(events, |event| matches!(event, Event::Subscribed(_)).then_some(()));
}

#[test]
fn handles_work_on_many_threads() {
    let server = server();
    let (client, events) = builder(&server).start().unwrap();
    let texts = Arc::new(Mutex::new(0));
    let counted = Arc::clone(&texts);
    let consumer = std::thread::spawn(move || {
        for event in events {
            if matches!(event, Event::Notification(_)) {
                *counted.lock().unwrap() += 1;
            }
        }
    });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            let client = client.clone();
            scope.spawn(move || {
                for _ in 0..5 {
                    let reply = client.request(get("/restapi/v1.0/account/~")).unwrap();
                    assert_eq!((reply.status().as_u16(), reply.extensions().get()), (200, Some(&Via::Https)));
                }
            });
        }
    });
    until_so(DEADLINE, "messages come", || {
        server.receive_sms(0, "+1", "hello");
        *texts.lock().unwrap() >= 3
    });
    client.close(Close::Revoke);
    consumer.join().unwrap();
    assert_eq!(client.state(), SessionState::Closed);
    assert!(client.request(get("/a")).is_err_and(|error| error.is_closing()));
    assert!(matches!(client.subscribe(Filters::new(["/a"]).unwrap()), Err(CommandError::Closed(_))));
    assert!(matches!(client.recover(), Err(CommandError::Closed(()))));
}

#[test]
fn dropped_requests_are_cancelled() {
    let mut slow = GatewayConfig::default();
    slow.reply_delay = Duration::from_millis(200);
    let server = Server::start(ServerConfig { gateway: slow, ..ServerConfig::default() }).unwrap();
    let config = Config { rest_over_websocket: true, ..Config::default() };
    let (client, mut events) = builder(&server).config(config).start().unwrap();
    subscribed(&mut events);
    let mut first = client.start_request(get("/restapi/v1.0/account/~"));
    assert!(first.wait_timeout(Duration::from_millis(1)).is_none());
    drop(first);
    let second = client.start_request(get("/restapi/v1.0/account/~"));
    let third = client.start_request(get("/restapi/v1.0/account/~"));
    assert_eq!(third.wait().unwrap().status(), 200);
    assert_eq!(second.wait().unwrap().status(), 200);
    client.close(Close::Revoke);
}

// CLAUSE CLS-1
#[test]
fn close_ends_in_time_whatever_the_peer_does() {
    let server = server();
    let config = Config { close_timeout: Duration::from_millis(200), ..Config::default() };
    let (client, mut events) = builder(&server).config(config.clone()).start().unwrap();
    subscribed(&mut events);
    server.half_open();
    let began = Instant::now();
    client.close(Close::Revoke);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    // Also while the login hangs.
    server.stall_connections(true);
    let (client, mut events) = builder(&server).config(config).start().unwrap();
    let waited = loop {
        match events.next_timeout(Duration::from_millis(50)) {
            Ok(Some(Event::SnapshotChanged)) => {}
            other => break other,
        }
    };
    assert_eq!(waited, Err(TimedOut));
    let began = Instant::now();
    client.close(Close::Detach);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    assert!(events.by_ref().last().is_some_and(|event| matches!(event, Event::Closed { .. })));
    assert!(events.next().is_none());
}

#[test]
fn the_events_alone_keep_it_alive() {
    let server = server();
    let (client, mut events) = builder(&server).start().unwrap();
    subscribed(&mut events);
    drop(client);
    server.receive_sms(0, "+1", "one");
    until(&mut events, |event| matches!(event, Event::Notification(_)).then_some(()));
    drop(events);
    until_so(DEADLINE, "the socket closes", || server.with_gateway(|g, _| g.connections().count()) == 0);
}

/// A client whose queue of events is full: so many messages have come for it.
fn crowded(server: &Server, config: Config, count: usize) -> (Client, Events) {
    let limits = IoLimits { event_queue: 4, ..IoLimits::default() };
    let (client, mut events) = builder(server).config(config).limits(limits).start().unwrap();
    subscribed(&mut events);
    for n in 0..count {
        server.receive_sms(0, "+1", &n.to_string());
    }
    (client, events)
}

/// All of these messages come, in order, on one connection.
fn all_come(events: &mut Events, count: usize) {
    for n in 0..count {
        let text = until(events, |event| match event {
            Event::Notification(n) => Some(n.body().to_owned()),
            Event::Gap(_) | Event::Disconnected { .. } => panic!("{event:?}"),
            _ => None,
        });
        assert!(text.contains(&format!("\"subject\":\"{n}\"")), "{n}: {text}");
    }
}

// CLAUSE HB-3 REC-5
#[test]
fn an_answer_behind_unread_messages_is_not_late() {
    let server = server();
    let config = Config { request_timeout: Duration::from_millis(300), ..Config::default() };
    let (client, mut events) = crowded(&server, config, 100);
    let began = Instant::now();
    let wait = |done: &dyn Fn() -> bool| {
        while !done() {
            assert!(began.elapsed() < DEADLINE);
            std::thread::yield_now();
        }
    };
    // The answer comes behind the others, and the queue takes only a few, changes of the snapshot among them.
    wait(&|| client.stats().notifications >= 1);
    client.subscribe(Filters::new([Filter::sms(), Filter::presence()]).unwrap()).unwrap();
    // The deadline of the call shows as a probe; were it taken at its word, the connection would be gone.
    let before = client.stats().heartbeats;
    wait(&|| client.stats().heartbeats > before || !matches!(client.state(), SessionState::Ready { .. }));
    all_come(&mut events, 100);
    subscribed(&mut events);
    assert_eq!(client.stats().connections, 1);
}

/// Any command runs the timers that are due.
// CLAUSE HB-3 REC-5
#[test]
fn an_answer_behind_unread_messages_is_not_late_because_of_a_command() {
    let server = server();
    let config = Config { request_timeout: Duration::from_millis(300), ..Config::default() };
    let (client, mut events) = crowded(&server, config, 100);
    until_so(DEADLINE, "reading stops", || client.stats().notifications >= 1);
    client.subscribe(Filters::new([Filter::sms(), Filter::presence()]).unwrap()).unwrap();
    let before = client.stats().heartbeats;
    let past = || client.stats().heartbeats > before || !matches!(client.state(), SessionState::Ready { .. });
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let began = Instant::now();
                while !past() && began.elapsed() < DEADLINE {
                    let _ = client.recover();
                }
            });
        }
    });
    all_come(&mut events, 100);
    subscribed(&mut events);
    assert_eq!(client.stats().connections, 1);
}

// CLAUSE HB-3
#[test]
fn while_nobody_listens_heartbeats_go_on_and_nothing_is_lost() {
    let server = server();
    let config = Config {
        heartbeat_interval: Duration::from_millis(20),
        heartbeat_timeout: Duration::from_millis(500),
        ..Config::default()
    };
    let (client, mut events) = crowded(&server, config, 500);
    // Two in each time-out: one after the silence, and one that asks before the connection is given up.
    until_so(DEADLINE, "four time-outs pass", || client.stats().heartbeats >= 8);
    let taken = client.stats().notifications;
    assert!(taken <= 6, "reading has stopped, but {taken} were read");
    all_come(&mut events, 500);
    assert_eq!(client.stats().connections, 1);
    client.close(Close::Revoke);
}

#[test]
fn a_refresh_token_is_enough_and_rotates() {
    let server = server();
    let (app, jwt) = app(&server);
    let kept = Arc::new(Mutex::new(Vec::new()));
    let keep = |kept: &Arc<Mutex<Vec<String>>>| {
        let kept = Arc::clone(kept);
        move |tokens: &ringcentral_ws_blocking::TokenSet| {
            kept.lock().unwrap().extend(tokens.refresh_token.as_ref().map(|token| token.expose().to_owned()));
        }
    };
    let (client, mut events) =
        Client::builder(Jwt::new(app.clone(), jwt).on_tokens(keep(&kept))).filters([Filter::sms()]).start().unwrap();
    subscribed(&mut events);
    client.close(Close::Revoke);
    let token = kept.lock().unwrap().last().cloned().unwrap();
    let login = RefreshToken::new(app, token.as_str()).on_tokens(keep(&kept));
    let (client, mut events) = Client::builder(login).filters([Filter::sms()]).start().unwrap();
    subscribed(&mut events);
    client.close(Close::Revoke);
    let kept = kept.lock().unwrap();
    assert!(kept.len() == 2 && kept[0] != kept[1]);
}

#[test]
fn mistakes_are_reported_at_the_start() {
    let server = server();
    let far = Config { server: "http://h.example".parse().unwrap(), ..Config::default() };
    assert!(matches!(Client::builder(FixedToken::new("t")).config(far).start(), Err(StartError::InsecureServer(_))));
    assert!(matches!(builder(&server).filters(["sms"]).start(), Err(StartError::Filter(_))));
    // A fixed token that is refused ends the session.
    let config = Config { server: server.http_url().parse().unwrap(), ..Config::default() };
    let (_client, mut events) = Client::builder(FixedToken::new("wrong")).config(config).start().unwrap();
    let reason =
        until(&mut events, |event| if let Event::Closed { reason } = event { Some(reason.clone()) } else { None });
    assert!(!format!("{reason:?}").contains("wrong"), "{reason:?}");
}

#[test]
fn a_client_that_records_can_be_replayed() {
    let server = server();
    let (client, mut events) = builder(&server).flight_recorder(64 << 10).start().unwrap();
    subscribed(&mut events);
    server.receive_sms(0, "+16505550100", "hello");
    until(&mut events, |event| matches!(event, Event::Notification(_)).then_some(()));
    client.request(get("/restapi/v1.0/account/~")).unwrap();
    client.close(Close::Revoke);
    let dump = client.flight_record().expect("it records");
    let recording = ringcentral_ws_core::recorder::Recording::parse(&dump).unwrap();
    let replayed = recording.replay().unwrap_or_else(|error| panic!("{error}\n{dump}"));
    assert!(replayed.outputs > 15 && replayed.skipped == 0, "{replayed:?}\n{dump}");
}

// CLAUSE PST-2
#[test]
fn nothing_is_received_before_the_end_of_a_rest_is_written_down() {
    let server = server();
    let (app, jwt) = app(&server);
    let login = Arc::new(Jwt::new(app, jwt));
    let (client, mut events) = Client::builder(Arc::clone(&login)).filters([Filter::sms()]).start().unwrap();
    subscribed(&mut events);
    client.close(Close::Detach);
    assert!(events.by_ref().last().is_some());
    let snapshot = client.snapshot().unwrap();
    assert!(snapshot.is_detached());
    server.receive_sms(0, "+1", "one");
    let (client, mut events) = Client::builder(login).restore(snapshot).start().unwrap();
    // What needs no socket does not wait; after it the token for one could long have been fetched.
    let request = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap();
    assert_eq!(client.request(request).unwrap().status(), 200);
    assert_eq!(client.state(), SessionState::AwaitingStore);
    let observations = server.observations();
    assert_eq!((observations.ws_tokens_requested, observations.upgrades), (1, 1), "nobody took an event");
    assert!(client.snapshot().unwrap().is_detached());
    let gap = until(&mut events, |event| match event {
        Event::Gap(gap) => Some(Some(gap.cause.clone())),
        Event::Notification(_) => Some(None),
        _ => None,
    });
    assert_eq!(gap, None);
    client.close(Close::Revoke);
}
