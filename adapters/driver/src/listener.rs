//! Listeners: streams of some of the notifications.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_util::Stream;
use ringcentral_ws_adapter::{LaneReceiver, ListenError, ListenOptions, ListenerEvent};
use ringcentral_ws_core::Filters;

use crate::client::Client;
use crate::command::{Cancels, Command, Commands};

/// Some of the notifications of a client, in order: a stream. [`Client::listen`](crate::Client::listen) makes it,
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
    /// Wakes the driver.
    wake: Arc<Cancels>,
    /// Keeps the driver's task alive.
    _alive: Commands,
}

impl Listener {
    /// The next event; `None` after the last one. The future is cancel-safe: dropping it loses no event.
    pub async fn next(&mut self) -> Option<ListenerEvent> {
        std::future::poll_fn(|cx| self.lane.poll_next(cx)).await
    }

    /// How many notifications were dropped because they were not taken in time
    /// ([`Overflow::DropOldest`](crate::Overflow::DropOldest)).
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lane.dropped()
    }
}

impl Stream for Listener {
    type Item = ListenerEvent;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<ListenerEvent>> {
        self.lane.poll_next(cx)
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.lane.leave();
        self.wake.set();
    }
}

impl std::fmt::Debug for Listener {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Listener").field("waiting", &self.lane.waiting()).finish_non_exhaustive()
    }
}

impl<R> Client<R> {
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
    /// use ringcentral_ws_driver::{Client, Filter, ListenerEvent};
    /// # async fn run<R>(client: &Client<R>) -> Result<(), Box<dyn std::error::Error>> {
    /// let mut messages = client.listen([Filter::sms()]).await?;
    /// while let Some(event) = messages.next().await {
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
    pub async fn listen<I>(&self, filters: I) -> Result<Listener, ListenError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        self.listen_with(filters, ListenOptions::default()).await
    }

    /// The same with limits of its own, and a choice of what happens when the listener is slow.
    ///
    /// # Errors
    ///
    /// [`ListenError`], which says what to change.
    pub async fn listen_with<I>(&self, filters: I, options: ListenOptions) -> Result<Listener, ListenError>
    where
        I: IntoIterator,
        I::Item: AsRef<str>,
    {
        let filters = Filters::new(filters)?;
        let answer = self.ask(|reply| Command::Listen(filters, options, reply)).await;
        let lane = answer.unwrap_or(Err(ListenError::Closed))?;
        Ok(Listener { lane, wake: self.cancels.clone(), _alive: self.commands.clone() })
    }
}
