//! The last steps of a run, in words.

use std::collections::VecDeque;

use ringcentral_ws_core::{Event, RequestOutcome};

use crate::time::{DAY, S};

/// Adds a line to the trace of a world, if it has one.
macro_rules! trace {
    ($world:expr, $($args:tt)*) => {
        if let Some(trace) = &mut $world.trace {
            trace.add($world.now, format!($($args)*));
        }
    };
}
pub(crate) use trace;

/// The last steps of a run. Holds no secret: frames are named, not quoted.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    lines: VecDeque<String>,
    limit: usize,
}

impl Trace {
    /// A trace of at most this many lines: the last ones.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { lines: VecDeque::new(), limit }
    }

    /// `now`: in microseconds from the beginning of the run.
    pub(crate) fn add(&mut self, now: u64, line: String) {
        if self.lines.len() >= self.limit {
            self.lines.pop_front();
        }
        let (day, time) = (now / DAY, now % DAY);
        let day = if day > 0 { format!("day {day} ") } else { String::new() };
        self.lines.push_back(format!("{day}{:>6}.{:06} {line}", time / S, time % S));
    }

    /// The lines.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().map(String::as_str)
    }
}

/// An event in a few words without secrets.
pub(crate) fn brief(event: &Event) -> String {
    match event {
        Event::Notification(n) => format!("notification {}", n.uuid()),
        Event::Connected { conn, resumption, .. } => format!("connected {conn} {resumption:?}"),
        Event::Subscribed(info) => format!("subscribed {} as {}", info.id, info.server_id),
        Event::Response { id, outcome } => format!("response {id} {}", name_of_outcome(outcome)),
        Event::SubscriptionFailed { id, retry_at, .. } => format!("subscription {id} failed, retry {retry_at:?}"),
        other => format!("{other:?}"),
    }
}

pub(crate) fn name_of_outcome(outcome: &RequestOutcome) -> &'static str {
    match outcome {
        RequestOutcome::Response { response, .. } if response.status().is_success() => "answered",
        RequestOutcome::Response { .. } => "answered with an error",
        RequestOutcome::NotSent(_) => "not sent",
        RequestOutcome::Unknown(_) => "unknown",
        RequestOutcome::TimedOut { .. } => "timed out",
        RequestOutcome::Cancelled { .. } => "cancelled",
        _ => "other",
    }
}
