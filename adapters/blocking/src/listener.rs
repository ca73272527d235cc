//! Listeners: iterators over some of the notifications.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use ringcentral_ws_adapter::{LaneReceiver, ListenError, ListenOptions, ListenerEvent};
use ringcentral_ws_core::Filters;

use crate::client::Client;
use crate::command::{Command, Remote};
use crate::timed_out::TimedOut;

/// Some of the notifications of a client, in order: an iterator that waits for each. [`Client::listen`](crate::Client::listen) makes it,
/// and dropping it leaves.
///
/// An event counts as dealt with when the next one is asked for: until then no snapshot covers it
/// ([`Client::snapshot`](crate::Client::snapshot)).
///
/// It ends after [`ListenerEvent::Refused`], and when the session ends. Like [`Events`](crate::Events) it keeps the client
/// alive. What waits in it is limited, 1024 events and 4 MiB by default
/// ([`ListenOptions`](crate::ListenOptions)).
pub struct Listener {
    lane: LaneReceiver,
    /// Keeps the client's thread alive.
    remote: Arc<Remote>,
}

impl Listener {
    /// Waits for the next event, no longer than `limit`; `Ok(None)` after the last one.
    ///
    /// # Errors
    ///
    /// [`TimedOut`]: none came. Nothing is lost.
    pub fn next_timeout(&mut self, limit: Duration) -> Result<Option<ListenerEvent>, TimedOut> {
        // A time beyond the clock's end is no limit.
        self.lane.wait_next(Instant::now().checked_add(limit)).ok_or(TimedOut)
    }

    /// How many notifications were dropped because they were not taken in time
    /// ([`Overflow::DropOldest`](crate::Overflow::DropOldest)).
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lane.dropped()
    }
}

impl Iterator for Listener {
    type Item = ListenerEvent;

    fn next(&mut self) -> Option<ListenerEvent> {
        self.lane.wait_next(None).flatten()
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.lane.leave();
        self.remote.signals.cancels.store(true, Ordering::SeqCst);
        self.remote.wake();
    }
}

impl fmt::Debug for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Listener").field("waiting", &self.lane.waiting()).finish_non_exhaustive()
    }
}

impl Client {
    /// Listens to these event filters, beside others: up to [`MAX_LISTENERS`](crate::MAX_LISTENERS) (256) listeners share
    /// the connection and one subscription, which is for the union of all filters.
    ///
    /// The call returns at once, also without a connection. The first event is
    /// [`ListenerEvent::Live`]: from there on nothing is lost without a gap. The subscription changes 20 ms after somebody
    /// joins and a second after somebody leaves, at most 5 times in 10 s, and never lacks what somebody still asks for.
    /// The last one that leaves unsubscribes.
    ///
    /// [`Events`](crate::Events) is the plain stream beside the listeners. What [`subscribe`](Self::subscribe) and
    /// `Builder::filters` ask for goes there, what listeners ask for does not; a filter of both goes to both. Everything
    /// about the session goes there, gaps included, and notifications that nobody asked for. So take events or drop
    /// `Events`: if its queue is full, listeners wait too. `unsubscribe` ends what the plain stream asks for and leaves
    /// listeners alone. After a restart the filters of the snapshot belong to the plain stream, until `subscribe` or
    /// `unsubscribe` is called; a listener with these filters that comes no later than a minute after the gap of the
    /// restart was reported has it too, behind `Live`.
    ///
    /// The path of a filter decides which notifications are a listener's. Parameters exclude where they contradict: one
    /// that asks for `?type=SMS` also gets what another asked for without a type, because the server sends one
    /// notification for both.
    ///
    /// ```
    /// use ringcentral_ws_blocking::{Client, Filter, ListenerEvent};
    /// # fn run(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// for event in client.listen([Filter::sms()])? {
    ///     match event {
    ///         ListenerEvent::Notification(n) => println!("{}", n.body()),
    ///         ListenerEvent::Gap(gap) => println!("{gap}"),
    ///         ListenerEvent::Refused { error, .. } => eprintln!("{error}"),
    ///         _ => {}
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// [`ListenError`], which says what to change. That the server refuses a filter comes as an event.
    pub fn listen<I>(&self, filters: I) -> Result<Listener, ListenError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.listen_with(filters, ListenOptions::default())
    }

    /// The same with limits of its own, and a choice of what happens when the listener is slow.
    ///
    /// # Errors
    ///
    /// [`ListenError`], which says what to change.
    pub fn listen_with<I>(&self, filters: I, options: ListenOptions) -> Result<Listener, ListenError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let filters = Filters::new(filters)?;
        let answer = self.remote.ask(|reply| Command::Listen(filters, options, reply));
        let lane = answer.unwrap_or(Err(ListenError::Closed))?;
        Ok(Listener { lane, remote: Arc::clone(&self.remote) })
    }
}
