//! Prints incoming SMS: the shortest program.
//!
//!     cargo run -p ringcentral-ws-examples --bin first

use ringcentral_ws::{Client, Event};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let filters = ["/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS"];
    let (_client, mut events) = Client::from_env()?.filters(filters).start()?;
    while let Some(event) = events.next().await {
        match event {
            Event::Notification(n) => println!("{} {}", n.event(), n.body()),
            Event::Gap(gap) => println!("notifications may be lost: {}", gap.cause),
            other => eprintln!("{other:?}"),
        }
    }
    Ok(())
}
