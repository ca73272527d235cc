//! Several parts of a program share one connection: one prints messages, the other one counts calls.
//!
//!     cargo run -p ringcentral-ws-examples --bin listeners
//!
//! It needs the credentials in the environment (see README.md) and the app permissions Read Messages and Call Control.
//! Ctrl-C ends it.

use std::error::Error;

use ringcentral_ws::{Client, Close, Event, Filter, ListenOptions, Listener, ListenerEvent, Overflow};
use tokio::signal::ctrl_c;

async fn serve(name: &str, mut listener: Listener, mut on: impl FnMut(&str)) {
    while let Some(event) = listener.next().await {
        match event {
            ListenerEvent::Live { .. } => println!("{name}: live"),
            ListenerEvent::Notification(n) => on(n.body()),
            ListenerEvent::Gap(gap) => println!("{name}: {gap}"),
            ListenerEvent::Refused { error, .. } => println!("{name}: {error}"),
            _ => {}
        }
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (client, mut events) = Client::from_env()?.start()?;
    let messages = client.listen([Filter::sms(), Filter::voicemail()]).await?;
    // An old number of calls is of no use: a slow terminal drops some rather than making messages wait.
    let newest = ListenOptions::new().overflow(Overflow::DropOldest).events(10);
    let calls = client.listen_with([Filter::telephony_sessions()], newest).await?;
    tokio::spawn(serve("messages", messages, |body| println!("messages: {body}")));
    let mut count = 0;
    tokio::spawn(serve("calls", calls, move |_| {
        count += 1;
        println!("calls: {count} changes");
    }));
    client.close_when(ctrl_c(), Close::Revoke);
    while let Some(event) = events.next().await {
        match event {
            Event::Disconnected { .. } => eprintln!("{event}"),
            Event::Closed { reason } => return Ok(reason.into_result()?),
            _ => {}
        }
    }
    Ok(())
}
