//! What things cost beside their floors, in one run: the rows of the table in `benches/README.md`.
//!
//! `cargo run --release -p ringcentral-ws-benches --bin table [TURNS]`
//!
//! The machine may be busy: what is compared takes turns, and figures are of the processor's time of this process, the
//! server being another one. A cell is the median over all turns, in nanoseconds; a ratio is the median of the ratios of
//! each turn, with the lowest and the highest.

use ringcentral_ws_async_std::AsyncStd;
use ringcentral_ws_benches::loopback::{Server, serve_if_asked};
use ringcentral_ws_benches::raw::Work;
use ringcentral_ws_benches::table::tasks::{self, Run};
use ringcentral_ws_benches::table::{Cost, Samples, calls, ratio, session, threads};
use ringcentral_ws_driver::Runtime;
use ringcentral_ws_smol::Smol;
use ringcentral_ws_tokio::Tokio;

/// Sizes of notifications, and how many are sent of each.
const SIZES: [(usize, usize); 4] = [(200, 40_000), (600, 20_000), (6_000, 3_000), (60_000, 400)];
/// Read buffers that are tried for the loop; the best one is the floor.
const BUFFERS: [usize; 4] = [4 << 10, 16 << 10, 64 << 10, 128 << 10];

/// The costs of one kind of notification in one turn: socket, loop, loop and parse with each buffer, this client.
type Turn<'a> = &'a dyn Fn(usize, usize) -> [Cost; 7];

fn main() {
    serve_if_asked();
    let turns = std::env::args().nth(1).map_or(Ok(7), |turns| turns.parse());
    let Ok(turns) = turns else {
        eprintln!("usage: table [TURNS]");
        std::process::exit(2);
    };
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let on_tokio: Run<'_> = &|future| tokio.block_on(future);
    println!(
        "| runtime | TLS | bytes | socket | loop | loop and parse | its buffer | client | client / loop and parse |"
    );
    println!("|---|---|---|---|---|---|---|---|---|");
    for tls in [false, true] {
        let server = Server::start(tls).expect("a process");
        rows("tokio", tls, turns, &on_tasks::<Tokio>(&server, on_tokio));
        rows("smol", tls, turns, &on_tasks::<Smol>(&server, &|future| smol::block_on(future)));
        rows("async-std", tls, turns, &on_tasks::<AsyncStd>(&server, &|future| async_std::task::block_on(future)));
        rows("threads", tls, turns, &|count, size| {
            let parse = BUFFERS.map(|buffer| threads::raw(&server, count, size, Work::Parse, buffer));
            let socket = threads::socket(&server, count, size);
            let raw = threads::raw(&server, count, size, Work::Receive, 64 << 10);
            [socket, raw, parse[0], parse[1], parse[2], parse[3], threads::ours(&server, count, size)]
        });
    }
    println!("\n| what | floor | this library | ratio |");
    println!("|---|---|---|---|");
    calls::print(&Server::start(false).expect("a process"), on_tokio, turns);
    session::print(turns);
}

fn on_tasks<'a, R: Runtime + Default>(server: &'a Server, run: Run<'a>) -> impl Fn(usize, usize) -> [Cost; 7] + 'a {
    move |count, size| {
        let parse = BUFFERS.map(|b| run(Box::pin(tasks::raw::<R>(server, count, size, Work::Parse, b))));
        let socket = run(Box::pin(tasks::socket::<R>(server, count, size)));
        let raw = run(Box::pin(tasks::raw::<R>(server, count, size, Work::Receive, 64 << 10)));
        let ours = run(Box::pin(tasks::ours::<R>(server, count, size)));
        [socket, raw, parse[0], parse[1], parse[2], parse[3], ours]
    }
}

fn rows(runtime: &str, tls: bool, turns: usize, turn: Turn<'_>) {
    for (size, count) in SIZES {
        let mut samples: [Samples; 7] = Default::default();
        for _ in 0..turns {
            turn(count, size).into_iter().zip(&mut samples).for_each(|(cost, samples)| samples.push(cost));
        }
        let [socket, raw, parse @ .., ours] = &samples;
        let best = (0..BUFFERS.len()).min_by(|a, b| parse[*a].cpu().total_cmp(&parse[*b].cpu())).unwrap_or(0);
        let (floor, buffer) = (&parse[best], BUFFERS[best] >> 10);
        println!(
            "| {runtime} | {} | {size} | {:.0} | {:.0} | {:.0} | {buffer} KiB | {:.0} | {} |",
            if tls { "yes" } else { "no" },
            socket.cpu(),
            raw.cpu(),
            floor.cpu(),
            ours.cpu(),
            ratio(ours.beside(floor)),
        );
    }
}
