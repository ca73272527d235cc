//! Answers incoming SMS, each once, also over restarts.
//!
//!     cargo run -p ringcentral-ws-examples --bin sms-auto-reply -- responder.state
//!
//! It needs the credentials in the environment (README.md) and the app permissions Read Messages and SMS. What a gap
//! hides is answered from the message store. It never answers its own number. Ctrl-C leaves the session for the next
//! start, which answers what came meanwhile.

use std::pin::pin;
use std::time::Duration;

use ringcentral_ws::payloads::InstantMessage;
use ringcentral_ws::{CallError, Client, Close, Error, Event, Filter, NotificationExt, RetryAfter, StateFile};

const REPLY: &str = "Thank you for your message. We will call you back.";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let state = StateFile::open(std::env::args().nth(1).unwrap_or("responder.state".to_owned()))?;
    state.problems().iter().for_each(|problem| eprintln!("{problem}"));
    let (client, mut events) = Client::from_env()?.stored_in(&state)?.filters([Filter::sms()]).start()?;
    let (mut stop, mut is_open) = (pin!(tokio::signal::ctrl_c()), true);
    loop {
        // Between two events no answer is under way, so Ctrl-C breaks none off.
        let event = tokio::select! {
            biased;
            event = events.next() => event,
            _ = &mut stop, if is_open => {
                is_open = false;
                client.close(Close::Detach).await;
                continue;
            }
        };
        let Some(event) = event else { return Ok(()) };
        let messages = match event {
            Event::Notification(n) => Vec::from_iter(n.sms()),
            Event::Gap(gap) => client.missed_sms(&gap).await?,
            Event::SnapshotChanged => {
                state.save(client.snapshot())?;
                continue;
            }
            Event::Closed { reason } => return Ok(reason.into_result()?),
            other => {
                eprintln!("{other}");
                continue;
            }
        };
        for sms in messages {
            let Some(id) = sms.id.as_ref().filter(|_| !sms.is_own()) else { continue };
            // Noted before it is sent: an answer that may have been sent is not sent again.
            if !state.is_first(id)? {
                continue;
            }
            match answer(&client, &sms).await {
                Ok(()) => {}
                // The next start begins with a gap, and lists it again.
                Err(error) if did_not_run(&error) => {
                    state.forget(id)?;
                    return Err(error.into());
                }
                Err(error) => eprintln!("not answered, or perhaps: {error}"),
            }
        }
    }
}

/// It was not sent, or the server was too busy for it. What is refused for another reason stays refused.
fn did_not_run(error: &CallError) -> bool {
    match error {
        CallError::Api(error) => [429, 503].contains(&error.status),
        other => !other.may_have_run(),
    }
}

async fn answer(client: &Client, sms: &InstantMessage) -> Result<(), CallError> {
    let Some(body) = sms.answer(REPLY) else { return Ok(()) };
    let calls = client.retry_after(RetryAfter::up_to(Duration::from_secs(60)).writes_too());
    calls.post("/restapi/v1.0/account/~/extension/~/sms", &body).await?.error_for_status()?;
    println!("answered {}", sms.sender().unwrap_or_default());
    Ok(())
}
