//! What listeners cost, for each notification: finding those it is for, and putting it into their queues. Taking it out
//! is the application's time. Prints medians.
//!
//! `cargo run --release -p ringcentral-ws-benches --bin listening [TURNS]`

use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::{Duration, Instant};

use ringcentral_ws_adapter::{Change, Hub, LaneReceiver, LaneSender, ListenOptions, ListenerEvent, lane};
use ringcentral_ws_core::{
    ClockReading, Filters, Notification, SubscriptionId, SubscriptionInfo, Timestamp, UnixMillis,
};

/// Notifications of a turn: one read of the socket, which the application has taken before the next.
const BATCH: usize = 64;
const MANY: usize = 50;

fn filter(number: usize) -> String {
    format!("/restapi/v1.0/account/809646016/extension/{}/message-store/instant?type=SMS", 62_264_425_016 + number)
}

/// A hub whose listeners are live, and their queues.
struct Office {
    hub: Hub,
    lanes: Vec<LaneSender>,
    receivers: Vec<LaneReceiver>,
}

impl Office {
    /// Each listener asks for one filter: `same` for all, or each for its own.
    fn new(listeners: usize, same: bool) -> Option<Self> {
        let mut hub = Hub::new(None, false);
        let now = Timestamp::ZERO;
        let (mut lanes, mut receivers) = (Vec::new(), Vec::new());
        for number in 0..listeners {
            hub.join(Filters::new([filter(if same { 0 } else { number })]).ok()?, now).ok()?;
            let (sender, receiver) = lane(&ListenOptions::new());
            lanes.push(sender);
            receivers.push(receiver);
        }
        if let Some(Change::Subscribe(requested)) = hub.change_now(now, true, false) {
            let filters = requested.iter().map(Box::from).collect();
            let (server_id, disabled) = ("s".into(), Vec::new());
            let id = SubscriptionId::from(1);
            let (expires_in, status, transport) = (None, None, None);
            let info = SubscriptionInfo { id, server_id, requested, filters, disabled, expires_in, status, transport };
            hub.subscribed(&info, true, now);
        }
        Some(Self { hub, lanes, receivers })
    }

    /// The time that it takes to pass these on.
    fn pass(&mut self, batch: Vec<Notification>) -> Duration {
        let now = Timestamp::ZERO;
        let began = Instant::now();
        for n in batch {
            let route = self.hub.route(n.event());
            let weight = n.event().len() + n.body().len();
            let clock = || ClockReading { now, unix: UnixMillis(0) };
            if let [only] = *route.listeners {
                self.lanes[only as usize].push(ListenerEvent::Notification(n), weight, now, clock);
            } else {
                let n = Arc::new(n);
                for place in &route.listeners {
                    self.lanes[*place as usize].push_shared(&n, weight, now, clock);
                }
            }
        }
        let time = began.elapsed();
        for receiver in &mut self.receivers {
            while receiver.poll_next(&mut Context::from_waker(Waker::noop())).is_ready() {}
        }
        time
    }
}

fn notification() -> Option<Notification> {
    let (event, body) = (filter(0), "x".repeat(300));
    let json = format!(
        r#"{{"uuid":"6242343638330007102","event":"{event}","timestamp":"2025-07-30T18:12:45.034Z",
        "subscriptionId":"7e4a7486-8df9-4195-8aef-b8d81d3345f6","ownerId":"62264425016","body":{{"subject":"{body}"}}}}"#
    );
    Notification::from_json(&json).ok()
}

/// The median of a turn, in nanoseconds for each notification.
fn measure(turns: usize, listeners: usize, same: bool) -> Option<f64> {
    let (mut office, one) = (Office::new(listeners, same)?, notification()?);
    let mut times: Vec<Duration> = (0..turns).map(|_| office.pass(vec![one.clone(); BATCH])).collect();
    times.sort_unstable();
    Some(times[turns / 2].as_secs_f64() * 1e9 / BATCH as f64)
}

fn main() {
    let turns = std::env::args().nth(1).map_or(Ok(2001), |turns| turns.parse());
    let Ok(turns) = turns.map(|turns: usize| turns.max(1)) else {
        eprintln!("usage: listeners [TURNS]");
        std::process::exit(2);
    };
    let all = [(1, true), (2, true), (MANY, true), (MANY, false)].map(|(count, same)| measure(turns, count, same));
    let [Some(one), Some(two), Some(many), Some(others)] = all else {
        eprintln!("the filters or the notification are no good");
        std::process::exit(1);
    };
    println!("one listener                          {one:>6.0} ns a notification");
    println!("two of the same filter                {two:>6.0} ns a notification");
    println!("fifty of the same filter              {many:>6.0} ns a notification");
    println!("each more of them                     {:>6.0} ns a notification", (many - one) / (MANY - 1) as f64);
    println!("one of fifty with filters of their own {others:>5.0} ns a notification");
}
