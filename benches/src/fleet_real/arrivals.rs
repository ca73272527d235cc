//! When things arrived at a server, in steps of 10 ms.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

/// The length of a step. The clock of the system numbers the steps, so that those of several processes can be added.
pub const STEP: Duration = Duration::from_millis(10);
/// Steps of 100 ms.
const WINDOW: u64 = 10;

/// How much of each kind arrived.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Calls for tokens over HTTP.
    pub calls: u64,
    /// Upgrades to WebSocket.
    pub connections: u64,
    /// Heartbeats.
    pub heartbeats: u64,
}

impl Counts {
    fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.connections += other.connections;
        self.heartbeats += other.heartbeats;
    }

    /// What came since `earlier`. A server that started again counts from zero.
    #[must_use]
    pub const fn since(self, earlier: Self) -> Self {
        Self {
            calls: self.calls.saturating_sub(earlier.calls),
            connections: self.connections.saturating_sub(earlier.connections),
            heartbeats: self.heartbeats.saturating_sub(earlier.heartbeats),
        }
    }
}

/// What arrived in each step.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Arrivals(BTreeMap<u64, Counts>);

impl Arrivals {
    /// The number of the step that is now.
    #[must_use]
    pub fn now() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis() / STEP.as_millis()).unwrap_or(0)
    }

    /// Adds what came in a step.
    pub fn add(&mut self, step: u64, counts: Counts) {
        if counts != Counts::default() {
            self.0.entry(step).or_default().add(counts);
        }
    }

    /// Adds what came after one step and until another, because nobody could look between them: as much to each.
    pub fn spread(&mut self, after: u64, until: u64, counts: Counts) {
        let count = until.saturating_sub(after).max(1);
        for step in 0..count {
            // What cannot be divided came in the last.
            let part = |of: u64| of / count + if step + 1 == count { of % count } else { 0 };
            let (calls, connections) = (part(counts.calls), part(counts.connections));
            self.add(until + 1 + step - count, Counts { calls, connections, heartbeats: part(counts.heartbeats) });
        }
    }

    /// Adds what another server saw.
    pub fn join(&mut self, other: &Self) {
        other.0.iter().for_each(|(step, counts)| self.add(*step, *counts));
    }

    /// All of them.
    #[must_use]
    pub fn sum(&self) -> Counts {
        let mut sum = Counts::default();
        self.0.values().for_each(|counts| sum.add(*counts));
        sum
    }

    /// The most of a kind within any 100 ms.
    #[must_use]
    pub fn worst(&self, of: impl Fn(&Counts) -> u64) -> u64 {
        let within = |first: u64| self.0.range(first..first + WINDOW).map(|(_, counts)| of(counts)).sum();
        self.0.keys().map(|first| within(*first)).max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heartbeats(heartbeats: u64) -> Counts {
        Counts { heartbeats, ..Counts::default() }
    }

    #[test]
    fn the_worst_100_ms_may_begin_at_any_step() {
        let mut all = Arrivals::default();
        for (step, count) in [(100, 5), (105, 1), (109, 7), (110, 9), (119, 2), (400, 10)] {
            all.add(step, heartbeats(count));
        }
        assert_eq!(all.worst(|counts| counts.heartbeats), 17, "those of the steps 105 to 114");
        assert_eq!(all.worst(|counts| counts.calls), 0);
        let mut both = all.clone();
        both.join(&all);
        assert_eq!((both.worst(|counts| counts.heartbeats), both.sum().heartbeats), (34, 68));
    }

    #[test]
    fn what_came_while_nobody_looked_is_spread() {
        let mut all = Arrivals::default();
        all.spread(10, 10, heartbeats(4));
        all.spread(10, 13, heartbeats(7));
        let mut other = Arrivals::default();
        [(10, 4), (11, 2), (12, 2), (13, 3)].into_iter().for_each(|(step, count)| other.add(step, heartbeats(count)));
        assert_eq!(all, other);
    }

    #[test]
    fn what_arrived_goes_through_json() {
        let mut all = Arrivals::default();
        all.add(7, heartbeats(1));
        let text = serde_json::to_string(&all).unwrap();
        assert_eq!(serde_json::from_str::<Arrivals>(&text).unwrap(), all);
    }
}
