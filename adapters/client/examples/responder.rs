//! Answers SMS, each once, over lost connections, gaps and restarts. The guide's chapter on gaps explains it, and has
//! this text.

use std::pin::pin;
use std::time::Duration;

use ringcentral_ws::payloads::InstantMessage;
use ringcentral_ws::{CallError, Client, Close, Error, Event, Events, Filter, NotificationExt, RetryAfter, StateFile};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let state = StateFile::open("responder.state")?;
    let (client, events) = Client::from_env()?.stored_in(&state)?.filters([Filter::sms()]).start()?;
    run(client, events, state, tokio::signal::ctrl_c()).await
}

/// Takes events until `stop` is ready, and then what is left.
async fn run(client: Client, mut events: Events, state: StateFile, stop: impl Future) -> Result<(), Error> {
    let (mut stop, mut is_open) = (pin!(stop), true);
    loop {
        // Here no call is under way, so the end breaks none off.
        let event = tokio::select! {
            biased;
            event = events.next() => event,
            _ = &mut stop, if is_open => {
                is_open = false;
                client.close(Close::Detach).await;
                continue;
            }
        };
        match event {
            Some(Event::Notification(n)) => answer(&client, &state, n.sms()).await?,
            Some(Event::Gap(gap)) => {
                eprintln!("{gap}");
                answer(&client, &state, client.missed_sms(&gap).await?).await?;
            }
            Some(Event::SnapshotChanged) => state.save(client.snapshot())?,
            Some(Event::Closed { reason }) => return Ok(reason.into_result()?),
            Some(other) => eprintln!("{other}"),
            None => return Ok(()),
        }
    }
}

async fn answer(
    client: &Client,
    state: &StateFile,
    all: impl IntoIterator<Item = InstantMessage>,
) -> Result<(), Error> {
    for sms in all {
        let (Some(id), Some(body)) = (&sms.id, sms.answer("Thank you. We call you back.")) else { continue };
        // Not one's own words, and nothing twice: `is_first` notes the id on the disk.
        if sms.is_own() || !state.is_first(id)? {
            continue;
        }
        match send(client, &body).await {
            Ok(()) => {}
            // The next start begins with a gap, which lists it again.
            Err(error) if did_not_run(&error) => {
                state.forget(id)?;
                return Err(error.into());
            }
            Err(error) => eprintln!("{id} has perhaps no answer: {error}"),
        }
    }
    Ok(())
}

/// Sends an SMS. It waits out a 429 for up to a minute.
async fn send(client: &Client, body: &serde_json::Value) -> Result<(), CallError> {
    let calls = client.retry_after(RetryAfter::up_to(Duration::from_secs(60)).writes_too());
    calls.post("/restapi/v1.0/account/~/extension/~/sms", body).await?.error_for_status()?;
    Ok(())
}

/// It was not sent, or the server was too busy for it. What is refused for another reason stays refused.
fn did_not_run(error: &CallError) -> bool {
    match error {
        CallError::Api(error) => [429, 503].contains(&error.status),
        other => !other.may_have_run(),
    }
}
