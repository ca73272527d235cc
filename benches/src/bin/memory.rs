//! What an idle session keeps on the heap, as a counting allocator says, the server being another process.
//!
//! `cargo run --release -p ringcentral-ws-benches --bin memory -- [RUNTIME] [plain|tls] [SESSIONS]`
//!
//! `RUNTIME` is `tokio`, `smol`, `async-std` or `threads`. Prints bytes for each session: 2 s after all are ready, 2 s
//! after a burst of 1000 notifications, and 2 s after a reconnect.

use std::alloc::System;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use ringcentral_ws_benches::loopback::{CUT, Server, flood_filter, serve_if_asked};
use ringcentral_ws_tokio::{Event, Filters, FixedToken, Resumption, Runtime};
use stats_alloc::{INSTRUMENTED_SYSTEM, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// How long a session has been idle when it is measured.
const IDLE: Duration = Duration::from_secs(2);

/// The same for all runtimes: a client and its events, looked at without waiting.
trait Session {
    fn event(&mut self) -> Option<Event>;
    fn subscribe(&self, filter: &str);
}

struct OfTasks<R>(ringcentral_ws_driver::Client<R>, ringcentral_ws_driver::Events);

impl<R: Runtime + Default> OfTasks<R> {
    fn start(server: &Server) -> Self {
        let mut builder = ringcentral_ws_driver::Builder::new(R::default(), FixedToken::new("token"));
        if let Some(tls) = server.tls() {
            builder = builder.tls(tls);
        }
        let (client, events) =
            builder.config(server.config()).filters(["/quiet"]).start().expect("a good configuration");
        Self(client, events)
    }
}

impl<R: Runtime> Session for OfTasks<R> {
    fn event(&mut self) -> Option<Event> {
        self.1.next().now_or_never().flatten()
    }

    fn subscribe(&self, filter: &str) {
        smol::future::block_on(self.0.subscribe(filters(filter))).expect("accepted");
    }
}

struct OfThreads(ringcentral_ws_blocking::Client, ringcentral_ws_blocking::Events);

impl OfThreads {
    fn start(server: &Server) -> Self {
        let mut builder = ringcentral_ws_blocking::Builder::new(FixedToken::new("token"));
        if let Some(tls) = server.tls() {
            builder = builder.tls(tls);
        }
        let (client, events) =
            builder.config(server.config()).filters(["/quiet"]).start().expect("a good configuration");
        Self(client, events)
    }
}

impl Session for OfThreads {
    fn event(&mut self) -> Option<Event> {
        self.1.next_timeout(Duration::ZERO).ok().flatten()
    }

    fn subscribe(&self, filter: &str) {
        self.0.subscribe(filters(filter)).expect("accepted");
    }
}

fn filters(filter: &str) -> Filters {
    Filters::new([filter]).expect("a good filter")
}

/// Bytes on the heap.
fn held() -> usize {
    let stats = ALLOCATOR.stats();
    stats.bytes_allocated - stats.bytes_deallocated
}

/// Takes events until each session had so many of these.
fn await_events(sessions: &mut [Box<dyn Session>], count: usize, is_it: impl Fn(&Event) -> bool) {
    let mut left = vec![count; sessions.len()];
    let began = Instant::now();
    while left.iter().any(|left| *left > 0) {
        for (session, left) in sessions.iter_mut().zip(&mut left) {
            while let Some(event) = session.event() {
                *left = left.saturating_sub(usize::from(is_it(&event)));
            }
        }
        assert!(began.elapsed() < Duration::from_secs(120), "it takes too long");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn await_idle(sessions: &mut [Box<dyn Session>]) {
    let began = Instant::now();
    while began.elapsed() < IDLE {
        sessions.iter_mut().for_each(|session| while session.event().is_some() {});
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn measure(start: impl Fn(&Server) -> Box<dyn Session>, server: &Server, count: usize) {
    // The first one makes what all share.
    let mut first = vec![start(server)];
    await_events(&mut first, 1, |event| matches!(event, Event::Subscribed(_)));
    await_idle(&mut first);
    let mut sessions = Vec::with_capacity(count);
    let before = held();
    sessions.extend((0..count).map(|_| start(server)));
    await_events(&mut sessions, 1, |event| matches!(event, Event::Subscribed(_)));
    let say = |what: &str, sessions: &mut Vec<Box<dyn Session>>| {
        await_idle(sessions);
        println!("{what:<12} {:>7}", (held() - before) / count);
    };
    say("idle", &mut sessions);
    if std::env::var_os("STOP_IDLE").is_some() {
        std::process::exit(0);
    }
    sessions.iter().for_each(|session| session.subscribe(&flood_filter(1000, 600)));
    await_events(&mut sessions, 1000, |event| matches!(event, Event::Notification(_)));
    say("burst", &mut sessions);
    sessions.iter().for_each(|session| session.subscribe(CUT));
    let recovered = |event: &Event| matches!(event, Event::Connected { resumption: Resumption::Recovered, .. });
    await_events(&mut sessions, 1, recovered);
    say("reconnect", &mut sessions);
    std::process::exit(0);
}

fn main() {
    serve_if_asked();
    let args: Vec<String> = std::env::args().skip(1).collect();
    let word = |n: usize, default: &'static str| args.get(n).map_or(default, String::as_str).to_owned();
    let (runtime, tls, count) = (word(0, "tokio"), word(1, "plain"), word(2, "50"));
    let Ok(count) = count.parse::<usize>() else { usage() };
    let server = Server::start(tls == "tls").expect("a process");
    match runtime.as_str() {
        "tokio" => {
            let mut builder = tokio::runtime::Builder::new_multi_thread();
            let runtime = builder.worker_threads(1).enable_all().build().expect("threads");
            let _inside = runtime.enter();
            measure(|server| Box::new(OfTasks::<ringcentral_ws_tokio::Tokio>::start(server)), &server, count);
        }
        "smol" => measure(|server| Box::new(OfTasks::<ringcentral_ws_smol::Smol>::start(server)), &server, count),
        "async-std" => {
            measure(|server| Box::new(OfTasks::<ringcentral_ws_async_std::AsyncStd>::start(server)), &server, count);
        }
        "threads" => measure(|server| Box::new(OfThreads::start(server)), &server, count),
        _ => usage(),
    }
}

fn usage() -> ! {
    eprintln!("usage: memory [tokio|smol|async-std|threads] [plain|tls] [SESSIONS]");
    std::process::exit(2);
}
