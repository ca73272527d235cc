//! Requests and reconnects on tokio, beside loops that do as little.

use ringcentral_ws_tokio::Tokio;

use super::tasks::{Run, our_reconnects, our_requests, raw_reconnects, raw_requests};
use super::{Samples, ratio};
use crate::loopback::Server;

/// Prints a row for each.
pub fn print(server: &Server, run: Run<'_>, turns: usize) {
    let mut samples: [Samples; 4] = Default::default();
    for _ in 0..turns {
        samples[0].push(run(Box::pin(raw_requests::<Tokio>(server, 2_000))));
        samples[1].push(run(Box::pin(our_requests::<Tokio>(server, 2_000))));
        samples[2].push(run(Box::pin(raw_reconnects::<Tokio>(server, 1))));
        samples[3].push(run(Box::pin(our_reconnects::<Tokio>(server, 1))));
    }
    let [raw, ours, dial, reconnect] = &samples;
    for (what, floor, ours) in [("request and response", raw, ours), ("reconnect", dial, reconnect)] {
        println!("| {what} | {:.0} | {:.0} | {} |", floor.cpu(), ours.cpu(), ratio(ours.beside(floor)));
    }
}
