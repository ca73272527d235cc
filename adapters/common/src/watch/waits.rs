//! What the program waits for, and how that is said.

use std::time::Duration;

use ringcentral_ws_core::{Config, Event, SessionState, SubscriptionState, WaitReason};

use super::paint::Status;

/// When nothing could be shown for so long while something is under way, that is said. Then again after each five times
/// of it.
pub const SILENCE: Duration = Duration::from_millis(1500);

/// How often a status line that shows a time is drawn.
const TICK: Duration = Duration::from_secs(1);

/// The state of a client, by the program's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// The state of the session.
    pub session: SessionState,
    /// The state of its subscription.
    pub subscription: SubscriptionState,
    /// When the next attempt begins, as time since the program began.
    pub next_try: Option<Duration>,
}

/// The longest times of what is under way.
#[derive(Clone, Copy, Debug)]
pub struct Longest {
    login: Duration,
    connection: Duration,
    subscription: Duration,
    close: Duration,
}

impl Longest {
    /// Those of a session with these settings.
    #[must_use]
    pub fn of(config: &Config) -> Self {
        Self {
            login: config.token_timeout,
            // A login, the call for a connection token, and the connection itself.
            connection: 2 * config.token_timeout + config.handshake_timeout,
            subscription: config.request_timeout,
            close: config.close_timeout,
        }
    }
}

/// Something that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Doing {
    Connecting,
    Subscribing,
    Closing,
}

/// What is to be said of a wait.
pub(super) enum Slow {
    /// This is not answered yet, and began so long ago.
    Unanswered(Doing, Duration),
    /// The next attempt begins after this time, which no event has said.
    Pause(Duration),
}

/// What there was.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    events: u64,
    gaps: u64,
    connections: u64,
}

/// Follows what is waited for.
#[derive(Debug)]
pub(super) struct Waits {
    longest: Longest,
    standing: Standing,
    /// Since when it stands so.
    since: Duration,
    /// When it is said that something takes long.
    say_at: Option<Duration>,
    /// The end of the session was asked for.
    is_closing: bool,
    /// An event has said how long the pause before the next attempt is.
    is_announced: bool,
    /// When the subscription is tried again. The session waits until then over losses and connections.
    subscribe_at: Option<Duration>,
    counts: Counts,
}

impl Waits {
    pub(super) const fn new(longest: Longest) -> Self {
        let standing = Standing { session: SessionState::Idle, subscription: SubscriptionState::None, next_try: None };
        let counts = Counts { events: 0, gaps: 0, connections: 0 };
        Self {
            longest,
            standing,
            since: Duration::ZERO,
            say_at: None,
            is_closing: false,
            is_announced: false,
            subscribe_at: None,
            counts,
        }
    }

    pub(super) fn state(&mut self, standing: Standing, now: Duration) {
        let before = std::mem::replace(&mut self.standing, standing);
        if before != standing && !self.is_closing {
            self.since = now;
            let is_waiting = matches!(standing.session, SessionState::Waiting { .. }) || self.doing(now).is_some();
            let begins = if is_waiting { Some(now) } else { self.pause() };
            self.say_at = begins.map(|at| at + SILENCE);
        }
    }

    /// The end of the session was asked for.
    pub(super) fn close(&mut self, now: Duration) {
        if !std::mem::replace(&mut self.is_closing, true) {
            self.since = now;
            self.subscribe_at = None;
            self.say_at = Some(now + SILENCE);
        }
    }

    /// Whether the end of the session was asked for.
    pub(super) const fn is_closing(&self) -> bool {
        self.is_closing
    }

    pub(super) fn event(&mut self, event: &Event, now: Duration) {
        match event {
            Event::Notification(_) => self.counts.events += 1,
            Event::Gap(_) => self.counts.gaps += 1,
            Event::Connected { .. } => {
                self.counts.connections += 1;
                // The state that belongs to it may come later.
                if !self.is_closing && !matches!(self.standing.session, SessionState::Ready { .. }) {
                    self.say_at = None;
                }
            }
            Event::Retry { .. } => {
                self.is_announced = true;
                if !self.is_closing {
                    self.since = now;
                }
            }
            Event::Waiting { reason: WaitReason::SubscriptionLimit, delay, .. } if !self.is_closing => {
                self.subscription_waits(*delay, now);
            }
            Event::Waiting { .. } => self.is_announced = true,
            Event::Disconnected { .. } => self.is_announced = false,
            Event::SubscriptionFailed { delay: Some(delay), .. } if !self.is_closing => {
                self.subscription_waits(*delay, now);
            }
            Event::SubscriptionFailed { .. } | Event::Subscribed(_) | Event::Unsubscribed { .. } => {
                self.subscribe_at = None;
            }
            _ => {}
        }
    }

    fn subscription_waits(&mut self, delay: Duration, now: Duration) {
        self.subscribe_at = Some(now + delay);
        self.say_at = Some(now + delay + SILENCE);
    }

    /// What is under way.
    pub(super) fn doing(&self, now: Duration) -> Option<Doing> {
        match self.standing.session {
            SessionState::Closed => None,
            _ if self.is_closing => Some(Doing::Closing),
            SessionState::Connecting => Some(Doing::Connecting),
            SessionState::Closing => Some(Doing::Closing),
            SessionState::Ready { .. } => {
                let is_pending = matches!(self.standing.subscription, SubscriptionState::Pending);
                (is_pending && self.subscribe_at.is_none_or(|at| at <= now)).then_some(Doing::Subscribing)
            }
            _ => None,
        }
    }

    /// The end of the pause before the next call for the subscription, on a connection.
    fn pause(&self) -> Option<Duration> {
        let is_connected = matches!(self.standing.session, SessionState::Ready { .. });
        let is_pending = matches!(self.standing.subscription, SubscriptionState::Pending);
        self.subscribe_at.filter(|_| is_connected && is_pending)
    }

    /// Something takes long, and that is to be said now.
    pub(super) fn due(&mut self, now: Duration) -> Option<Slow> {
        self.say_at.filter(|at| *at <= now)?;
        let doing = self.doing(now);
        self.say_at = doing.map(|_| now + 5 * SILENCE);
        if let Some(doing) = doing {
            return Some(Slow::Unanswered(doing, now.saturating_sub(self.began(doing))));
        }
        let next_try = self.standing.next_try.filter(|_| !self.is_announced)?;
        Some(Slow::Pause(next_try.saturating_sub(now)))
    }

    pub(super) const fn says_next(&self) -> Option<Duration> {
        self.say_at
    }

    /// When what is under way began.
    fn began(&self, doing: Doing) -> Duration {
        match doing {
            Doing::Subscribing => self.subscribe_at.unwrap_or_default().max(self.since),
            // It may be long before the subscription's turn.
            Doing::Connecting | Doing::Closing => self.since,
        }
    }

    pub(super) const fn longest(&self, doing: Doing, is_login: bool) -> Duration {
        match doing {
            Doing::Connecting if is_login => self.longest.login,
            Doing::Connecting => self.longest.connection,
            Doing::Subscribing => self.longest.subscription,
            Doing::Closing => self.longest.close,
        }
    }

    /// The status line, and when it changes by itself. `None` when nothing more comes.
    pub(super) fn status(&self, is_login: bool, now: Duration) -> (Option<Status>, Option<Duration>) {
        let (state, next) = self.state_line(is_login, now);
        (state.map(|state| Status { state, counts: self.counts.to_string() }), next)
    }

    fn state_line(&self, is_login: bool, now: Duration) -> (Option<String>, Option<Duration>) {
        if let Some(doing) = self.doing(now) {
            let what = match doing {
                Doing::Connecting if is_login => "logging in",
                Doing::Connecting => "connecting",
                Doing::Subscribing => "connected, subscribing",
                Doing::Closing => "closing",
            };
            let taken = now.saturating_sub(self.began(doing)).as_secs();
            let next = Some(self.began(doing) + Duration::from_secs(taken) + TICK);
            let longest = self.longest(doing, is_login).as_secs();
            let time = if taken == 0 { String::new() } else { format!(", {taken} s of at most {longest} s") };
            return (Some(format!("{what}{time}")), next);
        }
        let fixed = |text: &str| (Some(text.to_owned()), None);
        match self.standing.session {
            SessionState::Waiting { .. } => {
                let (time, next) = countdown(self.standing.next_try.unwrap_or(now), now);
                (Some(format!("not connected: next try {time}")), next)
            }
            SessionState::Ready { .. } => match (self.standing.subscription, self.subscribe_at) {
                (SubscriptionState::Pending, Some(at)) => {
                    let (time, next) = countdown(at, now);
                    (Some(format!("connected, not subscribed: next try {time}")), next)
                }
                (SubscriptionState::Refused, _) => fixed("connected, but the subscription was refused"),
                (SubscriptionState::Active, _) => fixed("listening"),
                _ => fixed("connected, no subscription"),
            },
            SessionState::Offline => fixed("offline: nothing is tried"),
            SessionState::Closed => (None, None),
            _ => fixed("starting"),
        }
    }
}

/// The seconds until then, and when their number changes.
fn countdown(at: Duration, now: Duration) -> (String, Option<Duration>) {
    let left = at.saturating_sub(now);
    let seconds = left.as_secs() + u64::from(left.subsec_nanos() > 0);
    if seconds == 0 {
        return ("now".to_owned(), None);
    }
    (format!("in {seconds} s"), Some(at.saturating_sub(Duration::from_secs(seconds - 1))))
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let many = |count: u64, one: &str| if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") };
        let again = self.connections.saturating_sub(1);
        write!(f, "{}, {}, {}", many(self.events, "event"), many(self.gaps, "gap"), many(again, "reconnect"))
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;
    use ringcentral_ws_core::classify::ApiError;
    use ringcentral_ws_core::{Cause, ConnId, ConnectionDetails, Resumption, SubscriptionId, Timestamp};

    use super::*;

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn failed(delay: Option<Duration>) -> Event {
        let error = Box::new(ApiError::from_reply(429, &HeaderMap::new(), b""));
        let retry_at = delay.map(|_| Timestamp::ZERO);
        Event::SubscriptionFailed { id: SubscriptionId::from(1), error, retry_at, delay }
    }

    fn state(waits: &mut Waits, session: SessionState, at: u64) {
        let subscription = SubscriptionState::Pending;
        waits.state(Standing { session, subscription, next_try: None }, seconds(at));
    }

    fn shown(waits: &Waits, at: u64) -> String {
        waits.status(false, seconds(at)).0.map(|status| status.state).unwrap_or_default()
    }

    /// Refused at 0 s for 300 s, then another connection from 10 s to 12 s.
    fn reconnected() -> Waits {
        let ready = |conn| SessionState::Ready { conn: ConnId::from(conn) };
        let mut waits = Waits::new(Longest::of(&Config::default()));
        state(&mut waits, ready(1), 0);
        waits.event(&failed(Some(seconds(300))), Duration::ZERO);
        let lost = Event::Disconnected { conn: ConnId::from(1), cause: Cause::SocketLost, reason: None };
        waits.event(&lost, seconds(10));
        state(&mut waits, SessionState::Connecting, 10);
        assert_eq!(shown(&waits, 11), format!("connecting, 1 s of at most {} s", waits.longest.connection.as_secs()));
        waits.event(&connected(), seconds(12));
        state(&mut waits, ready(2), 12);
        waits
    }

    fn connected() -> Event {
        let details = ConnectionDetails {
            creation_time: None,
            max_connections_per_session: None,
            recovery_buffer_size: None,
            recovery_timeout: None,
            idle_timeout: None,
            absolute_timeout: None,
            max_active_requests: None,
            recovery_state: None,
            recovery_error_code: None,
            request_id: None,
            other: "null".into(),
        };
        Event::Connected { conn: ConnId::from(2), resumption: Resumption::Fresh, details: Box::new(details) }
    }

    #[test]
    fn the_wait_of_a_refused_subscription_goes_on_over_a_loss() {
        let mut waits = reconnected();
        assert_eq!(shown(&waits, 13), "connected, not subscribed: next try in 287 s");
        assert_eq!(waits.says_next(), Some(seconds(300) + SILENCE), "nothing is unanswered before");
        assert!(waits.due(seconds(299)).is_none());
        let longest = waits.longest.subscription.as_secs();
        assert_eq!(shown(&waits, 302), format!("connected, subscribing, 2 s of at most {longest} s"));
        let due = waits.due(seconds(302));
        assert!(matches!(due, Some(Slow::Unanswered(Doing::Subscribing, time)) if time == seconds(2)));
    }

    #[test]
    fn a_wait_that_another_process_left_is_shown_as_one_of_the_subscription() {
        let mut waits = Waits::new(Longest::of(&Config::default()));
        state(&mut waits, SessionState::Connecting, 0);
        waits.event(&connected(), seconds(1));
        let (reason, delay) = (WaitReason::SubscriptionLimit, seconds(40));
        waits.event(&Event::Waiting { reason, at: Timestamp::ZERO, delay }, seconds(1));
        state(&mut waits, SessionState::Ready { conn: ConnId::from(2) }, 1);
        assert_eq!(shown(&waits, 11), "connected, not subscribed: next try in 30 s");
        assert_eq!(waits.says_next(), Some(seconds(41) + SILENCE));
    }

    #[test]
    fn the_wait_ends_when_nothing_is_tried_again_and_with_the_session() {
        let unsubscribed = Event::Unsubscribed { id: SubscriptionId::from(1) };
        for event in [failed(None), unsubscribed] {
            let mut waits = reconnected();
            waits.event(&event, seconds(13));
            assert!(shown(&waits, 13).starts_with("connected, subscribing"), "{event:?}");
        }
        let mut waits = reconnected();
        waits.close(seconds(13));
        waits.event(&failed(Some(seconds(300))), seconds(14));
        assert!(shown(&waits, 14).starts_with("closing, 1 s of"), "{}", shown(&waits, 14));
        assert_eq!(waits.says_next(), Some(seconds(13) + SILENCE), "that the end takes long is said all the same");
    }
}
