//! The figures of a run.

use std::fmt;

/// The figures.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Lives that were ended with `SIGKILL`.
    pub kills: u64,
    /// Lives that ended in order, by `close` with `detach`.
    pub detached: u64,
    /// Starts with a state file that could not be used.
    pub damaged: u64,
    /// Starts with the session but without its login.
    pub without_login: u64,
    /// Starts without a state file.
    pub without_state: u64,
    /// Notifications the server made.
    pub sent: u64,
    /// Notification lines.
    pub printed: u64,
    /// Printed, and not in the state file when the process died: these may come again.
    pub unwritten: u64,
    /// Of those, how many came again.
    pub repeated: u64,
    /// Not printed and covered by a gap.
    pub covered: u64,
    /// Gap lines.
    pub gaps: u64,
    /// Connections that continued the session.
    pub recovered: u64,
    /// Connections of new sessions.
    pub fresh: u64,
    /// Connections whose recovery failed.
    pub lost: u64,
    /// Lives that died before they were connected.
    pub unborn: u64,
    /// Last lines that were torn.
    pub torn_lines: u64,
    /// Longest time from the server to the reader of the line, in ms.
    pub slowest_ms: u64,
    /// The life in which it happened, and two before it.
    pub trace: String,
    /// What must not happen, in words.
    pub violations: Vec<String>,
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "kills {}, orderly ends {}", self.kills, self.detached)?;
        let Self { damaged, without_login, without_state, .. } = self;
        writeln!(
            f,
            "starts with a damaged state {damaged}, without login {without_login}, without state {without_state}"
        )?;
        let Self { sent, printed, covered, .. } = self;
        writeln!(f, "notifications sent {sent}, printed {printed}, covered by gaps {covered}")?;
        let Self { unwritten, repeated, torn_lines, slowest_ms, .. } = self;
        writeln!(f, "printed but not written down at a death {unwritten}, of these repeated {repeated}")?;
        writeln!(f, "torn last lines {torn_lines}, slowest line {slowest_ms} ms")?;
        let Self { recovered, lost, fresh, unborn, gaps, .. } = self;
        writeln!(f, "recovered {recovered}, lost {lost}, fresh {fresh}, dead before connected {unborn}; gaps {gaps}")?;
        write!(f, "violations {}", self.violations.len())?;
        self.violations.iter().take(5).try_for_each(|what| write!(f, "\n  {what}"))?;
        if self.trace.is_empty() { Ok(()) } else { write!(f, "\n  {}", self.trace) }
    }
}
