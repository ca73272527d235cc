//! A client for calls alone: it logs in, keeps its login, and opens no WebSocket.

use std::time::Duration;

use ringcentral_ws::{Client, Close, Error, Event, FileError, RetryAfter, StateFile, blocking};
use ringcentral_ws_gateway::{Server, ServerConfig};

const LIMIT: Duration = Duration::from_secs(30);
const ME: &str = "/restapi/v1.0/account/~/extension/~";

fn server() -> Server {
    Server::start(ServerConfig::default()).unwrap()
}

/// One login, and nothing of a session.
fn only_called(server: &Server, token_calls: u64) {
    let seen = server.observations();
    assert_eq!((seen.token_calls, seen.ws_tokens_requested, seen.upgrades), (token_calls, 0, 0), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn calls_are_made_without_a_connection() -> Result<(), Error> {
    let server = server();
    let (client, mut events) = Client::from_vars(server.env())?.calls_only(true).start()?;
    only_called(&server, 0);
    for _ in 0..2 {
        client.get(ME).await?.error_for_status()?;
    }
    only_called(&server, 1);
    // The login has ended: it is refreshed, and the call is made again.
    server.with_gateway(|gateway, now| gateway.expire_access_tokens(now));
    client.get(ME).await?.error_for_status()?;
    only_called(&server, 2);
    // The same handles: waits, a subscription list, an end.
    let waits = client.retry_after(RetryAfter::up_to(LIMIT));
    server.next_http_fails(ME, 429, "", &[("Retry-After", "1")]);
    waits.get(ME).await?.error_for_status()?;
    assert!(client.subscriptions().await?.is_empty() && !client.health().is_ready());
    client.close_when_idle(Close::Revoke).await;
    while let Some(event) = tokio::time::timeout(LIMIT, events.next()).await.expect("in time") {
        assert!(matches!(event, Event::Closed { .. } | Event::SnapshotChanged), "{event}");
    }
    only_called(&server, 2);
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_next_run_needs_no_login() -> Result<(), Error> {
    let server = server();
    let folder = std::env::temp_dir().join(format!("ringcentral-ws-calls-only-{}", std::process::id()));
    std::fs::create_dir_all(&folder)?;
    for _ in 0..2 {
        let opened = async {
            // The task of the run before lets go of the files a moment later.
            loop {
                match StateFile::open(folder.join("state")) {
                    Err(FileError::InUse(_)) => tokio::time::sleep(Duration::from_millis(5)).await,
                    opened => return opened,
                }
            }
        };
        let state = tokio::time::timeout(LIMIT, opened).await.expect("in time")?;
        let (client, _) = Client::from_vars(server.env())?.stored_in(&state)?.calls_only(true).start()?;
        client.get(ME).await?.error_for_status()?;
    }
    only_called(&server, 1);
    std::fs::remove_dir_all(&folder)?;
    Ok(())
}

#[test]
fn on_threads_calls_are_made_without_a_connection() -> Result<(), Error> {
    let server = server();
    let (client, events) = blocking::Client::from_vars(server.env())?.calls_only(true).start()?;
    for _ in 0..2 {
        client.get(ME)?.error_for_status()?;
    }
    client.close(Close::Revoke);
    let more = events.filter(|event| !matches!(event, Event::Closed { .. } | Event::SnapshotChanged)).count();
    assert_eq!(more, 0);
    only_called(&server, 1);
    Ok(())
}
