//! What programs are written with: an end by a signal, a state in files, calls that wait, the SMS of a gap.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use ringcentral_ws::{
    CallError, Client, Close, Event, Events, FileError, Filter, ForeignTokens, Jwt, Message, NotificationExt,
    RequestError, RetryAfter, StartError, StateFile, SubscriptionInfo, blocking,
};
use ringcentral_ws_gateway::{MessageKind, Server, ServerConfig};

const LIMIT: Duration = Duration::from_secs(30);
const ME: &str = "/restapi/v1.0/account/~/extension/~";

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ringcentral-ws-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// What is left of a client that was dropped or closed lets go of the files a moment later.
    fn open(&self) -> StateFile {
        let began = Instant::now();
        loop {
            match StateFile::open(self.0.join("state")) {
                Err(FileError::InUse(_)) if began.elapsed() < LIMIT => std::thread::sleep(Duration::from_millis(5)),
                opened => return opened.unwrap(),
            }
        }
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn server() -> Server {
    Server::start(ServerConfig::default()).unwrap()
}

async fn within<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, work).await.expect("in time")
}

/// Takes events up to the end; the texts of SMS and the causes of gaps.
async fn seen(client: &Client, events: &mut Events, state: &StateFile) -> Vec<String> {
    let mut seen = Vec::new();
    while let Some(event) = within(events.next()).await {
        match event {
            Event::Notification(n) => seen.push(n.sms().unwrap().subject.unwrap()),
            Event::Gap(gap) => seen.push(gap.cause.as_str().to_owned()),
            Event::SnapshotChanged => state.save(client.snapshot()).unwrap(),
            Event::Closed { reason } => reason.into_result().unwrap(),
            _ => {}
        }
    }
    seen
}

// CLAUSE PST-2 CLS-1
#[tokio::test(flavor = "multi_thread")]
async fn a_program_that_is_closed_by_a_signal_continues_from_its_files() {
    let (server, folder) = (server(), Folder::new("programs-continue"));
    for (n, expected) in [&[][..], &["meanwhile"]].into_iter().enumerate() {
        let state = folder.open();
        let builder = Client::from_vars(server.env()).unwrap().stored_in(&state).unwrap();
        let (client, mut events) = builder.filters([Filter::sms()]).start().unwrap();
        let (signal, signalled) = async_signal();
        client.close_when(signalled, Close::Detach);
        let mut states = client.states();
        tokio::spawn(async move {
            states.wait_for(|state| state.is_ready() && state.is_subscribed()).await.unwrap();
            signal.send(()).unwrap();
        });
        assert_eq!(seen(&client, &mut events, &state).await, expected);
        if n == 0 {
            server.receive_sms(0, "+16505550100", "meanwhile");
        }
    }
    assert_eq!(server.observations().recoveries, 1);
    assert_eq!(server.observations().token_calls, 1, "the second run needs no login");
}

// CLAUSE PST-2
#[tokio::test(flavor = "multi_thread")]
async fn the_next_client_of_the_same_process_continues_from_the_same_files() {
    let (server, folder) = (server(), Folder::new("programs-one-process"));
    let state = folder.open();
    for (n, expected) in [&[][..], &["meanwhile 0"], &["meanwhile 1"]].into_iter().enumerate() {
        let state = state.clone();
        let builder = Client::from_vars(server.env()).unwrap().stored_in(&state).unwrap();
        let (client, mut events) = builder.filters([Filter::sms()]).for_tests().start().unwrap();
        let mut states = client.states();
        let closing = client.clone();
        tokio::spawn(async move {
            states.wait_for(|state| state.is_ready() && state.is_subscribed()).await.unwrap();
            closing.close(Close::Detach).await;
        });
        assert_eq!(seen(&client, &mut events, &state).await, expected, "client {n}");
        server.receive_sms(0, "+16505550100", &format!("meanwhile {n}"));
    }
    assert_eq!(server.observations().recoveries, 2);
    assert_eq!(server.observations().token_calls, 1, "the next ones need no login");
}

/// Takes events up to the end, in each of the ways that there are.
async fn take_all(events: &mut Events, way: usize) {
    let is_end = |event: &Event| matches!(event, Event::Closed { .. });
    loop {
        let is_over = match way {
            0 => is_end(&within(events.next()).await.unwrap()),
            1 => is_end(&within(events.next_delivery()).await.unwrap().event),
            _ => within(events.next_batch(64)).await.unwrap().events.iter().any(is_end),
        };
        if is_over {
            return;
        }
    }
}

// CLAUSE PST-2
#[tokio::test(flavor = "multi_thread")]
async fn two_clients_at_once_do_not_store_in_the_same_files() {
    let (server, folder) = (server(), Folder::new("programs-at-once"));
    let state = folder.open();
    let builder = |state: &StateFile| Client::from_vars(server.env()).unwrap().stored_in(state).unwrap().for_tests();
    let refused = || builder(&state.clone()).start().map(drop).expect_err("another client has them");
    let on_threads = || blocking::Client::from_vars(server.env()).unwrap().stored_in(&state).unwrap().start().map(drop);
    // The events are kept: what counts is that `Closed` was taken.
    let mut kept = Vec::new();
    for way in 0..3 {
        let (client, mut events) = builder(&state).start().unwrap();
        let words = refused().to_string();
        assert!(words.contains("state is in use by another client of this process"), "{words}");
        assert!(matches!(on_threads(), Err(StartError::InUse(_))));
        client.close(Close::Detach).await;
        assert!(matches!(refused(), StartError::InUse(_)), "its last snapshot may not be stored yet");
        take_all(&mut events, way).await;
        kept.push(events);
    }
    let (_client, events) = builder(&state).start().unwrap();
    assert!(matches!(on_threads(), Err(StartError::InUse(_))));
    drop(events);
    on_threads().expect("nobody stores any more");
}

/// A signal, and the future of its coming.
fn async_signal() -> (tokio::sync::oneshot::Sender<()>, tokio::sync::oneshot::Receiver<()>) {
    tokio::sync::oneshot::channel()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signal_that_fails_closes_nothing_and_waiting_for_one_keeps_nothing_alive() {
    let server = server();
    let (client, mut events) = Client::from_vars(server.env()).unwrap().start().unwrap();
    client.close_when(std::future::ready(Err::<(), _>("no handler")), Close::Revoke);
    client.close_when(std::future::pending::<Result<(), ()>>(), Close::Revoke);
    let mut states = client.states();
    within(states.wait_for(|state| state.is_ready())).await.expect("it was not closed");
    drop(client);
    while !matches!(within(events.next()).await, Some(Event::Connected { .. })) {}
    drop(events);
    server.eventually("the connection ends", |gateway| gateway.connections().next().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn files_of_another_user_are_refused() {
    let (server, folder) = (Server::start(ServerConfig::default().users(2)).unwrap(), Folder::new("programs-foreign"));
    let state = folder.open();
    let builder = Client::from_vars(server.env()).unwrap().stored_in(&state).unwrap();
    let (client, mut events) = builder.start().unwrap();
    while !matches!(within(events.next()).await.unwrap(), Event::Connected { .. }) {}
    state.save(client.snapshot()).unwrap();
    client.close(Close::Detach).await;
    drop((client, state, events));
    within(async {
        while StateFile::open(folder.0.join("state")).is_err() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
    let refused = Client::from_vars(server.env_of(1)).unwrap().stored_in(&folder.open());
    let refused = refused.err().expect("it is another user's");
    assert_eq!(refused.why(), ForeignTokens::User);
    let session = folder.0.join("state").display().to_string();
    let remedy = format!("delete {session} and {session}.login, or use other files");
    assert!(refused.to_string().ends_with(&remedy), "{refused}");
    // Without the login the session is still another's.
    std::fs::remove_file(folder.0.join("state.login")).unwrap();
    let builder = Client::from_vars(server.env_of(1)).unwrap().stored_in(&folder.open()).unwrap();
    let refused = builder.start().map(drop).expect_err("it is another user's");
    assert!(matches!(refused, StartError::State(_)) && refused.to_string().ends_with(&remedy), "{refused}");
    let other = Server::start(ServerConfig::default()).unwrap();
    let builder = Client::from_vars(other.env()).unwrap().stored_in(&folder.open()).unwrap();
    let refused = builder.start().map(drop).expect_err("it is of another server");
    assert!(refused.to_string().contains("another server") && refused.to_string().ends_with(&remedy), "{refused}");
    // A source that others share keeps its tokens itself.
    let shared = std::sync::Arc::new(Jwt::from_pairs(server.env_of(1)).unwrap());
    assert!(Client::builder(shared).stored_in(&folder.open()).is_ok());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_waits_out_a_429_if_it_is_to_and_not_beyond_the_limit() {
    let server = server();
    let (client, _events) = Client::from_vars(server.env()).unwrap().start().unwrap();
    within(client.states().wait_for(|state| state.is_ready())).await.unwrap();
    let refuse = |after| server.next_http_fails(ME, 429, "", &[("Retry-After", after)]);
    let status = async |client: &Client| within(client.get(ME)).await.unwrap().status().as_u16();
    refuse("1");
    assert_eq!(status(&client).await, 429, "off by default");
    let waits = client.retry_after(Duration::from_secs(20));
    refuse("1");
    let began = Instant::now();
    assert_eq!(status(&waits).await, 200);
    assert!(began.elapsed() >= Duration::from_secs(1));
    refuse("21");
    assert_eq!(status(&waits).await, 429, "it would be too long");
    refuse("1");
    let sms = serde_json::json!({"from": {"phoneNumber": server.phone_number(0)}, "to": [{"phoneNumber": "+1650555"}], "text": "a"});
    let path = format!("{ME}/sms");
    assert_eq!(waits.post(&path, &sms).await.unwrap().status(), 429, "a POST is not repeated unless");
    refuse("1");
    let writes = client.retry_after(RetryAfter::up_to(LIMIT).writes_too());
    assert_eq!(within(writes.post(&path, &sms)).await.unwrap().status(), 200);
    assert_eq!(server.sent_sms(0).len(), 1);
    // The end of the session ends the wait.
    server.next_http_fails(ME, 429, "", &[("Retry-After", "20")]);
    let began = Instant::now();
    let mut calling = Box::pin(waits.get(ME));
    // Long enough for the call in most runs; where it is not, the call itself is what ends.
    let early = tokio::time::timeout(Duration::from_millis(500), &mut calling).await;
    assert!(early.is_err(), "{early:?}");
    client.close(Close::Revoke).await;
    let ended = within(calling).await;
    assert!(began.elapsed() < Duration::from_secs(15));
    assert!(ended.as_ref().is_err_and(RequestError::is_closing), "{ended:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sms_of_a_gap_are_listed_without_faxes_and_own_ones() {
    let server = server();
    let (client, mut events) = Client::from_vars(server.env()).unwrap().filters([Filter::sms()]).start().unwrap();
    while !matches!(within(events.next()).await.unwrap(), Event::Subscribed(_)) {}
    server.restart();
    server.receive_sms(0, "+16505550100", "one");
    server.receive(0, MessageKind::Fax, "+16505550100", "a fax");
    server.receive_sms(0, &server.phone_number(0), "to itself");
    server.receive_sms(0, "+16505550100", "two");
    let gap = loop {
        if let Event::Gap(gap) = within(events.next()).await.unwrap() {
            break gap;
        }
    };
    server.next_http_fails(&format!("{ME}/message-store"), 429, "", &[("Retry-After", "1")]);
    let texts = |list: Vec<ringcentral_ws::payloads::InstantMessage>| {
        list.into_iter().filter_map(|sms| sms.subject).collect::<Vec<_>>()
    };
    let listed = texts(within(client.missed_sms(&gap)).await.unwrap());
    assert!(listed.ends_with(&["one".to_owned(), "two".to_owned()]), "{listed:?}");
    assert!(!listed.iter().any(|text| text.contains("itself") || text.contains("fax")), "{listed:?}");
    server.next_http_fails(&format!("{ME}/message-store"), 403, r#"{"errorCode":"CMN-401"}"#, &[]);
    assert!(matches!(within(client.missed_sms(&gap)).await, Err(CallError::Api(error)) if error.status == 403));
    let vars = server.env();
    let on_threads = tokio::task::spawn_blocking(move || {
        let (client, _events) = blocking::Client::from_vars(vars).unwrap().start().unwrap();
        client.missed_sms(&gap).unwrap()
    });
    assert_eq!(texts(within(on_threads).await.unwrap()), listed);
}

/// The next gap. The snapshots before it are stored.
async fn next_gap(client: &Client, events: &mut Events, state: &StateFile) -> Event {
    loop {
        match within(events.next()).await.unwrap() {
            Event::SnapshotChanged => state.save(client.snapshot()).unwrap(),
            gap @ Event::Gap(_) => return gap,
            _ => {}
        }
    }
}

// CLAUSE PST-2 REC-5
#[tokio::test(flavor = "multi_thread")]
async fn a_gap_whose_list_cannot_be_had_is_asked_about_again_by_this_run_and_by_the_next() {
    let (server, folder) = (server(), Folder::new("programs-again"));
    let refuse = || server.next_http_fails(&format!("GET {ME}/message-store"), 403, "", &[]);
    let texts = |found: Vec<Message>| found.iter().map(|one| one.text().to_owned()).collect::<Vec<_>>();
    let start = |state: &StateFile| {
        let builder = Client::from_vars(server.env()).unwrap().stored_in(state).unwrap();
        builder.filters([Filter::sms()]).for_tests().start().unwrap()
    };
    {
        let state = folder.open();
        let (client, mut events) = start(&state);
        tokio::task::block_in_place(|| server.wait_for_subscription());
        server.restart();
        server.receive_sms(0, "+16505550100", "lost");
        let gap = next_gap(&client, &mut events, &state).await;
        refuse();
        let error = within(client.messages_of(&gap)).await.unwrap_err().to_string();
        assert!(error.starts_with(&format!("GET {ME}/message-store: HTTP 403: ")), "{error}");
        // What came meanwhile is not given again.
        tokio::task::block_in_place(|| server.wait_for_subscription());
        server.receive_sms(0, "+16505550100", "new");
        let new = loop {
            if let event @ Event::Notification(_) = within(events.next()).await.unwrap() {
                break event;
            }
        };
        assert_eq!(texts(within(client.messages_of(&new)).await.unwrap()), ["new"]);
        assert_eq!(texts(within(client.messages_of(&gap)).await.unwrap()), ["lost"]);
    }
    // It was killed, and has stored nothing since the gap.
    let state = folder.open();
    let (client, mut events) = start(&state);
    let gap = next_gap(&client, &mut events, &state).await;
    refuse();
    assert!(within(client.messages_of(&gap)).await.is_err());
    assert_eq!(texts(within(client.messages_of(&gap)).await.unwrap()), ["lost", "new"]);
}

// CLAUSE PST-2
#[test]
fn on_threads_calls_wait_and_a_session_continues_from_its_files() {
    let (server, folder) = (server(), Folder::new("programs-threads"));
    for expected in [&[][..], &["meanwhile".to_owned()]] {
        let state = folder.open();
        let builder = blocking::Client::from_vars(server.env()).unwrap().stored_in(&state).unwrap();
        let (client, events) = builder.filters([Filter::sms()]).start().unwrap();
        let mut seen = Vec::new();
        let mut is_asked = false;
        for event in events {
            match event {
                Event::Subscribed(_) | Event::Recovered { .. } if !is_asked => {
                    is_asked = true;
                    let refuse = |after| server.next_http_fails(ME, 429, "", &[("Retry-After", after)]);
                    refuse("1");
                    assert_eq!(client.get(ME).unwrap().status(), 429);
                    refuse("1");
                    assert_eq!(client.retry_after(LIMIT).get(ME).unwrap().status(), 200);
                    let client = client.clone();
                    std::thread::spawn(move || client.close(Close::Detach));
                }
                Event::Notification(n) => seen.extend(n.sms().unwrap().subject),
                Event::Gap(gap) => panic!("{gap}"),
                Event::SnapshotChanged => state.save(client.snapshot()).unwrap(),
                _ => {}
            }
        }
        assert_eq!(seen, expected);
        server.receive_sms(0, "+16505550100", "meanwhile");
    }
}

/// As the guide shows it; whether there was one to delete.
async fn tidy(client: &Client, last: &mut Option<Box<str>>, info: &SubscriptionInfo) -> bool {
    let old = last.replace(info.server_id.clone()).filter(|old| *old != info.server_id);
    let Some(old) = old else { return false };
    client.delete_subscription(&old).await.unwrap();
    true
}

#[tokio::test(flavor = "multi_thread")]
async fn the_subscription_of_a_lost_session_can_be_deleted() {
    let server = server();
    let (client, mut events) = Client::from_vars(server.env()).unwrap().filters([Filter::sms()]).start().unwrap();
    let (mut last, mut deleted) = (None, Vec::new());
    while deleted.len() < 2 {
        if let Some(Event::Subscribed(info)) = within(events.next()).await {
            deleted.push(within(tidy(&client, &mut last, &info)).await);
            if deleted.len() == 1 {
                server.restart();
            }
        }
    }
    assert_eq!(deleted, [false, true]);
    let left =
        server.with_gateway(|gateway, _| gateway.subscriptions().map(|(id, _)| id.to_owned()).collect::<Vec<_>>());
    assert_eq!(left, [last.unwrap().to_string()]);
}
