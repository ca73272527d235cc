//! What arrives on the live connection (CON, WSC, FRM).

use crate::classify::{ApiError, Cause, Ending};
use crate::gap::GapCause;
use crate::ids::ConnId;
use crate::input::Frame;
use crate::mask::Masker;
use crate::notification::Notification;
use crate::output::{Event, ProtocolError};
use crate::retry::Cost;
use crate::session::Session;
use crate::session::connection::ConnectionState;
use crate::session::delivery::inbound::Place;
use crate::session::delivery::unconfirmed::Held;
use crate::time::Timestamp;
use crate::timers::TimerKind;
use crate::wire::{Kind, Message, NotificationFields, Payload, Wsc, parse};

impl Session {
    /// Whether it was a notification that was delivered, outside of a replay: then nothing else has changed.
    pub(crate) fn frame(&mut self, conn: ConnId, frame: Frame<'_>, now: Timestamp) -> bool {
        let handshake = match self.state.connection {
            ConnectionState::Handshaking { conn: live, recovering } if live == conn => Some(recovering),
            // HB-2: any frame is life, and it was there when it arrived: no timer that ran out meanwhile may say
            // otherwise.
            ConnectionState::Ready { conn: live } | ConnectionState::Renewing { conn: live } if live == conn => {
                self.state.liveness.seen(now);
                self.state.timers.stop(TimerKind::Liveness);
                self.plan_heartbeat(now);
                None
            }
            ConnectionState::Closing { conn: live, .. } if live == conn => {
                self.state.liveness.seen(now);
                None
            }
            _ => {
                self.stats.stale_inputs += 1;
                return false;
            }
        };
        self.stats.frames += 1;
        let error = match frame {
            Frame::Control => return false,
            Frame::Text(text) if text.len() > self.config.limits.frame_bytes => ProtocolError::TooLarge(text.len()),
            Frame::Text(text) => {
                if handshake.is_none()
                    && let Some(number) = self.state.tag.echo(text)
                {
                    self.state.bad_frames = 0;
                    self.echo(Some(number), now);
                    return false;
                }
                match &parse(text) {
                    Ok(message) => {
                        self.state.bad_frames = 0;
                        let Some(recovering) = handshake else { return self.message(conn, message, now) };
                        self.handshake_message(conn, recovering, message, now);
                        return false;
                    }
                    Err(_) => ProtocolError::Malformed,
                }
            }
            Frame::Binary(_) => ProtocolError::Binary,
            Frame::TooLarge(size) => ProtocolError::TooLarge(size),
            Frame::Unreadable(what) => ProtocolError::Transport(what),
        };
        self.bad_frame(conn, error, now);
        false
    }

    /// FRM-1. What cannot be read may have been a notification.
    fn bad_frame(&mut self, conn: ConnId, error: ProtocolError, now: Timestamp) {
        self.stats.unreadable += 1;
        self.state.bad_frames += 1;
        self.out.emit(Event::ProtocolError { conn, error });
        let fresh = matches!(self.state.connection, ConnectionState::Handshaking { recovering: false, .. });
        if self.state.subscription.may_be_owed(!fresh) || !self.state.unconfirmed.is_empty() {
            let since = self.seen_before_this_frame();
            if self.state.unconfirmed.is_empty() {
                self.state.delivery.lost(GapCause::UnreadableFrame, since, &mut self.out);
            } else {
                self.hold(Held::Lost(GapCause::UnreadableFrame, since));
            }
            self.state.delivery.count_replay_slot(now, &mut self.out);
            if self.state.subscription.active().is_some()
                && self.ready().is_some()
                && !self.state.delivery.is_replaying()
            {
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
        if let ConnectionState::Handshaking { recovering, .. } = self.state.connection {
            self.drop_socket(conn);
            if recovering && !matches!(cause, Cause::MalformedWsc) {
                self.recovery_token_refused(false, now);
            }
            self.attempt_failed(cause, Cost::Call, now, now);
        } else {
            self.connection_lost(cause, true, now);
        }
    }

    /// CON-2, CON-3.
    fn handshake_message(&mut self, conn: ConnId, recovering: bool, message: &Message<'_>, now: Timestamp) {
        match message.meta.kind {
            Kind::ConnectionDetails => self.connected(conn, recovering, message, now),
            Kind::Error => {
                let code = error_code(message, &self.masker());
                if recovering && code.as_deref().and_then(Ending::of_error) == Some(Ending::MalformedWsc) {
                    self.session_lost(GapCause::RecoveryFailed(code.clone()), code);
                    self.give_up_on(conn, Cause::MalformedWsc, now);
                } else {
                    self.give_up_on(conn, Cause::ConnectionError { code }, now);
                }
            }
            Kind::ServerNotification => {
                // Out of order: it cannot be delivered before the session is known to continue.
                self.out.emit(Event::ProtocolError { conn, error: ProtocolError::Unexpected });
                if self.state.subscription.may_be_owed(recovering) {
                    let since = self.last_seen();
                    self.state.delivery.lost(GapCause::UnreadableFrame, since, &mut self.out);
                }
            }
            Kind::ClientRequest => self.stats.unmatched += 1,
            Kind::Heartbeat | Kind::Unknown => self.stats.unknown += 1,
        }
    }

    fn message(&mut self, conn: ConnId, message: &Message<'_>, now: Timestamp) -> bool {
        if let Some(wsc) = &message.meta.wsc
            && message.meta.kind != Kind::ConnectionDetails
        {
            self.adopt_newer(wsc);
        }
        match message.meta.kind {
            Kind::ServerNotification => return self.notification(message, now),
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
                self.out.emit(Event::ProtocolError { conn, error: ProtocolError::Unexpected });
            }
            Kind::Unknown => self.stats.unknown += 1,
        }
        false
    }

    /// WSC-2.
    fn adopt_newer(&mut self, wsc: &Wsc) {
        if self.state.recovery.wsc.as_ref().is_none_or(|held| wsc.sequence > held.sequence) {
            self.state.recovery.wsc = Some(wsc.clone());
            self.out.snapshot_changed();
        }
    }

    /// Whether it was delivered, outside of a replay.
    fn notification(&mut self, message: &Message<'_>, now: Timestamp) -> bool {
        let none = NotificationFields::default();
        let fields = if let Payload::Notification(fields) = &message.payload { fields } else { &none };
        match self.place(fields.subscription_id.as_deref()) {
            Place::Foreign => {
                self.stats.foreign += 1;
                self.state.delivery.count_replay_slot(now, &mut self.out);
                self.suspect_subscription();
                false
            }
            place => {
                let notification = Notification::new(message.meta.message_id.as_deref(), fields);
                if let Place::Hold = place {
                    self.hold(Held::Notification(notification));
                    return false;
                }
                let replays = self.state.delivery.is_replaying();
                self.deliver(notification, now);
                !replays
            }
        }
    }

    fn answer(&mut self, message: &Message<'_>, now: Timestamp) {
        let number = message.meta.message_id.as_deref().and_then(|id| self.own_message(id));
        match number {
            None => self.stats.unmatched += 1,
            Some(number) if self.state.subscription.owns(number) => {
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
        if number.is_some_and(|n| self.state.subscription.owns(n) || self.state.requests.has_message(n)) {
            return self.answer(message, now);
        }
        let code = error_code(message, &self.masker());
        self.out.emit(Event::ProtocolError { conn, error: ProtocolError::ServerError });
        if let Some(ending @ (Ending::Idle | Ending::TooOld)) = code.as_deref().and_then(Ending::of_error) {
            self.connection_lost(ending.cause(None), true, now);
        }
    }
}

fn error_code(message: &Message<'_>, masker: &Masker) -> Option<Box<str>> {
    let json = if let Payload::Json(raw) = &message.payload { raw.get() } else { "" };
    let status = message.meta.status.unwrap_or(400);
    ApiError::from_reply_masked(status, &http::HeaderMap::new(), json.as_bytes(), masker).code
}
