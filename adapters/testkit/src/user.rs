//! The application's side: futures that are polled by hand, and what it received.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use ringcentral_ws_driver::Event;
use ringcentral_ws_driver::Events;

use crate::machine::Flag;

/// A future of the application. Dropping it drops the future wherever it is.
pub struct Call<'a, T> {
    work: Pin<Box<dyn Future<Output = T> + 'a>>,
    woken: Arc<Flag>,
    done: Option<T>,
    polls: usize,
}

impl<'a, T> Call<'a, T> {
    /// Not polled yet.
    pub fn new(work: impl Future<Output = T> + 'a) -> Self {
        Self { work: Box::pin(work), woken: Flag::raised(), done: None, polls: 0 }
    }

    /// Polls it if it was woken. Whether it has ended.
    pub fn poll(&mut self) -> bool {
        if self.done.is_none() && self.woken.take() {
            self.polls += 1;
            let waker = Waker::from(Arc::clone(&self.woken));
            if let Poll::Ready(done) = self.work.as_mut().poll(&mut Context::from_waker(&waker)) {
                self.done = Some(done);
            }
        }
        self.done.is_some()
    }

    /// What came of it.
    pub fn take(&mut self) -> Option<T> {
        self.done.take()
    }

    /// How often it was polled.
    #[must_use]
    pub const fn polls(&self) -> usize {
        self.polls
    }
}

/// What an application received, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Received {
    /// The notification of this number.
    Notification(u64),
    /// A gap report, by its cause.
    Gap(&'static str),
    /// Subscribed, or subscribed again.
    Subscribed,
    /// A connection that became ready.
    Connected,
    /// A lost connection, by its cause.
    Disconnected(String),
    /// The end.
    Closed,
}

/// An application that takes events. Each poll is of a new `next()`, which is dropped at once, as in a `select!`.
pub struct Watch {
    events: Option<Events>,
    woken: Arc<Flag>,
    received: Vec<Received>,
    /// The stream of events has ended.
    ended: bool,
}

impl Watch {
    /// Has taken none yet.
    #[must_use]
    pub fn new(events: Events) -> Self {
        Self { events: Some(events), woken: Flag::raised(), received: Vec::new(), ended: false }
    }

    /// Takes all events that are there. A waker is left behind only with the last poll.
    pub fn take(&mut self) {
        while self.take_one() {}
    }

    /// Takes one event, if the stream has woken its reader since there was none.
    pub fn take_one(&mut self) -> bool {
        let Some(events) = self.events.as_mut().filter(|_| !self.ended) else { return false };
        if !self.woken.is_up() {
            return false;
        }
        // Down before the look, so that what comes meanwhile is not missed.
        self.woken.take();
        let waker = Waker::from(Arc::clone(&self.woken));
        let polled = std::pin::pin!(events.next()).poll(&mut Context::from_waker(&waker));
        let Poll::Ready(event) = polled else { return false };
        self.woken.raise();
        self.note(event);
        true
    }

    fn note(&mut self, event: Option<Event>) {
        let Some(event) = event else {
            self.ended = true;
            return;
        };
        self.received.extend(match event {
            Event::Notification(notification) => {
                let digits = notification.body().bytes().filter(u8::is_ascii_digit);
                let number = digits.fold(0_u64, |n, digit| n.wrapping_mul(10).wrapping_add(u64::from(digit - b'0')));
                Some(Received::Notification(number))
            }
            Event::Gap(gap) => Some(Received::Gap(gap.cause.as_str())),
            Event::Subscribed(_) => Some(Received::Subscribed),
            Event::Connected { .. } => Some(Received::Connected),
            Event::Disconnected { cause, .. } => Some(Received::Disconnected(cause.as_str().to_owned())),
            Event::Closed { .. } => Some(Received::Closed),
            _ => None,
        });
    }

    /// All that was received.
    #[must_use]
    pub fn received(&self) -> &[Received] {
        &self.received
    }

    /// Whether this was received.
    #[must_use]
    pub fn has_received(&self, what: &Received) -> bool {
        self.received.contains(what)
    }

    /// Whether the stream of events has ended.
    #[must_use]
    pub const fn has_ended(&self) -> bool {
        self.ended
    }

    /// Numbers of the notifications, in the order of their delivery.
    #[must_use]
    pub fn numbers(&self) -> Vec<u64> {
        self.received
            .iter()
            .filter_map(|event| if let Received::Notification(n) = event { Some(*n) } else { None })
            .collect()
    }

    /// Stops taking events and gives the stream back.
    pub fn into_events(mut self) -> Option<Events> {
        self.events.take()
    }

    /// Every number once and in order from `first`, and those left out only behind a gap report. What is left out at
    /// the end, up to `last`, must have a report too.
    ///
    /// # Panics
    ///
    /// When it is not so.
    pub fn check(&self, first: u64, last: u64) {
        let (mut next, mut gap) = (first, false);
        for event in &self.received {
            match event {
                Received::Gap(_) => gap = true,
                Received::Notification(n) if *n < first => {}
                Received::Notification(n) => {
                    assert!(*n >= next, "{n} was delivered again or late: {:?}", self.received);
                    assert!(*n == next || gap, "{next} to {n} without a gap report: {:?}", self.received);
                    (next, gap) = (n + 1, false);
                }
                _ => {}
            }
        }
        assert!(next > last || gap, "{next} to {last} never came: {:?}", self.received);
    }
}
