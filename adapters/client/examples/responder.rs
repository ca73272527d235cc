//! Answers SMS, each once, over lost connections, gaps and restarts. The guide's chapter on gaps explains it, and has
//! this text.

use std::time::Duration;

use ringcentral_ws::{Client, Close, Error, Event, Events, Filter, Once, RetryAfter, StateFile};

const SMS: &str = "/restapi/v1.0/account/~/extension/~/sms";

#[tokio::main]
async fn main() -> Result<(), Error> {
    let state = StateFile::open("responder.state")?;
    for problem in state.problems() {
        eprintln!("{problem}"); // a file that cannot be read stops nothing: there is a gap
    }
    let builder = Client::from_env()?.stored_in(&state)?;
    let (client, events) = builder.filters([Filter::sms()]).start()?;
    // When the answer under way is sent.
    client.close_when(tokio::signal::ctrl_c(), Close::Detach);
    let ended = run(client, events, state).await;
    ended.or_else(Error::unless_closing)
}

async fn run(client: Client, mut events: Events, state: StateFile) -> Result<(), Error> {
    // Calls that wait out a 429, and a network that is away.
    let calls = client.retry_after(RetryAfter::up_to(Duration::from_secs(60)).writes_too());
    while let Some(event) = events.next().await {
        // That of a notification, or those that a gap hides.
        for sms in client.sms_of(&event).await? {
            let sender = sms.sender().unwrap_or("somebody");
            let answer = sms.answer("Thank you. We call you back.");
            let (Some(id), Some(answer)) = (&sms.id, answer) else {
                eprintln!("no answer to {sender}: the message has no id or no number");
                continue;
            };
            let call = async { Ok(calls.post(SMS, &answer).await?.error_for_status()?) };
            match state.once(id, call).await? {
                Once::Done(_) | Once::Before => {}
                // The next start begins with a gap, and tries again.
                Once::NotRun(error) => return Err(error.into()),
                problem => eprintln!("the answer to {sender}, message {id}: {problem}"),
            }
        }
        match event {
            Event::Notification(_) => {}
            Event::SnapshotChanged => state.save(client.snapshot())?,
            Event::Closed { reason } => return Ok(reason.into_result()?),
            other => eprintln!("{other}"),
        }
    }
    Ok(())
}
