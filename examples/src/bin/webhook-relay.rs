//! Posts each notification to a URL (a webhook), in order, and again until the receiver has taken it.
//!
//!     cargo run -p ringcentral-ws-examples --bin webhook-relay -- https://example.com/hook
//!
//! It needs the credentials in the environment (README.md) and the app permission ReadMessages. Plain http is for this
//! machine only. Ctrl-C ends it, and gives up what is not posted; `archive` shows how to go on after a restart.
//!
//! The body is `{"event", "timestamp", "body"}`, or `{"gap", "since", "until"}` where notifications may be missing. The
//! header `Idempotency-Key` is the notification's uuid: a post whose answer was lost comes again, so drop keys you
//! know. A receiver that is slow or down makes this program read less: 4 MiB wait here, and TCP makes the server wait.
//! If the server ends the connection it keeps 100 notifications for three minutes; if that is not enough a gap says so.
//! A receiver that answers with a 4xx (but 408, 425 and 429) does not want the notification: it is printed and left
//! out.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use ringcentral_ws::bytes::Bytes;
use ringcentral_ws::http::{Request, StatusCode, Uri};
use ringcentral_ws::tokio::Tokio;
use ringcentral_ws::{Client, Close, Event, Events, Filter, HttpsSender, IoLimits, https_client};
use serde_json::json;

const LONGEST_PAUSE: Duration = Duration::from_secs(60);

struct Receiver {
    https: Arc<dyn HttpsSender>,
    url: Uri,
}

impl Receiver {
    /// Returns when the receiver has taken it or does not want it.
    async fn post(&self, key: &str, body: String) -> Result<(), Box<dyn Error>> {
        let body = Bytes::from(body);
        let mut pause = Duration::from_millis(500);
        loop {
            let post = Request::post(&self.url).header("Content-Type", "application/json");
            let answer = self.https.send(post.header("Idempotency-Key", key).body(body.clone())?).await;
            let why = match answer.map(|answer| answer.status()) {
                Ok(status) if status.is_success() => {
                    println!("posted {key}");
                    return Ok(());
                }
                Ok(status) if is_final(status) => {
                    eprintln!("refused with {status}: {key} {}", String::from_utf8_lossy(&body));
                    return Ok(());
                }
                Ok(status) => status.to_string(),
                Err(failure) => failure.to_string(),
            };
            eprintln!("{key} again in {pause:?}: {why}");
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

fn is_final(status: StatusCode) -> bool {
    status.is_client_error() && !matches!(status.as_u16(), 408 | 425 | 429)
}

/// One at a time, which keeps the order. The queue of events is the only one, and it is bounded.
async fn relay(mut events: Events, receiver: Receiver) -> Result<(), Box<dyn Error>> {
    while let Some(event) = events.next().await {
        match event {
            Event::Notification(n) => {
                let [event, timestamp] = [json!(n.event()), json!(n.timestamp())];
                let value = format!(r#"{{"event":{event},"timestamp":{timestamp},"body":{}}}"#, n.body());
                receiver.post(n.uuid(), value).await?;
            }
            Event::Gap(gap) => {
                let (since, until) = (gap.since.to_string(), gap.until.to_string());
                let value = json!({ "gap": gap.cause.as_str(), "since": since, "until": until });
                receiver.post(&format!("gap-{since}-{until}"), value.to_string()).await?;
            }
            Event::Closed { reason } => return Ok(reason.into_result()?),
            Event::SnapshotChanged => {}
            other => eprintln!("{other}"),
        }
    }
    Ok(())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let url = std::env::args().nth(1).ok_or("usage: webhook-relay URL")?.parse()?;
    let receiver = Receiver { https: https_client(Tokio, IoLimits::default(), None)?, url };
    let limits = IoLimits { event_bytes: 4 << 20, ..IoLimits::default() };
    let (client, events) = Client::from_env()?.limits(limits).filters([Filter::sms(), Filter::voicemail()]).start()?;
    tokio::select! {
        end = relay(events, receiver) => end?,
        stop = tokio::signal::ctrl_c() => stop?,
    }
    client.close(Close::Revoke).await;
    Ok(())
}
