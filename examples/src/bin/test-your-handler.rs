//! A program that answers SMS, and the test of its handler, in which the stand-in server repeats, cuts and forgets. The
//! guide's chapter on testing has this text.
//!
//!     cargo test -p ringcentral-ws-examples --bin test-your-handler
//!
//! The test needs `ringcentral-ws-gateway` as a dev-dependency, and no account. The program needs the credentials in the
//! environment (README.md) and the app permissions Read Messages and SMS.

use std::collections::BTreeSet;

use ringcentral_ws::{Client, Close, Error, Event, Events, Filter};

const SMS: &str = "/restapi/v1.0/account/~/extension/~/sms";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (client, events) = Client::from_env()?.filters([Filter::sms()]).start()?;
    client.close_when(tokio::signal::ctrl_c(), Close::Revoke);
    run(client, events).await
}

/// The handler. Around a gap a message may come twice, so it keeps the ids.
async fn run(client: Client, mut events: Events) -> Result<(), Error> {
    let mut answered = BTreeSet::new();
    while let Some(event) = events.next().await {
        for sms in client.sms_of(&event).await? {
            let answer = sms.answer("We are open");
            if let Some(answer) = answer.filter(|_| answered.insert(sms.id)) {
                client.post(SMS, &answer).await?.error_for_status()?;
            }
        }
        if let Event::Closed { reason } = event {
            return Ok(reason.into_result()?);
        }
    }
    Ok(())
}

#[cfg(test)]
#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_answered_once() -> Result<(), Error> {
    let server = ringcentral_ws_gateway::Server::start(Default::default())?;
    let builder = Client::from_vars(server.env())?;
    let (client, events) = builder.filters([Filter::sms()]).start()?;
    let program = tokio::spawn(run(client.clone(), events));
    server.wait_for_subscription();
    // A notification is sent twice.
    server.duplicate_next(1);
    server.receive_sms(0, "+16505550101", "Are you open?");
    server.wait_for_sent_sms(0, 1);
    // The connection is cut, and the session recovered: what came meanwhile is replayed.
    server.drop_connections();
    server.receive_sms(0, "+16505550102", "Are you open?");
    server.wait_for_sent_sms(0, 2);
    // The server forgets the session: a gap says so, and hides a message.
    server.restart();
    server.receive_sms(0, "+16505550103", "Are you open?");
    server.wait_for_sent_sms(0, 3);
    client.close_when_idle(Close::Revoke).await;
    let answered: Vec<_> = server.sent_sms(0).into_iter().map(|sms| sms.to).collect();
    assert_eq!(answered, ["+16505550101", "+16505550102", "+16505550103"]);
    assert_eq!(client.stats().gaps, 1);
    program.await?
}
