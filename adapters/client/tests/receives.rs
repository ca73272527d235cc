//! A notification of the stand-in arrives on every runtime, in few lines, and with credentials from the environment.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Duration;

use ringcentral_ws::{ClientApp, Event};
use ringcentral_ws_gateway::{Server, ServerConfig};

const FILTER: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";
/// Nothing here takes this long; it only turns a hang into a failure.
const DEADLINE: Duration = Duration::from_secs(30);

fn server() -> (Server, ClientApp, String) {
    let server = Server::start(ServerConfig::default()).unwrap();
    let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
    let (url, client_secret) = (server.http_url().parse().unwrap(), Some(app.client_secret.into()));
    (server, ClientApp { server: url, client_id: app.client_id, client_secret }, jwt)
}

/// Sends an SMS once the client has subscribed. True if it is what came.
fn is_the_sms(server: &Server, event: Option<Event>) -> bool {
    match event.expect("the session goes on") {
        Event::Subscribed(_) => {
            server.receive_sms(0, "+16505550100", "Hello");
            false
        }
        Event::Notification(n) => n.parse::<serde_json::Value>().unwrap()["subject"] == "Hello",
        event @ (Event::Gap(_) | Event::Closed { .. }) => panic!("{event:?}"),
        _ => false,
    }
}

#[tokio::test]
async fn on_tokio() {
    let (server, app, jwt) = server();
    let jwt = ringcentral_ws::Jwt::new(app, jwt);
    let (_client, mut events) = ringcentral_ws::Client::builder(jwt).filters([FILTER]).start().unwrap();
    let sms = async { while !is_the_sms(&server, events.next().await) {} };
    tokio::time::timeout(DEADLINE, sms).await.unwrap();
}

#[test]
fn on_smol() {
    let (server, app, jwt) = server();
    smol::block_on(async {
        let jwt = ringcentral_ws::Jwt::new(app, jwt);
        let (_client, mut events) = ringcentral_ws::smol::Client::builder(jwt).filters([FILTER]).start().unwrap();
        let sms = async { while !is_the_sms(&server, events.next().await) {} };
        let late = async { panic!("nothing came within {:?}: {:?}", DEADLINE, smol::Timer::after(DEADLINE).await) };
        smol::future::or(sms, late).await;
    });
}

#[test]
fn on_async_std() {
    let (server, app, jwt) = server();
    smol::block_on(async {
        let jwt = ringcentral_ws::Jwt::new(app, jwt);
        let (_client, mut events) = ringcentral_ws::async_std::Client::builder(jwt).filters([FILTER]).start().unwrap();
        let sms = async { while !is_the_sms(&server, events.next().await) {} };
        let late = async { panic!("nothing came within {:?}: {:?}", DEADLINE, smol::Timer::after(DEADLINE).await) };
        smol::future::or(sms, late).await;
    });
}

#[test]
fn on_threads() {
    let (server, app, jwt) = server();
    let jwt = ringcentral_ws::blocking::Jwt::new(app, jwt);
    let (_client, mut events) = ringcentral_ws::blocking::Client::builder(jwt).filters([FILTER]).start().unwrap();
    while !is_the_sms(&server, events.next_timeout(DEADLINE).unwrap()) {}
}

/// The example, which has its credentials from its environment.
fn example() -> Command {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples/first");
    assert!(program.exists(), "`cargo test --test` builds no examples: run `cargo build --example first` before");
    let mut command = Command::new(program);
    for name in ["SERVER_URL", "APP_CLIENT_ID", "APP_CLIENT_SECRET", "USER_JWT"] {
        command.env_remove(format!("RC_{name}"));
    }
    for name in ["SERVER_URL", "CLIENT_ID", "CLIENT_SECRET", "JWT_TOKEN"] {
        command.env_remove(format!("RINGCENTRAL_{name}"));
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

#[test]
fn the_first_program_receives() {
    let (server, ..) = server();
    let mut child = example().envs(server.env()).spawn().unwrap();
    // Kept until the end: a program whose messages nobody takes may end.
    let mut progress = BufReader::new(child.stderr.take().unwrap()).lines().map_while(Result::ok);
    let subscribed = progress.by_ref().take_while(|line| !line.starts_with("subscribed")).count();
    server.receive_sms(0, "+16505550100", "Hello");
    let first = BufReader::new(child.stdout.take().unwrap()).lines().next();
    child.kill().unwrap();
    child.wait().unwrap();
    let line = first.unwrap_or_else(|| panic!("it ended after {subscribed} lines")).unwrap();
    assert!(line.starts_with("/restapi/") && line.contains("Hello"), "{line}");
}

#[test]
fn the_first_program_says_what_is_missing() {
    let output = example().output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success() && text.contains("set RC_APP_CLIENT_ID"), "{text}");
}

#[test]
fn the_first_program_ends_with_a_status_when_it_cannot_go_on() {
    let (server, ..) = server();
    let output = example().envs(server.env()).env("RC_USER_JWT", "revoked").output().unwrap();
    let text = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{text}");
    let last = text.lines().last().unwrap_or_default();
    assert!(last.starts_with("Error: ") && last.contains("log in again"), "what to do is missing: {text}");
}

#[cfg(unix)]
#[test]
fn the_first_program_leaves_no_subscription_behind() {
    let (server, ..) = server();
    let mut child = example().envs(server.env()).stderr(Stdio::null()).spawn().unwrap();
    assert!(server.wait_until(DEADLINE, |gateway| gateway.subscriptions().next().is_some()));
    Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let ended = child.wait().unwrap();
    assert_eq!(ended.code(), Some(0), "{ended}");
    assert!(server.wait_until(DEADLINE, |gateway| gateway.subscriptions().next().is_none()));
}
