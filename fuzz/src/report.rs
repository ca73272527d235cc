//! What a series of runs came to.

use std::collections::BTreeMap;
use std::fmt;

/// Sums over runs.
#[derive(Clone, Debug, Default)]
pub struct Report {
    /// Runs that ended well.
    pub runs: u64,
    /// Simulated time of all clients, in microseconds.
    pub micros: u64,
    /// Steps of the simulator.
    pub steps: u64,
    /// Heartbeats the servers answered.
    pub heartbeats: u64,
    /// Recoveries that succeeded.
    pub recoveries: u64,
    /// Recoveries that failed.
    pub recoveries_failed: u64,
    /// Notifications made for subscribed sessions.
    pub sent: u64,
    /// Notifications delivered to applications.
    pub delivered: u64,
    /// Notifications lost inside a reported gap.
    pub covered: u64,
    /// Notifications nobody owes: not wanted any more, or lost by the server without a sign.
    pub excused: u64,
    /// Gaps in which nothing was missing.
    pub false_alarms: u64,
    /// Gaps by certainty: how many were emitted, and in how many of them something was missing. Of the last gaps before
    /// a crash it is not known.
    pub certainties: BTreeMap<&'static str, [u64; 2]>,
    /// Gaps by cause.
    pub gaps: BTreeMap<&'static str, u64>,
    /// Faults by kind.
    pub faults: BTreeMap<&'static str, u64>,
    /// Outcomes of REST requests by kind.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Sessions that ended by themselves, by reason.
    pub endings: BTreeMap<String, u64>,
}

impl Report {
    /// Simulated days of sessions.
    #[must_use]
    pub fn days(&self) -> f64 {
        self.micros as f64 / 86_400e6
    }

    /// Adds another series.
    pub fn add(&mut self, other: &Self) {
        self.runs += other.runs;
        self.micros += other.micros;
        self.steps += other.steps;
        self.heartbeats += other.heartbeats;
        self.recoveries += other.recoveries;
        self.recoveries_failed += other.recoveries_failed;
        self.sent += other.sent;
        self.delivered += other.delivered;
        self.covered += other.covered;
        self.excused += other.excused;
        self.false_alarms += other.false_alarms;
        for (mine, theirs) in
            [(&mut self.gaps, &other.gaps), (&mut self.faults, &other.faults), (&mut self.outcomes, &other.outcomes)]
        {
            for (key, count) in theirs {
                *mine.entry(key).or_default() += count;
            }
        }
        self.add_certainties(&other.certainties);
        for (key, count) in &other.endings {
            *self.endings.entry(key.clone()).or_default() += count;
        }
    }

    pub(crate) fn add_certainties(&mut self, others: &BTreeMap<&'static str, [u64; 2]>) {
        for (key, [reported, missing]) in others {
            let mine = self.certainties.entry(key).or_default();
            mine[0] += reported;
            mine[1] += missing;
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let faults: u64 = self.faults.values().sum();
        let gaps: u64 = self.gaps.values().sum();
        writeln!(f, "runs            {}", self.runs)?;
        writeln!(f, "session-days    {:.1}", self.days())?;
        writeln!(f, "steps           {}", self.steps)?;
        writeln!(f, "heartbeats      {}", self.heartbeats)?;
        writeln!(f, "recoveries      {} successful, {} failed", self.recoveries, self.recoveries_failed)?;
        writeln!(
            f,
            "notifications   {} sent, {} delivered, {} covered by gaps, {} not owed",
            self.sent, self.delivered, self.covered, self.excused
        )?;
        writeln!(f, "gaps            {gaps}, of which {} with nothing missing", self.false_alarms)?;
        for (name, [reported, missing]) in &self.certainties {
            let share = 100.0 * *missing as f64 / (*reported).max(1) as f64;
            writeln!(f, "  {reported:>10}  {name}, of which {share:.1} % with something missing")?;
        }
        lines(f, &self.gaps)?;
        writeln!(f, "faults          {faults}")?;
        lines(f, &self.faults)?;
        writeln!(f, "requests        {}", self.outcomes.values().sum::<u64>())?;
        lines(f, &self.outcomes)?;
        if !self.endings.is_empty() {
            writeln!(f, "endings")?;
            self.endings.iter().try_for_each(|(name, count)| writeln!(f, "  {count:>10}  {name}"))?;
        }
        Ok(())
    }
}

fn lines(f: &mut fmt::Formatter<'_>, counts: &BTreeMap<&'static str, u64>) -> fmt::Result {
    counts.iter().try_for_each(|(name, count)| writeln!(f, "  {count:>10}  {name}"))
}
