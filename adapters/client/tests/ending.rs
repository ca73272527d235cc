//! An end in order waits for what the program is at, on every runtime alike.

use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use ringcentral_ws::{
    CallError, Client, Close, CloseReason, Config, Event, Filter, Once, RetryAfter, StateFile, blocking,
};
use ringcentral_ws_gateway::{Server, ServerConfig, eventually};

const LIMIT: Duration = Duration::from_secs(30);
const ME: &str = "/restapi/v1.0/account/~/extension/~";
const SMS: &str = "/restapi/v1.0/account/~/extension/~/sms";

fn server() -> Server {
    Server::start(ServerConfig::default()).unwrap()
}

/// The answer takes as long, so that the end finds it under way.
fn slow(server: &Server) {
    server.delay(Duration::from_millis(500));
    server.receive_sms(0, "+16505550101", "Are you open?");
}

// CLAUSE CLS-1
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_under_way_ends_before_the_session_does() {
    let server = server();
    let (client, mut events) = Client::from_vars(server.env()).unwrap().filters([Filter::sms()]).start().unwrap();
    let (signal, signalled) = tokio::sync::oneshot::channel();
    client.close_when(signalled, Close::Revoke);
    server.wait_for_subscription();
    // The end that has begun shows by this call, which would wait for its next try.
    server.next_http_fails(ME, 429, "", &[("Retry-After", "20")]);
    let waits = client.retry_after(LIMIT);
    let mut waiting = Some(tokio::spawn(async move { waits.get(ME).await }));
    slow(&server);
    let mut signal = Some(signal);
    let mut ended = Vec::new();
    let all = async {
        while let Some(event) = events.next().await {
            for sms in client.sms_of(&event).await.unwrap() {
                // It has the message in its hand, and no call is under way yet.
                signal.take().unwrap().send(()).unwrap();
                assert!(waiting.take().unwrap().await.unwrap().unwrap_err().is_closing());
                let answer = sms.answer("Yes").unwrap();
                ended.push(client.post(SMS, &answer).await.unwrap().error_for_status().is_ok());
            }
            if let Event::Closed { reason } = event {
                assert!(matches!(reason, CloseReason::Revoked), "{reason:?}");
            }
        }
    };
    tokio::time::timeout(LIMIT, all).await.expect("in time");
    assert_eq!((ended, server.sent_sms(0).len()), (vec![true], 1));
}

// CLAUSE CLS-1
#[tokio::test(flavor = "multi_thread")]
async fn a_call_of_another_task_ends_first_too_and_a_program_that_does_not_finish_is_not_awaited_for_long() {
    let server = server();
    let config = Config { close_timeout: Duration::from_secs(4), ..Config::default() };
    let (client, mut events) = Client::from_vars(server.env()).unwrap().config(config).start().unwrap();
    while !matches!(events.next().await.unwrap(), Event::Connected { .. }) {}
    // The events are not taken any more; none is in the program's hand.
    drop(events);
    server.delay(Duration::from_millis(500));
    // The first one begins first.
    let (answer, ()) = tokio::join!(client.get(ME), client.close_when_idle(Close::Revoke));
    assert_eq!(answer.unwrap().status(), 200);
    server.delay(Duration::ZERO);

    let config = Config { close_timeout: Duration::from_millis(300), ..Config::default() };
    let (client, mut events) = Client::from_vars(server.env()).unwrap().config(config).start().unwrap();
    // One event stays in its hand.
    assert!(events.next().await.is_some());
    let begun = Instant::now();
    client.close_when_idle(Close::Revoke).await;
    assert!(begun.elapsed() >= Duration::from_millis(300));
    let late = client.get("/restapi/v1.0/account/~").await.map(drop).unwrap_err();
    let late = CallError::from(late);
    assert!(late.is_closing() && late.did_not_run(), "{late}");
}

// CLAUSE CLS-1
#[test]
fn on_threads_an_answer_under_way_ends_before_the_session_does() {
    let server = server();
    let builder = blocking::Client::from_vars(server.env()).unwrap();
    let (client, events) = builder.filters([Filter::sms()]).start().unwrap();
    let (signal, signalled) = mpsc::channel();
    let closer = thread::spawn({
        let client = client.clone();
        move || {
            signalled.recv().unwrap();
            client.close_when_idle(Close::Revoke);
        }
    });
    server.wait_for_subscription();
    // The end that has begun shows by this call, which would wait for its next try.
    server.next_http_fails(ME, 429, "", &[("Retry-After", "20")]);
    let waits = client.retry_after(LIMIT);
    let mut waiting = Some(thread::spawn(move || waits.get(ME)));
    slow(&server);
    let mut ended = Vec::new();
    for event in events {
        for sms in client.sms_of(&event).unwrap() {
            signal.send(()).unwrap();
            assert!(waiting.take().unwrap().join().unwrap().unwrap_err().is_closing());
            ended.push(client.post(SMS, &sms.answer("Yes").unwrap()).unwrap().error_for_status().is_ok());
        }
    }
    closer.join().unwrap();
    assert_eq!((ended, server.sent_sms(0).len()), (vec![true], 1));
}

// CLAUSE CLS-1
#[test]
fn on_threads_a_call_that_is_kept_is_awaited_until_its_end_is_known() {
    let server = server();
    // An end that waited for a call which has ended would take as long.
    let config = Config { close_timeout: LIMIT, ..Config::default() };
    let (client, events) = blocking::Client::from_vars(server.env()).unwrap().config(config).start().unwrap();
    drop(events);
    let request = || ringcentral_ws::http::Request::get(ME).body(ringcentral_ws::Body::empty()).unwrap();
    let mut ended = client.start_request(request());
    assert_eq!(ended.wait_timeout(LIMIT).expect("in time").unwrap().status(), 200);
    server.delay(Duration::from_millis(300));
    let under_way = client.start_request(request());
    let begun = Instant::now();
    let answered = thread::spawn(move || under_way.wait().map(|answer| answer.status()));
    client.close_when_idle(Close::Revoke);
    assert_eq!(answered.join().unwrap().unwrap(), 200);
    assert!(begun.elapsed() < LIMIT, "the one that has ended was not awaited");
    drop(ended);
}

/// A folder of a test, and the state file in it.
fn folder(name: &str) -> (PathBuf, StateFile) {
    let folder = std::env::temp_dir().join(format!("ringcentral-ws-ending-{name}-{}", std::process::id()));
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let state = StateFile::open(folder.join("state")).unwrap();
    (folder, state)
}

/// Waits until the answer was refused and waits for its next try, and makes it in the place of a run after a kill.
fn next_run_makes_it(folder: &Path) {
    let (file, other) = (folder.join("state.handled"), folder.join("other.handled"));
    eventually("the note is taken back", || {
        std::fs::read_to_string(&file).is_ok_and(|text| text == r#"{"handled":[]}"#)
    });
    std::fs::copy(file, other).unwrap();
    let other = StateFile::open(folder.join("other")).unwrap();
    assert!(matches!(other.once_blocking("7", || Ok(())).unwrap(), Once::Done(())));
}

fn refused(server: &Server) -> RetryAfter {
    server.next_http_fails(SMS, 429, "", &[("Retry-After", "59")]);
    RetryAfter::up_to(Duration::from_secs(60)).writes_too()
}

// CLAUSE CLS-1
#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_for_its_next_try_has_not_run_and_ends_with_the_client() {
    let server = server();
    let (folder, state) = folder("waits");
    let (client, events) = Client::from_vars(server.env()).unwrap().start().unwrap();
    drop(events);
    let calls = client.retry_after(refused(&server));
    let call = tokio::spawn(async move {
        state.once("7", async { Ok(calls.post(SMS, "").await?.error_for_status()?) }).await.unwrap()
    });
    next_run_makes_it(&folder);
    client.close_when(std::future::ready(Ok::<_, ()>(())), Close::Revoke);
    let ended = tokio::time::timeout(LIMIT, call).await.expect("at once").unwrap();
    assert!(matches!(&ended, Once::NotRun(error) if error.is_closing()), "{ended}");
    std::fs::remove_dir_all(folder).unwrap();
}

// CLAUSE CLS-1
#[test]
fn on_threads_a_call_that_waits_for_its_next_try_has_not_run_and_ends_with_the_client() {
    let server = server();
    let (folder, state) = folder("waits-thread");
    let (client, events) = blocking::Client::from_vars(server.env()).unwrap().start().unwrap();
    drop(events);
    let calls = client.retry_after(refused(&server));
    let call =
        thread::spawn(move || state.once_blocking("7", || Ok(calls.post(SMS, "")?.error_for_status()?)).unwrap());
    next_run_makes_it(&folder);
    client.close_when_idle(Close::Revoke);
    let ended = call.join().unwrap();
    assert!(matches!(&ended, Once::NotRun(error) if error.is_closing()), "{ended}");
    std::fs::remove_dir_all(folder).unwrap();
}
