//! A handler of events and its test, in which the stand-in server cuts, repeats, forgets and loses.
//!
//!     cargo test -p ringcentral-ws-examples --bin test-your-handler
//!
//! The test needs `ringcentral-ws-gateway` as a dev-dependency, and no account. The program counts SMS; it needs the
//! credentials in the environment (README.md) and the app permission Read Messages.

use ringcentral_ws::{Client, Event, Filter};
#[cfg(test)]
use ringcentral_ws_gateway::Server;

/// How many messages came, and how often others may be missing.
#[derive(Debug, Default, PartialEq)]
struct Count {
    messages: u32,
    gaps: u32,
}

fn handle(event: &Event, count: &mut Count) {
    match event {
        Event::Notification(_) => count.messages += 1,
        Event::Gap(_) => count.gaps += 1,
        _ => return,
    }
    println!("{count:?}");
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (_client, mut events) = Client::from_env()?.filters([Filter::sms()]).start()?;
    let mut count = Count::default();
    while let Some(event) = events.next().await {
        handle(&event, &mut count);
    }
    Ok(())
}

#[cfg(test)]
#[tokio::test]
async fn faults_neither_double_nor_hide_a_message() -> Result<(), Box<dyn std::error::Error>> {
    let server = Server::start(Default::default())?;
    let env = std::collections::HashMap::from(server.env());
    let login = ringcentral_ws::Jwt::from_vars(|name| env.get(name).cloned())?;
    let (_client, mut events) = Client::builder(login).filters([Filter::sms()]).start()?;
    let mut count = Count::default();
    while !matches!(events.next().await.expect("the client runs"), Event::Subscribed(_)) {}
    let mut after = async |fault: fn(&Server), messages, gaps| {
        fault(&server);
        server.receive_sms(0, "+16505550100", "Hello");
        while count != (Count { messages, gaps }) {
            let event = tokio::time::timeout(std::time::Duration::from_secs(60), events.next()).await;
            handle(&event.expect("the count in time").expect("the client runs"), &mut count);
        }
    };
    after(|server| server.duplicate_next(1), 1, 0).await; // sent twice
    after(|server| server.drop_connections(), 2, 0).await; // replayed after the recovery
    after(|server| server.restart(), 2, 1).await; // lost: the recovery fails
    after(|_| {}, 3, 1).await;
    Ok(())
}
