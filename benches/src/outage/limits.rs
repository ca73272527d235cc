//! What is good enough.

use super::client::HORIZON;
use super::measure::{Length, Row};
use super::service::Kind;

/// Up to here a window of 180 s, counted from the loss, can be kept; in seconds.
const KEPT: u64 = 175;
/// The same where the socket falls silent first: the client takes up to 40 s to notice, and a quiet one cannot know how
/// long ago it happened.
const KEPT_UNSEEN: u64 = 120;
/// The window; in seconds.
const WINDOW: u64 = 180;

/// A figure that has a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Figure {
    /// The wait of half of the clients, in seconds.
    P50,
    /// The wait of 99 of a hundred.
    P99,
    /// The longest wait.
    Worst,
    /// The most Auth calls in any rolling 60 s.
    AuthCalls,
    /// The share of clients whose session continued. The only one that is to be large.
    Recovered,
    /// The share of a herd within any 100 ms.
    Worst100ms,
}

/// A figure and how good it has to be.
pub type Limit = (Figure, f64);

/// What has a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subject {
    /// A line of the table of outages.
    Outage(Kind, Length),
    /// A herd in any scenario.
    Herd,
}

/// The limits of one subject (BCK-2, TOK-2), for sessions whose last calls before the loss are over a minute old. Both
/// `--check` and the tests go by them.
#[must_use]
pub fn limits(subject: Subject) -> Vec<Limit> {
    let Subject::Outage(kind, length) = subject else { return vec![(Figure::Worst100ms, 0.10)] };
    let within = |most| length == Length::Drawn || matches!(length, Length::Seconds(s) if s <= most);
    // Who is not back by then does not come back at all.
    let mut limits = vec![(Figure::Worst, HORIZON.as_secs_f64())];
    match kind {
        Kind::Refused | Kind::Name | Kind::GatewayRefused if within(WINDOW) => {
            limits.extend([(Figure::P50, 2.5), (Figure::P99, 6.0)])
        }
        Kind::Refused | Kind::Name | Kind::GatewayRefused => limits.push((Figure::P99, 20.0)),
        Kind::Refresh401 if within(WINDOW) => limits.push((Figure::P99, 5.0)),
        Kind::Unavailable | Kind::UpgradeRefused => {
            limits.push((Figure::AuthCalls, 5.0));
            if length == Length::Drawn {
                limits.extend([(Figure::P50, 8.0), (Figure::P99, 25.0)]);
            } else if within(WINDOW) {
                limits.push((Figure::P50, 18.0));
            }
        }
        // Up to 40 s until it is noticed, or until an attempt that is never answered is given up.
        Kind::BlackHole | Kind::GatewaySilent => {
            limits.extend([(Figure::P99, 50.0), (Figure::AuthCalls, 5.0)]);
        }
        _ => {}
    }
    let kept = match kind {
        Kind::Refused | Kind::Unavailable | Kind::UpgradeRefused | Kind::GatewayRefused | Kind::Closed1001 => KEPT,
        Kind::BlackHole | Kind::GatewaySilent => KEPT_UNSEEN,
        _ => return limits,
    };
    if length != Length::Drawn && within(kept) {
        limits.push((Figure::Recovered, 0.999));
    }
    limits
}

/// What is wrong with this line: a sentence for each limit that it misses.
#[must_use]
pub fn misses(row: &Row) -> Vec<String> {
    let figures = &row.figures;
    let place = format!("{}, {}, outage of {}", row.kind.name(), row.life.traffic.name(), row.length.label());
    let missed = |(figure, limit): Limit| {
        let value = match figure {
            Figure::P50 => figures.p50,
            Figure::P99 => figures.p99,
            Figure::Worst => figures.worst,
            Figure::AuthCalls => figures.auth_calls as f64,
            Figure::Recovered => figures.recovered,
            Figure::Worst100ms => return None,
        };
        miss(&place, (figure, limit), value)
    };
    limits(Subject::Outage(row.kind, row.length)).into_iter().filter_map(missed).collect()
}

/// The same for the worst 100 ms of a herd.
#[must_use]
pub fn herd_misses(kind: Kind, seconds: u64, worst_100ms: f64) -> Vec<String> {
    let place = format!("herd, {}, outage of {seconds} s", kind.name());
    limits(Subject::Herd).into_iter().filter_map(|limit| miss(&place, limit, worst_100ms)).collect()
}

fn miss(place: &str, (figure, limit): Limit, value: f64) -> Option<String> {
    let (good, name, unit, scale) = match figure {
        Figure::P50 => (value <= limit, "p50", " s", 1.0),
        Figure::P99 => (value <= limit, "p99", " s", 1.0),
        Figure::Worst => (value <= limit, "worst", " s", 1.0),
        Figure::AuthCalls => (value <= limit, "Auth calls in 60 s", "", 1.0),
        Figure::Recovered => (value >= limit, "recovered", " %", 100.0),
        Figure::Worst100ms => (value <= limit, "worst 100 ms", " %", 100.0),
    };
    let word = if figure == Figure::Recovered { "at least" } else { "at most" };
    (!good).then(|| format!("{place}: {name} {:.2}{unit}, limit {word} {:.2}{unit}", value * scale, limit * scale))
}
