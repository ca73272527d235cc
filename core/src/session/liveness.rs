//! Signs of life: when the last ones came, and the heartbeats that ask for them (HB).

use std::time::Duration;

use crate::ids::ConnId;
use crate::input::Frame;
use crate::output::{Action, Purpose};
use crate::session::Session;
use crate::session::connection::ConnectionState;
use crate::session::connection::Heartbeat;
use crate::time::ClockReading;
use crate::time::{Timestamp, UnixMillis};
use crate::timers::TimerKind;

/// The server's idle time-out in seconds, if it does not say (HB-1).
const IDLE_TIMEOUT: u64 = 1800;

/// When the server and this client last showed a sign of life.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Liveness {
    /// Half of the server's idle time-out, in microseconds.
    #[cfg_attr(feature = "recorder", serde(with = "crate::serde_forms::exact"))]
    half_idle: u64,
    /// By when a message is to leave: half of the server's idle time-out after the last one, or after the connection became
    /// ready. The server's idle timer looks at nothing else (HB-1).
    send_by: Timestamp,
    /// When the last frame of a ready connection came.
    last_seen: Timestamp,
    /// When the frame before that one came.
    earlier_seen: Timestamp,
    /// When a close frame with a code came: the server was there until then, so its window began no earlier.
    /// What it sent before may have been lost on the way, so this is no end of a gap.
    closed: Option<Timestamp>,
    /// A wake-up that no heartbeat sent after it has been answered since: what is read may have waited in the socket
    /// for as long as the sleep, and says nothing about the time in between.
    slept: Option<Slept>,
    /// Messages wait for the application again and again.
    #[cfg_attr(feature = "recorder", serde(default, skip_serializing_if = "Option::is_none"))]
    lag: Option<Lag>,
    /// The last sign of life, when it was another process that received it: it may lie before the driver's epoch.
    seen_before: Option<UnixMillis>,
}

/// A sleep, as long as nothing that was received since shows that its end was reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
struct Slept {
    /// When the last frame before it came.
    seen: Timestamp,
    /// The first message number used after it.
    from: u64,
}

/// Short pauses of reading in a row: each makes what waits older, although none alone is long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
struct Lag {
    /// When the last frame before the first of them came.
    since: Timestamp,
    /// When the last of them ended.
    until: Timestamp,
}

impl Liveness {
    /// `before`: the last sign of life that another process received.
    pub(crate) const fn new(now: Timestamp, before: Option<UnixMillis>) -> Self {
        let half_idle = IDLE_TIMEOUT * 500_000;
        Self {
            half_idle,
            send_by: now,
            last_seen: now,
            earlier_seen: now,
            closed: None,
            slept: None,
            lag: None,
            seen_before: before,
        }
    }

    /// A frame of a ready connection came.
    pub(crate) fn seen(&mut self, now: Timestamp) {
        self.earlier_seen = self.last_seen;
        self.last_seen = now;
        self.closed = None;
        self.seen_before = None;
    }

    /// A ready connection ended with a close frame.
    pub(crate) fn closed_in_order(&mut self, now: Timestamp) {
        self.closed = Some(now);
    }

    /// The process woke up; `from` is the next message number.
    pub(crate) fn sleep_ended(&mut self, from: u64) {
        let seen = self.slept.map_or(self.last_seen, |slept| slept.seen);
        self.slept = Some(Slept { seen, from });
    }

    /// A pause of reading has ended. Whether what is read now may have waited for `limit`, as after a sleep: then it says
    /// nothing about that time until a heartbeat with this number or a later one is answered.
    pub(crate) fn fell_behind(&mut self, limit: Duration, from: u64, now: Timestamp) -> bool {
        // Reading that did not pause for so long has caught up.
        let lag = self.lag.filter(|lag| self.last_seen.since(lag.until) < limit);
        let since = lag.map_or(self.last_seen, |lag| lag.since);
        self.lag = Some(Lag { since, until: now });
        let is_behind = now.since(since) >= limit;
        if is_behind {
            self.lag = None;
            let seen = self.slept.map_or(since, |slept| slept.seen);
            self.slept = Some(Slept { seen, from });
        }
        is_behind
    }

    /// A heartbeat was answered: if it was sent after the sleep, all that waited has been read.
    pub(crate) fn heartbeat_answered(&mut self, number: u64) {
        if self.slept.is_some_and(|slept| number >= slept.from) {
            self.slept = None;
        }
    }

    /// The connection is ready. `idle`: the server's idle time-out in seconds, if it gave one.
    pub(crate) fn ready(&mut self, idle: Option<u64>, now: Timestamp) {
        self.lag = None;
        self.half_idle = idle.filter(|idle| *idle > 0).unwrap_or(IDLE_TIMEOUT).saturating_mul(500_000);
        self.sent(now);
    }

    /// A message leaves.
    #[inline]
    pub(crate) const fn sent(&mut self, now: Timestamp) {
        self.send_by = Timestamp::from_micros(now.as_micros().saturating_add(self.half_idle));
    }

    pub(crate) const fn seen_before(&self) -> Option<UnixMillis> {
        self.seen_before
    }

    /// When the server was last known to be there.
    pub(crate) fn last_sign(&self) -> Timestamp {
        self.closed.unwrap_or(self.last_seen)
    }

    /// When the last frame came that proves life. After a sleep, on a connection that was ready before it, that is the
    /// last one before the sleep: a later one may have waited. `ready`: since when the connection is.
    pub(crate) fn last_proof(&self, ready: Timestamp) -> Timestamp {
        self.slept.filter(|slept| ready <= slept.seen).map_or(self.last_seen, |slept| slept.seen)
    }

    /// How long nothing has come.
    pub(crate) fn silence(&self, now: Timestamp) -> Duration {
        now.since(self.last_seen)
    }

    pub(crate) const fn is_behind_a_sleep(&self) -> bool {
        self.slept.is_some()
    }

    /// When the last frame came, by the wall clock; after a sleep, the last one before it.
    pub(crate) fn last_seen(&self, clock: ClockReading) -> UnixMillis {
        let seen = self.slept.map_or(self.last_seen, |slept| slept.seen);
        self.seen_before.unwrap_or_else(|| clock.unix_at(seen))
    }
}

impl Session {
    /// Also the moment to renew the last-seen time of the snapshot.
    pub(crate) fn echo(&mut self, number: Option<u64>, now: Timestamp) {
        self.out.snapshot_changed();
        if let Some(number) = number {
            self.state.liveness.heartbeat_answered(number);
            if !self.state.record.is_good() {
                self.state.record.heartbeat = Heartbeat::Answered;
                self.state.attempts.forget_failures();
                self.state.failures.recovery_token_cleared();
            }
        }
        if number.is_some() && number == self.state.fence {
            self.state.fence = None;
            self.state.timers.stop(TimerKind::Replay);
            self.state.delivery.replay_ended(now, &mut self.out);
            if self.state.subscription.active().is_some() {
                self.state.delivery.mark_verified(now, &mut self.out);
            }
        }
    }

    /// HB-1: after silence, and in time for the server's idle timer, which no inbound frame and no ping resets.
    pub(crate) fn plan_heartbeat(&mut self, now: Timestamp) {
        let mut at = now.after(self.config.heartbeat_interval);
        if self.state.liveness.send_by <= now {
            self.send_heartbeat();
        }
        if self.state.record.heartbeat == Heartbeat::None {
            // A busy connection shows that it is good by one heartbeat, too (BCK-6).
            let first = self.state.record.since.after(self.config.heartbeat_interval);
            if first <= now {
                self.send_heartbeat();
            } else {
                at = at.min(first);
            }
        }
        // None of them lies in the past: what is due was sent just now.
        self.state.timers.set(TimerKind::Heartbeat, at.min(self.state.liveness.send_by));
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
            if self.state.record.heartbeat == Heartbeat::None {
                self.state.record.heartbeat = Heartbeat::Sent;
            }
            self.state.liveness.sent(self.state.now);
            let text = self.state.tag.heartbeat(number);
            self.out.act(Action::Send { conn, text, purpose: Purpose::Heartbeat });
        }
        number
    }

    /// HB-4: no timer that ran out during the sleep may act before the waiting bytes were read.
    pub(crate) fn resumed(&mut self, now: Timestamp) {
        self.state.liveness.sleep_ended(self.state.next_id);
        match self.state.connection {
            ConnectionState::Ready { .. } | ConnectionState::Renewing { .. } => self.probe(now),
            _ => self.network_changed(true, now),
        }
        let wake = now.after(self.config.wake_timeout);
        let mut extended = vec![TimerKind::Handshake, TimerKind::Replay, TimerKind::TokenCall, TimerKind::Authorize];
        // The answer of a call, or the last frames before a renewal; a retry and the end of the session do not wait.
        extended.extend(self.state.subscription.is_calling().then_some(TimerKind::Subscribe));
        extended.extend(self.state.closing.is_none().then_some(TimerKind::Close));
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
            let _ = self.frame(conn, Frame::Control, now);
        } else if self.state.connection.was_ready()
            && self.state.liveness.fell_behind(self.config.wake_timeout, self.state.next_id, now)
            && self.ready().is_some()
        {
            // The answer to a heartbeat sent now comes behind all that waits (REC-5). While the connection closes none is
            // sent, and nothing shows that all was read.
            self.send_heartbeat();
        }
    }

    /// When the last frame came, by the wall clock; after a sleep, the last one before it.
    pub(crate) fn last_seen(&self) -> UnixMillis {
        self.state.liveness.last_seen(self.state.clock)
    }

    /// When the last frame but the present one came.
    pub(crate) fn seen_before_this_frame(&self) -> UnixMillis {
        if self.state.connection.was_ready() && self.state.liveness.slept.is_none() {
            return self.state.clock.unix_at(self.state.liveness.earlier_seen);
        }
        self.last_seen()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(s: u64) -> Timestamp {
        Timestamp::from_secs(s)
    }

    const CLOCK: ClockReading = ClockReading { now: Timestamp::ZERO, unix: UnixMillis(0) };

    // CLAUSE HB-4
    #[test]
    fn what_comes_after_a_sleep_says_nothing_about_it_until_a_later_heartbeat_is_answered() {
        let mut liveness = Liveness::new(at(0), None);
        liveness.seen(at(10));
        liveness.sleep_ended(7);
        liveness.seen(at(100));
        assert_eq!(liveness.last_seen(CLOCK), UnixMillis(10_000), "it may have waited");
        assert_eq!(liveness.last_proof(at(5)), at(10));
        assert_eq!(liveness.last_proof(at(20)), at(100), "the connection was made after the sleep");
        liveness.sleep_ended(9);
        liveness.heartbeat_answered(8);
        assert_eq!(liveness.last_seen(CLOCK), UnixMillis(10_000), "the second sleep is not over");
        liveness.heartbeat_answered(9);
        assert_eq!((liveness.last_seen(CLOCK), liveness.is_behind_a_sleep()), (UnixMillis(100_000), false));
        assert_eq!(liveness.last_proof(at(5)), at(100));
    }

    // CLAUSE HB-3 REC-5
    #[test]
    fn short_pauses_in_a_row_count_together() {
        let limit = Duration::from_secs(3);
        let read = |liveness: &mut Liveness, s| {
            let is_behind = liveness.fell_behind(limit, 7, at(s));
            liveness.seen(at(s));
            is_behind
        };
        let mut liveness = Liveness::new(at(0), None);
        liveness.seen(at(10));
        assert!(!read(&mut liveness, 12) && read(&mut liveness, 14), "what is read may be four seconds old");
        assert_eq!(liveness.last_seen(CLOCK), UnixMillis(10_000));
        assert!(!read(&mut liveness, 16) && read(&mut liveness, 17));
        liveness.heartbeat_answered(7);
        assert_eq!(liveness.last_seen(CLOCK), UnixMillis(17_000));
        // Between them all was read.
        for s in [19, 23, 27] {
            liveness.seen(at(s));
            assert!(!liveness.fell_behind(limit, 8, at(s + 1)), "{s}");
        }
        // What waited on the connection before is gone.
        assert!(!read(&mut liveness, 29));
        liveness.ready(None, at(30));
        assert!(!read(&mut liveness, 31));
        // A long one begins where a short one ended.
        assert!(read(&mut liveness, 40));
        assert_eq!(liveness.last_seen(CLOCK), UnixMillis(29_000));
    }

    #[test]
    fn a_close_frame_is_a_sign_of_life_and_no_end_of_a_gap() {
        let mut liveness = Liveness::new(at(0), Some(UnixMillis(5)));
        assert_eq!(liveness.last_seen(CLOCK), UnixMillis(5));
        liveness.seen(at(10));
        liveness.closed_in_order(at(12));
        assert_eq!((liveness.last_sign(), liveness.last_seen(CLOCK)), (at(12), UnixMillis(10_000)));
        assert_eq!((liveness.silence(at(13)), liveness.seen_before()), (Duration::from_secs(3), None));
        liveness.seen(at(14));
        assert_eq!(liveness.last_sign(), at(14));
    }
}
