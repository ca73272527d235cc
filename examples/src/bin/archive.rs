//! Archives notifications in a SQLite file, and goes on where it ended, was killed, or lost the power.
//!
//!     cargo run -p ringcentral-ws-examples --bin archive -- archive.db [500]
//!
//! Needs the credentials in the environment (README.md) and the app permission Read Messages. Ctrl-C ends it.
//! `entry` has a row for each notification, once and in order. A row with `gap` says why notifications between the rows
//! around it may be missing. Rows and the snapshot that covers them are committed together, so the next run knows what
//! the archive has. The file opens the session and the login: keep it like a password.
//!
//! The number is how many events go into one transaction at most, acknowledged together. With 0 nothing is acknowledged,
//! and a transaction ends where the session makes a snapshot.

use std::sync::Mutex;

use ringcentral_ws::{Batch, Client, Close, CloseReason, Event, Filter, Jwt, Snapshot, UnixMillis};
use rusqlite::{Connection, OptionalExtension};

const SCHEMA: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, uuid TEXT, event TEXT, body TEXT,
        gap TEXT, since TEXT, until TEXT);
    CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT, at INTEGER DEFAULT (unixepoch()));";
const NOTIFICATION: &str = "INSERT INTO entry (uuid, event, body) VALUES (?1, ?2, ?3)";
const GAP: &str = "INSERT INTO entry (gap, since, until) VALUES (?1, ?2, ?3)";

fn read(db: &Connection, key: &str) -> rusqlite::Result<Option<(String, u32)>> {
    let (query, row) = ("SELECT value, at FROM state WHERE key = ?1", |r: &rusqlite::Row<'_>| r.try_into());
    db.query_row(query, [key], row).optional()
}

fn write(db: &Connection, key: &str, value: &str) -> rusqlite::Result<usize> {
    db.execute("REPLACE INTO state (key, value) VALUES (?1, ?2)", [key, value])
}

/// After a crash either all of it is there or nothing.
fn commit(db: &mut Connection, events: &mut Vec<Event>, snapshot: &Snapshot) -> rusqlite::Result<()> {
    let rows = db.transaction()?;
    for event in events.drain(..) {
        match event {
            Event::Notification(n) => rows.execute(NOTIFICATION, [n.uuid(), n.event(), n.body()])?,
            Event::Gap(g) => rows.execute(GAP, [g.cause.as_str(), &g.since.to_string(), &g.until.to_string()])?,
            _ => 0,
        };
    }
    write(&rows, "session", &snapshot.to_json())?;
    rows.commit()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let path = std::env::args().nth(1).unwrap_or_else(|| "archive.db".to_owned());
    let most = std::env::args().nth(2).map_or(Ok(500), |most| most.parse())?;
    // Two at once would spoil the order. One that was killed locks nobody out.
    let lock = Connection::open(format!("{path}.lock"))?;
    lock.execute_batch("BEGIN EXCLUSIVE").map_err(|error| format!("{path} is in use: {error}"))?;
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(std::fs::File::options().create(true).append(true), 0o600).open(&path)?;
    let (mut db, store) = (Connection::open(&path)?, Mutex::new(Connection::open(&path)?));
    db.execute_batch(SCHEMA)?;

    // The server continues a session for the login that made it, so the login is kept too.
    let mut login = Jwt::from_env()?.on_tokens(move |tokens| {
        let (Ok(json), Ok(store)) = (serde_json::to_string(tokens), store.lock()) else { return };
        write(&store, "login", &json).map(drop).unwrap_or_else(|error| eprintln!("the login is not kept: {error}"));
    });
    if let Some((json, _)) = read(&db, "login")? {
        login = login.with_tokens(serde_json::from_str(&json)?)?;
    }
    let server = login.app().server.clone();
    let mut builder = Client::builder(login).filters([Filter::message_store(), Filter::sms()]);
    if let Some((json, saved)) = read(&db, "session")? {
        // One that cannot be used makes a gap since it was saved.
        let lost = |_| Snapshot::lost(&server, UnixMillis(u64::from(saved) * 1000));
        builder = builder.restore(Snapshot::from_json(&json).unwrap_or_else(lost));
    }
    let (client, mut incoming) = builder.acknowledge(most > 0).start()?;
    client.close_when(tokio::signal::ctrl_c(), Close::Detach);

    let mut pending = Vec::new();
    while let Some(Batch { mut events, ack }) = incoming.next_batch(most).await {
        for event in &events {
            match event {
                Event::Notification(_) | Event::Gap(_) | Event::SnapshotChanged => {}
                Event::Closed { reason: reason @ CloseReason::Permanent(_) } => return Err(reason.to_string().into()),
                other => eprintln!("{other}"),
            }
        }
        pending.append(&mut events);
        // Everything taken so far is covered by this snapshot.
        if let Some(snapshot) = ack.acknowledge_and_take() {
            commit(&mut db, &mut pending, &snapshot)?;
        }
    }
    Ok(())
}
