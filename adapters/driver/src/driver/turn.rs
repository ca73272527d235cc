//! What a driver waits for, and in which order it looks.

use std::pin::Pin;
use std::task::{Context, Poll};

use futures_util::Stream;
use futures_util::future::BoxFuture;
use ringcentral_ws_adapter::{Pressure, must_pause};
use ringcentral_ws_core::{ConnId, Input, OpenFailure, TimerKind, Timestamp, Wait};

use super::{Done, Driver, Link};
use crate::command::Command;
use crate::runtime::Runtime;
use crate::socket::{Incoming, Socket};

/// Turns without waiting after which other tasks of the same thread get theirs.
const FAIR_TURNS: u32 = 128;
/// Messages that are read in one turn, with one look at the clock and one wake of the application. A turn is also bounded
/// in bytes and in frames ([`Below`](ringcentral_ws_adapter::Below)).
const BURST: u32 = 64;

/// One thing that happened.
#[expect(
    clippy::large_enum_variant,
    reason = "one at a time, on the stack of the task: a box would cost an allocation each turn"
)]
pub(super) enum Turn<S> {
    /// The process was away.
    Resumed,
    Timeout,
    /// The application has stored the snapshot that the session waits for.
    SnapshotStored,
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
    /// timers only when nothing else is ready (HB-4). But after a turn that the peer did not let end everything else
    /// comes first.
    pub(super) fn poll_turn(&mut self, cx: &mut Context<'_>, wait: Wait) -> Poll<Turn<R::Stream>> {
        self.busy += 1;
        if self.busy > FAIR_TURNS {
            self.busy = 0;
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let deadline = if let Wait::Until { at, reason } = wait { Some((at, reason)) } else { None };
        let reading = self.clock.read();
        let late = deadline.is_some_and(|(at, _)| reading.now.since(at) > self.https.net.limits.clock_slack);
        if reading.jumped || late {
            return Poll::Ready(Turn::Resumed);
        }
        if self.events.take_stored() {
            return Poll::Ready(Turn::SnapshotStored);
        }
        let flooded = std::mem::take(&mut self.flooded);
        self.socket_first = !self.socket_first && !flooded;
        let now = reading.now;
        let first = if self.socket_first { self.poll_link(cx, now) } else { self.poll_commands(cx) };
        if first.is_ready() {
            return first;
        }
        if flooded {
            let rest = self.poll_rest(cx, deadline, now);
            if rest.is_ready() {
                return rest;
            }
        }
        let second = if self.socket_first { self.poll_commands(cx) } else { self.poll_link(cx, now) };
        if second.is_ready() {
            return second;
        }
        let done = self.poll_calls(cx);
        if done.is_ready() {
            return done;
        }
        if self.unpublished > 0 {
            return Poll::Ready(Turn::Idle);
        }
        let turn = self.poll_timer(cx, deadline, reading.now);
        if turn.is_pending() {
            self.busy = 0;
            if self.events.await_application(cx.waker()) {
                cx.waker().wake_by_ref();
            }
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

    fn poll_calls(&mut self, cx: &mut Context<'_>) -> Poll<Turn<R::Stream>> {
        for calls in [&mut self.calls, &mut self.logins] {
            if let Poll::Ready(Some(done)) = Pin::new(calls).poll_next(cx) {
                return Poll::Ready(Turn::Done(done));
            }
        }
        Poll::Pending
    }

    /// What comes behind the socket otherwise.
    fn poll_rest(
        &mut self,
        cx: &mut Context<'_>,
        deadline: Option<(Timestamp, TimerKind)>,
        now: Timestamp,
    ) -> Poll<Turn<R::Stream>> {
        let done = self.poll_calls(cx);
        if done.is_ready() || deadline.is_none_or(|(at, _)| at > now) {
            return done;
        }
        self.poll_timer(cx, deadline, now)
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

    /// Takes the messages that are there, within the bounds of a turn.
    fn poll_burst(&mut self, cx: &mut Context<'_>, conn: ConnId, now: Timestamp) -> Poll<Turn<R::Stream>> {
        if let Link::Open(_, socket) = &mut self.link {
            socket.begin_turn(now);
        }
        for count in 0..BURST {
            let waited = self.ahead.is_some();
            let incoming = match self.poll_message(cx) {
                Poll::Ready(incoming) => incoming,
                Poll::Pending if self.is_spent() => {
                    (self.flooded, self.busy) = (true, FAIR_TURNS);
                    break;
                }
                Poll::Pending if count == 0 => return Poll::Pending,
                Poll::Pending => break,
            };
            self.busy += 1;
            self.flooded = count + 1 == BURST;
            if waited {
                self.feed(Input::Unread { conn }, now);
                self.drain();
            }
            self.incoming(conn, &incoming, now);
            let wait = self.drain();
            // All that is not the next message of a flood is the business of an ordinary turn.
            let due = matches!(wait, Wait::Until { at, .. } if at <= now) || wait == Wait::Finished;
            let publish = self.unpublished >= self.https.net.limits.snapshot_every;
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
            if paused {
                socket.pause();
                return Poll::Pending;
            }
            return self.ahead.take().map_or(Poll::Pending, Poll::Ready);
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

    fn is_spent(&self) -> bool {
        matches!(&self.link, Link::Open(_, socket) if socket.is_spent())
    }

    fn is_paused(&mut self) -> bool {
        let answer_awaited = !self.over_socket.is_empty();
        must_pause(self.events.load(), self.session.state(), answer_awaited)
    }

    /// A deadline has come, though messages of the peer still wait for the application. Each call of the Session runs
    /// the timers that are due, a command too, so this comes first.
    pub(super) fn excuse_unread(&mut self, wait: Wait, now: Timestamp) {
        let due = matches!(wait, Wait::Until { at, .. } if at <= now);
        if let Link::Open(conn, _) = &self.link
            && due
            && self.ahead.is_some()
        {
            let conn = *conn;
            self.feed(Input::Unread { conn }, now);
            self.drain();
        }
    }

    fn due(&mut self, reason: TimerKind) -> Turn<R::Stream> {
        let Link::Open(_, socket) = &mut self.link else { return Turn::Timeout };
        // What came of a message is lost with the connection; the next turn tells.
        if reason == TimerKind::Liveness && self.ahead.is_none() && socket.gives_up_within_message() {
            return Turn::Received;
        }
        Turn::Timeout
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
            return Poll::Ready(self.due(reason));
        }
        loop {
            let limits = &self.https.net.limits;
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
