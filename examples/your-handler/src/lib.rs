//! A program that answers SMS: its handler. The guide's chapter on testing has this text.
//!
//! The program needs the credentials in the environment and the app permissions Read Messages and SMS, its test neither:
//! `cargo test -p your-handler`.

use ringcentral_ws::payloads::InstantMessage;
use ringcentral_ws::{CallError, Client, Error, Event, Events};

/// Where an SMS is sent.
pub const SMS: &str = "/restapi/v1.0/account/~/extension/~/sms";

/// The handler: answers each SMS, also those that a gap hides. An answer that fails is a line.
pub async fn run(client: Client, mut events: Events) -> Result<(), Error> {
    while let Some(event) = events.next().await {
        for sms in client.sms_of(&event).await? {
            if let Err(error) = answer(&client, &sms).await {
                eprintln!("the answer to {}: {error}", sms.sender().unwrap_or("somebody"));
            }
        }
        if let Event::Closed { reason } = event {
            return Ok(reason.into_result()?);
        }
    }
    Ok(())
}

async fn answer(client: &Client, sms: &InstantMessage) -> Result<(), CallError> {
    if let Some(answer) = sms.answer("We are open") {
        client.post(SMS, &answer).await?.error_for_status()?;
    }
    Ok(())
}
