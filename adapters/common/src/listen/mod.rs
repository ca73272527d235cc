//! Many listeners on one connection and one subscription.
//!
//! A listener asks for filters of its own and receives what belongs to them. The one subscription of the session is for
//! the union of all. [`Hub`] decides what that is, when it changes, and who receives what; it does no I/O, and time is an
//! argument. A [`lane`] is the bounded queue of one listener. The pump joins the two.

mod hub;
mod lane;
mod pattern;
mod refusal;
mod restart;
mod routes;
mod switchboard;
#[cfg(test)]
mod tests;

use std::fmt;

use ringcentral_ws_core::{ApiError, DisabledFilter, FilterError, Gap, MAX_FILTERS, Notification};

pub use self::hub::{Change, Hub, Live, Refusal};
pub use self::lane::{LaneReceiver, LaneSender, Snapshots, lane};
pub use self::restart::Restart;
pub use self::routes::Route;
pub(crate) use self::switchboard::{Moment, Switchboard};

/// Most listeners of a client.
pub const MAX_LISTENERS: usize = 256;

/// What a listener receives.
///
/// ```
/// use ringcentral_ws_adapter::ListenerEvent;
///
/// fn on(event: ListenerEvent) {
///     match event {
///         ListenerEvent::Notification(n) => println!("{} {}", n.event(), n.body()),
///         ListenerEvent::Gap(gap) => println!("{gap}"),
///         ListenerEvent::Refused { error, .. } => eprintln!("{error}"),
///         _ => {}
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum ListenerEvent {
    /// The server has confirmed all filters of the listener: from here on nothing is lost without a [`Gap`]. It comes
    /// before the first notification. It comes again when the server disables other filters than before, and after a time
    /// without subscription, which a gap reports.
    Live {
        /// The filters of this listener that the server disabled although the call succeeded, as the server writes
        /// them: they bring nothing.
        disabled: Box<[DisabledFilter]>,
    },
    /// A notification, delivered once and in order.
    Notification(Notification),
    /// Notifications may have been lost. It comes before the next one. With the cause
    /// [`SlowListener`](ringcentral_ws_core::GapCause::SlowListener) only this listener lost them.
    Gap(Gap),
    /// The server refused filters of this listener for good. It is the last event: the listener has left, and the others
    /// go on. Listen again without these filters, or do what the error says.
    Refused {
        /// The filters, as they were asked for. If the server does not say which ones it means and they could not be found
        /// out, all that may be meant.
        filters: Box<[Box<str>]>,
        /// The refusal.
        error: Box<ApiError>,
    },
}

/// What happens when a listener takes its events more slowly than they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Overflow {
    /// The client stops reading the WebSocket until there is room, so all listeners wait for the slowest one. Nothing is
    /// lost.
    #[default]
    Block,
    /// The oldest notifications are dropped, and a gap says so
    /// ([`SlowListener`](ringcentral_ws_core::GapCause::SlowListener)). The others do not wait.
    DropOldest,
}

/// How a listener is made.
///
/// ```
/// use ringcentral_ws_adapter::{ListenOptions, Overflow};
///
/// let options = ListenOptions::new().overflow(Overflow::DropOldest).events(100).bytes(1 << 20);
/// assert_eq!(options, options.clone());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListenOptions {
    pub(crate) events: usize,
    pub(crate) bytes: usize,
    pub(crate) overflow: Overflow,
}

impl Default for ListenOptions {
    fn default() -> Self {
        Self { events: 1024, bytes: 4 << 20, overflow: Overflow::Block }
    }
}

impl ListenOptions {
    /// The default ones: 1024 events, 4 MiB, [`Overflow::Block`].
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// How many events may wait; at least 1. With [`Overflow::Block`] a few more can, as with
    /// [`IoLimits::event_queue`](crate::IoLimits::event_queue).
    #[must_use]
    pub const fn events(mut self, most: usize) -> Self {
        self.events = if most == 0 { 1 } else { most };
        self
    }

    /// How many bytes may wait. One event always may.
    #[must_use]
    pub const fn bytes(mut self, most: usize) -> Self {
        self.bytes = most;
        self
    }

    /// What happens when more would wait.
    #[must_use]
    pub const fn overflow(mut self, overflow: Overflow) -> Self {
        self.overflow = overflow;
        self
    }
}

/// Why there is no listener.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ListenError {
    /// The filters cannot be asked for.
    Filters(FilterError),
    /// There are [`MAX_LISTENERS`] already.
    TooManyListeners,
    /// All listeners together would have more than [`MAX_FILTERS`] different filters.
    TooManyFilters,
    /// The client acknowledges events (`Builder::acknowledge`), which streams of listeners have no handles for.
    Acknowledged,
    /// The session has ended or is closing.
    Closed,
}

impl fmt::Display for ListenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Filters(error) => error.fmt(f),
            Self::TooManyListeners => write!(
                f,
                "there are {MAX_LISTENERS} listeners already: drop those that are not needed any more, or let one serve \
                 several users"
            ),
            Self::TooManyFilters => write!(
                f,
                "all listeners together would have more than {MAX_FILTERS} event filters: split them over several clients"
            ),
            Self::Acknowledged => f.write_str(
                "this client acknowledges its events, and a listener cannot: listen on a client without `acknowledge(true)`",
            ),
            Self::Closed => f.write_str("the session has ended or is closing: start another client"),
        }
    }
}

impl std::error::Error for ListenError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        if let Self::Filters(error) = self { Some(error) } else { None }
    }
}

impl From<FilterError> for ListenError {
    fn from(error: FilterError) -> Self {
        Self::Filters(error)
    }
}
