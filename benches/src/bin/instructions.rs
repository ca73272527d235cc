//! Instructions of the hot paths, which are the same on a busy machine and an idle one. valgrind counts them; the server
//! is in the same process and without sockets.
//!
//! `cargo run --profile quick -p ringcentral-ws-benches --bin instructions -- check` compares with `benches/instructions.txt`
//! and fails at 3 % more; `record` writes that file. Without valgrind both say SKIPPED.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::sync::Arc;

use ringcentral_ws_benches::in_memory::{InMemory, ServerStream};
use ringcentral_ws_benches::loopback::{flood, notification};
use ringcentral_ws_benches::outage::Client;
use ringcentral_ws_benches::raw::{Work, buffered, receive, subscribed};
use ringcentral_ws_benches::{drain, heartbeat_of};
use ringcentral_ws_core::{Body, Config, Frame, Input};
use ringcentral_ws_driver::{Builder, Event, FixedToken};

/// Rounds of the two runs whose difference is measured.
const ROUNDS: [usize; 2] = [1_000, 3_000];
/// By how much a path may grow before the check fails.
const TOLERANCE: f64 = 1.03;
const BASELINE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/instructions.txt");

type Measured = (&'static str, fn(usize));

const PATHS: [Measured; 9] = [
    ("session: notification of 600 B", |rounds| notifications(rounds, 0)),
    ("session: notification of 600 B, 100 requests pending", |rounds| notifications(rounds, 100)),
    ("session: notification of 600 B, 1000 requests pending", |rounds| notifications(rounds, 1_000)),
    ("session: heartbeat", heartbeats),
    ("session: request and response", requests),
    ("session: snapshot", snapshots),
    ("raw loop and parse: notification of 600 B", |rounds| raw_loop(rounds, 600)),
    ("client: notification of 600 B", |rounds| client(rounds, 600)),
    ("client: notification of 6 kB", |rounds| client(rounds, 6_000)),
];

fn settings() -> Config {
    let mut config = Config { rest_over_websocket: true, ..Config::default() };
    config.limits.queued_requests = 20_000;
    config
}

fn notifications(rounds: usize, pending: usize) {
    let (mut session, conn, now) = Client::subscribed(settings());
    for _ in 0..pending {
        let request = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).expect("a good request");
        session.request(request, now).expect("accepted");
        drain(&mut session);
    }
    let frames: Vec<String> = (0..1024).map(|n| notification(1_000_000_000_000_000_000 + n, 600)).collect();
    for text in frames.iter().cycle().take(rounds + 1024) {
        session.handle_input(Input::Frame { conn, frame: Frame::Text(text) }, now).expect("drained");
        drain(&mut session);
    }
}

fn heartbeats(rounds: usize) {
    // In two sessions: one would be a day old, and replace its connection.
    for _ in 0..2 {
        let (mut session, conn, _) = Client::subscribed(settings());
        for _ in 0..rounds / 2 {
            let (echo, now) = heartbeat_of(&mut session);
            session.handle_input(Input::Frame { conn, frame: Frame::Text(&echo) }, now).expect("drained");
            drain(&mut session);
        }
    }
}

fn requests(rounds: usize) {
    let (mut session, conn, now) = Client::subscribed(settings());
    for _ in 0..rounds {
        let request = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).expect("a good request");
        session.request(request, now).expect("accepted");
        let text = loop {
            match session.poll_output() {
                ringcentral_ws_core::Output::Action(ringcentral_ws_core::Action::Send { text, .. }) => break text,
                ringcentral_ws_core::Output::Wait(_) => panic!("it is not sent"),
                _ => {}
            }
        };
        let id = text.split('"').skip_while(|part| *part != "messageId").nth(2).expect("an id");
        let answer =
            format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":200,"headers":{{}}}},{{"id":7}}]"#);
        session.handle_input(Input::Frame { conn, frame: Frame::Text(&answer) }, now).expect("drained");
        drain(&mut session);
    }
}

fn snapshots(rounds: usize) {
    let (mut session, conn, now) = Client::subscribed(settings());
    for n in 0..300 {
        let text = notification(1_000_000_000_000_000_000 + n, 600);
        session.handle_input(Input::Frame { conn, frame: Frame::Text(&text) }, now).expect("drained");
        drain(&mut session);
    }
    for _ in 0..rounds {
        std::hint::black_box(session.snapshot());
    }
}

fn raw_loop(rounds: usize, size: usize) {
    let stream = ServerStream::new(Arc::new(flood(rounds.max(ROUNDS[1]), size)));
    InMemory::new(Vec::new()).run(async {
        let mut socket = subscribed(stream, "/flood", buffered(64 << 10)).await;
        std::hint::black_box(receive(&mut socket, rounds, Work::Parse).await);
    });
}

fn client(rounds: usize, size: usize) {
    // As many in each run, so that making them is no difference.
    let runtime = InMemory::new(flood(rounds.max(ROUNDS[1]), size));
    let server = "http://127.0.0.1:1".parse().expect("a good address");
    let builder = Builder::new(runtime.clone(), FixedToken::new("token"));
    let builder = builder.config(Config { server, ..Config::default() }).filters(["/flood"]);
    let (_client, mut events) = builder.start().expect("a good configuration");
    runtime.run(async {
        let mut left = rounds;
        while left > 0 {
            if let Event::Notification(n) = events.next().await.expect("more") {
                std::hint::black_box(n.uuid().len() + n.body().len());
                left -= 1;
            }
        }
    });
}

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.first().map(String::as_str) {
        Some("run") => {
            let rounds = args.get(2).and_then(|n| n.parse().ok()).expect("a number of rounds");
            let path = args.get(1).and_then(|name| PATHS.iter().find(|(known, _)| known == name));
            path.expect("a known path").1(rounds);
            ExitCode::SUCCESS
        }
        Some(mode @ ("check" | "record")) => match measure_all() {
            None => {
                eprintln!("SKIPPED: valgrind is not installed: instructions were not counted");
                ExitCode::SUCCESS
            }
            Some(counts) if mode == "record" => record(&counts),
            Some(counts) => check(&counts),
        },
        _ => {
            eprintln!("usage: instructions check|record|run PATH ROUNDS");
            ExitCode::from(2)
        }
    }
}

/// Instructions of each round, by path; `None` without valgrind.
fn measure_all() -> Option<BTreeMap<&'static str, u64>> {
    Command::new("valgrind").arg("--version").output().ok()?;
    Some(PATHS.iter().map(|(name, _)| (*name, measure(name))).collect())
}

fn measure(path: &str) -> u64 {
    let [few, many] = ROUNDS.map(|rounds| instructions(path, rounds));
    many.saturating_sub(few) / (ROUNDS[1] - ROUNDS[0]) as u64
}

fn instructions(path: &str, rounds: usize) -> u64 {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args([program.as_os_str(), "run".as_ref(), path.as_ref(), rounds.to_string().as_ref()])
        .output()
        .expect("valgrind runs");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{path}: {said}");
    let line = said.lines().find_map(|line| line.split_once("Collected : "));
    line.and_then(|(_, count)| count.trim().parse().ok()).expect("a count")
}

fn record(counts: &BTreeMap<&'static str, u64>) -> ExitCode {
    let lines: String = counts.iter().map(|(name, count)| format!("{count} {name}\n")).collect();
    std::fs::write(Path::new(BASELINE), lines).expect("the file can be written");
    ExitCode::SUCCESS
}

fn check(counts: &BTreeMap<&'static str, u64>) -> ExitCode {
    let baseline = std::fs::read_to_string(BASELINE).expect("the file is part of the repository");
    let mut grown = false;
    for (name, count) in counts {
        let known = baseline.lines().filter_map(|line| line.split_once(' ')).find(|(_, known)| known == name);
        let Some(before) = known.and_then(|(before, _)| before.parse::<u64>().ok()) else {
            println!("{count:>8} {name}: not in instructions.txt; `record` adds it");
            grown = true;
            continue;
        };
        let ratio = *count as f64 / before as f64;
        let verdict = if ratio > TOLERANCE { "TOO MANY" } else { "" };
        println!("{count:>8} {name}: {:+.1} % {verdict}", (ratio - 1.0) * 100.0);
        grown |= ratio > TOLERANCE;
    }
    if grown {
        eprintln!("a hot path has more instructions than before: make it shorter, or `record` and say why");
        return ExitCode::FAILURE;
    }
    ExitCode::SUCCESS
}
