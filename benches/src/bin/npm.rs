//! What a notification costs the official npm client, and this library, both as clients of the stand-in.
//!
//! `cargo run --release -p ringcentral-ws-benches --bin npm -- [DIRECTORY] [TURNS]`
//!
//! DIRECTORY (`target/npm`) is where the package is installed, as `benches/README.md` says. Without it, or without node,
//! the program says so and is content.
//!
//! In each turn each client is a process of its own with a stand-in of its own, in another process. After
//! notifications to warm up, bursts of each size follow; figures are of the processor's time of the client's process, of all
//! its threads, from before a burst to its last notification.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, ExitCode, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use ringcentral_ws::{Client, Event, Events, Filter};
use ringcentral_ws_benches::fleet_real::process::{StandIn, Usage, cpu};
use ringcentral_ws_benches::fleet_real::{Failure, serve_if_asked};
use ringcentral_ws_gateway::{AppConfig, UserConfig};

/// Sizes of notifications, how many are in a burst, and how many bursts there are. The stand-in cuts a client that is
/// 4096 behind.
const SIZES: [(usize, usize, usize); 4] = [(200, 2000, 10), (600, 2000, 10), (6_000, 1000, 4), (60_000, 200, 4)];
/// Bursts before, of 600 bytes each: 20 000 notifications.
const WARM_UP: (usize, usize, usize) = (600, 2000, 10);
/// How long a client may take for anything.
const ANSWER: Duration = Duration::from_secs(60);
/// How long a session has been idle when its memory is looked at.
const IDLE: Duration = Duration::from_secs(2);
/// The first argument of the processes with a client of this library. The second one parses bodies, as the npm client does.
const OURS: [&str; 2] = ["client", "parsing-client"];
const SCRIPT: &str = include_str!("../../npm/bench.mjs");

/// The process of a client.
struct Peer {
    child: Child,
    stdin: ChildStdin,
    lines: Receiver<std::io::Result<String>>,
    stand_in: StandIn,
    /// The number of the next notification.
    next: usize,
}

/// What a client says after a burst: nanoseconds for each notification, and bytes.
#[derive(Clone, Copy)]
struct Figures {
    cpu: f64,
    wall: f64,
    rss: f64,
}

impl Peer {
    fn start(mut command: Command, seed: u64) -> Result<Self, Failure> {
        let stand_in = StandIn::start(0, 1, seed)?;
        let app = AppConfig::default();
        let mut child = command
            .env("RC_SERVER_URL", format!("http://{}", stand_in.address))
            .env("RC_APP_CLIENT_ID", app.client_id)
            .env("RC_APP_CLIENT_SECRET", app.client_secret)
            .env("RC_USER_JWT", UserConfig::numbered(0).jwt)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (stdin, stdout) = (child.stdin.take().ok_or("no stdin")?, child.stdout.take().ok_or("no stdout")?);
        let (sender, lines) = channel();
        std::thread::spawn(move || BufReader::new(stdout).lines().try_for_each(|line| sender.send(line)));
        let this = Self { child, stdin, lines, stand_in, next: 0 };
        this.expect("ready")?;
        Ok(this)
    }

    fn line(&self) -> Result<String, Failure> {
        Ok(self.lines.recv_timeout(ANSWER).map_err(|error| format!("a client does not answer: {error}"))??)
    }

    fn expect(&self, word: &str) -> Result<(), Failure> {
        let line = self.line()?;
        if line == word { Ok(()) } else { Err(format!("a client said {line:?} in place of {word}").into()) }
    }

    fn burst(&mut self, count: usize, size: usize) -> Result<Figures, Failure> {
        writeln!(self.stdin, "{count}")?;
        self.expect("taking")?;
        if count > 0 {
            self.stand_in.ask(&format!("burst {} {count} {size}", self.next))?;
            self.next += count;
            self.stand_in.done()?;
        }
        let line = self.line()?;
        let numbers: Result<Vec<f64>, _> = line.split_whitespace().map(str::parse).collect();
        let [cpu, wall, rss] = numbers?[..] else { return Err(format!("a client said {line:?}").into()) };
        Ok(Figures { cpu, wall, rss })
    }

    /// The mean of some bursts, and the memory after them.
    fn bursts(&mut self, (size, count, bursts): (usize, usize, usize)) -> Result<Figures, Failure> {
        let mut sum = Figures { cpu: 0.0, wall: 0.0, rss: 0.0 };
        for _ in 0..bursts {
            let one = self.burst(count, size)?;
            sum = Figures { cpu: sum.cpu + one.cpu, wall: sum.wall + one.wall, rss: one.rss };
        }
        Ok(Figures { cpu: sum.cpu / bursts as f64, wall: sum.wall / bursts as f64, ..sum })
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The memory of a client when it is idle, and its figures for each size.
type Turn = (f64, [Figures; SIZES.len()]);

fn turn(command: Command, seed: u64) -> Result<Turn, Failure> {
    let mut peer = Peer::start(command, seed)?;
    std::thread::sleep(IDLE);
    let idle = peer.burst(0, 0)?;
    peer.bursts(WARM_UP)?;
    let mut all = [idle; SIZES.len()];
    for (figures, (size, count, bursts)) in all.iter_mut().zip(SIZES) {
        // One more, for what only messages of this size do.
        peer.burst(count, size)?;
        *figures = peer.bursts((size, count, bursts))?;
    }
    Ok((idle.rss, all))
}

/// The median with the lowest and the highest.
fn spread(values: impl Iterator<Item = f64>) -> [f64; 3] {
    let mut all: Vec<f64> = values.collect();
    all.sort_by(f64::total_cmp);
    [all[all.len() / 2], all[0], all[all.len() - 1]]
}

fn cell(values: impl Iterator<Item = f64>) -> String {
    let [median, low, high] = spread(values);
    format!("{median:.0} ({low:.0}–{high:.0})")
}

fn print(turns: &[[Turn; 3]]) {
    println!("| bytes | npm client | this library | with the body parsed | npm / this | npm / with the body parsed |");
    println!("|---|---|---|---|---|---|");
    for (n, (size, ..)) in SIZES.iter().enumerate() {
        let of = |who: usize| turns.iter().map(move |turn| turn[who].1[n].cpu);
        let ratio =
            |who: usize| ringcentral_ws_benches::table::ratio(spread(of(0).zip(of(who)).map(|(a, b)| a / b)).into());
        println!("| {size} | {} | {} | {} | {} | {} |", cell(of(0)), cell(of(1)), cell(of(2)), ratio(1), ratio(2));
    }
    println!("\nOn the wall, medians: npm client, this library");
    for (n, (size, ..)) in SIZES.iter().enumerate() {
        let of = |who: usize| spread(turns.iter().map(move |turn| turn[who].1[n].wall))[0];
        println!("{size:>6} {:>8.0} {:>8.0}", of(0), of(1));
    }
    for (who, name) in ["the npm client", "this library"].into_iter().enumerate() {
        let idle = cell(turns.iter().map(|turn| turn[who].0 / 1e3));
        let after = cell(turns.iter().flat_map(|turn| turn[who].1.last()).map(|figures| figures.rss / 1e3));
        println!("RSS of {name} in kB, idle with one session: {idle}; after all bursts: {after}");
    }
}

fn measure(directory: &Path, turns: usize) -> Result<(), Failure> {
    let program = std::env::args_os().next().ok_or("the program has no name")?;
    std::fs::write(directory.join("bench.mjs"), SCRIPT)?;
    let mut all = Vec::new();
    for seed in 0..turns as u64 {
        let mut npm = Command::new("node");
        npm.arg("bench.mjs").current_dir(directory);
        let [mut plain, mut parsing] = [Command::new(&program), Command::new(&program)];
        plain.arg(OURS[0]);
        parsing.arg(OURS[1]);
        all.push([turn(npm, seed)?, turn(plain, seed)?, turn(parsing, seed)?]);
        eprintln!("turn {} of {turns} is done", seed + 1);
    }
    print(&all);
    Ok(())
}

/// What is there of node and the package, or what is missing.
fn installed(directory: &Path) -> Result<String, String> {
    let node = Command::new("node").arg("--version").output().map_err(|error| format!("node is needed: {error}"))?;
    let mut words = format!("node {}", String::from_utf8_lossy(&node.stdout).trim());
    for package in ["@rc-ex/core", "@rc-ex/ws", "ws"] {
        let file = directory.join("node_modules").join(package).join("package.json");
        let text = std::fs::read(&file).map_err(|error| format!("{} is needed: {error}", file.display()))?;
        let about: serde_json::Value = serde_json::from_slice(&text).map_err(|error| error.to_string())?;
        words += &format!(", {package} {}", about["version"].as_str().unwrap_or("of an unknown version"));
    }
    Ok(words)
}

/// In the process of a client: does what `bench.mjs` does.
async fn client(parses: bool) -> Result<(), Failure> {
    let (_client, mut events) = Client::from_env()?.filters([Filter::message_store()]).start()?;
    while !matches!(next(&mut events).await?, Event::Subscribed(_)) {}
    println!("ready");
    loop {
        let line = tokio::task::spawn_blocking(|| std::io::stdin().lines().next()).await?;
        let Some(line) = line else { return Ok(()) };
        let count: usize = line?.parse()?;
        println!("taking");
        let (before, mut first, mut left, mut bytes) = (cpu(), Instant::now(), count, 0);
        while left > 0 {
            let Event::Notification(n) = next(&mut events).await? else { continue };
            if left == count {
                first = Instant::now();
            }
            bytes += n.uuid().len();
            if parses {
                bytes += serde_json::from_str::<serde_json::Value>(n.body())?.as_object().map_or(0, |body| body.len());
            }
            left -= 1;
        }
        let (cpu, wall) = (cpu() - before, first.elapsed());
        std::hint::black_box(bytes);
        let each = |time: Duration| time.as_nanos() / count.max(1) as u128;
        println!("{} {} {}", each(cpu), each(wall), Usage::now(|| 0)?.rss);
    }
}

async fn next(events: &mut Events) -> Result<Event, Failure> {
    match events.next().await {
        Some(event @ (Event::Gap(_) | Event::Disconnected { .. } | Event::Closed { .. })) => {
            Err(event.to_string().into())
        }
        event => Ok(event.ok_or("there are no more events")?),
    }
}

fn run() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let directory = args.next().unwrap_or_else(|| "target/npm".to_owned());
    if let Some(which) = OURS.iter().position(|word| *word == directory) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        return runtime.block_on(client(which == 1));
    }
    let turns = args.next().map_or(Ok(5), |turns| turns.parse())?;
    match installed(Path::new(&directory)) {
        Ok(words) => println!("{words}\n"),
        Err(missing) => {
            println!("SKIPPED: the npm client: {missing}");
            return Ok(());
        }
    }
    measure(Path::new(&directory), turns)
}

fn main() -> ExitCode {
    if let Some(code) = serve_if_asked() {
        return code;
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("npm: {error}");
            ExitCode::FAILURE
        }
    }
}
