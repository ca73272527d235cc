//! How long users wait after an outage, and what a herd of clients that lost their sockets at once does to the server
//! (BCK-2, TOK-2): real Sessions in virtual time, beside the schedules of other clients.
//!
//! `cargo run --profile quick -p ringcentral-ws-benches --bin outage -- --help`
//!
//! # The table of outages
//!
//! One block for each kind of outage, length of the life before it, and traffic. A life runs in full: login, token,
//! heartbeats and their echoes, notifications, refreshes of the access token. A busy client receives a notification
//! every second up to the loss; a quiet one has heard its last frame at a random moment of the 30 s before it. Then the
//! socket is lost, the service stays away for the length of the outage, counted from the loss, and answers again. Each
//! answer takes 50 ms. Columns:
//!
//! - `outage`: from the loss to the return; `0-180 s`: drawn evenly, another for each client;
//! - `p50`, `p90`, `p99`, `worst`: seconds from the return to `Event::Connected`, for that share of the clients;
//! - `attempts`: calls for a WebSocket token from the loss to the connection (and dials with a token that was kept),
//!   on average;
//! - `Auth/60 s`: the most calls of the rate-limit group Auth (tokens and logins) of one client in any rolling 60 s, the
//!   last minute before the loss included. Calls that fail in name lookup, TCP or TLS do not count. One that a black hole
//!   swallowed does: only its answer may have been lost;
//! - `recovered`: the share of clients whose first new connection continued the session. The server's window of 180 s
//!   begins when the socket really breaks.
//!
//! Kinds:
//!
//! - `refused`: the socket breaks, every dial is refused by TCP at once;
//! - `name`: the same, but the name cannot be looked up;
//! - `black-hole`: the socket falls silent, and a call or dial that begins during the outage is never answered, not after
//!   the return either;
//! - `silent`: the socket falls silent, dials are refused by TCP during the outage. As with `black-hole`, the client first
//!   has to notice: up to 40 s by its heartbeat, which counts into the wait if the service is back earlier;
//! - `503`, `503-ra`, `429`: the socket breaks, calls for a token are answered so; `503-ra` with the `Retry-After` of
//!   `--retry-after`, `429` with 30 s;
//! - `upgrade-refused`: the socket breaks, tokens are given, upgrades are answered 503;
//! - `gateway-refused`: the socket breaks, tokens are given, dials of the WebSocket are refused by TCP;
//! - `gateway-silent`: the socket falls silent, tokens are given, dials of the WebSocket are never answered;
//! - `upgrade-401`, `401-refresh`: as `refused`, and the first upgrade after the return, or the first call for a token, is
//!   answered 401. A new access token is there 200 ms after the credential source is asked for it;
//! - `closed-1001`: the server closes the socket with 1001, every dial is refused by TCP.
//!
//! `never` is written for a client that is not connected an hour after the return.
//!
//! Other clients are bare formulas in three tables of their own. They hear of the loss at once, and have no budget.
//!
//! # The table of herds
//!
//! 20,000 clients lose their socket within 50 ms. `inside`: the share that continues its session; `100 ms`: the largest
//! share of the herd whose attempts come within any 100 ms, over all of the time from the loss on; `attempts`, `most`:
//! of one client, on average and at most.
//!
//! # Limits
//!
//! `--check` says which figures miss their limit (`outage::limits`), for sessions that were up for an hour, and ends with
//! status 1 if any does. The tests assert the same limits on fewer clients.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use ringcentral_ws_benches::outage::measure::{self, Figures, HERD_KINDS, HERD_SECONDS};
use ringcentral_ws_benches::outage::{Kind, Length, Life, Row, Traffic, limits, misses, peers, report};

const HOUR: Duration = Duration::from_secs(3_600);
const HELP: &str = "\
How long clients wait after an outage, and what a herd of them does to the server.

usage: outage [OPTIONS] [CLIENTS]

  --table outages|herd|all   what to measure (all)
  --kind NAME                 only this kind of outage; may be repeated
  --up SECONDS                only sessions that were up for so long; may be repeated (30 and 3600)
  --seeds N                   clients for each line of the table of outages (1000)
  --clients N                 clients of the herd (20000)
  --retry-after SECONDS       what the kind 503-ra says (10)
  --check                     end with status 1 and a line for each figure that misses its limit
  --help                      this text
";

struct Options {
    outages: bool,
    herd: bool,
    kinds: Vec<Kind>,
    ups: Vec<u64>,
    seeds: usize,
    clients: usize,
    retry_after: Duration,
    check: bool,
}

fn options() -> Result<Option<Options>, lexopt::Error> {
    use lexopt::prelude::*;
    let mut options = Options {
        outages: true,
        herd: true,
        kinds: Vec::new(),
        ups: Vec::new(),
        seeds: 1_000,
        clients: 20_000,
        retry_after: Duration::from_secs(10),
        check: false,
    };
    let mut parser = lexopt::Parser::from_env();
    while let Some(arg) = parser.next()? {
        match arg {
            Long("table") => {
                (options.outages, options.herd) = match &*parser.value()?.string()? {
                    "outages" => (true, false),
                    "herd" => (false, true),
                    "all" => (true, true),
                    _ => return Err("--table is outages, herd or all".into()),
                }
            }
            Long("kind") => options.kinds.push(kind(&parser.value()?.string()?)?),
            Long("up") => options.ups.push(parser.value()?.parse::<u64>()?.max(1)),
            Long("seeds") => options.seeds = parser.value()?.parse::<usize>()?.max(1),
            Long("clients") => options.clients = parser.value()?.parse::<usize>()?.max(1),
            Long("retry-after") => options.retry_after = Duration::from_secs(parser.value()?.parse()?),
            Long("check") => options.check = true,
            Long("help") | Short('h') => return Ok(None),
            Value(clients) => options.clients = clients.parse::<usize>()?.max(1),
            other => return Err(other.unexpected()),
        }
    }
    if options.kinds.is_empty() {
        options.kinds = Kind::TABLE.to_vec();
    }
    if options.ups.is_empty() {
        options.ups = vec![30, 3_600];
    }
    Ok(Some(options))
}

fn kind(name: &str) -> Result<Kind, lexopt::Error> {
    let known = Kind::TABLE.into_iter().find(|kind| kind.name() == name);
    known.ok_or_else(|| format!("--kind is one of {}", Kind::TABLE.map(Kind::name).join(", ")).into())
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(Some(options)) => options,
        Ok(None) => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        Err(error) => {
            eprintln!("{error}\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    let mut missed = Vec::new();
    if options.outages {
        let rows = outages(&options);
        peers_after_outages(&options, &rows);
        // The limits are those of a session that was up for an hour.
        let hour = |row: &&Row| row.life.up == HOUR;
        missed.extend(rows.iter().filter(hour).flat_map(misses));
    }
    if options.herd {
        missed.extend(herds(options.clients));
    }
    if !options.check {
        return ExitCode::SUCCESS;
    }
    for miss in &missed {
        println!("MISSED {miss}");
    }
    println!("{} limits missed", missed.len());
    ExitCode::from(u8::from(!missed.is_empty()))
}

/// Says on stderr how far a part has come, once it takes longer than 2 s.
struct Progress {
    name: &'static str,
    of: usize,
    last: Instant,
}

impl Progress {
    fn new(name: &'static str, of: usize) -> Self {
        Self { name, of, last: Instant::now() }
    }

    fn at(&mut self, done: usize) {
        if self.last.elapsed() > Duration::from_secs(2) {
            eprintln!("{}: {} %", self.name, 100 * done / self.of.max(1));
            self.last = Instant::now();
        }
    }
}

fn outages(options: &Options) -> Vec<Row> {
    let lives: Vec<Life> = options
        .ups
        .iter()
        .flat_map(|up| Traffic::ALL.map(|traffic| Life { up: Duration::from_secs(*up), traffic }))
        .collect();
    let mut progress = Progress::new("lives", lives.len());
    let mut grown = Vec::new();
    for life in lives {
        grown.push((life, measure::grown(options.seeds, life)));
        progress.at(grown.len());
    }
    let lengths = Length::table();
    let mut progress = Progress::new("outages", options.kinds.len() * grown.len() * lengths.len());
    let mut rows = Vec::new();
    for kind in &options.kinds {
        for (life, clients) in &grown {
            let (up, traffic) = (life.up.as_secs(), life.traffic.name());
            println!("{}, up {up} s, {traffic}, {} clients", kind.name(), options.seeds);
            println!("{}", report::ROW_HEAD);
            for length in &lengths {
                let row = measure::row(clients, *life, *kind, *length, options.retry_after);
                println!("{}", report::row(&row));
                rows.push(row);
                progress.at(rows.len());
            }
            println!();
        }
    }
    rows
}

/// One of the figures.
type Column = fn(&Figures) -> f64;

/// The same lengths on the schedules of others, with this client's lines of `refused` above them.
fn peers_after_outages(options: &Options, rows: &[Row]) {
    let lengths = Length::table();
    let of = |kind: Kind| -> Vec<Figures> {
        let up = options.ups.iter().max().copied().unwrap_or_default();
        let mine = |row: &&Row| row.kind == kind && row.life.up.as_secs() == up && row.life.traffic == Traffic::Quiet;
        rows.iter().filter(mine).map(|row| row.figures).collect()
    };
    let mut lines = vec![("this client, refused", of(Kind::Refused)), ("this client, 503", of(Kind::Unavailable))];
    lines.retain(|(_, figures)| figures.len() == lengths.len());
    for (name, schedule) in peers::SCHEDULES {
        lines.push((name, lengths.iter().map(|length| peers::figures(options.seeds, *length, schedule)).collect()));
    }
    let columns: [(&str, Column); 3] = [
        ("seconds from the return to the connection, p50", |f| f.p50),
        ("seconds from the return to the connection, p99", |f| f.p99),
        ("attempts, on average", |f| f.attempts),
    ];
    for (title, column) in columns {
        println!("{title}, by seconds of outage");
        println!("{}", report::across_head(&lengths));
        for (name, figures) in &lines {
            println!("{}", report::across(name, figures.iter().map(column)));
        }
        println!();
    }
}

fn herds(clients: usize) -> Vec<String> {
    let outages: Vec<(Kind, u64)> =
        HERD_KINDS.into_iter().flat_map(|kind| HERD_SECONDS.map(|seconds| (kind, seconds))).collect();
    let mut progress = Progress::new("herd", clients);
    let mut missed = Vec::new();
    let results = measure::herds(clients, &outages, |done| progress.at(done));
    for ((kind, seconds), mut herd) in outages.into_iter().zip(results) {
        println!("{clients} clients, {}, outage of {seconds} s", kind.name());
        println!("{}", report::HERD_HEAD);
        println!("{}", report::herd("this client", &mut herd));
        missed.extend(limits::herd_misses(kind, seconds, herd.worst_100ms()));
        for (name, schedule) in peers::SCHEDULES {
            println!("{}", report::herd(name, &mut peers::herd(clients, seconds, schedule)));
        }
        println!();
    }
    missed
}
