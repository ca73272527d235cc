//! The server on real sockets of the loopback.

use crate::net;

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::StreamExt;
use net::{Answer, DEADLINE, connect, end, frame, http, log_in, send, subscribe, text};
use ringcentral_ws_gateway::{CallPlan, Fate, MessageKind, Server, ServerConfig};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

const EXT: &str = "/restapi/v1.0/account/809646016/extension/62264425016";
const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";

fn start() -> (Server, String) {
    let server = Server::start(ServerConfig::default()).unwrap();
    let authorization = log_in(&server);
    (server, authorization)
}

fn notify(server: &Server, n: u64) -> Fate {
    server.notify(&format!("{EXT}/message-store/instant?type=SMS"), &json!({ "n": n }))[0].fate
}

fn n(frame: &Value) -> &Value {
    &frame[1]["body"]["n"]
}

/// Waits until the server has seen something.
async fn until(what: impl Fn() -> bool) {
    let deadline = Instant::now() + DEADLINE;
    let mut look = tokio::time::interval(Duration::from_millis(1));
    while !what() {
        assert!(Instant::now() < deadline, "it never happened");
        look.tick().await;
    }
}

#[tokio::test]
async fn a_session_from_login_to_recovery() {
    let (server, authorization) = start();
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    let details = frame(&mut socket).await;
    assert_eq!(details[0]["type"], "ConnectionDetails");
    let wsc = details[0]["wsc"]["token"].as_str().unwrap();
    let reply = subscribe(&mut socket, &[SMS]).await;
    assert_eq!(reply[1]["eventFilters"][0], format!("{EXT}/message-store/instant?type=SMS"));
    notify(&server, 1);
    assert_eq!(n(&frame(&mut socket).await), 1);
    let heartbeat = json!([{"type": "Heartbeat", "messageId": "h/1"}]);
    send(&mut socket, &heartbeat).await;
    assert_eq!(frame(&mut socket).await, heartbeat);
    server.drop_connections();
    assert!(matches!(end(&mut socket).await, Some(Err(_))), "a reset, not a close");
    assert_eq!(notify(&server, 2), Fate::Buffered { dropped: None });
    let mut socket = connect(&server, &authorization, Some(wsc)).await.unwrap();
    assert_eq!(frame(&mut socket).await[1]["recoveryState"], "Successful");
    assert_eq!(n(&frame(&mut socket).await), 2);
    assert_eq!(server.observations().recoveries, 1);
}

#[tokio::test]
async fn without_a_token_the_socket_opens_and_closes_4400() {
    let (server, _) = start();
    let tcp = tokio::net::TcpStream::connect(server.address()).await.unwrap();
    let (mut socket, _) = tokio_tungstenite::client_async(server.ws_url(), tcp).await.unwrap();
    let Some(Ok(Message::Close(Some(close)))) = end(&mut socket).await else { panic!("no close") };
    assert_eq!(u16::from(close.code), 4400);
    assert_eq!(close.reason.as_str(), "server did not receive authorization");
}

#[tokio::test]
async fn what_a_half_open_socket_swallowed_is_replayed() {
    let (server, authorization) = start();
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    let wsc = frame(&mut socket).await[0]["wsc"]["token"].as_str().unwrap().to_owned();
    subscribe(&mut socket, &[SMS]).await;
    server.half_open();
    assert_eq!(notify(&server, 1), Fate::Sent { copies: 1 });
    send(&mut socket, &json!([{"type": "Heartbeat", "messageId": "unheard"}])).await;
    let nothing = tokio::time::timeout(Duration::from_millis(50), socket.next()).await;
    assert!(nothing.is_err(), "silence: {nothing:?}");
    let mut again = connect(&server, &authorization, Some(&wsc)).await.unwrap();
    assert_eq!(frame(&mut again).await[1]["recoveryState"], "Successful");
    assert_eq!(n(&frame(&mut again).await), 1);
    assert_eq!(server.observations().heartbeats, 0);
    server.drop_connections();
    assert!(matches!(end(&mut socket).await, Some(Err(_))));
}

#[tokio::test]
async fn closes_garbage_pieces_and_duplicates_arrive_as_ordered() {
    let (server, authorization) = start();
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    frame(&mut socket).await;
    subscribe(&mut socket, &[SMS]).await;
    server.split(1);
    server.duplicate_next(1);
    notify(&server, 1);
    assert_eq!(n(&frame(&mut socket).await), 1);
    assert_eq!(n(&frame(&mut socket).await), 1);
    server.split(0);
    server.send_raw("no JSON, sorry");
    assert_eq!(text(&mut socket).await, "no JSON, sorry");
    server.delay(Duration::from_millis(30));
    let before = Instant::now();
    notify(&server, 2);
    frame(&mut socket).await;
    assert!(before.elapsed() >= Duration::from_millis(30));
    server.delay(Duration::ZERO);
    server.close_all(1012, "service restart");
    let Some(Ok(Message::Close(Some(close)))) = end(&mut socket).await else { panic!("no close") };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1012, "service restart"));
}

#[tokio::test]
async fn a_reset_loses_nothing_that_a_recovery_does_not_bring_back() {
    let mut config = ServerConfig::default();
    config.gateway.ws_token.rate_limit = None;
    // What is cut off again and again adds up.
    config.gateway.recovery_buffer_size = 1000;
    config.gateway.sent_history = 1000;
    let server = Server::start(config).unwrap();
    let authorization = log_in(&server);
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    let mut wsc = frame(&mut socket).await[0]["wsc"]["token"].as_str().unwrap().to_owned();
    subscribe(&mut socket, &[SMS]).await;
    let mut received = Vec::new();
    for round in 0..30 {
        for i in 0..10 {
            notify(&server, round * 10 + i);
        }
        server.drop_connections();
        while let Some(Ok(message)) = end(&mut socket).await {
            let frame: Value = serde_json::from_str(message.to_text().unwrap()).unwrap();
            received.push(n(&frame).as_u64().unwrap());
        }
        socket = connect(&server, &authorization, Some(&wsc)).await.unwrap();
        let details = frame(&mut socket).await;
        assert_eq!(details[1]["recoveryState"], "Successful");
        wsc = details[0]["wsc"]["token"].as_str().unwrap().to_owned();
    }
    server.send_raw("[{},{\"body\":{\"n\":300}}]");
    while received.last() != Some(&300) {
        received.push(n(&frame(&mut socket).await).as_u64().unwrap());
    }
    assert_eq!(received, (0..=300).collect::<Vec<_>>());
    assert_eq!(server.observations().lost, 0);
}

#[tokio::test]
async fn a_refused_connection_is_refused_by_the_system() {
    let (server, authorization) = start();
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    frame(&mut socket).await;
    server.refuse_connections(true);
    let error = tokio::net::TcpStream::connect(server.address()).await.unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::ConnectionRefused);
    let heartbeat = json!([{"type": "Heartbeat", "messageId": "still here"}]);
    send(&mut socket, &heartbeat).await;
    assert_eq!(frame(&mut socket).await, heartbeat);
    server.refuse_connections(false);
    connect(&server, &authorization, None).await.unwrap();
}

#[tokio::test]
async fn a_stalled_connection_is_served_once_that_is_over() {
    let (server, authorization) = start();
    server.stall_connections(true);
    let address = server.address();
    let headers = authorization.clone();
    let call = move || http(address, "GET", "/restapi/v1.0/_empty", &[("Authorization", &headers)], "").status;
    let mut answer = tokio::task::spawn_blocking(call);
    assert!(tokio::time::timeout(Duration::from_millis(50), &mut answer).await.is_err(), "it was served");
    server.stall_connections(false);
    assert_eq!(answer.await.unwrap(), 204);
}

#[tokio::test]
async fn a_restart_forgets_the_session() {
    let (server, authorization) = start();
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    let wsc = frame(&mut socket).await[0]["wsc"]["token"].as_str().unwrap().to_owned();
    subscribe(&mut socket, &[SMS]).await;
    server.restart();
    assert!(matches!(end(&mut socket).await, Some(Err(_))));
    let mut socket = connect(&server, &authorization, Some(&wsc)).await.unwrap();
    assert_eq!(frame(&mut socket).await[1]["recoveryErrorCode"], "WSG-1005");
}

#[tokio::test]
async fn the_server_notices_that_a_client_left() {
    let (server, authorization) = start();
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    frame(&mut socket).await;
    socket.close(None).await.unwrap();
    until(|| server.with_gateway(|gateway, _| gateway.connections().count()) == 0).await;
    let socket = connect(&server, &authorization, None).await.unwrap();
    drop(socket);
    until(|| server.with_gateway(|gateway, _| gateway.connections().count()) == 0).await;
}

#[tokio::test]
async fn timers_run_by_themselves() {
    let mut config = ServerConfig::default();
    config.gateway.idle_timeout = Duration::from_millis(50);
    let server = Server::start(config).unwrap();
    let authorization = log_in(&server);
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    frame(&mut socket).await;
    assert_eq!(frame(&mut socket).await[1]["errorCode"], "WSG-902");
    assert!(matches!(end(&mut socket).await, Some(Ok(Message::Close(_)))));
}

#[test]
fn large_content_is_streamed() {
    let (server, authorization) = start();
    let headers = [("Authorization", authorization.as_str())];
    let answer = http(server.address(), "GET", "/restapi/v1.0/_large/5000000", &headers, "");
    assert_eq!((answer.status, answer.body.len()), (200, 5_000_000));
    assert!(answer.head.to_ascii_lowercase().contains("content-length: 5000000"));
    assert!(answer.body.iter().enumerate().all(|(i, byte)| *byte == (i % 251) as u8));
}

#[test]
fn scripted_failures_and_overload_answer_with_their_headers() {
    let (server, authorization) = start();
    server.next_http_fails("/restapi/oauth/wstoken", 503, "{\"errorCode\":\"CMN-211\"}", &[("Retry-After", "7")]);
    let headers = [("Authorization", authorization.as_str())];
    let wstoken = || http(server.address(), "POST", "/restapi/oauth/wstoken", &headers, "");
    let answer = wstoken();
    assert_eq!((answer.status, answer.json()["errorCode"].as_str()), (503, Some("CMN-211")));
    assert!(answer.head.to_ascii_lowercase().contains("retry-after: 7"));
    assert_eq!(wstoken().status, 200);
    server.overload(429, Duration::from_secs(60));
    assert_eq!(wstoken().status, 429);
}

#[tokio::test]
async fn a_program_under_test_gets_its_credentials_and_is_waited_for() {
    let server = Server::start(ServerConfig::default().users(3)).unwrap();
    let env = server.env_of(2);
    assert_eq!(
        env.each_ref().map(|(name, _)| *name),
        ["RC_SERVER_URL", "RC_APP_CLIENT_ID", "RC_APP_CLIENT_SECRET", "RC_USER_JWT"]
    );
    let values = [server.http_url(), server.client_id(), server.client_secret(), "gateway.user-2.jwt".to_owned()];
    assert_eq!(env.map(|(_, value)| value), values);
    assert_eq!(server.env()[3].1, server.jwt(0));
    assert!(!server.wait_until(Duration::from_millis(1), |gateway| gateway.subscriptions().next().is_some()));
    let server = Arc::new(server);
    let test = tokio::task::spawn_blocking({
        let server = Arc::clone(&server);
        move || {
            assert!(server.wait_until(DEADLINE, |gateway| gateway.subscriptions().next().is_some()));
            server.receive_sms(0, "+16505550100", "Hello");
            let is_answer = |message: Value| message["subject"] == "Got it" && message["direction"] == "Outbound";
            server.wait_until(DEADLINE, |gateway| gateway.messages(0).any(is_answer))
        }
    });
    // The program: it answers an SMS.
    let authorization = log_in(&server);
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    frame(&mut socket).await;
    subscribe(&mut socket, &[SMS]).await;
    let from = frame(&mut socket).await[1]["body"]["from"].clone();
    let meta = json!({"type": "ClientRequest", "messageId": "a", "method": "POST",
        "path": "/restapi/v1.0/account/~/extension/~/sms"});
    let answer = json!({"from": {"phoneNumber": "+16502240000"}, "to": [from], "text": "Got it"});
    send(&mut socket, &json!([meta, answer])).await;
    assert!(test.await.unwrap());
}

#[test]
#[should_panic = "the stand-in has no user 1"]
fn the_jwt_of_nobody_is_a_mistake_of_the_test() {
    let _ = start().0.jwt(1);
}

#[test]
fn a_fax_is_sent_and_a_recording_fetched_over_http() {
    let (server, authorization) = start();
    server.with_gateway(|gateway, _| gateway.config_mut().fax_delay = Duration::from_millis(1));
    let extension = "/restapi/v1.0/account/~/extension/~";
    let form = "--b\r\nContent-Disposition: form-data; name=\"json\"\r\nContent-Type: application/json\r\n\r\n\
                {\"to\":[{\"phoneNumber\":\"+16505550100\"}]}\r\n--b\r\n\
                Content-Disposition: form-data; name=\"attachment\"; filename=\"a.txt\"\r\n\r\nhello\r\n--b--\r\n";
    let headers = [("Authorization", &*authorization), ("Content-Type", "multipart/form-data; boundary=b")];
    let answer = http(server.address(), "POST", &format!("{extension}/fax"), &headers, form);
    assert_eq!((answer.status, &answer.json()["messageStatus"]), (200, &json!("Queued")));
    let get = |path: &str| http(server.address(), "GET", path, &headers[..1], "");
    let path = format!("{extension}/message-store/{}", answer.json()["id"]);
    let deadline = Instant::now() + DEADLINE;
    while get(&path).json()["messageStatus"] != "Sent" {
        assert!(Instant::now() < deadline, "it was never sent");
    }
    assert!(server.call(0, &CallPlan::inbound("+16505550100").recorded()).is_some());
    let log = get(&format!("{extension}/call-log")).json();
    let link = log["records"][0]["recording"]["contentUri"].as_str().unwrap();
    let recording = get(link.strip_prefix(&server.http_url()).unwrap());
    assert_eq!((recording.status, recording.body.len(), recording.body[252]), (200, 65_536, 1));
    assert!(server.receive(0, MessageKind::Fax, "+16505550100", "") > 0);
}

#[test]
fn pages_of_other_origins_may_call_the_service_but_not_command_it() {
    let (server, authorization) = start();
    let ask = [
        ("Origin", "https://example.org"),
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "authorization"),
    ];
    let shared = |answer: &Answer| answer.head.to_ascii_lowercase().contains("access-control-allow-origin: *");
    server.next_http_fails("/restapi/oauth/wstoken", 503, "", &[]);
    let answer = http(server.address(), "OPTIONS", "/restapi/oauth/wstoken", &ask, "");
    assert_eq!((answer.status, shared(&answer)), (204, true));
    // The question was no call: the failure is still to come, and the page may read it.
    let call = [("Origin", "https://example.org"), ("Authorization", authorization.as_str())];
    let answer = http(server.address(), "POST", "/restapi/oauth/wstoken", &call, "");
    assert_eq!((answer.status, shared(&answer)), (503, true));
    let answer = http(server.address(), "OPTIONS", "/_gateway/drop", &ask, "");
    assert!(answer.status >= 400 && !shared(&answer), "{}", answer.head);
}

#[tokio::test]
async fn pages_and_names_of_other_machines_cannot_command_it() {
    let (server, authorization) = start();
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    frame(&mut socket).await;
    for strange in [("Origin", "https://example.org"), ("Origin", "null"), ("Host", "rebound.example")] {
        for (method, name) in [("POST", "drop"), ("POST", "restart"), ("GET", "credentials")] {
            let answer = http(server.address(), method, &format!("/_gateway/{name}"), &[strange], "");
            assert_eq!(answer.status, 403, "{strange:?} {name}");
            assert!(!String::from_utf8_lossy(&answer.body).contains("jwt"));
        }
    }
    assert_eq!(server.with_gateway(|gateway, _| gateway.connections().count()), 1, "nothing was done");
    let port = server.address().port().to_string();
    for near in [("Origin", "http://localhost:3000".to_owned()), ("Host", format!("localhost:{port}"))] {
        let answer = http(server.address(), "GET", "/_gateway/observations", &[(near.0, &near.1)], "");
        assert_eq!(answer.status, 200, "{near:?}");
    }
}

#[tokio::test]
async fn everything_can_be_commanded_over_http() {
    let (server, authorization) = start();
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    frame(&mut socket).await;
    subscribe(&mut socket, &[SMS]).await;
    let control = |name: &str, body: Value| {
        let answer = http(server.address(), "POST", &format!("/_gateway/{name}"), &[], &body.to_string());
        (answer.status, answer.json())
    };
    let (status, answer) = control("notify", json!({"event": SMS, "body": {"n": 1}}));
    assert_eq!((status, answer["receipts"][0]["fate"].as_str()), (200, Some("sent")));
    assert_eq!(n(&frame(&mut socket).await), 1);
    control("sms", json!({"text": "hi", "from": "+16505550111"}));
    assert_eq!(frame(&mut socket).await[1]["body"]["subject"], "hi");
    control("raw", json!({"text": "?"}));
    assert_eq!(text(&mut socket).await, "?");
    let call = json!({"recorded": true, "ring_ms": 0, "talk_ms": 0, "from": "+16505550111"});
    assert!(control("call", call).1["id"].as_u64().is_some());
    assert_eq!(control("call", json!({"user": 9})).0, 400);
    for (name, body) in [
        ("fax", json!({})),
        ("pager", json!({"from": "102"})),
        ("post", json!({"chat": "Sales"})),
        ("call", json!({"outbound": true, "answered": false})),
        ("call", json!({"voicemail": "Call back"})),
        ("delay", json!({"ms": 0})),
        ("split", json!({"bytes": 0})),
        ("duplicate", json!({"count": 0})),
        ("fail", json!({"path": "/never", "status": 500})),
        ("lose", json!({"path": "/never"})),
        ("overload", json!({"status": 503, "ms": 0})),
        ("halfopen", json!({})),
        ("restart", json!({})),
        ("drop", json!({})),
        ("close", json!({"code": 1001})),
        ("timeout", json!({"kind": "idle"})),
        ("expire-tokens", json!({})),
        ("logout", json!({"user": 0})),
        ("voicemail", json!({})),
    ] {
        assert_eq!(control(name, body).0, 200, "{name}");
    }
    assert_eq!(control("timeout", json!({})).0, 400);
    assert_eq!(control("nonsense", json!({})).0, 404);
    let look = |name: &str| http(server.address(), "GET", &format!("/_gateway/{name}"), &[], "").json();
    assert_eq!(look("observations")["notifications"], 2);
    assert_eq!(look("connections"), json!([]));
    assert_eq!(look("credentials")["jwt"], "gateway.user-0.jwt");
    let events = look("events");
    assert!(events["events"].as_array().unwrap().iter().any(|event| event["event"] == "connected"));
    assert_eq!(look(&format!("events?since={}", events["next"]))["events"], json!([]));
    assert_eq!(control("stall", json!({"ms": 20})).0, 200);
    assert_eq!(look("connections"), json!([]));
    assert_eq!(control("refuse", json!({"ms": 20})).0, 200);
    until(|| std::net::TcpStream::connect(server.address()).is_err()).await;
    until(|| std::net::TcpStream::connect(server.address()).is_ok()).await;
}

#[tokio::test]
async fn a_script_runs_by_the_clock() {
    let (server, authorization) = start();
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    frame(&mut socket).await;
    subscribe(&mut socket, &[SMS]).await;
    server.run_script("every 5ms 2 times sms again\nat 20ms raw \"the end\"\nafter 5ms close 1012 bye").unwrap();
    assert_eq!(frame(&mut socket).await[1]["body"]["subject"], "again");
    assert_eq!(frame(&mut socket).await[1]["body"]["subject"], "again");
    assert_eq!(text(&mut socket).await, "the end");
    let Some(Ok(Message::Close(Some(close)))) = end(&mut socket).await else { panic!("no close") };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1012, "bye"));
    let error = server.run_script("at once drop").unwrap_err();
    assert_eq!(error.lines()[0].0, 1);
    let post = |script: &str| {
        let body = json!({ "script": script }).to_string();
        let answer = http(server.address(), "POST", "/_gateway/script", &[], &body);
        (answer.status, answer.json()["error"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(post("at 0s sms over"), (200, String::new()));
    let is_over = |message: Value| message["subject"] == "over";
    assert!(server.wait_until(DEADLINE, |gateway| gateway.messages(0).any(is_over)));
    for _ in 0..16 {
        assert_eq!(post("at 1h drop").0, 200);
    }
    assert!(post("at 1h drop").1.starts_with("16 scripts are running"));
    let (status, error) = post("at 0s sms\nat 1s explode");
    assert_eq!((status, &*error), (400, "line 2: there is no command explode"));
}

#[test]
fn with_tls_it_shows_a_certificate_of_its_ca() {
    let server = Server::start(ServerConfig { tls: true, ..ServerConfig::default() }).unwrap();
    assert!(server.http_url().starts_with("https://127.0.0.1:"));
    assert!(server.ws_url().starts_with("wss://127.0.0.1:"));
    assert!(server.ca_pem().unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
    let mut roots = rustls::RootCertStore::empty();
    roots.add(server.ca_der().unwrap().to_vec().into()).unwrap();
    let provider = std::sync::Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = rustls::pki_types::ServerName::try_from("127.0.0.1").unwrap();
    let mut tls = rustls::ClientConnection::new(std::sync::Arc::new(config), name).unwrap();
    let mut tcp = std::net::TcpStream::connect(server.address()).unwrap();
    let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
    std::io::Write::write_all(&mut stream, b"GET /restapi/v1.0 HTTP/1.1\r\nHost: x\r\n\r\n").unwrap();
    let mut start = [0; 12];
    std::io::Read::read_exact(&mut stream, &mut start).unwrap();
    assert_eq!(&start, b"HTTP/1.1 401");
}

#[test]
fn urls_can_name_another_host() {
    let config = ServerConfig { public_host: Some("gateway.test".to_owned()), tls: true, ..ServerConfig::default() };
    let server = Server::start(config).unwrap();
    assert_eq!(server.http_url(), format!("https://gateway.test:{}", server.address().port()));
    assert_eq!(server.ws_url(), format!("wss://gateway.test:{}/ws", server.address().port()));
}

#[test]
fn dropping_the_server_frees_its_port_and_its_thread() {
    let (server, _) = start();
    let address = server.address();
    drop(server);
    std::net::TcpListener::bind(address).unwrap();
}

#[tokio::test]
async fn a_test_waits_for_a_subscription_and_for_what_was_sent() {
    let (server, authorization) = start();
    let mut socket = connect(&server, &authorization, None).await.unwrap();
    frame(&mut socket).await;
    subscribe(&mut socket, &[SMS]).await;
    server.wait_for_subscription();
    assert!(server.sent_sms(0).is_empty());
    let own = server.phone_number(0);
    let body = json!({"from": {"phoneNumber": own}, "to": [{"phoneNumber": "+16505550100"}], "text": "Yes"});
    let call = json!({"type": "ClientRequest", "messageId": "m", "method": "POST",
        "path": "/restapi/v1.0/account/~/extension/~/sms", "headers": {}});
    send(&mut socket, &json!([call, body])).await;
    let sent = server.wait_for_sent_sms(0, 1);
    assert_eq!((&*sent[0].to, &*sent[0].text, sent.len()), ("+16505550100", "Yes", 1));
    server.receive_sms(0, &own, "to itself");
    assert_eq!(server.sent_sms(0).len(), 1, "what came in was not sent");
}
