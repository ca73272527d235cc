//! What the thread waits for, and in which order it looks.

use std::sync::atomic::Ordering;
use std::sync::mpsc::TryRecvError;

use ringcentral_ws_adapter::{Pressure, must_pause};
use ringcentral_ws_core::{ConnId, Input, RequestId, TimerKind, Timestamp, Wait};

use super::{Done, Driver, Link, SOCKET};
use crate::command::Command;
use crate::socket::Incoming;

/// One thing that happened.
pub(super) enum Turn {
    /// The process was away.
    Resumed,
    Timeout,
    /// The peer lives, though its messages must wait.
    Alive(ConnId),
    /// The application has stored the snapshot that the session waits for.
    SnapshotStored,
    Command(Command),
    Cancelled(RequestId),
    Pressure(ConnId, Pressure),
    Incoming(ConnId, Incoming),
    /// The same, after it waited for the application.
    Waited(ConnId, Incoming),
    /// Bytes of a message, which is not whole.
    Received,
    Done(Done),
    /// Nothing waits to be done.
    Idle,
    /// The last handle is gone.
    Abandoned,
}

impl Driver {
    /// Waits for the next thing that happens: a jump of the clock, then commands and the socket in turns, then what
    /// helping threads bring, and timers only when nothing else is ready (HB-4). But after a turn that the peer did not
    /// let end everything else comes first.
    pub(super) fn next_turn(&mut self, wait: Wait) -> Turn {
        let deadline = if let Wait::Until { at, reason } = wait { Some((at, reason)) } else { None };
        loop {
            if self.parts.signals.abandoned.load(Ordering::SeqCst) {
                return Turn::Abandoned;
            }
            if self.parts.events.take_stored() {
                return Turn::SnapshotStored;
            }
            let reading = self.parts.clock.read();
            let (slack, longest) = (self.parts.https.net.limits.clock_slack, self.parts.https.net.limits.longest_sleep);
            if reading.jumped || deadline.is_some_and(|(at, _)| reading.now.since(at) > slack) {
                return Turn::Resumed;
            }
            let due = deadline.filter(|(at, _)| *at <= reading.now).map(|(_, reason)| reason);
            if let Some(turn) = self.look(due, reading.now) {
                return turn;
            }
            let span = match (due, deadline) {
                (Some(reason), _) => return self.due(reason),
                (None, Some((at, _))) => at.since(reading.now).min(longest),
                (None, None) => longest,
            };
            if self.parts.events.await_application(&self.woken) {
                continue;
            }
            // An interrupted wait is only an early look.
            if self.parts.poll.poll(&mut self.poll_events, Some(span)).is_ok()
                && let Link::Open(_, socket) = &mut self.link
            {
                for event in self.poll_events.iter().filter(|event| event.token() == SOCKET) {
                    let ended = event.is_error();
                    socket.ready(event.is_readable() || event.is_read_closed() || ended, event.is_writable() || ended);
                }
            }
        }
    }

    /// Each part has its turn also while another one always has something.
    fn look(&mut self, due: Option<TimerKind>, now: Timestamp) -> Option<Turn> {
        let flooded = std::mem::take(&mut self.flooded);
        self.socket_first = !self.socket_first && !flooded;
        if self.socket_first
            && let Some(turn) = self.look_at_link(now)
        {
            return Some(turn);
        }
        if let Some(turn) = self.look_at_commands() {
            return Some(turn);
        }
        if let Ok(done) = self.done.try_recv() {
            return Some(Turn::Done(done));
        }
        if flooded && let Some(reason) = due {
            return Some(self.due(reason));
        }
        if !self.socket_first
            && let Some(turn) = self.look_at_link(now)
        {
            return Some(turn);
        }
        (self.unpublished > 0).then_some(Turn::Idle)
    }

    pub(super) fn look_at_commands(&mut self) -> Option<Turn> {
        if self.parts.signals.cancels.load(Ordering::SeqCst) {
            let cancelled = |waiting: &super::Waiting| waiting.cancelled.load(Ordering::SeqCst);
            // Cleared first: a cancellation that comes meanwhile sets it again.
            self.parts.signals.cancels.store(false, Ordering::SeqCst);
            let found = self.requests.iter().find(|(_, waiting)| cancelled(waiting)).map(|(id, _)| *id);
            if let Some(id) = found {
                // There may be more.
                self.parts.signals.cancels.store(true, Ordering::SeqCst);
                self.requests.remove(&id);
                return Some(Turn::Cancelled(id));
            }
        }
        loop {
            return match self.parts.inbox.try_recv() {
                // Nobody waits for it any more, so it is never sent.
                Ok(Command::Request { cancelled, .. }) if cancelled.load(Ordering::SeqCst) => continue,
                Ok(command) => Some(Turn::Command(command)),
                Err(TryRecvError::Empty) => None,
                Err(TryRecvError::Disconnected) => Some(Turn::Abandoned),
            };
        }
    }

    fn look_at_link(&mut self, now: Timestamp) -> Option<Turn> {
        let paused = self.is_paused();
        let Link::Open(conn, socket) = &mut self.link else { return None };
        let conn = *conn;
        if let Some(pressure) = socket.send() {
            return Some(Turn::Pressure(conn, pressure));
        }
        if !paused && let Some(incoming) = self.ahead.take() {
            return Some(Turn::Waited(conn, incoming));
        }
        if self.ahead.is_some() {
            socket.pause();
            return None;
        }
        socket.begin_turn(now);
        let Some(incoming) = socket.receive() else {
            self.flooded = socket.is_spent();
            return self.flooded.then_some(Turn::Received);
        };
        match incoming {
            // It would become an event, for which there is no room.
            incoming @ (Incoming::Text(_) | Incoming::Binary(_)) if paused => {
                self.ahead = Some(incoming);
                Some(Turn::Alive(conn))
            }
            incoming => Some(Turn::Incoming(conn, incoming)),
        }
    }

    fn is_paused(&mut self) -> bool {
        let answer_awaited = !self.over_socket.is_empty();
        must_pause(self.parts.events.load(), self.parts.session.state(), answer_awaited)
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

    fn due(&mut self, reason: TimerKind) -> Turn {
        let Link::Open(_, socket) = &mut self.link else { return Turn::Timeout };
        // What came of a message is lost with the connection; the next turn tells.
        if reason == TimerKind::Liveness && self.ahead.is_none() && socket.gives_up_within_message() {
            return Turn::Received;
        }
        Turn::Timeout
    }
}
