//! Shows notifications in browsers as they come, by server-sent events.
//!
//!     cargo run -p ringcentral-ws-examples --bin sse -- 127.0.0.1:8080
//!
//! It needs the credentials in the environment (README.md) and the app permissions ReadMessages and ReadPresence. The
//! page asks nobody for a password: leave it on this machine, or put a server before it that does. Ctrl-C ends it.
//!
//! A browser sees what comes from its connection on, in order, gaps included. The last 256 events are kept for all
//! listeners together. One that is further behind is cut with a line that says how many it missed; browsers connect
//! anew.

use std::convert::Infallible;
use std::error::Error;

use axum::response::sse::{self, KeepAlive, Sse};
use axum::{Router, response::Html, routing::get};
use futures_util::stream::{Stream, unfold};
use ringcentral_ws::{Client, Close, Event, Events, Filter, SessionError};
use serde_json::json;
use tokio::sync::broadcast::{Receiver, Sender, channel, error::RecvError};

const KEPT: usize = 256;

const PAGE: &str = r#"<!doctype html><meta charset="utf-8"><title>Notifications</title><pre id="lines"></pre><script>
  const lines = document.getElementById("lines");
  const show = text => { lines.textContent = (text + "\n" + lines.textContent).slice(0, 100000); };
  const source = new EventSource("/events");
  source.onmessage = message => show(message.data);
  source.addEventListener("gap", gap => show("may be missing: " + gap.data));
  source.addEventListener("cut", cut => show(cut.data));
  source.onerror = () => show("connecting ...");
</script>"#;

/// The name of an event, and its data in one line.
type Line = (&'static str, String);

async fn publish(mut events: Events, listeners: Sender<Line>) -> Result<(), SessionError> {
    while let Some(event) = events.next().await {
        let line = match &event {
            Event::Notification(n) => {
                let name = json!(n.event());
                // JSON has line breaks only between its tokens.
                ("message", format!(r#"{{"event":{name},"body":{}}}"#, n.body()).replace(['\r', '\n'], " "))
            }
            Event::Gap(gap) => ("gap", gap.to_string()),
            Event::SnapshotChanged => continue,
            Event::Closed { reason } => return reason.clone().into_result(),
            other => {
                eprintln!("{other}");
                continue;
            }
        };
        // Nobody listening is no error.
        let _ = listeners.send(line);
    }
    Ok(())
}

/// What a listener gets. It asks for the next event when the one before is on its way.
fn stream(listener: Receiver<Line>) -> impl Stream<Item = Result<sse::Event, Infallible>> {
    unfold(Some(listener), async |listener| {
        let mut listener = listener?;
        let (name, data, rest) = match listener.recv().await {
            Ok((name, data)) => (name, data, Some(listener)),
            Err(RecvError::Lagged(missed)) => {
                eprintln!("a listener is cut: it is {missed} events behind");
                ("cut", format!("{missed} events are missing: this browser reads too slowly"), None)
            }
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(sse::Event::default().event(name).data(data)), rest))
    })
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    let filters = [Filter::sms(), Filter::voicemail(), Filter::presence()];
    let (client, events) = Client::from_env()?.filters(filters).start()?;
    let (listeners, _) = channel(KEPT);
    let subscriber = listeners.clone();
    let listen = async move || Sse::new(stream(subscriber.subscribe())).keep_alive(KeepAlive::default());
    let pages = Router::new().route("/", get(Html(PAGE))).route("/events", get(listen));
    println!("open http://{}/", listener.local_addr()?);
    tokio::select! {
        end = publish(events, listeners) => end?,
        end = async { axum::serve(listener, pages).await } => end?,
        stop = tokio::signal::ctrl_c() => stop?,
    }
    client.close(Close::Revoke).await;
    Ok(())
}
