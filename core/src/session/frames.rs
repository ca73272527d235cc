//! What arrives on the live connection, and its signs of life (CON, WSC, REC, HB, FRM).

use super::Session;
use super::held::{Held, Place};
use super::link::Link;
use super::repeats::Trial;
use crate::classify::{ApiErrorInfo, Cause};
use crate::gap::GapCause;
use crate::ids::ConnId;
use crate::input::Frame;
use crate::mask::Masker;
use crate::notification::Notification;
use crate::output::{Action, Event, ProtocolError, Purpose, Resumption};
use crate::retry::Cost;
use crate::time::Timestamp;
use crate::timers::TimerKind;
use crate::wire::{ConnectionDetails, Kind, Message, NotificationFields, Payload, RecoveryState, Wsc, parse};

/// The server's idle time-out in seconds, if it does not say (HB-1).
const IDLE_TIMEOUT: u64 = 1800;

/// What became of the session before a connection.
enum Fate {
    None,
    Continued,
    Lost(Option<Box<str>>),
}

impl Session {
    pub(super) fn frame(&mut self, conn: ConnId, frame: Frame<'_>, now: Timestamp) {
        let handshake = match self.state.link {
            Link::Handshaking { conn: live, wsc } if live == conn => Some(wsc),
            // HB-2: any frame is life, and it was there when it arrived: no timer that ran out meanwhile may say
            // otherwise.
            Link::Ready { conn: live } if live == conn => {
                self.state.recovery.seen(now);
                self.state.timers.stop(TimerKind::Liveness);
                self.plan_heartbeat(now);
                None
            }
            Link::Closing { conn: live, .. } if live == conn => {
                self.state.recovery.seen(now);
                None
            }
            _ => {
                self.stats.stale_inputs += 1;
                return;
            }
        };
        self.stats.frames += 1;
        if let Frame::Text(text) = frame
            && handshake.is_none()
            && text.len() <= self.config.limits.frame_bytes
            && let Some(number) = self.state.tag.echo(text)
        {
            self.state.bad_frames = 0;
            return self.echo(Some(number), now);
        }
        let error = match frame {
            Frame::Control => return,
            Frame::Text(text) if text.len() > self.config.limits.frame_bytes => ProtocolError::TooLarge(text.len()),
            Frame::Text(text) => match &parse(text) {
                Ok(message) => {
                    self.state.bad_frames = 0;
                    return match handshake {
                        Some(wsc) => self.handshake_message(conn, wsc, message, now),
                        None => self.message(conn, message, now),
                    };
                }
                Err(_) => ProtocolError::Malformed,
            },
            Frame::Binary(_) => ProtocolError::Binary,
            Frame::TooLarge(size) => ProtocolError::TooLarge(size),
            Frame::Unreadable(what) => ProtocolError::Transport(what),
        };
        self.bad_frame(conn, error, now);
    }

    /// FRM-1. What cannot be read may have been a notification.
    fn bad_frame(&mut self, conn: ConnId, error: ProtocolError, now: Timestamp) {
        self.stats.unreadable += 1;
        self.state.bad_frames += 1;
        self.out.tell(Event::ProtocolError { conn, error });
        if self.state.subs.may_be_active() || !self.state.subs.holds_nothing() {
            let since = self.seen_before_this_frame();
            if self.state.subs.holds_nothing() {
                self.state.ledger.lost(GapCause::UnreadableFrame, since, &mut self.out);
            } else {
                self.hold(Held::Lost(GapCause::UnreadableFrame, since));
            }
            self.state.ledger.took_a_place(now, &mut self.out);
            if self.state.subs.active.is_some() && self.ready().is_some() && !self.state.ledger.is_replaying() {
                self.flush_gap(now);
            }
        }
        if self.state.bad_frames >= self.config.limits.bad_frames.max(1) {
            self.state.bad_frames = 0;
            self.give_up_on(conn, Cause::TooManyBadFrames, now);
        }
    }

    /// Drops a connection that makes no sense any more, ready or not.
    fn give_up_on(&mut self, conn: ConnId, cause: Cause, now: Timestamp) {
        if let Link::Handshaking { wsc: handle, .. } = self.state.link {
            self.drop_socket(conn);
            if handle && !matches!(cause, Cause::MalformedWsc) {
                self.handle_refused(false, now);
            }
            self.attempt_failed(cause, Cost::Call, now, now);
        } else {
            self.lose(cause, true, now);
        }
    }

    /// CON-2, CON-3.
    fn handshake_message(&mut self, conn: ConnId, wsc: bool, message: &Message<'_>, now: Timestamp) {
        match message.meta.kind {
            Kind::ConnectionDetails => self.connected(conn, wsc, message, now),
            Kind::Error => {
                let code = error_code(message, &self.masker());
                if code.as_deref() == Some("WSG-400") && wsc {
                    self.session_lost(GapCause::RecoveryFailed(code.clone()), code);
                    self.give_up_on(conn, Cause::MalformedWsc, now);
                } else {
                    self.give_up_on(conn, Cause::ConnectionError { code }, now);
                }
            }
            Kind::ServerNotification => {
                // Out of order: it cannot be delivered before the session is known to continue.
                self.out.tell(Event::ProtocolError { conn, error: ProtocolError::Unexpected });
                if self.state.subs.may_be_active() {
                    let since = self.last_seen();
                    self.state.ledger.lost(GapCause::UnreadableFrame, since, &mut self.out);
                }
            }
            Kind::ClientRequest => self.stats.unmatched += 1,
            Kind::Heartbeat | Kind::Unknown => self.stats.unknown += 1,
        }
    }

    fn connected(&mut self, conn: ConnId, sent_wsc: bool, message: &Message<'_>, now: Timestamp) {
        let details = ConnectionDetails::from_message(message, &self.masker());
        let fate = match (sent_wsc, details.recovery_state) {
            (true, Some(RecoveryState::Successful)) => Fate::Continued,
            (true, _) => Fate::Lost(details.recovery_error_code.clone()),
            (false, _) => self.state.recovery.lost.take().map_or(Fate::None, |lost| Fate::Lost(lost.code)),
        };
        if let (true, Fate::Lost(code)) = (sent_wsc, &fate) {
            self.session_lost(GapCause::RecoveryFailed(code.clone()), code.clone());
            self.state.recovery.lost = None;
        }
        if message.meta.wsc.is_some() || !sent_wsc {
            // What was held and not presented opens another session than this one.
            self.state.recovery.wsc.clone_from(&message.meta.wsc);
        }
        let (since, unclean) = (self.last_seen(), self.state.recovery.restored);
        self.state.recovery.adopt_limits(details.limits());
        self.state.recovery.seen(now);
        self.state.recovery.restored = false;
        self.state.ledger.set_buffer(self.buffer_size());
        self.out.snapshot_changed();
        self.become_ready(conn, sent_wsc, now);
        let resumption = match fate {
            Fate::None => Resumption::Fresh,
            Fate::Continued => Resumption::Recovered,
            Fate::Lost(_) => Resumption::Lost,
        };
        self.out.tell(Event::Connected { conn, resumption, details: Box::new(details) });
        match fate {
            Fate::None => {
                // What an unconfirmed call may have made belongs to the session before.
                let left_behind = std::mem::take(&mut self.state.subs.unsure);
                if self.state.subs.wanted.is_some() && (unclean || left_behind) {
                    let cause = if unclean { GapCause::Restored } else { GapCause::SubscriptionLost };
                    self.state.ledger.lost(cause, since, &mut self.out);
                }
            }
            Fate::Lost(code) => {
                self.stats.recovery_failures += 1;
                self.out.tell(Event::RecoveryFailed { conn, code });
            }
            Fate::Continued => {
                self.stats.recoveries += 1;
                self.session_continued(now);
                if unclean {
                    self.state.ledger.lost(GapCause::Restored, since, &mut self.out);
                    self.state.subs.verify = self.state.subs.active.is_some();
                }
                self.out.tell(Event::Recovered { conn });
                if self.state.subs.active.is_some() {
                    self.state.ledger.replay_started(self.buffer_size(), self.config.limits.held_bytes, since);
                    self.state.fence = Some(self.send_heartbeat());
                    self.arm(TimerKind::Replay, now.after(self.config.heartbeat_timeout));
                }
            }
        }
    }

    fn become_ready(&mut self, conn: ConnId, handle: bool, now: Timestamp) {
        self.state.link = Link::Ready { conn };
        self.stats.connections += 1;
        self.state.trial = Trial { since: now, handle, ..Trial::default() };
        self.state.bad_frames = 0;
        self.state.fence = None;
        self.state.timers.stop(TimerKind::Handshake);
        self.state.last_sent = now;
        self.plan_heartbeat(now);
        if let Some(age) = self.state.recovery.limits.absolute_timeout.filter(|age| *age > 0) {
            // A random point of the last tenth (HB-6).
            let age = std::time::Duration::from_secs(age);
            let at = now.after(age / 10 * 9).after(self.state.rng.up_to(age / 20));
            self.arm(TimerKind::Renewal, at);
        }
    }

    fn message(&mut self, conn: ConnId, message: &Message<'_>, now: Timestamp) {
        if let Some(wsc) = &message.meta.wsc
            && message.meta.kind != Kind::ConnectionDetails
        {
            self.adopt_newer(wsc);
        }
        match message.meta.kind {
            Kind::ServerNotification => self.notification(message, now),
            Kind::Heartbeat => {
                let number = message.meta.message_id.as_deref().and_then(|id| self.own_message(id));
                self.echo(number, now);
            }
            Kind::ClientRequest => self.answer(message, now),
            Kind::Error => self.error(conn, message, now),
            Kind::ConnectionDetails => {
                if let Some(wsc) = &message.meta.wsc {
                    self.state.recovery.wsc = Some(wsc.clone());
                    self.out.snapshot_changed();
                }
                self.out.tell(Event::ProtocolError { conn, error: ProtocolError::Unexpected });
            }
            Kind::Unknown => self.stats.unknown += 1,
        }
    }

    /// WSC-2.
    fn adopt_newer(&mut self, wsc: &Wsc) {
        if self.state.recovery.wsc.as_ref().is_none_or(|held| wsc.sequence > held.sequence) {
            self.state.recovery.wsc = Some(wsc.clone());
            self.out.snapshot_changed();
        }
    }

    fn notification(&mut self, message: &Message<'_>, now: Timestamp) {
        let none = NotificationFields::default();
        let fields = if let Payload::Notification(fields) = &message.payload { fields } else { &none };
        match self.place(fields.subscription_id.as_deref()) {
            Place::Foreign => {
                self.stats.foreign += 1;
                self.state.ledger.took_a_place(now, &mut self.out);
                self.doubt_subscription();
            }
            place => {
                let notification = Notification::new(message.meta.message_id.as_deref(), fields);
                if let Place::Hold = place {
                    self.hold(Held::Notification(notification));
                } else {
                    self.deliver(notification, now);
                }
            }
        }
    }

    pub(super) fn deliver(&mut self, notification: Notification, now: Timestamp) {
        if self.state.ledger.take(notification, now, &mut self.out) {
            self.stats.notifications += 1;
            self.state.trial.delivered = true;
            self.state.subs.confirmed = Some(self.state.clock.unix_at(now));
        } else {
            self.stats.duplicates += 1;
        }
        if !self.state.ledger.is_replaying() {
            self.state.timers.stop(TimerKind::Replay);
            self.flush_gap(now);
        }
    }

    /// The end of a replay has not been marked in time. As long as nothing of it came, it may still come whole.
    pub(super) fn replay_due(&mut self, now: Timestamp) {
        if self.state.ledger.is_replay_awaited() {
            return self.arm(TimerKind::Replay, now.after(self.config.heartbeat_timeout));
        }
        self.state.ledger.replay_interrupted(now, &mut self.out);
        if self.state.subs.active.is_some() {
            self.flush_gap(now);
        }
    }

    pub(super) fn flush_gap(&mut self, now: Timestamp) {
        self.state.ledger.flush_gap(now, &mut self.out);
    }

    /// Also the moment to renew the last-seen time of the snapshot.
    fn echo(&mut self, number: Option<u64>, now: Timestamp) {
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
            self.state.ledger.replay_ended(now, &mut self.out);
            if self.state.subs.active.is_some() {
                self.state.ledger.proven(now, &mut self.out);
            }
        }
    }

    fn answer(&mut self, message: &Message<'_>, now: Timestamp) {
        let number = message.meta.message_id.as_deref().and_then(|id| self.own_message(id));
        match number {
            None => self.stats.unmatched += 1,
            Some(number) if self.state.subs.owns(number) => {
                let headers = message.meta.headers_map(self.config.limits.headers);
                let status = message.meta.status.unwrap_or(502);
                self.subscription_answer(status, &headers, &message.payload, now);
            }
            Some(number) => self.socket_answer(number, message),
        }
    }

    /// An `Error` is an answer if it names a message of ours, else it is about the connection (HB-5).
    fn error(&mut self, conn: ConnId, message: &Message<'_>, now: Timestamp) {
        let number = message.meta.message_id.as_deref().and_then(|id| self.own_message(id));
        if number.is_some_and(|n| self.state.subs.owns(n) || self.state.requests.has_message(n)) {
            return self.answer(message, now);
        }
        let code = error_code(message, &self.masker());
        self.out.tell(Event::ProtocolError { conn, error: ProtocolError::ServerError });
        match code.as_deref() {
            Some("WSG-902") => self.lose(Cause::IdleTimeout, true, now),
            Some("WSG-903") => self.lose(Cause::AbsoluteTimeout, true, now),
            _ => {}
        }
    }

    /// HB-1: after silence, and in time for the server's idle timer, which no inbound frame and no ping resets.
    fn plan_heartbeat(&mut self, now: Timestamp) {
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
    pub(super) fn heartbeat_due(&mut self, now: Timestamp) {
        if self.ready().is_some() {
            self.send_heartbeat();
            self.arm(TimerKind::Liveness, now.after(self.config.heartbeat_timeout));
        }
    }

    /// HB-4.
    pub(super) fn probe(&mut self, now: Timestamp) {
        if self.ready().is_some() {
            self.send_heartbeat();
            self.state.timers.stop(TimerKind::Heartbeat);
            self.arm(TimerKind::Liveness, now.after(self.config.wake_timeout));
        }
    }

    pub(super) fn send_heartbeat(&mut self) -> u64 {
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
}

fn error_code(message: &Message<'_>, masker: &Masker) -> Option<Box<str>> {
    let json = if let Payload::Json(raw) = &message.payload { raw.get() } else { "" };
    let status = message.meta.status.unwrap_or(400);
    ApiErrorInfo::from_reply_masked(status, &http::HeaderMap::new(), json.as_bytes(), masker).code
}
