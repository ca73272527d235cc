//! What things cost beside their floors, in one run: the rows of the table in `benches/README.md`.
//!
//! `cargo run --release -p ringcentral-ws-benches --bin table [TURNS [ONLY...]]`
//!
//! With words behind the turns only rows that have all of them: a runtime, `plain` or `tls`, a size; or `calls`, or
//! `session`.
//!
//! `table profile TURNS RUNTIME plain|tls SIZE client|parse` runs this client alone, or the loop that parses alone with a
//! buffer of 64 KiB, for a profiler of this process.
//!
//! The machine may be busy: what is compared takes turns, and figures are of the processor's time of this process, the
//! server being another one. A cell is the median over all turns, in nanoseconds; a ratio is the median of the ratios of
//! each turn, with the lowest and the highest.

use ringcentral_ws_async_std::AsyncStd;
use ringcentral_ws_benches::loopback::{Server, serve_if_asked};
use ringcentral_ws_benches::raw::Work;
use ringcentral_ws_benches::table::channel::Channel;
use ringcentral_ws_benches::table::tasks::{self, Run};
use ringcentral_ws_benches::table::{Cost, Samples, calls, ratio, session, threads};
use ringcentral_ws_smol::Smol;
use ringcentral_ws_tokio::Tokio;

/// Sizes of notifications, and how many are sent of each.
const SIZES: [(usize, usize); 4] = [(200, 40_000), (600, 20_000), (6_000, 3_000), (60_000, 400)];
/// Read buffers that are tried for the loops; the best one is the floor.
const BUFFERS: [usize; 4] = [4 << 10, 16 << 10, 64 << 10, 128 << 10];

/// The costs of one kind of notification in one turn.
struct Costs {
    socket: Cost,
    raw: Cost,
    /// With each buffer.
    parse: [Cost; 4],
    queued: [Cost; 4],
    ours: Cost,
}

type Turn<'a> = &'a dyn Fn(usize, usize) -> Costs;

/// What is to be printed.
struct Asked {
    turns: usize,
    only: Vec<String>,
}

impl Asked {
    fn has(&self, labels: &[&str]) -> bool {
        self.only.iter().all(|word| labels.contains(&&**word))
    }
}

fn main() {
    serve_if_asked();
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [first, rest @ ..] = &*words
        && first == "profile"
    {
        if profile(rest).is_none() {
            eprintln!("usage: table profile TURNS tokio|smol|async-std|threads plain|tls SIZE client|parse");
            std::process::exit(2);
        }
        return;
    }
    let mut args = words.into_iter();
    let turns = args.next().map_or(Ok(7), |turns| turns.parse());
    let Ok(turns) = turns else {
        eprintln!("usage: table [TURNS [ONLY...]]");
        std::process::exit(2);
    };
    let asked = Asked { turns, only: args.collect() };
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let on_tokio: Run<'_> = &|future| tokio.block_on(future);
    println!(
        "| runtime | TLS | bytes | socket | loop | loop and parse | loop, parse and queue | client \
         | client / loop and parse | client / loop, parse and queue |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for tls in [false, true] {
        let server = Server::start(tls).expect("a process");
        rows("tokio", tls, &asked, &on_tasks::<Tokio>(&server, on_tokio));
        rows("smol", tls, &asked, &on_tasks::<Smol>(&server, &|future| smol::block_on(future)));
        rows("async-std", tls, &asked, &on_tasks::<AsyncStd>(&server, &|future| async_std::task::block_on(future)));
        rows("threads", tls, &asked, &|count, size| Costs {
            parse: BUFFERS.map(|buffer| threads::raw(&server, count, size, Work::Parse, buffer)),
            socket: threads::socket(&server, count, size),
            raw: threads::raw(&server, count, size, Work::Receive, 64 << 10),
            queued: BUFFERS.map(|buffer| threads::queued(&server, count, size, buffer)),
            ours: threads::ours(&server, count, size),
        });
    }
    println!("\n| what | floor | this library | ratio |");
    println!("|---|---|---|---|");
    if asked.has(&["calls"]) {
        calls::print(&Server::start(false).expect("a process"), on_tokio, turns);
    }
    if asked.has(&["session"]) {
        session::print(turns);
    }
}

fn on_tasks<'a, R: Channel + Default>(server: &'a Server, run: Run<'a>) -> impl Fn(usize, usize) -> Costs + 'a {
    move |count, size| Costs {
        parse: BUFFERS.map(|b| run(Box::pin(tasks::raw::<R>(server, count, size, Work::Parse, b)))),
        socket: run(Box::pin(tasks::socket::<R>(server, count, size))),
        raw: run(Box::pin(tasks::raw::<R>(server, count, size, Work::Receive, 64 << 10))),
        queued: BUFFERS.map(|b| run(Box::pin(tasks::queued::<R>(server, count, size, b)))),
        ours: run(Box::pin(tasks::ours::<R>(server, count, size))),
    }
}

/// Runs one thing alone; `None` if it is not known.
fn profile(words: &[String]) -> Option<()> {
    let [turns, runtime, tls, size, what] = words else { return None };
    let (tls, is_client) = (tls == "tls", what == "client");
    let (size, count) = SIZES.into_iter().find(|(known, _)| known.to_string() == *size)?;
    let turns: usize = turns.parse().ok()?;
    let server = Server::start(tls).ok()?;
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().ok()?;
    let mut samples = Samples::default();
    for _ in 0..turns.max(1) {
        samples.push(match runtime.as_str() {
            "tokio" => one::<Tokio>(&server, &|future| tokio.block_on(future), count, size, is_client),
            "smol" => one::<Smol>(&server, &|future| smol::block_on(future), count, size, is_client),
            "async-std" => {
                one::<AsyncStd>(&server, &|future| async_std::task::block_on(future), count, size, is_client)
            }
            "threads" if is_client => threads::ours(&server, count, size),
            "threads" => threads::raw(&server, count, size, Work::Parse, 64 << 10),
            _ => return None,
        });
    }
    println!("{:.0} ns each", samples.cpu());
    Some(())
}

fn one<R: Channel + Default>(server: &Server, run: Run<'_>, count: usize, size: usize, is_client: bool) -> Cost {
    if is_client {
        return run(Box::pin(tasks::ours::<R>(server, count, size)));
    }
    run(Box::pin(tasks::raw::<R>(server, count, size, Work::Parse, 64 << 10)))
}

/// The samples with the buffer that is best for these.
fn best(samples: &[Samples; 4]) -> &Samples {
    samples.iter().min_by(|a, b| a.cpu().total_cmp(&b.cpu())).unwrap_or(&samples[0])
}

fn rows(runtime: &str, tls: bool, asked: &Asked, turn: Turn<'_>) {
    for (size, count) in SIZES {
        if !asked.has(&[runtime, if tls { "tls" } else { "plain" }, &size.to_string()]) {
            continue;
        }
        let [mut socket, mut raw, mut ours] = <[Samples; 3]>::default();
        let [mut parse, mut queued] = <[[Samples; 4]; 2]>::default();
        for _ in 0..asked.turns {
            let costs = turn(count, size);
            [(&mut socket, costs.socket), (&mut raw, costs.raw), (&mut ours, costs.ours)]
                .into_iter()
                .chain(parse.iter_mut().zip(costs.parse))
                .chain(queued.iter_mut().zip(costs.queued))
                .for_each(|(samples, cost)| samples.push(cost));
        }
        let (parse, queued) = (best(&parse), best(&queued));
        println!(
            "| {runtime} | {} | {size} | {:.0} | {:.0} | {:.0} | {:.0} | {:.0} | {} | {} |",
            if tls { "yes" } else { "no" },
            socket.cpu(),
            raw.cpu(),
            parse.cpu(),
            queued.cpu(),
            ours.cpu(),
            ratio(ours.beside(parse)),
            ratio(ours.beside(queued)),
        );
    }
}
