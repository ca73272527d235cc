//! Shows the presence of all extensions of the account: in place on a terminal, else a line for each change.
//!
//!     cargo run -p ringcentral-ws-examples --bin presence-board
//!
//! It needs the credentials in the environment (README.md) and the app permission Read Presence. Ctrl-C ends it.
//! The whole presence is read after the start and after each gap, so the board is right whatever was missed.

use std::collections::BTreeMap;
use std::error::Error;
use std::io::{self, IsTerminal, Write, stdout};

use ringcentral_ws::payloads::Presence;
use ringcentral_ws::terminal::escape;
use ringcentral_ws::{Client, Event, Filter, NotificationExt, Payload};
use serde_json::{Value, from_value};

const ALL: &str = "/restapi/v1.0/account/~/presence?perPage=1000";

#[derive(Default)]
struct Row {
    number: String,
    /// Notifications may overtake each other: the one with the greatest number is the newest.
    sequence: u64,
    text: String,
}

#[derive(Default)]
struct Board {
    is_terminal: bool,
    /// By the id of the extension.
    rows: BTreeMap<String, Row>,
    news: String,
}

impl Board {
    async fn read(&mut self, client: &Client) -> Result<(), Box<dyn Error>> {
        let mut all: Value = client.get(ALL).await?.error_for_status()?.json()?;
        for record in all["records"].as_array_mut().into_iter().flatten() {
            let extension = record["extension"].take();
            let (id, number) = (extension["id"].to_string(), extension["extensionNumber"].as_str());
            number.unwrap_or(&id).clone_into(&mut self.rows.entry(id.clone()).or_default().number);
            self.set(&id, &from_value(record.take())?);
        }
        Ok(())
    }

    fn set(&mut self, id: &str, presence: &Presence) {
        let row = self.rows.entry(id.to_owned()).or_default();
        let sequence = presence.sequence.unwrap_or(row.sequence);
        let words = [&presence.presence_status, &presence.telephony_status, &presence.dnd_status];
        let [status, calls, dnd] = words.map(|word| word.as_deref().unwrap_or("?"));
        let text = escape(&format!("{:<8} {status:<10} {calls:<14} {dnd}", row.number)).into_owned();
        if sequence < row.sequence || text == row.text {
            return;
        }
        (row.sequence, row.text) = (sequence, text);
        if !self.is_terminal {
            println!("{}", row.text);
        }
    }

    /// On a terminal from the top left corner, over what was there.
    fn draw(&self) -> io::Result<()> {
        if !self.is_terminal {
            return Ok(());
        }
        let mut out = String::from("\x1b[H");
        for line in self.rows.values().map(|row| &row.text).chain([&self.news]) {
            out = out + line + "\x1b[K\r\n";
        }
        stdout().write_all((out + "\x1b[J").as_bytes())?;
        stdout().flush()
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (client, mut events) = Client::from_env()?.filters([Filter::account_presence()]).start()?;
    let mut board = Board { is_terminal: stdout().is_terminal(), ..Board::default() };
    while let Some(event) = events.next().await {
        if let Event::Notification(n) = &event {
            if let Payload::Presence(presence) = n.payload()
                && let Some(id) = &presence.extension_id
            {
                board.set(id.as_str(), &presence);
            }
        } else if event != Event::SnapshotChanged {
            board.news = event.to_string();
        }
        if let Event::Subscribed(_) | Event::Gap(_) = event
            && let Err(error) = board.read(&client).await
        {
            board.news = escape(&format!("the presence cannot be read: {error}")).into_owned();
        }
        board.draw()?;
        if let Event::Closed { reason } = event {
            return Ok(reason.into_result()?);
        }
    }
    Ok(())
}
