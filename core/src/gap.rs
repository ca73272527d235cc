//! Gaps: when notifications may have been lost, how certain that is, and why ([REC-5](crate::protocol#rec-5)).

use std::fmt;
use std::time::{Duration, SystemTime};

use crate::terminal::escape;
use crate::time::UnixMillis;

/// How far beyond both ends of a [`Gap`] a query looks: notifications may have been on their way, and the clocks of
/// server and client differ.
const MARGIN: Duration = Duration::from_secs(60);

/// A stretch of time in which notifications may have been lost.
///
/// It covers everything that the server sent after the notification `after` and before the next notification. Its event
/// comes before that notification. The application can fetch what is missing over REST, and drop what it has already:
///
/// ```
/// use ringcentral_ws_core::{Certainty, Event};
///
/// fn on_event(event: &Event) {
///     if let Event::Gap(gap) = event {
///         // "notifications from 2023-11-14T22:13:20.000Z to … are probably lost: the server could not …"
///         eprintln!("{gap}");
///         if gap.certainty >= Certainty::Probable {
///             // With a client: `client.get(&gap.message_store_query()).await?`
///             println!("GET {}", gap.message_store_query());
///         }
///     }
/// }
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gap {
    /// Why notifications may have been lost.
    pub cause: GapCause,
    /// How certain the loss is.
    pub certainty: Certainty,
    /// The `uuid` of the last notification that was delivered before the gap; `None` if there was none. At most its
    /// first 1024 bytes.
    pub after: Option<Box<str>>,
    /// When the last frame before the loss was received, or, if the subscription may have been gone before that, when it
    /// was last known to be there ([REC-3](crate::protocol#rec-3)); by this machine's clock, 0 if that is unknown. A notification
    /// that the server sent just before may still have been on its way. To fetch what is missing, begin earlier, by the
    /// latency and by the difference of the clocks; `after` says what is known already.
    pub since: UnixMillis,
    /// The moment from which delivery is continuous again, by this machine's clock.
    pub until: UnixMillis,
}

impl Gap {
    /// [`since`](Self::since) as a [`SystemTime`]; the beginning of 1970 if that time is unknown.
    #[must_use]
    pub fn since_time(&self) -> SystemTime {
        self.since.to_system_time()
    }

    /// [`until`](Self::until) as a [`SystemTime`].
    #[must_use]
    pub fn until_time(&self) -> SystemTime {
        self.until.to_system_time()
    }

    /// Makes one gap of this and another one: from the earlier beginning to the later end, with the cause of the more certain
    /// one. An unknown beginning is before every other. [`after`](Self::after) stays.
    pub fn merge(&mut self, other: Self) {
        if other.certainty > self.certainty {
            (self.cause, self.certainty) = (other.cause, other.certainty);
        }
        self.since = self.since.min(other.since);
        self.until = self.until.max(other.until);
    }

    /// The path of a GET request that lists the user's messages of this stretch of time: SMS, faxes, voicemail and
    /// pager messages, at most 1000 in an answer. Add `page` for more, or other parameters, with `with_query` of the
    /// adapters. Calls, presence and team messages are not in the message store.
    ///
    /// It begins a minute before `since`, because notifications may have been on their way then, and ends a minute
    /// after `until`, because the clocks of server and client differ. So the answer may list messages that are known
    /// already. If `since` is unknown it has no `dateFrom`, and the server begins a day before its end.
    ///
    /// ```
    /// use ringcentral_ws_core::{Gap, GapCause, UnixMillis};
    ///
    /// let gap = Gap {
    ///     cause: GapCause::WindowPassed,
    ///     certainty: GapCause::WindowPassed.certainty(),
    ///     after: None,
    ///     since: UnixMillis(1_700_000_000_000),
    ///     until: UnixMillis(1_700_000_300_000),
    /// };
    /// assert_eq!(
    ///     gap.message_store_query(),
    ///     "/restapi/v1.0/account/~/extension/~/message-store\
    ///      ?dateFrom=2023-11-14T22:12:20.000Z&dateTo=2023-11-14T22:19:20.000Z&perPage=1000"
    /// );
    /// ```
    #[must_use]
    pub fn message_store_query(&self) -> String {
        let mut path = "/restapi/v1.0/account/~/extension/~/message-store?".to_owned();
        if self.since.0 > 0 {
            path += &format!("dateFrom={}&", self.since.before(MARGIN));
        }
        path + &format!("dateTo={}&perPage=1000", self.until.after(MARGIN))
    }

    /// The same for the SMS and MMS that came in during this stretch of time, without all other messages: what a program
    /// that answers SMS may have missed.
    ///
    /// ```
    /// # fn f(gap: &ringcentral_ws_core::Gap) {
    /// assert!(gap.missed_sms_query().ends_with("&perPage=1000&messageType=SMS&direction=Inbound"));
    /// # }
    /// ```
    #[must_use]
    pub fn missed_sms_query(&self) -> String {
        self.message_store_query() + "&messageType=SMS&direction=Inbound"
    }
}

impl fmt::Display for Gap {
    /// One sentence with both times, such as `notifications from 2023-11-14T22:13:20.000Z to 2023-11-14T22:18:20.000Z
    /// are probably lost: the server no longer knew the subscription`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("notifications ")?;
        if self.since.0 > 0 {
            write!(f, "from {} ", self.since)?;
        }
        let lost = match self.certainty {
            Certainty::Possible => "may be",
            Certainty::Probable => "are probably",
            Certainty::Certain => "are",
        };
        write!(f, "to {} {lost} lost: {}", self.until, escape(&self.cause.to_string()))
    }
}

/// How certain it is that something is missing in a [`Gap`]. A more certain one compares as greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Certainty {
    /// A loss cannot be excluded. If the account had little traffic, most likely nothing is missing.
    Possible,
    /// If the server sent something in this time, it is missing.
    Probable,
    /// Notifications are missing: they were received and dropped.
    Certain,
}

impl Certainty {
    /// A word such as `possible`, which stays the same between versions.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Probable => "probable",
            Self::Certain => "certain",
        }
    }
}

/// Why notifications may have been lost.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GapCause {
    /// The server answered the recovery token with `Failed`, with this code if it gave one.
    RecoveryFailed(Option<Box<str>>),
    /// Twice the recovery window passed before a connection could be made.
    WindowPassed,
    /// The session was given up, because three connections in a row that presented its recovery token were refused or
    /// ended before anything was delivered ([REC-9](crate::protocol#rec-9)).
    RecoveryAbandoned,
    /// The server replayed as many notifications as its buffer holds, those of other subscriptions included. Older ones
    /// may have fallen out. The gap comes before the whole replay: what is missing may belong behind the first of it, within
    /// `since` and `until`.
    ReplayOverflow,
    /// It is unknown whether a replay was complete. The connection broke in the middle of it, or the heartbeat that
    /// marks its end was not answered in time, or the replay was larger than
    /// [`SessionLimits::held_bytes`](crate::SessionLimits::held_bytes).
    ReplayInterrupted,
    /// The session was restored from a snapshot, and the run that wrote it did not end in an orderly way. What that run
    /// received after the snapshot is unknown.
    Restored,
    /// Before the subscription was confirmed, more notifications came than can be held, in number or in bytes.
    QueueOverflow,
    /// An unreadable frame may have been a notification.
    UnreadableFrame,
    /// The server no longer knew the subscription (404), or answered an update with another subscription, or the
    /// confirmation of a new one was lost.
    SubscriptionLost,
    /// The connection was silent before it broke. What the server sent last may not have arrived; see
    /// [`Config::in_flight_gaps`](crate::Config::in_flight_gaps).
    InFlight,
    /// Another client opened the same session, and received the notifications of that time
    /// ([CON-7](crate::protocol#con-7)).
    Contended,
    /// A listener of a client took its notifications more slowly than they came, and its oldest were dropped. Only that
    /// listener reports it; a session never does.
    SlowListener,
}

impl GapCause {
    /// A word such as `recovery_failed`, which stays the same between versions.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::RecoveryFailed(_) => "recovery_failed",
            Self::WindowPassed => "window_passed",
            Self::RecoveryAbandoned => "recovery_abandoned",
            Self::ReplayOverflow => "replay_overflow",
            Self::ReplayInterrupted => "replay_interrupted",
            Self::Restored => "restored",
            Self::QueueOverflow => "queue_overflow",
            Self::UnreadableFrame => "unreadable_frame",
            Self::SubscriptionLost => "subscription_lost",
            Self::InFlight => "in_flight",
            Self::Contended => "contended",
            Self::SlowListener => "slow_listener",
        }
    }

    /// The cause that [`as_str`](Self::as_str) names so, with the server's code if it has one.
    #[must_use]
    pub fn from_word(word: &str, code: Option<&str>) -> Option<Self> {
        let all = [
            Self::RecoveryFailed(code.map(Into::into)),
            Self::WindowPassed,
            Self::RecoveryAbandoned,
            Self::InFlight,
            Self::Contended,
            Self::ReplayOverflow,
            Self::ReplayInterrupted,
            Self::Restored,
            Self::QueueOverflow,
            Self::UnreadableFrame,
            Self::SubscriptionLost,
        ];
        all.into_iter().find(|cause| cause.as_str() == word)
    }

    /// How certain a loss of this cause is.
    #[must_use]
    pub const fn certainty(&self) -> Certainty {
        match self {
            Self::QueueOverflow | Self::SlowListener => Certainty::Certain,
            Self::RecoveryFailed(_)
            | Self::WindowPassed
            | Self::RecoveryAbandoned
            | Self::ReplayOverflow
            | Self::UnreadableFrame
            | Self::SubscriptionLost
            | Self::Contended => Certainty::Probable,
            Self::ReplayInterrupted | Self::Restored | Self::InFlight => Certainty::Possible,
        }
    }
}

impl fmt::Display for GapCause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::RecoveryFailed(Some(code)) => {
                return write!(f, "the server could not continue the session ({code})");
            }
            Self::RecoveryFailed(None) => "the server could not continue the session",
            Self::WindowPassed => "the server kept the session for less time than the connection was away",
            Self::RecoveryAbandoned => "the session could not be continued three times in a row, so it was given up",
            Self::ReplayOverflow => "the server replayed as much as it can keep, so older notifications may be gone",
            Self::ReplayInterrupted => "the end of a replay never came, or could not be waited for",
            Self::Restored => "what came after the snapshot was written is unknown",
            Self::QueueOverflow => "notifications came faster than they could be held, and some were thrown away",
            Self::UnreadableFrame => "a message could not be read",
            Self::SubscriptionLost => "the server no longer knew the subscription",
            Self::InFlight => "the connection was silent before it broke; what was sent last may not have arrived",
            Self::Contended => "another client uses the same session and received what came meanwhile",
            Self::SlowListener => "they were not taken as fast as they came, and the oldest were dropped",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(since: u64) -> Gap {
        let cause = GapCause::RecoveryFailed(Some("WSG-1\u{1b}[31m".into()));
        let (since, until) = (UnixMillis(since), UnixMillis(1_700_000_300_000));
        Gap { certainty: cause.certainty(), cause, after: None, since, until }
    }

    // CLAUSE REC-5 SEC-5
    #[test]
    fn a_gap_is_one_sentence_with_its_times() {
        assert_eq!(
            gap(1_700_000_000_000).to_string(),
            "notifications from 2023-11-14T22:13:20.000Z to 2023-11-14T22:18:20.000Z are probably lost: \
             the server could not continue the session (WSG-1\\u{1b}[31m)"
        );
        assert!(gap(0).to_string().starts_with("notifications to 2023-11-14T22:18:20.000Z are"));
    }

    // CLAUSE REC-5
    #[test]
    fn two_gaps_are_one_that_covers_both() {
        let gap = |cause: GapCause, since, until| {
            let (since, until) = (UnixMillis(since), UnixMillis(until));
            Gap { certainty: cause.certainty(), cause, after: Some("a".into()), since, until }
        };
        let mut one = gap(GapCause::InFlight, 5, 9);
        one.merge(Gap { after: None, ..gap(GapCause::WindowPassed, 7, 20) });
        assert_eq!(one, gap(GapCause::WindowPassed, 5, 20));
        one.merge(gap(GapCause::InFlight, 0, 1));
        assert_eq!(one, gap(GapCause::WindowPassed, 0, 20));
    }

    // CLAUSE REC-5
    #[test]
    fn a_gap_is_asked_for_over_rest() {
        let gap_of = gap(1_700_000_000_000);
        assert_eq!(gap_of.until_time().duration_since(gap_of.since_time()).unwrap(), Duration::from_secs(300));
        assert!(gap_of.message_store_query().contains("?dateFrom=2023-11-14T22:12:20.000Z&dateTo="));
        assert!(gap(30_000).message_store_query().contains("?dateFrom=1970-01-01T00:00:00.000Z&"));
        assert!(gap(0).message_store_query().contains("message-store?dateTo=2023-11-14T22:19:20.000Z&"));
        assert_eq!(gap(0).missed_sms_query(), gap(0).message_store_query() + "&messageType=SMS&direction=Inbound");
        assert_eq!(gap(0).since_time(), SystemTime::UNIX_EPOCH);
    }
}
