//! Answers incoming SMS, each once.
//!
//!     cargo run -p ringcentral-ws-examples --bin sms-auto-reply
//!
//! It needs the credentials in the environment (README.md) and the app permissions Read Messages and SMS. What a gap
//! hides is answered from the message store, if it is unread there. It never answers its own number or its own words.

use std::collections::VecDeque;
use std::error::Error;

use ringcentral_ws::payloads::{Id, InstantMessage, MessageList};
use ringcentral_ws::{Client, CloseReason, Event, Filter, Gap, NotificationExt, Payload};

const REPLY: &str = "Thank you for your message. We will call you back.";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (client, mut events) = Client::from_env()?.filters([Filter::sms()]).start()?;
    let mut answered = VecDeque::new();
    while let Some(event) = events.next().await {
        let messages = match event {
            Event::Notification(n) => match n.payload() {
                Payload::InstantMessage(sms) => vec![sms],
                _ => continue,
            },
            Event::Gap(gap) => missed(&client, &gap).await.unwrap_or_else(|error| {
                eprintln!("{gap}; these messages cannot be read: {error}");
                Vec::new()
            }),
            Event::SnapshotChanged => continue,
            Event::Closed { reason: reason @ CloseReason::Permanent(_) } => return Err(reason.to_string().into()),
            other => {
                eprintln!("{other}");
                continue;
            }
        };
        for sms in messages {
            answer(&client, &mut answered, &sms).await.unwrap_or_else(|error| eprintln!("not answered: {error}"));
        }
    }
    Ok(())
}

async fn missed(client: &Client, gap: &Gap) -> Result<Vec<InstantMessage>, Box<dyn Error>> {
    let path = format!("{}&readStatus=Unread", gap.missed_sms_query());
    Ok(client.get(&path).await?.error_for_status()?.json::<MessageList>()?.records)
}

async fn answer(client: &Client, answered: &mut VecDeque<Id>, sms: &InstantMessage) -> Result<(), Box<dyn Error>> {
    let (Some(id), Some(body)) = (&sms.id, sms.answer(REPLY)) else { return Ok(()) };
    if sms.is_own() || sms.subject.as_deref() == Some(REPLY) || answered.contains(id) {
        return Ok(());
    }
    // Before it is sent: an answer that may have been sent is not sent again.
    answered.push_back(id.clone());
    answered.drain(..answered.len().saturating_sub(10_000));
    client.post("/restapi/v1.0/account/~/extension/~/sms", &body).await?.error_for_status()?;
    println!("answered {}", sms.sender().unwrap_or_default());
    Ok(())
}
