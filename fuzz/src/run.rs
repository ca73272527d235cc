//! A run of a simulated world: repeated with a trace if it ends in a violation.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::oracle::Violation;
use crate::trace::Trace;

/// How many steps before a violation are shown.
const TRACE_LINES: usize = 60;

/// A run that ended in a violation.
#[derive(Clone, Debug)]
pub struct Failure {
    /// The seed of the run: it is enough to see it again.
    pub seed: u64,
    /// What was violated.
    pub violation: Violation,
    /// The last steps before it.
    pub trace: Trace,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}: {}", self.seed, self.violation)?;
        self.trace.lines().try_for_each(|line| writeln!(f, "  {line}"))
    }
}

/// A world in virtual time that runs from a seed to its end, or to the first violation.
pub(crate) trait Simulation {
    /// What a run comes to.
    type Report;

    /// Runs to the end.
    fn run(&mut self);

    /// The first violation if there was one, what the run came to, and its trace.
    fn end(self) -> (Option<Violation>, Self::Report, Option<Trace>);
}

/// One run. A panic is a violation like any other.
pub(crate) fn attempt<W: Simulation>(mut world: W) -> (Result<W::Report, Violation>, Option<Trace>) {
    let panicked = catch_unwind(AssertUnwindSafe(|| world.run())).map_err(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
        Violation { check: "contract", what: text.unwrap_or_else(|| "a panic".to_owned()) }
    });
    let (violation, report, trace) = world.end();
    (panicked.and_then(|()| violation.map_or(Ok(report), Err)), trace)
}

/// One run without a trace, which costs time; if it fails it is repeated with one.
pub(crate) fn checked<W: Simulation>(seed: u64, world: impl Fn(Option<Trace>) -> W) -> Result<W::Report, Box<Failure>> {
    if let (Ok(report), _) = attempt(world(None)) {
        return Ok(report);
    }
    let (result, trace) = traced(TRACE_LINES, world);
    let violation = result.err().unwrap_or_else(|| Violation {
        check: "simulator",
        what: "the run ended otherwise when it was repeated".to_owned(),
    });
    Err(Box::new(Failure { seed, violation, trace }))
}

/// One run, and so many of its last steps.
pub(crate) fn traced<W: Simulation>(
    steps: usize,
    world: impl Fn(Option<Trace>) -> W,
) -> (Result<W::Report, Violation>, Trace) {
    let (result, trace) = attempt(world(Some(Trace::new(steps))));
    (result, trace.unwrap_or_default())
}
