//! The client against the stand-in, over real sockets.

use crate::common;

use std::sync::mpsc::RecvTimeoutError;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::*;
use ringcentral_ws_gateway::{GatewayConfig, Server, ServerConfig};
use ringcentral_ws_tokio::{
    Client, Close, CommandError, Config, Event, Events, Filter, Filters, GapCause, IoLimits, Jwt, OverHttps,
    SessionState, StartError, Via, rustls,
};

// CLAUSE REC-2 REC-3
#[tokio::test]
async fn cut_recovered_restarted_resubscribed_closed() {
    let server = server();
    let (client, mut events) = builder(&server).start().unwrap();
    let first = subscribed(&mut events).await;
    assert!(matches!(client.state(), SessionState::Ready { .. }));
    server.receive_sms(0, "+1", "one");
    assert_eq!(text(&mut events).await, "one");
    server.drop_connections();
    server.receive_sms(0, "+1", "two");
    server.receive_sms(0, "+1", "three");
    assert_eq!(text(&mut events).await, "two");
    assert_eq!(text(&mut events).await, "three");
    server.restart();
    server.receive_sms(0, "+1", "lost");
    let gap = until(&mut events, |e| if let Event::Gap(gap) = e { Some(gap.clone()) } else { None }).await;
    assert!(matches!(gap.cause, GapCause::RecoveryFailed(_)) && gap.until >= gap.since, "{gap:?}");
    assert_ne!(subscribed(&mut events).await, first);
    server.receive_sms(0, "+1", "four");
    assert_eq!(text(&mut events).await, "four");
    client.close(Close::Revoke).await;
    assert_eq!(closed(&mut events).await, "Revoked");
    assert_eq!(client.stats().notifications, 4);
    assert!(matches!(client.subscribe(Filters::new(["/a"]).unwrap()).await, Err(CommandError::Closed(_))));
    assert!(client.request(get("/a")).await.is_err_and(|error| error.is_closing()));
}

// CLAUSE REQ-5
#[tokio::test]
async fn rest_goes_both_ways() {
    let server = server();
    for (over_websocket, via) in [(false, Via::Https), (true, Via::WebSocket)] {
        let config = Config { rest_over_websocket: over_websocket, ..config() };
        let (client, mut events) = builder(&server).config(config).start().unwrap();
        subscribed(&mut events).await;
        for _ in 0..3 {
            let reply = client.request(get("/restapi/v1.0/account/~/extension/~")).await.unwrap();
            assert_eq!((reply.status().as_u16(), reply.extensions().get::<Via>()), (200, Some(&via)));
            let body: serde_json::Value = serde_json::from_slice(reply.body().as_bytes()).unwrap();
            assert!(body["id"].is_number() || body["id"].is_string(), "{body}");
        }
        let missing = client.request(get("/restapi/v1.0/no/such/thing")).await.unwrap();
        assert_eq!(missing.status().as_u16(), 404, "a refusal is a response");
        client.close(Close::Detach).await;
        assert_eq!(closed(&mut events).await, "Detached");
    }
}

#[tokio::test]
async fn dropped_requests_are_cancelled() {
    let mut slow = GatewayConfig::default();
    slow.reply_delay = Duration::from_millis(300);
    let server = server_with(slow);
    let config = Config { rest_over_websocket: true, ..config() };
    let (client, mut events) = builder(&server).config(config).start().unwrap();
    subscribed(&mut events).await;
    {
        let request = std::pin::pin!(client.request(get("/restapi/v1.0/account/~")));
        assert!(tokio::time::timeout(Duration::from_millis(50), request).await.is_err());
    }
    let reply = client.request(get("/restapi/v1.0/account/~")).await.unwrap();
    assert_eq!(reply.status().as_u16(), 200);
    client.close(Close::Revoke).await;
}

// CLAUSE PST-2 PST-4
#[tokio::test]
async fn a_detached_session_is_continued() {
    let server = server();
    let login = Arc::new(credentials(&server));
    let start = |snapshot| {
        let mut builder = Client::builder(Arc::clone(&login)).config(config());
        builder = match snapshot {
            Some(snapshot) => builder.restore(snapshot),
            None => builder.filters(["/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS"]),
        };
        builder.start().unwrap()
    };
    let (client, mut events) = start(None);
    subscribed(&mut events).await;
    server.receive_sms(0, "+1", "one");
    assert_eq!(text(&mut events).await, "one");
    client.close(Close::Detach).await;
    let before = client.snapshot();
    assert_eq!(closed(&mut events).await, "Detached");
    let snapshot = client.snapshot().unwrap();
    assert!(snapshot.is_detached());
    assert!(before.as_ref() != Some(&snapshot), "published only as its event is taken");
    server.receive_sms(0, "+1", "two");
    let (client, mut events) = start(Some(snapshot));
    assert_eq!(text(&mut events).await, "two");
    client.close(Close::Revoke).await;
}

// CLAUSE TOK-4
#[tokio::test]
async fn a_wrong_secret_ends_the_session() {
    let server = server();
    let mut app = app(&server);
    app.client_secret = Some("hunter2".into());
    let lines = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&lines);
    let builder = Client::builder(Jwt::new(app, "hunter3")).config(config());
    let builder = builder.debug(move |line| sink.lock().unwrap().push_str(line));
    let (client, mut events) = builder.start().unwrap();
    let reason = closed(&mut events).await;
    assert!(reason.starts_with("Permanent(Credentials"), "{reason}");
    assert!(!reason.contains("hunter") && !lines.lock().unwrap().contains("hunter"));
    assert_eq!(client.state(), SessionState::Closed);
}

// CLAUSE SEC-2
#[tokio::test]
async fn tls_is_verified() {
    let server = Server::start(ServerConfig { tls: true, ..ServerConfig::default() }).unwrap();
    let (client, mut events) = builder(&server).start().unwrap();
    let cause = until(&mut events, |e| if let Event::Retry { cause, .. } = e { Some(cause.to_string()) } else { None });
    let cause = cause.await;
    assert!(cause.contains("certificate"), "{cause}");
    client.close(Close::Detach).await;

    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls::pki_types::CertificateDer::from(server.ca_der().unwrap().to_vec())).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let tls = tls.with_root_certificates(roots).with_no_client_auth();
    let (client, mut events) = builder(&server).tls(Arc::new(tls)).start().unwrap();
    subscribed(&mut events).await;
    server.receive_sms(0, "+1", "secret");
    assert_eq!(text(&mut events).await, "secret");
    let reply = client.request(get("/restapi/v1.0/account/~")).await.unwrap();
    assert_eq!(reply.status().as_u16(), 200);
    client.close(Close::Revoke).await;
}

// CLAUSE REC-8
#[tokio::test]
async fn an_unreachable_server_is_tried_again() {
    let server = server();
    server.refuse_connections(true);
    let (client, mut events) = builder(&server).start().unwrap();
    let cause =
        until(
            &mut events,
            |e| {
                if let Event::Retry { attempt: 2, cause, .. } = e { Some(cause.to_string()) } else { None }
            },
        );
    let cause = cause.await;
    assert!(cause.contains("refused"), "{cause}");
    server.refuse_connections(false);
    subscribed(&mut events).await;
    client.close(Close::Revoke).await;
}

#[tokio::test]
async fn dropping_the_handles_ends_everything_at_once() {
    let server = server();
    let (client, mut events) = builder(&server).start().unwrap();
    subscribed(&mut events).await;
    drop(client);
    server.receive_sms(0, "+1", "one");
    assert_eq!(text(&mut events).await, "one", "the events alone keep it alive");
    drop(events);
    until_so("the socket closes", || server.with_gateway(|g, _| g.connections().count()) == 0).await;
}

// CLAUSE HB-3
#[tokio::test]
async fn a_slow_application_stops_reading_and_nothing_else() {
    let server = server();
    let config = Config {
        heartbeat_interval: Duration::from_millis(50),
        heartbeat_timeout: Duration::from_millis(200),
        ..config()
    };
    let limits = IoLimits { event_queue: 4, ..IoLimits::default() };
    let (client, mut events) = builder(&server).config(config).limits(limits).start().unwrap();
    subscribed(&mut events).await;
    for n in 0..40 {
        server.receive_sms(0, "+1", &n.to_string());
    }
    until_so("heartbeats go on", || client.stats().heartbeats >= 6).await;
    assert!(client.stats().notifications < 40, "reading has stopped");
    for n in 0..40 {
        assert_eq!(text(&mut events).await, n.to_string());
    }
    assert_eq!(client.stats().connections, 1, "the connection was never given up");
    client.close(Close::Revoke).await;
}

#[tokio::test]
async fn calls_get_their_turn_in_a_flood() {
    let server = Arc::new(server());
    let (client, mut events) =
        builder(&server).config(Config { rest_over_websocket: true, ..config() }).start().unwrap();
    subscribed(&mut events).await;
    let (stop, end) = std::sync::mpsc::channel::<()>();
    let flooder = Arc::clone(&server);
    // In the socket before the first call, so before its answer, however late the thread begins.
    for _ in 0..200 {
        server.receive_sms(0, "+1", "flood");
    }
    let flood = std::thread::spawn(move || {
        while end.recv_timeout(Duration::from_millis(1)) == Err(RecvTimeoutError::Timeout) {
            for _ in 0..100 {
                flooder.receive_sms(0, "+1", "flood");
            }
        }
    });
    let calls = async {
        for (way, n) in [(true, 10), (false, 10)] {
            for _ in 0..n {
                let mut request = get("/restapi/v1.0/account/~");
                if !way {
                    request.extensions_mut().insert(OverHttps);
                }
                let reply = client.request(request).await.unwrap();
                assert_eq!(reply.extensions().get::<Via>() == Some(&Via::WebSocket), way);
            }
        }
        drop(stop);
        client.close(Close::Revoke).await;
    };
    let take = async {
        let mut seen = 0_u64;
        while let Some(event) = events.next().await {
            seen += u64::from(matches!(event, Event::Notification(_)));
        }
        seen
    };
    let both = futures_util::future::join(calls, take);
    let ((), seen) = tokio::time::timeout(3 * DEADLINE, both).await.expect("all calls end");
    assert!(seen >= 200 && client.stats().notifications == seen, "{seen}");
    flood.join().unwrap();
}

// CLAUSE HB-2
#[tokio::test]
async fn a_silent_peer_is_left_and_the_session_recovered() {
    let server = server();
    let config = Config {
        heartbeat_interval: Duration::from_millis(50),
        heartbeat_timeout: Duration::from_millis(100),
        ..config()
    };
    let (client, mut events) = builder(&server).config(config).start().unwrap();
    subscribed(&mut events).await;
    server.half_open();
    server.receive_sms(0, "+1", "into the void");
    let cause =
        until(&mut events, |e| if let Event::Disconnected { cause, .. } = e { Some(cause.as_str()) } else { None });
    assert_eq!(cause.await, "heartbeat_timeout");
    // What was sent into the silence may have been lost on the way.
    let gap = until(&mut events, |e| if let Event::Gap(gap) = e { Some(gap.cause.as_str()) } else { None });
    assert_eq!(gap.await, "in_flight");
    assert_eq!(text(&mut events).await, "into the void", "replayed");
    client.close(Close::Revoke).await;
}

// CLAUSE PST-4
#[tokio::test]
async fn a_snapshot_waits_for_the_events_before_it() {
    let server = server();
    let (client, mut events) = builder(&server).start().unwrap();
    subscribed(&mut events).await;
    let is_change = |e: &Event| matches!(e, Event::SnapshotChanged).then_some(());
    until(&mut events, is_change).await;
    let before = client.snapshot().unwrap();
    server.receive_sms(0, "+1", "one");
    until_so("it is delivered", || client.stats().notifications > 0).await;
    assert!(client.snapshot().unwrap() == before, "not taken yet");
    assert_eq!(text(&mut events).await, "one");
    assert!(client.snapshot().unwrap() == before, "taken, perhaps not yet handled");
    until(&mut events, is_change).await;
    assert!(client.snapshot().unwrap() != before);
    client.close(Close::Revoke).await;
}

// CLAUSE CLS-1
#[tokio::test]
async fn close_ends_in_time_when_the_peer_is_gone() {
    let server = server();
    let config = Config { close_timeout: Duration::from_millis(200), ..config() };
    let (client, mut events) = builder(&server).config(config).start().unwrap();
    subscribed(&mut events).await;
    server.half_open();
    let began = Instant::now();
    client.close(Close::Revoke).await;
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());
    assert_eq!(closed(&mut events).await, "Revoked");
}

#[test]
fn without_a_runtime_there_is_an_error() {
    let server = server();
    assert!(matches!(builder(&server).start(), Err(StartError::NoRuntime(_))));
    let far = Client::builder(ringcentral_ws_tokio::FixedToken::new("t"));
    let far = far.config(Config { server: "http://h.example".parse().unwrap(), ..Config::default() });
    assert!(matches!(far.start(), Err(StartError::InsecureServer(_))));
    assert!(matches!(builder(&server).filters(["sms"]).start(), Err(StartError::Filter(_))));
}

/// A client whose queue of events is full: so many messages have come for it.
async fn crowded(server: &Server, config: Config, count: usize) -> (Client, Events) {
    let limits = IoLimits { event_queue: 4, ..IoLimits::default() };
    let (client, mut events) = builder(server).config(config).limits(limits).start().unwrap();
    subscribed(&mut events).await;
    for n in 0..count {
        server.receive_sms(0, "+1", &n.to_string());
    }
    (client, events)
}

// CLAUSE HB-3 REC-5
#[tokio::test]
async fn an_answer_behind_unread_messages_is_not_late() {
    let server = server();
    let config = Config { request_timeout: Duration::from_secs(1), ..config() };
    let (client, mut events) = crowded(&server, config, 100).await;
    until_so("reading stops", || client.stats().notifications > 0).await;
    client.subscribe(Filters::new([Filter::sms(), Filter::presence()]).unwrap()).await.unwrap();
    // The deadline of the call shows as a probe; were it taken at its word, the connection would be gone.
    let before = client.stats().heartbeats;
    let past = || client.stats().heartbeats > before || !matches!(client.state(), SessionState::Ready { .. });
    until_so("the deadline passes", past).await;
    for n in 0..100 {
        assert_eq!(text(&mut events).await, n.to_string());
    }
    subscribed(&mut events).await;
    assert_eq!(client.stats().connections, 1);
}

/// Any command runs the timers that are due.
// CLAUSE HB-3 REC-5
#[tokio::test]
async fn an_answer_behind_unread_messages_is_not_late_because_of_a_command() {
    let server = server();
    let config = Config { request_timeout: Duration::from_millis(500), ..config() };
    let (client, mut events) = crowded(&server, config, 100).await;
    until_so("reading stops", || client.stats().notifications > 0).await;
    client.subscribe(Filters::new([Filter::sms(), Filter::presence()]).unwrap()).await.unwrap();
    let before = client.stats().heartbeats;
    let past = || client.stats().heartbeats > before || !matches!(client.state(), SessionState::Ready { .. });
    let commands = async {
        loop {
            futures_util::future::join_all((0..8).map(|_| client.recover())).await;
        }
    };
    tokio::select! {
        () = until_so("the deadline passes", past) => {}
        () = commands => {}
    }
    for n in 0..100 {
        assert_eq!(text(&mut events).await, n.to_string());
    }
    subscribed(&mut events).await;
    assert_eq!(client.stats().connections, 1);
}

// CLAUSE HB-3 REC-5
#[tokio::test]
async fn what_waited_unread_does_not_narrow_a_gap() {
    let server = server();
    let short = Duration::from_millis(100);
    let config = Config { heartbeat_interval: short, heartbeat_timeout: short, ..config() };
    let (client, mut events) = crowded(&server, config, 20).await;
    let beats = |more: u64| {
        let before = client.stats().heartbeats;
        let client = client.clone();
        move || client.stats().heartbeats >= before + more || !matches!(client.state(), SessionState::Ready { .. })
    };
    until_so("reading has stopped for a while", beats(2)).await;
    let cut = std::time::UNIX_EPOCH.elapsed().unwrap().as_millis();
    server.restart();
    until_so("timers of the dead connection pass", beats(4)).await;
    let gap = until(&mut events, |e| if let Event::Gap(gap) = e { Some(gap.clone()) } else { None }).await;
    assert!(u128::from(gap.since.0) <= cut, "since {} ms after the cut", u128::from(gap.since.0) - cut);
}
