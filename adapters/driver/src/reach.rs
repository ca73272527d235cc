//! From a host name to a TCP stream: its addresses race, and the first to answer wins.

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{Either, select};
use futures_util::stream::FuturesUnordered;
use ringcentral_ws_adapter::{IoLimits, Race, RaceStep, not_found};
use ringcentral_ws_core::HttpFailure;

use crate::runtime::{Runtime, within};

/// A TCP stream to a host. Attempts that lost the race are dropped, and with them what they connected.
pub(crate) async fn reach<R: Runtime>(
    runtime: &R,
    limits: &IoLimits,
    host: &str,
    port: u16,
) -> Result<R::Stream, HttpFailure> {
    let lookup = within(runtime, limits.dns, runtime.resolve(host, port)).await;
    let addresses = match lookup {
        None => return Err(not_found(host, None)),
        Some(Err(error)) => return Err(not_found(host, Some(&error))),
        Some(Ok(addresses)) => addresses,
    };
    let mut race = Race::new(host, addresses, limits);
    let mut attempts = FuturesUnordered::new();
    let began = runtime.clocks().mono;
    let mut now = Duration::ZERO;
    loop {
        now = now.max(runtime.clocks().mono.saturating_sub(began));
        let until = match race.step(now) {
            RaceStep::Start(address) => {
                attempts.push(async move { (address, runtime.connect(address).await) });
                continue;
            }
            RaceStep::Failed(failure) => return Err(failure),
            RaceStep::Wait(until) => until,
        };
        match select(attempts.next(), runtime.sleep(until.saturating_sub(now))).await {
            Either::Left((Some((_, Ok(stream))), _)) => {
                if let Some(after) = limits.keepalive {
                    // A connection without probes is better than none.
                    let _ = runtime.keep_alive(&stream, after);
                }
                return Ok(stream);
            }
            Either::Left((Some((address, Err(error))), _)) => race.failed(address, &error),
            // What was slept counts as passed, whatever the clock says. A race that waits has attempts under way.
            Either::Left((None, _)) | Either::Right(_) => now = now.max(until),
        }
    }
}
