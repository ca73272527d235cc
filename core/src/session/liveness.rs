//! Signs of life: when the last ones came, and the heartbeats that ask for them (HB).

use crate::ids::ConnId;
use crate::input::Frame;
use crate::output::{Action, Purpose};
use crate::session::Session;
use crate::session::connection::ConnectionState;
use crate::time::{Timestamp, UnixMillis};
use crate::timers::TimerKind;

/// The server's idle time-out in seconds, if it does not say (HB-1).
const IDLE_TIMEOUT: u64 = 1800;
impl Session {
    /// Also the moment to renew the last-seen time of the snapshot.
    pub(crate) fn echo(&mut self, number: Option<u64>, now: Timestamp) {
        self.out.snapshot_changed();
        if let Some(number) = number {
            self.state.recovery.heartbeat_answered(number);
            if !self.state.trial.echoed {
                // The connection is good (BCK-6).
                self.state.trial.echoed = true;
                self.state.attempt = 0;
                self.state.repeats.handle_gone();
            }
        }
        if number.is_some() && number == self.state.fence {
            self.state.fence = None;
            self.state.timers.stop(TimerKind::Replay);
            self.state.delivery.replay_ended(now, &mut self.out);
            if self.state.subscription.active.is_some() {
                self.state.delivery.mark_verified(now, &mut self.out);
            }
        }
    }

    /// HB-1: after silence, and in time for the server's idle timer, which no inbound frame and no ping resets.
    pub(crate) fn plan_heartbeat(&mut self, now: Timestamp) {
        let idle = self.state.recovery.limits.idle_timeout.filter(|idle| *idle > 0).unwrap_or(IDLE_TIMEOUT);
        // Half of it, in microseconds.
        let after =
            |sent: Timestamp| Timestamp::from_micros(sent.as_micros().saturating_add(idle.saturating_mul(500_000)));
        // A busy connection shows that it is good by one heartbeat, too (BCK-6).
        let first = self.state.trial.since.after(self.config.heartbeat_interval);
        if after(self.state.last_sent) <= now || !self.state.trial.asked && first <= now {
            self.send_heartbeat();
        }
        let silence = now.after(self.config.heartbeat_interval).min(after(self.state.last_sent));
        self.arm(TimerKind::Heartbeat, if self.state.trial.asked { silence } else { silence.min(first) });
    }

    /// HB-1, HB-2.
    pub(crate) fn heartbeat_due(&mut self, now: Timestamp) {
        if self.ready().is_some() {
            self.send_heartbeat();
            self.arm(TimerKind::Liveness, now.after(self.config.heartbeat_timeout));
        }
    }

    /// HB-4.
    pub(crate) fn probe(&mut self, now: Timestamp) {
        if self.ready().is_some() {
            self.send_heartbeat();
            self.state.timers.stop(TimerKind::Heartbeat);
            self.arm(TimerKind::Liveness, now.after(self.config.wake_timeout));
        }
    }

    pub(crate) fn send_heartbeat(&mut self) -> u64 {
        let number = self.fresh_id();
        if let Some(conn) = self.ready() {
            self.stats.heartbeats += 1;
            self.state.trial.asked = true;
            self.state.last_sent = self.state.now;
            let text = self.state.tag.heartbeat(number);
            self.out.act(Action::Send { conn, text, purpose: Purpose::Heartbeat });
        }
        number
    }

    /// HB-4: no timer that ran out during the sleep may act before the waiting bytes were read.
    pub(crate) fn resumed(&mut self, now: Timestamp) {
        self.state.recovery.sleep_ended(self.state.next_id);
        match self.state.connection {
            ConnectionState::Ready { .. } | ConnectionState::Renewing { .. } => self.probe(now),
            _ => self.network_changed(true, now),
        }
        let wake = now.after(self.config.wake_timeout);
        let mut extended = vec![TimerKind::Handshake, TimerKind::Replay, TimerKind::TokenCall, TimerKind::Authorize];
        // The answer of a call, or the last frames before a renewal; a retry and the end of the session do not wait.
        extended.extend(self.state.subscription.is_calling().then_some(TimerKind::Subscribe));
        extended.extend(self.state.ending.is_none().then_some(TimerKind::Close));
        for kind in extended {
            if self.state.timers.get(kind).is_some_and(|at| at < wake) {
                self.arm(kind, wake);
            }
        }
    }

    /// HB-3: messages wait for the application. As after a sleep they are read first, and say nothing about the time in
    /// which they waited.
    pub(crate) fn unread(&mut self, conn: ConnId, now: Timestamp) {
        if self.live() != Some(conn) {
            self.stats.stale_inputs += 1;
        } else if self.state.timers.is_due_for_messages(now) {
            self.resumed(now);
            self.frame(conn, Frame::Control, now);
        } else if self.ready().is_some() && now.since(self.state.recovery.last_seen) >= self.config.wake_timeout {
            // The answer to a heartbeat sent now comes behind all that waits (REC-5).
            self.state.recovery.sleep_ended(self.state.next_id);
            self.send_heartbeat();
        }
    }

    /// When the last frame came, by the wall clock; after a sleep, the last one before it.
    pub(crate) fn last_seen(&self) -> UnixMillis {
        let seen = self.state.recovery.slept.map_or(self.state.recovery.last_seen, |slept| slept.seen);
        self.state.recovery.seen_before.unwrap_or_else(|| self.state.clock.unix_at(seen))
    }

    /// When the last frame but the present one came.
    pub(crate) fn seen_before_this_frame(&self) -> UnixMillis {
        if self.state.connection.was_ready() && self.state.recovery.slept.is_none() {
            return self.state.clock.unix_at(self.state.recovery.earlier_seen);
        }
        self.last_seen()
    }
}
