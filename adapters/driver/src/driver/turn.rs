//! What a driver waits for, and in which order it looks.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::future::BoxFuture;
use ringcentral_ws_adapter::Pressure;
use ringcentral_ws_core::{ConnId, OpenFailure, SessionState, TimerKind, Timestamp, Wait};

use super::{Done, Driver, Link};
use crate::command::Command;
use crate::runtime::Runtime;
use crate::socket::{Incoming, Socket};

/// Turns without waiting after which other tasks of the same thread get theirs.
const FAIR_TURNS: u32 = 128;
/// Messages that are read in one turn, with one look at the clock and one wake of the application.
const BURST: u32 = 64;
/// Events that may wait for the application while a connection is still being made.
const HANDSHAKE_BACKLOG: usize = 256;

/// One thing that happened.
pub(super) enum Turn<S> {
    /// The process was away.
    Resumed,
    Timeout,
    /// A deadline has come, though messages of the peer still wait for the application.
    Late(ConnId),
    Command(Command),
    Cancelled(u64),
    Opened(ConnId, Result<Box<Socket<S>>, OpenFailure>),
    Pressure(ConnId, Pressure),
    /// A burst of messages, carried out already.
    Received,
    Done(Done),
    /// Nothing waits to be done.
    Idle,
    /// The last handle is gone.
    Abandoned,
}

/// The armed timer. It may be earlier than needed, never later.
pub(super) struct Sleep {
    at: Timestamp,
    timer: BoxFuture<'static, ()>,
}

impl<R: Runtime> Driver<R> {
    /// The next thing that happened: a jump of the clock, then commands and the socket in turns, then calls, and
    /// timers only when nothing else is ready (HB-4).
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>, wait: Wait) -> Poll<Turn<R::Stream>> {
        let _ = self.outlet.poll(cx);
        self.busy += 1;
        if self.busy > FAIR_TURNS {
            self.busy = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let deadline = if let Wait::Until { at, reason } = wait { Some((at, reason)) } else { None };
        let reading = self.clock.read();
        let late = deadline.is_some_and(|(at, _)| reading.now.since(at) > self.https.limits.clock_slack);
        if reading.jumped || late {
            return Poll::Ready(Turn::Resumed);
        }
        self.socket_first = !self.socket_first;
        let now = reading.now;
        let first = if self.socket_first { self.poll_link(cx, now) } else { self.poll_commands(cx) };
        if first.is_ready() {
            return first;
        }
        let second = if self.socket_first { self.poll_commands(cx) } else { self.poll_link(cx, now) };
        if second.is_ready() {
            return second;
        }
        for calls in [&mut self.calls, &mut self.logins] {
            if let Poll::Ready(Some(done)) = Pin::new(calls).poll_next(cx) {
                return Poll::Ready(Turn::Done(done));
            }
        }
        if self.unpublished > 0 {
            return Poll::Ready(Turn::Idle);
        }
        let turn = self.poll_timer(cx, deadline, reading.now);
        if turn.is_pending() {
            self.busy = 0;
            self.outlet.rest();
            self.https.sweep();
        }
        turn
    }

    pub(super) fn poll_commands(&mut self, cx: &mut Context<'_>) -> Poll<Turn<R::Stream>> {
        if let Poll::Ready(Some(ticket)) = self.cancels.as_mut().poll_next(cx) {
            return Poll::Ready(Turn::Cancelled(ticket));
        }
        self.commands.as_mut().poll_next(cx).map(|command| command.map_or(Turn::Abandoned, Turn::Command))
    }

    fn poll_link(&mut self, cx: &mut Context<'_>, now: Timestamp) -> Poll<Turn<R::Stream>> {
        match &mut self.link {
            Link::None => Poll::Pending,
            Link::Opening(conn, opening) => {
                let conn = *conn;
                opening.as_mut().poll(cx).map(|result| Turn::Opened(conn, result))
            }
            Link::Open(conn, socket) => {
                let conn = *conn;
                match socket.poll_send(cx) {
                    Some(pressure) => Poll::Ready(Turn::Pressure(conn, pressure)),
                    None => self.poll_burst(cx, conn, now),
                }
            }
        }
    }

    /// Takes the messages that are there, up to [`BURST`].
    fn poll_burst(&mut self, cx: &mut Context<'_>, conn: ConnId, now: Timestamp) -> Poll<Turn<R::Stream>> {
        for count in 0..BURST {
            let incoming = match self.poll_message(cx) {
                Poll::Ready(incoming) => incoming,
                Poll::Pending if count == 0 => return Poll::Pending,
                Poll::Pending => break,
            };
            self.busy += 1;
            self.incoming(conn, &incoming, now);
            let wait = self.drain();
            // All that is not the next message of a flood is the business of an ordinary turn.
            let due = matches!(wait, Wait::Until { at, .. } if at <= now) || wait == Wait::Finished;
            let publish = self.unpublished >= self.https.limits.snapshot_every;
            if due || publish || !matches!(&self.link, Link::Open(live, _) if *live == conn) {
                break;
            }
        }
        Poll::Ready(Turn::Received)
    }

    /// The next message, if there is room for what it causes.
    fn poll_message(&mut self, cx: &mut Context<'_>) -> Poll<Incoming> {
        let paused = self.is_paused();
        let Link::Open(_, socket) = &mut self.link else { return Poll::Pending };
        if self.ahead.is_some() {
            return if paused { Poll::Pending } else { self.ahead.take().map_or(Poll::Pending, Poll::Ready) };
        }
        match socket.poll_receive(cx) {
            // It would become an event, for which there is no room.
            Poll::Ready(incoming @ (Incoming::Text(_) | Incoming::Binary(_))) if paused => {
                self.ahead = Some(incoming);
                Poll::Pending
            }
            other => other,
        }
    }

    /// Whether messages must wait for the application. While a connection is being made they need not: they cause few
    /// events, and leaving them unread would fail the attempt.
    fn is_paused(&self) -> bool {
        let ready = matches!(self.session.state(), SessionState::Ready { .. });
        self.outlet.is_full() && (ready || self.outlet.backlog() >= HANDSHAKE_BACKLOG)
    }

    fn poll_timer(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Option<(Timestamp, TimerKind)>,
        now: Timestamp,
    ) -> Poll<Turn<R::Stream>> {
        let Some((deadline, reason)) = deadline else {
            self.sleep = None;
            return Poll::Pending;
        };
        if deadline <= now {
            // What is waited for may be among the unread messages: only the application is late (HB-3).
            return Poll::Ready(match (&self.link, &self.ahead) {
                (Link::Open(conn, _), Some(_)) if reason.waits_for_messages() => Turn::Late(*conn),
                _ => Turn::Timeout,
            });
        }
        loop {
            let limits = &self.https.limits;
            let sleep = match &mut self.sleep {
                Some(sleep) if sleep.at <= deadline => sleep,
                _ => {
                    let span = deadline.since(now).min(limits.longest_sleep);
                    self.sleep.insert(Sleep { at: now.after(span), timer: self.https.runtime.sleep(span) })
                }
            };
            std::task::ready!(sleep.timer.as_mut().poll(cx));
            let reached = sleep.at;
            self.sleep = None;
            if reached >= deadline {
                // The clocks may differ a little; the next look decides.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }
}
