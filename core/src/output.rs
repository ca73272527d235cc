//! Outputs: actions for the driver, events for the application, and how long to wait.

mod action;
mod event;
mod line;
mod outcome;
mod subscription;

pub use self::action::{Action, AuthReason, HttpPurpose, Purpose};
pub use self::event::{CloseReason, Event, ProtocolError, Resumption, SessionError, WaitReason};
pub use self::outcome::{RequestOutcome, Via};
pub use self::subscription::{SubscriptionInfo, SubscriptionProblem};
use crate::time::Timestamp;
use crate::timers::TimerKind;

/// One output of [`Session::poll_output`](crate::Session::poll_output): something to do, to know, or to wait for.
///
/// The enum is exhaustive on purpose: a new kind of output must break the build of the loop. The order counts, so act
/// on each output before the next poll:
///
/// ```
/// use ringcentral_ws_core::{Action, ClockReading, Config, Output, Session, Timestamp, Wait};
///
/// let mut session = Session::new(Config::default(), 7, ClockReading::default());
/// session.connect(Timestamp::ZERO)?;
/// let mut actions = Vec::new();
/// let wait = loop {
///     match session.poll_output() {
///         Output::Action(action) => actions.push(action),
///         Output::Event(event) => println!("{event}"),
///         Output::Wait(wait) => break wait,
///     }
/// };
/// assert!(matches!(actions[..], [Action::Authorize { .. }]));
/// assert!(matches!(wait, Wait::Until { .. }));
/// # Ok::<(), ringcentral_ws_core::NotDrained>(())
/// ```
// Outputs and inputs are moved several times a message, so large and rare values lie in boxes.
#[derive(Clone, Debug, PartialEq)]
#[must_use = "an output that is not acted on is lost"]
pub enum Output {
    /// The driver does this.
    Action(Action),
    /// The application gets this.
    Event(Event),
    /// There is nothing more for now. `poll_output` returns the same again until the session is called.
    Wait(Wait),
}

/// What to wait for when all outputs are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// An input or a command, or the time: then call `handle_input(Input::Timeout, ..)`.
    Until {
        /// The time, always later than the `now` of the last call (C3).
        at: Timestamp,
        /// The timer that is due then, for logs.
        reason: TimerKind,
    },
    /// An input or a command. No timer runs.
    ForInput,
    /// Nothing: the session has ended, and no call changes anything.
    Finished,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Input;

    #[test]
    fn what_is_moved_for_every_message_is_small() {
        assert!(size_of::<Output>() <= 80, "{}", size_of::<Output>());
        assert!(size_of::<Input<'_>>() <= 64, "{}", size_of::<Input<'_>>());
    }
}
