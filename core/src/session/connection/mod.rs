//! The connection: opening it, what it has shown, its loss.

pub(crate) mod attempts;
mod closing;
mod inbound;

use self::closing::reason_of;
use crate::classify::{Cause, Ending, MAX_RETRY_AFTER};
use crate::gap::GapCause;
use crate::ids::ConnId;
use crate::input::{CloseInfo, OpenFailure, Phase};
use crate::output::{Action, CloseReason, Event, Resumption, WaitReason};
use crate::retry::{Cost, Planned};
use crate::session::recovery::StoredSnapshot;
use crate::session::{Close, Session};
use crate::time::Timestamp;
use crate::timers::TimerKind;
use crate::wire::{ConnectionDetails, Message, RecoveryState};

/// Where the connection stands.
#[derive(Clone, Copy, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum ConnectionState {
    /// Never asked for.
    Idle,
    /// Lost, and not to be replaced until asked.
    Offline,
    /// The `Retry` timer runs.
    Waiting { reason: WaitReason },
    /// An attempt that has no WebSocket token yet.
    Attempting,
    /// `Action::Open` is under way.
    Opening { conn: ConnId, recovering: bool },
    /// Open; ConnectionDetails are awaited.
    Handshaking { conn: ConnId, recovering: bool },
    /// ConnectionDetails came.
    Ready { conn: ConnId },
    /// The same, and another connection is to take its place (HB-6).
    Renewing { conn: ConnId },
    /// `Action::Close` is under way; frames are still read.
    #[cfg_attr(feature = "recorder", serde(skip))]
    Closing { conn: ConnId, after: AfterClose },
    /// `Event::Closed` came.
    Closed,
}

impl ConnectionState {
    /// The live connection, opening and closing ones included.
    pub(crate) const fn live(&self) -> Option<ConnId> {
        match self {
            Self::Opening { conn, .. }
            | Self::Handshaking { conn, .. }
            | Self::Ready { conn }
            | Self::Renewing { conn }
            | Self::Closing { conn, .. } => Some(*conn),
            Self::Idle | Self::Offline | Self::Waiting { .. } | Self::Attempting | Self::Closed => None,
        }
    }

    /// The connection that messages are sent on.
    pub(crate) const fn ready(&self) -> Option<ConnId> {
        match self {
            Self::Ready { conn } | Self::Renewing { conn } => Some(*conn),
            _ => None,
        }
    }

    /// Whether ConnectionDetails came on the live connection.
    pub(crate) const fn was_ready(&self) -> bool {
        matches!(self, Self::Ready { .. } | Self::Renewing { .. } | Self::Closing { .. })
    }

    pub(crate) const fn is_renewing(&self) -> bool {
        matches!(self, Self::Renewing { .. })
    }

    /// What a WebSocket token is fetched for now, if for anything.
    pub(crate) const fn token_use(&self) -> Option<TokenUse> {
        match self {
            Self::Attempting => Some(TokenUse::Attempt),
            Self::Renewing { .. } => Some(TokenUse::Renewal),
            Self::Idle
            | Self::Offline
            | Self::Waiting { .. }
            | Self::Opening { .. }
            | Self::Handshaking { .. }
            | Self::Ready { .. }
            | Self::Closing { .. }
            | Self::Closed => None,
        }
    }
}

/// What a WebSocket token is fetched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TokenUse {
    /// The next connection, as there is none.
    Attempt,
    /// The connection that takes the place of the live one (HB-6).
    Renewal,
}

/// What follows an orderly close.
#[derive(Clone, Copy, Debug)]
pub(crate) enum AfterClose {
    /// A new connection with the same session (HB-6).
    Renew,
    /// The end.
    End(Close),
}

/// What the connection has shown so far, or the last one showed: whether it was good for anything.
#[derive(Clone, Copy, Debug, Default)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct ConnectionRecord {
    /// When its ConnectionDetails came.
    pub(crate) since: Timestamp,
    /// It presented the recovery token.
    pub(crate) recovering: bool,
    pub(crate) heartbeat: Heartbeat,
    pub(crate) service: Service,
    /// Notifications of another subscription came on it, and the server was asked about that of this session.
    pub(crate) foreign: bool,
}

/// How far the first heartbeat of a connection came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Heartbeat {
    #[default]
    None,
    Sent,
    Answered,
}

/// What a connection was good for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) enum Service {
    #[default]
    None,
    /// A call was answered on it.
    Answered,
    /// It delivered something new.
    Delivered,
}

impl ConnectionRecord {
    /// BCK-6.
    pub(crate) const fn is_good(&self) -> bool {
        matches!(self.heartbeat, Heartbeat::Answered)
    }

    /// The server was there for it.
    pub(crate) const fn was_healthy(&self) -> bool {
        self.is_good() || !matches!(self.service, Service::None)
    }
}

/// What became of the session before a connection.
enum Fate {
    None,
    Continued,
    Lost(Option<Box<str>>),
}

impl Session {
    pub(crate) fn start(&mut self, now: Timestamp) {
        if !self.is_allowed(&self.config.server.clone(), "https", "http") {
            return self.terminate(CloseReason::Permanent(Cause::InsecureUri), true, now);
        }
        self.bind();
        self.continue_detached();
        self.state.recovery.lost_at = now;
        if let Some(at) = self.state.tokens.unpack(self.state.clock, now) {
            self.state.subscription.hold_until(at);
        }
        self.begin_attempt(now);
    }

    /// There is a WebSocket token and nothing live: presents it (TOK-1, REC-1).
    pub(crate) fn open(&mut self, now: Timestamp) {
        self.forfeit_if_late(now);
        self.meet_host();
        if self.state.recovery.wsc.is_none() {
            // The server gave no recovery token: there is nothing to continue with.
            self.session_lost(GapCause::RecoveryFailed(None), None);
        }
        let wsc = if self.state.subscription.may_be_active() { self.state.recovery.wsc.clone() } else { None };
        let Some(url) = self.state.tokens.present(wsc.as_ref()) else { return };
        let conn = ConnId(self.state.next_conn);
        self.state.next_conn += 1;
        self.state.requests.blocked = false;
        self.state.connection = ConnectionState::Opening { conn, recovering: wsc.is_some() };
        self.arm(TimerKind::Handshake, self.attempt_deadline(self.config.handshake_timeout, now));
        self.out.act(Action::Open { conn, url });
    }

    pub(crate) fn opened(&mut self, conn: ConnId) {
        match self.state.connection {
            ConnectionState::Opening { conn: live, recovering } if live == conn => {
                self.state.tokens.presented();
                self.state.connection = ConnectionState::Handshaking { conn, recovering };
            }
            _ => self.stats.stale_inputs += 1,
        }
    }

    pub(crate) fn open_failed(&mut self, conn: ConnId, failure: OpenFailure, now: Timestamp) {
        let recovering = match self.state.connection {
            ConnectionState::Opening { conn: live, recovering } if live == conn => recovering,
            _ => {
                self.stats.stale_inputs += 1;
                return;
            }
        };
        let seen = failure.status.is_some() || matches!(failure.phase, Phase::Request | Phase::Response);
        if seen {
            self.state.tokens.presented();
        } else {
            self.state.tokens.keep_unpresented();
        }
        let stated = failure.retry_after.map(|wait| wait.min(MAX_RETRY_AFTER));
        let cause = match failure.status {
            Some(429) => Cause::RateLimited { retry_after: stated.unwrap_or(self.config.retry.penalty) },
            Some(503) => Cause::Unavailable { retry_after: stated },
            Some(status) => Cause::UpgradeRefused { status },
            None => {
                let message = self.words(&failure.message);
                Cause::ConnectFailed { phase: failure.phase, message }
            }
        };
        let floor = if let Cause::RateLimited { retry_after } = cause { Some(retry_after) } else { stated };
        let floor = floor.map_or(now, |wait| now.after(wait));
        if recovering && let Some(status) = failure.status {
            self.recovery_token_refused(matches!(status, 429 | 502..=504), now);
        }
        self.attempt_failed(cause, if seen { Cost::Call } else { Cost::Local }, floor, now);
    }

    pub(crate) fn handshake_timed_out(&mut self, now: Timestamp) {
        if let Some(conn) = self.live() {
            self.note_in_flight(&Cause::HandshakeTimeout, now);
            self.drop_socket(conn);
            self.attempt_failed(Cause::HandshakeTimeout, Cost::Call, now, now);
        }
    }

    fn connected(&mut self, conn: ConnId, recovering: bool, message: &Message<'_>, now: Timestamp) {
        let details = ConnectionDetails::from_message(message, &self.masker());
        let fate = match (recovering, details.recovery_state) {
            (true, Some(RecoveryState::Successful)) => Fate::Continued,
            (true, _) => Fate::Lost(details.recovery_error_code.clone()),
            (false, _) => self.state.recovery.lost.take().map_or(Fate::None, |lost| Fate::Lost(lost.code)),
        };
        if let (true, Fate::Lost(code)) = (recovering, &fate) {
            self.session_lost(GapCause::RecoveryFailed(code.clone()), code.clone());
            self.state.recovery.lost = None;
        }
        if message.meta.wsc.is_some() || !recovering {
            // What was held and not presented opens another session than this one.
            self.state.recovery.wsc.clone_from(&message.meta.wsc);
        }
        let (since, unclean) = (self.last_seen(), self.state.recovery.stored_snapshot == StoredSnapshot::Incomplete);
        self.state.recovery.adopt_limits(details.limits());
        self.state.liveness.seen(now);
        self.state.recovery.stored_snapshot = StoredSnapshot::NotNeeded;
        self.state.delivery.set_buffer(self.buffer_size());
        self.out.snapshot_changed();
        self.become_ready(conn, recovering, now);
        let resumption = match fate {
            Fate::None => Resumption::Fresh,
            Fate::Continued => Resumption::Recovered,
            Fate::Lost(_) => Resumption::Lost,
        };
        self.out.emit(Event::Connected { conn, resumption, details: Box::new(details) });
        match fate {
            Fate::None => {
                // What an unconfirmed call may have made belongs to the session before.
                let left_behind = self.state.subscription.leave_behind();
                if self.state.subscription.desired().is_some() && (unclean || left_behind) {
                    let cause = if unclean { GapCause::Restored } else { GapCause::SubscriptionLost };
                    self.state.delivery.lost(cause, since, &mut self.out);
                }
            }
            Fate::Lost(code) => {
                self.stats.recovery_failures += 1;
                self.out.emit(Event::RecoveryFailed { conn, code });
            }
            Fate::Continued => {
                self.stats.recoveries += 1;
                self.session_continued(now);
                self.state.subscription.was_there(since);
                if unclean {
                    self.state.delivery.lost(GapCause::Restored, since, &mut self.out);
                    self.state.subscription.mark_unverified();
                }
                self.out.emit(Event::Recovered { conn });
                if self.state.subscription.active().is_some() {
                    self.state.delivery.replay_started(self.buffer_size(), self.config.limits.held_bytes, since);
                    self.state.fence = Some(self.send_heartbeat());
                    self.arm(TimerKind::Replay, now.after(self.config.heartbeat_timeout));
                }
            }
        }
    }

    fn become_ready(&mut self, conn: ConnId, recovering: bool, now: Timestamp) {
        self.state.connection = ConnectionState::Ready { conn };
        self.stats.connections += 1;
        self.state.record = ConnectionRecord { since: now, recovering, ..ConnectionRecord::default() };
        self.state.bad_frames = 0;
        self.state.fence = None;
        self.state.timers.stop(TimerKind::Handshake);
        self.state.liveness.ready(self.state.recovery.limits.idle_timeout, now);
        self.plan_heartbeat(now);
        if let Some(age) = self.state.recovery.limits.absolute_timeout.filter(|age| *age > 0) {
            // A random point of the last tenth (HB-6).
            let age = std::time::Duration::from_secs(age);
            let at = now.after(age / 10 * 9).after(self.state.rng.up_to(age / 20));
            self.arm(TimerKind::Renewal, at);
        }
    }

    pub(crate) fn socket_closed(&mut self, conn: ConnId, close: &CloseInfo, now: Timestamp) {
        if self.live() != Some(conn) {
            self.stats.stale_inputs += 1;
            return;
        }
        let ending = Ending::of_close(close.code);
        let cause = ending.cause(close.code);
        if self.state.connection.was_ready() && cause != Cause::SocketLost {
            self.state.liveness.closed_in_order(now);
        }
        match self.state.connection {
            ConnectionState::Opening { recovering, .. } | ConnectionState::Handshaking { recovering, .. } => {
                self.note_in_flight(&cause, now);
                if recovering {
                    self.recovery_token_refused(ending == Ending::Away, now);
                }
                self.state.tokens.presented();
                self.attempt_failed(cause, Cost::Call, now, now);
            }
            ConnectionState::Closing { after: AfterClose::End(mode), .. } => {
                self.state.recovery.stored_snapshot.end(mode == Close::Detach);
                self.terminate(reason_of(mode), true, now);
            }
            ConnectionState::Closing { after: AfterClose::Renew, .. } => {
                self.note_in_flight(&cause, now);
                self.connection_lost(Cause::Renewal, false, now);
            }
            _ => {
                let reason = Some(self.words(&close.reason)).filter(|reason| !reason.is_empty());
                self.connection_lost_with(cause, reason, false, now);
            }
        }
    }

    /// The connection is gone, or is to be forgotten. Plans the next one.
    pub(crate) fn connection_lost(&mut self, cause: Cause, forget: bool, now: Timestamp) {
        self.connection_lost_with(cause, None, forget, now);
    }

    /// The same, with what the server or the transport said.
    fn connection_lost_with(&mut self, cause: Cause, said: Option<Box<str>>, forget: bool, now: Timestamp) {
        let Some(conn) = self.live() else { return };
        if let ConnectionState::Closing { after: AfterClose::End(mode), .. } = self.state.connection {
            return self.terminate(reason_of(mode), !forget, now);
        }
        if forget {
            self.drop_socket(conn);
        }
        self.note_in_flight(&cause, now);
        self.on_disconnected(conn, cause.clone(), said, now);
        self.note_short_recovery(&cause, now);
        let rest = self.contention_pause(&cause, now);
        match self.state.closing {
            Some(mode) => self.terminate(reason_of(mode), true, now),
            None if cause == Cause::Renewal => {
                self.begin_attempt(now);
            }
            None if !self.config.auto_recover => self.state.connection = ConnectionState::Offline,
            None => {
                let planned = match rest {
                    Some(at) => Planned { at, reason: WaitReason::Contended },
                    None => self.plan(&cause, Cost::None, now, now),
                };
                if !self.state.record.is_good() {
                    self.state.attempts.count_failure();
                }
                self.wait_and_say(planned, now);
            }
        }
    }

    /// Everything that ends with a connection that was ready.
    fn on_disconnected(&mut self, conn: ConnId, cause: Cause, reason: Option<Box<str>>, now: Timestamp) {
        for kind in
            [TimerKind::Heartbeat, TimerKind::Liveness, TimerKind::Replay, TimerKind::Renewal, TimerKind::Handshake]
        {
            self.state.timers.stop(kind);
        }
        self.forget_call_timer();
        if self.state.closing.is_none() {
            self.state.timers.stop(TimerKind::Close);
        }
        self.state.connection = ConnectionState::Offline;
        self.out.forget(conn);
        self.state.recovery.lost_at = now;
        self.state.delivery.replay_interrupted(now, &mut self.out);
        self.subscription_disconnected();
        self.requests_disconnected(&cause, now);
        self.out.emit(Event::Disconnected { conn, cause, reason });
    }

    pub(crate) fn drop_socket(&mut self, conn: ConnId) {
        self.state.tokens.presented();
        self.out.forget(conn);
        self.out.act(Action::Drop { conn });
    }
}
