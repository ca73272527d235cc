//! A stand-in in a process of its own: the program starts itself with `stand-in` as its first argument. It takes commands
//! on stdin, a line each, answers each with a line, and ends with stdin.

use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ringcentral_ws_gateway::{Gateway, Server, ServerConfig};
use serde_json::json;

use super::arrivals::{Arrivals, Counts, STEP};
use crate::loopback::notification_of;

/// The first argument.
pub const STAND_IN: &str = "stand-in";
/// The event that everyone subscribes to.
const EVENT: &str = "/restapi/v1.0/account/~/extension/~/message-store";
/// Notifications kept for each session, to be put back when they turn out not to have arrived. More take memory.
const SENT_HISTORY: usize = 64;

/// In the process of a stand-in this serves until stdin ends. A program calls it first.
#[must_use]
pub fn serve_if_asked() -> Option<ExitCode> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [word, address, users, seed] = &args[..] else { return None };
    if word != STAND_IN {
        return None;
    }
    let (address, users, seed) = (address.parse().ok()?, users.parse().ok()?, seed.parse().ok()?);
    Some(match serve(address, users, seed) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the stand-in on {address} has ended: {error}");
            ExitCode::FAILURE
        }
    })
}

fn serve(address: SocketAddr, users: u32, seed: u64) -> io::Result<()> {
    let mut config = ServerConfig { listen: address, ..ServerConfig::default() }.users(users);
    config.gateway.seed = seed;
    config.gateway.ws_token.rate_limit = None;
    config.gateway.event_log_size = 0;
    config.gateway.sent_history = SENT_HISTORY;
    let server = Server::start(config)?;
    let (arrivals, ended) = (Mutex::default(), AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| watch(&server, &arrivals, &ended));
        let result = obey(&server, &arrivals);
        ended.store(true, Ordering::Relaxed);
        result
    })
}

/// Carries commands out until there are none any more.
fn obey(server: &Server, arrivals: &Mutex<Arrivals>) -> io::Result<()> {
    let mut out = io::stdout().lock();
    writeln!(out, "{}", server.address())?;
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["notify", first, count, size] => {
                let number = |word: &str| word.parse::<u64>().map_err(io::Error::other);
                let text = "x".repeat(usize::try_from(number(size)?).map_err(io::Error::other)?);
                let first = number(first)?;
                for n in first..first + number(count)? {
                    server.notify(EVENT, &json!({"n": n, "text": text}));
                }
            }
            ["burst", first, count, size] => {
                let number = |word: &str| word.parse::<u64>().map_err(io::Error::other);
                burst(
                    server,
                    number(first)?,
                    number(count)?,
                    usize::try_from(number(size)?).map_err(io::Error::other)?,
                )?;
            }
            ["cut"] => server.drop_connections(),
            ["forget"] => server.restart(),
            ["arrivals"] => {
                let all = std::mem::take(&mut *arrivals.lock().unwrap_or_else(PoisonError::into_inner));
                writeln!(out, "{}", serde_json::to_string(&all)?)?;
                continue;
            }
            _ => return Err(io::Error::other(format!("there is no command {line:?}"))),
        }
        writeln!(out, "done")?;
    }
    Ok(())
}

/// Notifications of exactly this size for the one subscription there is, as fast as they can be written.
fn burst(server: &Server, first: u64, count: u64, size: usize) -> io::Result<()> {
    server.with_gateway(|gateway, now| {
        let subscription = gateway.subscriptions().next().map(|(id, _)| id.to_owned());
        let subscription = subscription.ok_or_else(|| io::Error::other("nobody has subscribed"))?;
        for n in first..first + count {
            gateway.send_raw(None, &notification_of(&subscription, 1_000_000_000_000_000_000 + n, size), now);
        }
        Ok(())
    })
}

/// Looks every 10 ms at what has arrived.
fn watch(server: &Server, arrivals: &Mutex<Arrivals>, ended: &AtomicBool) {
    let (mut before, mut last) = (Counts::default(), Arrivals::now());
    while !ended.load(Ordering::Relaxed) {
        let now = server.with_gateway(|gateway, _| counts(gateway));
        let step = Arrivals::now();
        arrivals.lock().unwrap_or_else(PoisonError::into_inner).spread(last, step, now.since(before));
        (before, last) = (now, step);
        std::thread::sleep(STEP.saturating_sub(Duration::from_millis(1)));
    }
}

fn counts(gateway: &mut Gateway) -> Counts {
    let seen = gateway.observations();
    let calls = seen.ws_tokens_requested + seen.token_calls;
    Counts { calls, connections: seen.upgrades, heartbeats: seen.heartbeats }
}
