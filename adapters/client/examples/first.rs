//! The first program: prints incoming SMS until Ctrl-C. README.md says how to try it without an account.

use ringcentral_ws::{Client, Close, Error, Event, Filter};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (client, mut events) = Client::from_env()?.filters([Filter::sms()]).start()?;
    // The server would keep the subscription otherwise.
    client.close_when(tokio::signal::ctrl_c(), Close::Revoke);
    while let Some(event) = events.next().await {
        match event {
            Event::Notification(n) => println!("{} {}", n.event(), n.body()),
            Event::Gap(gap) => println!("{gap}"),
            Event::SnapshotChanged => {} // for programs that continue after a restart
            Event::Closed { reason } => return Ok(reason.into_result()?),
            other => eprintln!("{other}"),
        }
    }
    Ok(())
}
