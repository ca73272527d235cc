//! What must hold, whatever goes wrong. Shares no code with the Session: it compares what was sent, on one side, with
//! what the application got, on the other.

mod counts;
mod deliveries;
mod filling;
mod requests;
mod topics;

use std::fmt;

use ringcentral_ws_core::Gap;

pub use self::counts::Counts;
pub(crate) use self::deliveries::{Deliveries, Mark};
pub(crate) use self::filling::{FillMark, Filling};
pub(crate) use self::requests::Requests;
pub(crate) use self::topics::Topic;
pub use self::topics::{Fills, TopicCounts};

/// The property that was violated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Violation {
    /// The name of the check.
    pub check: &'static str,
    /// What happened.
    pub what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.check, self.what)
    }
}

pub(crate) type Verdict = Result<(), Violation>;

pub(crate) fn violated(check: &'static str, what: String) -> Verdict {
    Err(Violation { check, what })
}

/// How sure the causes of a gap are. Written down from the rules ("Losses"), not taken from the Session.
const CERTAINTIES: [(&str, &str); 11] = [
    ("contended", "probable"),
    ("in_flight", "possible"),
    ("queue_overflow", "certain"),
    ("recovery_abandoned", "probable"),
    ("recovery_failed", "probable"),
    ("replay_interrupted", "possible"),
    ("replay_overflow", "probable"),
    ("restored", "possible"),
    ("subscription_lost", "probable"),
    ("unreadable_frame", "probable"),
    ("window_passed", "probable"),
];

/// How sure it is that something was lost in a gap of this cause.
pub(crate) fn certainty(cause: &str) -> &'static str {
    CERTAINTIES.iter().find(|(known, _)| *known == cause).map_or("of no known cause", |(_, certainty)| certainty)
}

/// A gap is as sure as its cause.
pub(crate) fn check_certainty(gap: &Gap) -> Verdict {
    let cause = gap.cause.as_str();
    if gap.certainty.as_str() == certainty(cause) {
        return Ok(());
    }
    violated("gap-certainty", format!("a gap by {cause} is called {}", gap.certainty.as_str()))
}
