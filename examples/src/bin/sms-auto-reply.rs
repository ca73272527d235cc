//! Answers incoming SMS, each once.
//!
//!     cargo run -p ringcentral-ws-examples --bin sms-auto-reply
//!
//! It needs the credentials in the environment (README.md) and the app permissions Read Messages and SMS. What a gap
//! hides is answered from the message store, if it is unread there. It never answers its own number or its own words.

use std::collections::VecDeque;
use std::error::Error;

use ringcentral_ws::payloads::{Id, InstantMessage};
use ringcentral_ws::{Client, Event, Filter, Gap, NotificationExt, Payload};
use serde_json::{Value, from_value, json};

const REPLY: &str = "Thank you for your message. We will call you back.";

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (client, mut events) = Client::from_env()?.filters([Filter::sms()]).start()?;
    let mut answered = VecDeque::new();
    while let Some(event) = events.next().await {
        let messages = match &event {
            Event::Gap(gap) => missed(&client, gap).await.unwrap_or_else(|error| {
                eprintln!("{gap}; these messages cannot be read: {error}");
                Vec::new()
            }),
            Event::Notification(n) => match n.payload() {
                Payload::InstantMessage(sms) => vec![sms],
                _ => Vec::new(),
            },
            _ => Vec::new(),
        };
        for sms in messages {
            answer(&client, &mut answered, sms).await.unwrap_or_else(|error| eprintln!("not answered: {error}"));
        }
    }
    Ok(())
}

async fn missed(client: &Client, gap: &Gap) -> Result<Vec<InstantMessage>, Box<dyn Error>> {
    let path = format!("{}&messageType=SMS&direction=Inbound&readStatus=Unread", gap.message_store_query());
    let mut list: Value = client.get(&path).await?.error_for_status()?.json()?;
    Ok(from_value(list["records"].take())?)
}

async fn answer(client: &Client, answered: &mut VecDeque<Id>, sms: InstantMessage) -> Result<(), Box<dyn Error>> {
    let (Some(id), Some(from), Some(to)) = (sms.id, sms.from, sms.to.into_iter().next()) else { return Ok(()) };
    let own = from.phone_number == to.phone_number || sms.subject.as_deref() == Some(REPLY);
    if own || answered.contains(&id) {
        return Ok(());
    }
    // Before it is sent: an answer that may have been sent is not sent again.
    answered.push_back(id);
    answered.drain(..answered.len().saturating_sub(10_000));
    let [from, to] = [from, to].map(|person| json!({ "phoneNumber": person.phone_number }));
    let reply = json!({ "from": to, "to": [from], "text": REPLY });
    client.post("/restapi/v1.0/account/~/extension/~/sms", &reply).await?.error_for_status()?;
    println!("answered {}", from["phoneNumber"]);
    Ok(())
}
