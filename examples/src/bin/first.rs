//! Prints incoming SMS: the shortest program.
//!
//!     cargo run -p ringcentral-ws-examples --bin first

use ringcentral_ws::{Client, Close, CloseReason, Event, Filter};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (client, mut events) = Client::from_env()?.filters([Filter::sms()]).start()?;
    tokio::spawn(async move {
        // Ctrl-C deletes the subscription; the server would keep it otherwise.
        if tokio::signal::ctrl_c().await.is_ok() {
            client.close(Close::Revoke).await;
        }
    });
    while let Some(event) = events.next().await {
        match event {
            Event::Notification(n) => println!("{} {}", n.event(), n.body()),
            Event::Gap(gap) => println!("{gap}"),
            Event::SnapshotChanged => {} // for programs that continue after a restart
            Event::Closed { reason: reason @ CloseReason::Permanent(_) } => return Err(reason.to_string().into()),
            other => eprintln!("{other}"),
        }
    }
    Ok(())
}
