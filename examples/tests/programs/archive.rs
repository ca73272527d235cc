//! The archive has every notification once and in order, or a gap where one is missing, whatever kills it.
//!
//! The long form: `cargo test -p ringcentral-ws-examples --test programs archive:: -- --ignored --nocapture`. `ARCHIVE_KILLS` is the
//! number of kills in each of its ways, 200 by default.

use crate::common;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use common::{Program, wait_until};
use ringcentral_ws_gateway::{Server, ServerConfig};
use rusqlite::{Connection, OpenFlags};
use serde_json::json;

const FILTER: &str = "/restapi/v1.0/account/~/extension/~/message-store";

/// A folder that goes away.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("rcws-archive-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn file(&self) -> PathBuf {
        self.0.join("archive.db")
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// A server that lets a program log in as often as this test starts it, and that replays more than was missed.
fn server() -> Server {
    let mut config = ServerConfig::default();
    config.gateway.ws_token.rate_limit = None;
    config.gateway.replay_sent_tail = 20;
    config.gateway.max_subscriptions = usize::MAX; // Those of lost sessions count for a day.
    Server::start(config).expect("a port of the loopback")
}

fn start(server: &Server, file: &Path) -> Program {
    start_with(server, file, &Way::default())
}

fn start_with(server: &Server, file: &Path, way: &Way) -> Program {
    Program::start(env!("CARGO_BIN_EXE_archive"), server, |command| {
        command.arg(file).args(way.batch.map(|most| most.to_string()));
    })
}

/// How it is run, and what is done to it.
#[derive(Default)]
struct Way {
    /// Events in one transaction, each acknowledged; 0 for a transaction with each snapshot of the session.
    batch: Option<usize>,
    kills: u32,
    /// How many of them come with a server that loses its sessions.
    failures: u32,
}

fn open(file: &Path) -> Connection {
    Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY).expect("the archive")
}

/// What the server wrote, by number: under which ids, one for each session that got it.
type Books = HashMap<u64, Vec<String>>;

/// Something happens; the next number goes with it.
fn notify(server: &Server, books: &mut Books) -> u64 {
    let n = books.len() as u64 + 1;
    let receipts = server.notify(FILTER, &json!({ "sequence": n }));
    books.insert(n, receipts.iter().map(|receipt| receipt.uuid.to_string()).collect());
    n
}

/// Something happens all the time.
struct Traffic {
    books: Arc<Mutex<Books>>,
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl Traffic {
    fn start(server: &Arc<Server>, every: Duration) -> Self {
        let (books, stop) = (Arc::new(Mutex::new(Books::new())), Arc::new(AtomicBool::new(false)));
        let (server, kept, stopped) = (Arc::clone(server), Arc::clone(&books), Arc::clone(&stop));
        let thread = thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                notify(&server, &mut kept.lock().expect("books"));
                thread::sleep(every);
            }
        });
        Self { books, stop, thread }
    }

    fn end(self) -> Books {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().expect("the traffic");
        std::mem::take(&mut *self.books.lock().expect("books"))
    }
}

/// The rows: a number with its id, or a gap with its cause.
fn rows(file: &Path) -> Vec<Result<(u64, String), String>> {
    let db = open(file);
    let mut rows = db.prepare("SELECT uuid, body, gap FROM entry ORDER BY id").expect("a table");
    let rows = rows.query_map([], |row| {
        if let Some(gap) = row.get::<_, Option<String>>(2)? {
            return Ok(Err(gap));
        }
        let body: serde_json::Value = serde_json::from_str(&row.get::<_, String>(1)?).expect("JSON");
        Ok(Ok((body["sequence"].as_u64().expect("a number"), row.get(0)?)))
    });
    rows.expect("rows").map(|row| row.expect("a row")).collect()
}

fn has_archived(file: &Path, n: u64) -> bool {
    rows(file).iter().flatten().any(|(number, _)| *number == n)
}

/// Each number once and in order, under an id of the books; where some are missing there is a gap. Returns how many are
/// there, how many are missing, and how many gaps there are.
fn check(file: &Path, books: &Books) -> (usize, u64, usize) {
    let (mut last, mut gap, mut there, mut missing, mut gaps) = (0, false, 0, 0, 0);
    for row in rows(file) {
        let Ok((n, uuid)) = row else {
            (gap, gaps) = (true, gaps + 1);
            continue;
        };
        assert!(n > last, "{n} after {last}: twice, or out of order");
        assert!(gap || n == last + 1, "nothing says that {}..{n} are missing", last + 1);
        assert!(books[&n].contains(&uuid), "{n} never went as {uuid}");
        (there, missing) = (there + 1, missing + n - last - 1);
        (last, gap) = (n, false);
    }
    assert_eq!(last, books.len() as u64, "the last one");
    (there, missing, gaps)
}

/// The calls of the minute before count no more: the program is started more often than the real server allows.
fn forget_calls(file: &Path) {
    let db = Connection::open(file).expect("the archive");
    db.execute("UPDATE state SET value = json_remove(value, '$.auth') WHERE key = 'session'", []).expect("an update");
}

fn survive(name: &str, way: &Way) {
    let &Way { kills, failures, .. } = way;
    let (folder, server) = (Folder::new(name), Arc::new(server()));
    let file = folder.file();
    let mut program = start_with(&server, &file, way);
    program.line("subscribed to");
    let traffic = Traffic::start(&server, Duration::from_millis(8));
    wait_until("a row", || has_archived(&file, 1));
    let mut random = fastrand::Rng::with_seed(7);
    for kill in 0..kills {
        let fails = kill % (kills / failures) == 0;
        // Some are killed before they are connected, some in the middle of a replay, some in a transaction.
        thread::sleep(Duration::from_millis(random.u64(..600)));
        if fails && random.bool() {
            server.restart();
            thread::sleep(Duration::from_millis(random.u64(..3000)));
        }
        if random.u8(..8) == 0 {
            // An orderly end, which the kill may cut short.
            program.interrupt();
            thread::sleep(Duration::from_millis(random.u64(..30)));
        }
        program.kill();
        if fails {
            server.restart();
        }
        forget_calls(&file);
        program = start_with(&server, &file, way);
    }
    program.line("subscribed to");
    let mut books = traffic.end();
    let last = notify(&server, &mut books);
    wait_until("the last one is archived", || has_archived(&file, last));
    program.kill();
    let (there, missing, gaps) = check(&file, &books);
    let seen = server.observations();
    println!(
        "{name}: {kills} kills, {} recoveries, {} failed: {there} of {last} archived, {missing} in {gaps} gaps",
        seen.recoveries, seen.recoveries_failed
    );
    assert!(seen.recoveries > 0 && seen.recoveries_failed > 0);
}

#[test]
fn each_notification_is_there_once_or_in_a_gap() {
    survive("batches", &Way { batch: None, kills: 10, failures: 2 });
}

#[test]
fn each_notification_is_there_once_or_in_a_gap_with_small_batches() {
    survive("small-batches", &Way { batch: Some(2), kills: 10, failures: 2 });
}

#[test]
fn each_notification_is_there_once_or_in_a_gap_without_acknowledgement() {
    survive("snapshots", &Way { batch: Some(0), kills: 10, failures: 2 });
}

#[test]
#[ignore = "minutes"]
fn each_notification_is_there_once_or_in_a_gap_after_many_kills() {
    let kills = std::env::var("ARCHIVE_KILLS").map_or(200, |kills| kills.parse().expect("a number"));
    let ways = [("long-batches", None), ("long-small-batches", Some(2)), ("long-snapshots", Some(0))];
    thread::scope(|scope| {
        for (name, batch) in ways {
            scope.spawn(move || survive(name, &Way { batch, kills, failures: (kills / 10).max(1) }));
        }
    });
}

#[test]
fn an_orderly_end_loses_nothing_and_makes_no_gap() {
    let (folder, server, mut books) = (Folder::new("orderly"), server(), Books::new());
    let file = folder.file();
    for _ in 0..3 {
        let mut program = start(&server, &file);
        program.line("subscribed to");
        let last = notify(&server, &mut books);
        wait_until("it is archived", || has_archived(&file, last));
        program.interrupt();
        assert!(program.end().success());
        forget_calls(&file);
        for _ in 0..5 {
            notify(&server, &mut books);
        }
    }
    let mut program = start(&server, &file);
    wait_until("the rest is archived", || has_archived(&file, books.len() as u64));
    assert_eq!(check(&file, &books), (books.len(), 0, 0));
    start(&server, &file).line("is in use");
    program.kill();
}

#[test]
fn a_session_that_cannot_be_used_makes_a_gap() {
    let (folder, server, mut books) = (Folder::new("unusable"), server(), Books::new());
    let file = folder.file();
    let mut program = start(&server, &file);
    program.line("subscribed to");
    notify(&server, &mut books);
    wait_until("it is archived", || has_archived(&file, 1));
    program.interrupt();
    assert!(program.end().success());
    let db = Connection::open(&file).expect("the archive");
    db.execute("UPDATE state SET value = 'torn' WHERE key = 'session'", []).expect("an update");
    drop(db);
    notify(&server, &mut books);
    let mut program = start(&server, &file);
    program.line("subscribed to");
    notify(&server, &mut books);
    wait_until("the rest is archived", || has_archived(&file, 3));
    assert_eq!(check(&file, &books), (2, 1, 1));
    program.kill();
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_it() {
    use std::os::unix::fs::PermissionsExt;

    let (folder, server) = (Folder::new("private"), server());
    start(&server, &folder.file()).line("subscribed to");
    for file in std::fs::read_dir(&folder.0).expect("a folder").map(|entry| entry.expect("a file").path()) {
        let mode = std::fs::metadata(&file).expect("a file").permissions().mode();
        assert!(mode & 0o077 == 0 || file.to_string_lossy().contains(".lock"), "{}: {mode:o}", file.display());
    }
}
