//! What the frequent calls cost. Run with `cargo bench -p ringcentral-ws-gateway --bench cost`.

#[path = "../tests/support/mod.rs"]
mod support;

use std::time::Instant;

use support::{Bench, EXT, S};

const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";
const ROUNDS: u64 = 200_000;

/// Nanoseconds a call.
fn measure(mut call: impl FnMut(u64)) -> u64 {
    let start = Instant::now();
    for round in 0..ROUNDS {
        call(round);
    }
    u64::try_from(start.elapsed().as_nanos()).unwrap() / ROUNDS
}

fn main() {
    for sessions in [1, 1000] {
        let mut bench = Bench::new(|config| {
            config.ws_token.rate_limit = None;
            config.max_subscriptions = usize::MAX;
        });
        let (conn, _, _) = bench.subscribed(&[SMS]);
        for _ in 1..sessions {
            bench.subscribed(&["/team-messaging/v1/posts"]);
        }
        let mut frames = 0;
        let heartbeat = measure(|round| {
            bench.g.ws_text(conn, "[{\"type\":\"Heartbeat\",\"messageId\":\"5f0c7d3e/17\"}]", round * S / 1000);
            while bench.g.poll().is_some() {
                frames += 1;
            }
        });
        let event = format!("{EXT}/message-store/instant?type=SMS");
        let body = "{\"id\":\"3062991514017\",\"type\":\"SMS\",\"subject\":\"Hello\",\"direction\":\"Inbound\"}";
        let start = ROUNDS * S / 1000;
        let notify = measure(|round| {
            bench.g.notify(&event, body, start + round * S / 1000);
            while bench.g.poll().is_some() {
                frames += 1;
            }
        });
        let nobody = measure(|_| {
            bench.g.notify("/restapi/v1.0/account/1/presence", body, start);
        });
        let reconnect = measure(|round| {
            bench.g.handle_timeout(start + ROUNDS * S / 1000 + round);
        });
        println!(
            "{sessions} sessions: heartbeat {heartbeat} ns, notification {notify} ns, \
             notification for nobody {nobody} ns, early timeout {reconnect} ns ({frames} frames)"
        );
    }
}
