//! Sends a file as a fax, and ends when it is sent or has failed.
//!
//!     cargo run -p ringcentral-ws-examples --bin fax -- +16505550100 letter.pdf
//!
//! It needs the credentials in the environment (README.md) and the app permissions Faxes and ReadMessages. Each change
//! of its status is a line. It is sent once: if the answer is lost the program says so and sends nothing again.

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use ringcentral_ws::{Client, Close, Event, Filter, Multipart, NotificationExt, Part, Payload};
use serde_json::{Value, json};
use tokio::time::timeout;

const FAX: &str = "/restapi/v1.0/account/~/extension/~/fax";
const MESSAGE: &str = "/restapi/v1.0/account/~/extension/~/message-store";
/// So often its status is read without a notification too.
const LOOK: Duration = Duration::from_secs(30);

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (Some(to), Some(path)) = (args.next(), args.next()) else { return Err("usage: fax NUMBER FILE".into()) };
    let fax = form(&to, Path::new(&path))?;
    let (client, mut events) = Client::from_env()?.filters([Filter::message_store()]).start()?;
    let (mut fax, mut id, mut status) = (Some(fax), String::new(), String::new());
    loop {
        match timeout(LOOK, events.next()).await {
            // Not earlier, so that no change is missed.
            Ok(Some(Event::Subscribed(_))) => {
                if let Some(fax) = fax.take() {
                    let answer: Value = client.request(fax.post(FAX)?).await?.error_for_status()?.json()?;
                    id = answer["id"].as_str().map_or_else(|| answer["id"].to_string(), str::to_owned);
                }
            }
            Ok(Some(Event::Notification(n))) if !is_fax(&n.payload()) => continue,
            Ok(Some(Event::Notification(_) | Event::Gap(_))) | Err(_) => {}
            Ok(Some(event @ (Event::SubscriptionFailed { delay: None, .. } | Event::Closed { .. }))) => {
                return Err(event.to_string().into());
            }
            Ok(Some(_)) => continue,
            Ok(None) => return Err("the session has ended".into()),
        }
        if id.is_empty() {
            continue;
        }
        match look(&client, &id).await {
            Ok(now) if now != status => {
                println!("fax {id} to {to}: {now}");
                status = now;
            }
            Ok(_) => {}
            Err(error) => eprintln!("fax {id} was handed over, its status cannot be read now: {error}"),
        }
        match &*status {
            "Sent" | "Delivered" => break,
            "SendingFailed" | "DeliveryFailed" => return Err(format!("fax {id} was not sent").into()),
            _ => {}
        }
    }
    client.close(Close::Revoke).await;
    Ok(())
}

fn form(to: &str, path: &Path) -> Result<Multipart, Box<dyn Error>> {
    let (name, kind) = (path.file_name().ok_or("the file has no name")?.to_string_lossy(), path.extension());
    let kind = match kind.and_then(|kind| kind.to_str()) {
        Some("pdf") => "application/pdf",
        Some("txt") => "text/plain",
        Some("tif" | "tiff") => "image/tiff",
        _ => "application/octet-stream",
    };
    let body = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let json = json!({ "to": [{ "phoneNumber": to }], "faxResolution": "High" });
    Ok(Multipart::new().part(Part::json("json", json.to_string())).part(Part::file("attachment", &name, kind, body)))
}

/// A notification says that faxes changed, not which and how.
async fn look(client: &Client, id: &str) -> Result<String, Box<dyn Error>> {
    let message: Value = client.get(&format!("{MESSAGE}/{id}")).await?.error_for_status()?.json()?;
    Ok(message["messageStatus"].as_str().unwrap_or("unknown").to_owned())
}

fn is_fax(payload: &Payload) -> bool {
    let Payload::MessageStore(store) = payload else { return false };
    store.changes.iter().any(|change| change.kind.as_deref() == Some("Fax"))
}
