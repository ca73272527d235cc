//! A program that counts SMS and voicemails by their senders, and the test of its handler, in which the stand-in server
//! repeats, cuts and forgets. The guide's chapter on testing has this text.
//!
//!     cargo test -p ringcentral-ws-examples --bin count-messages
//!
//! The program needs the credentials in the environment (README.md) and the app permission Read Messages.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use ringcentral_ws::{Client, Close, Error, Event, Events, Filter, Message};

/// SMS and voicemails by sender.
type Counts = Arc<Mutex<BTreeMap<String, (u32, u32)>>>;

#[tokio::main]
async fn main() -> Result<(), Error> {
    let builder = Client::from_env()?.filters([Filter::sms(), Filter::voicemail()]);
    let (client, events) = builder.start()?;
    client.close_when(tokio::signal::ctrl_c(), Close::Revoke);
    let counts = Counts::default();
    let ended = run(client, events, counts.clone()).await;
    ended.or_else(Error::unless_closing)?;
    println!("{:?}", counts.lock().expect("no panic"));
    Ok(())
}

/// The handler.
async fn run(client: Client, mut events: Events, counts: Counts) -> Result<(), Error> {
    while let Some(event) = events.next().await {
        for message in client.messages_of(&event).await? {
            let sender = message.sender().unwrap_or("somebody").to_owned();
            let mut counts = counts.lock().expect("no panic");
            let (sms, voicemails) = counts.entry(sender).or_default();
            match message {
                Message::Sms(_) => *sms += 1,
                Message::Voicemail(_) => *voicemails += 1,
                _ => {}
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
async fn each_message_counts_once_over_a_cut_and_a_gap() -> Result<(), Error> {
    use ringcentral_ws_gateway::{MessageKind::VoiceMail, Server, eventually_eq};

    let (anna, bert) = ("+16505550101", "+16505550102");
    let server = Server::start(Default::default())?;
    let builder = Client::from_vars(server.env())?.filters([Filter::sms(), Filter::voicemail()]);
    let (client, events) = builder.for_tests().start()?;
    let counts = Counts::default();
    let program = tokio::spawn(run(client.clone(), events, counts.clone()));
    let wait = |sender: &str, count: (u32, u32)| {
        eventually_eq(|| counts.lock().unwrap().get(sender).copied(), Some(count));
    };
    server.wait_for_subscription();
    server.duplicate_next(1);
    server.receive_sms(0, anna, "Hello");
    server.receive(0, VoiceMail, bert, "It is Bert");
    wait(anna, (1, 0));
    wait(bert, (0, 1));
    // The connection is cut, and the session recovered: what came meanwhile is replayed.
    server.drop_connections();
    server.receive(0, VoiceMail, anna, "Call me back");
    wait(anna, (1, 1));
    // The server forgets the session: a gap says so, and hides a message. The list of the gap has
    // all of them, and those that were notified do not count again.
    server.restart();
    server.receive_sms(0, bert, "Lost?");
    wait(bert, (1, 1));
    assert_eq!(counts.lock().unwrap()[anna], (1, 1));
    assert_eq!(client.stats().gaps, 1);
    client.close_when_idle(Close::Revoke).await;
    program.await?
}
