//! Archives notifications in a SQLite file, and goes on where it ended, was killed, or lost the power.
//!
//!     cargo run -p ringcentral-ws-examples --bin archive -- archive.db [FILTER...]
//!
//! Without filters it archives every change in the message store. It needs the credentials in the environment (see
//! README.md) and the app permission of each filter (`ReadMessages`). Ctrl-C ends it.
//!
//! `entry` has a row for each notification, once and in order. A row with `gap` says that notifications between the rows
//! around it may be missing, and why. Rows and the session's snapshot that covers them are committed together, so what a
//! crash takes away is said by a gap of the next run. An orderly end, with a start within three minutes, has none.
//! The file opens the session and the login: keep it like a password.

use std::sync::{Arc, Mutex, PoisonError};

use ringcentral_ws::{Client, Close, CloseReason, Event, Jwt, Snapshot, UnixMillis};
use rusqlite::{Connection, OptionalExtension, params};

const SCHEMA: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS entry (id INTEGER PRIMARY KEY, uuid TEXT, event TEXT, body TEXT,
        gap TEXT, since_ms INTEGER, until_ms INTEGER);
    CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT, at INTEGER DEFAULT (unixepoch()));";

fn read(db: &Connection, key: &str) -> rusqlite::Result<Option<(String, u64)>> {
    let row = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get::<_, u32>(1)?.into()));
    db.query_row("SELECT value, at FROM state WHERE key = ?1", [key], row).optional()
}

fn write(db: &Connection, key: &str, value: &str) -> rusqlite::Result<usize> {
    db.execute("REPLACE INTO state (key, value) VALUES (?1, ?2)", [key, value])
}

/// One transaction: after a crash either all of it happened or nothing.
fn commit(db: &mut Connection, events: &[Event], snapshot: &Snapshot) -> rusqlite::Result<()> {
    let transaction = db.transaction()?;
    for event in events {
        if let Event::Notification(n) = event {
            let row = params![n.uuid(), n.event(), n.body()];
            transaction.execute("INSERT INTO entry (uuid, event, body) VALUES (?1, ?2, ?3)", row)?;
        } else if let Event::Gap(gap) = event {
            let row = params![gap.cause.as_str(), gap.since.0 as i64, gap.until.0 as i64];
            transaction.execute("INSERT INTO entry (gap, since_ms, until_ms) VALUES (?1, ?2, ?3)", row)?;
        }
    }
    write(&transaction, "session", &snapshot.to_json())?;
    transaction.commit()
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut args = std::env::args().skip(1);
    let path = args.next().unwrap_or_else(|| "archive.db".to_owned());
    let mut filters: Vec<String> = args.collect();
    if filters.is_empty() {
        filters.push("/restapi/v1.0/account/~/extension/~/message-store".to_owned());
    }
    // Two at once would spoil the order: the second one ends here. A killed one locks nobody out.
    let lock = Connection::open(format!("{path}.lock"))?;
    lock.execute_batch("BEGIN EXCLUSIVE").map_err(|e| format!("{path} is in use: {e}"))?;
    let db = Connection::open(&path)?;
    db.execute_batch(SCHEMA)?;

    let mut login = Jwt::from_env()?;
    let server = login.app().server.clone();
    let session = read(&db, "session")?.map(|(json, saved)| {
        Snapshot::from_json(&json).unwrap_or_else(|error| {
            eprintln!("the stored session cannot be used: {error}");
            Snapshot::lost(&server, UnixMillis(saved * 1000)) // The next notification comes after a gap.
        })
    });
    // The server continues a session for the login that made it, so the login is kept too.
    if let (Some(_), Some((token, _))) = (&session, read(&db, "login")?) {
        login = login.with_refresh_token(token);
    }
    let db = Arc::new(Mutex::new(db));
    let store = Arc::clone(&db);
    let login = login.on_tokens(move |tokens| {
        let Some(token) = &tokens.refresh_token else { return };
        if let Err(error) = write(&store.lock().unwrap_or_else(PoisonError::into_inner), "login", token.expose()) {
            eprintln!("the login cannot be kept, so the next start has a gap: {error}");
        }
    });
    let mut builder = Client::builder(login).filters(filters);
    if let Some(session) = session {
        builder = builder.restore(session);
    }
    let (client, mut events) = builder.start()?;
    let stop = client.clone();
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.close(Close::Detach).await;
        }
    });

    let mut pending = Vec::new();
    while let Some(event) = events.next().await {
        match event {
            Event::Notification(_) | Event::Gap(_) => pending.push(event),
            Event::SnapshotChanged => {
                let Some(snapshot) = client.snapshot() else { continue };
                commit(&mut db.lock().unwrap_or_else(PoisonError::into_inner), &pending, &snapshot)?;
                pending.clear();
            }
            Event::Subscribed(_) => eprintln!("archiving to {path}"),
            Event::SubscriptionFailed { error, .. } => eprintln!("not subscribed: {error}"),
            Event::Closed { reason: CloseReason::Permanent(cause) } => return Err(cause.to_string().into()),
            _ => {}
        }
    }
    Ok(())
}
