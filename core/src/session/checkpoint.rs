//! All that a Session knows between two calls, as text: where a recording can be replayed from.

use serde::{Deserialize, Serialize};

use super::link::Link;
use super::repeats::{Repeats, Trial};
use super::requests::Requests;
use super::resume::Recovery;
use super::subscription::Subscriptions;
use super::tokens::Tokens;
use super::{Close, Session};
use crate::config::Config;
use crate::ledger::Ledger;
use crate::message_id::MessageTag;
use crate::outbox::Outbox;
use crate::output::WaitReason;
use crate::recorder::Names;
use crate::retry::Budget;
use crate::rng::Rng;
use crate::stats::Stats;
use crate::time::{ClockReading, Timestamp};
use crate::timers::Timers;

/// Every field of a Session but its settings and its counters.
#[derive(Serialize, Deserialize)]
pub(crate) struct Checkpoint {
    clock: ClockReading,
    now: Timestamp,
    rng: Rng,
    timers: Timers,
    link: Link,
    ending: Option<Close>,
    attempt: u32,
    attempts: Budget,
    waits_for: WaitReason,
    not_before: Timestamp,
    bad_frames: usize,
    fence: Option<u64>,
    last_sent: Timestamp,
    tokens: Tokens,
    recovery: Recovery,
    #[serde(default)]
    trial: Trial,
    #[serde(default)]
    repeats: Repeats,
    ledger: Ledger,
    subs: Subscriptions,
    requests: Requests,
    next_id: u64,
    next_conn: u64,
    tag: MessageTag,
}

impl Checkpoint {
    /// `None` while outputs wait, or while it holds what a recording does not keep: whole requests and notifications.
    /// Of the keys of old notifications only the newest `keys` are kept.
    #[expect(clippy::too_many_lines, reason = "two lines for each field")]
    pub(crate) fn of(session: &Session, names: &mut Names, keys: usize) -> Option<Self> {
        let at_rest = session.out.is_drained()
            && session.ledger.holds_nothing()
            && session.subs.holds_nothing()
            && !session.requests.holds_any()
            && !matches!(session.link, Link::Closing { .. });
        if !at_rest {
            return None;
        }
        // Every field by name: a new one cannot be forgotten.
        let Session {
            config: _,
            clock,
            now,
            rng,
            out: _,
            timers,
            stats: _,
            link,
            ending,
            attempt,
            attempts,
            waits_for,
            not_before,
            bad_frames,
            fence,
            last_sent,
            tokens,
            recovery,
            trial,
            repeats,
            ledger,
            subs,
            requests,
            next_id,
            next_conn,
            tag,
        } = session.clone();
        let mut checkpoint = Self {
            clock,
            now,
            rng,
            timers,
            link,
            ending,
            attempt,
            attempts,
            waits_for,
            not_before,
            bad_frames,
            fence,
            last_sent,
            tokens,
            recovery,
            trial,
            repeats,
            ledger,
            subs,
            requests,
            next_id,
            next_conn,
            tag,
        };
        checkpoint.mask(names, keys);
        Some(checkpoint)
    }

    fn mask(&mut self, names: &mut Names, keys: usize) {
        self.tokens.mask(names);
        self.ledger.mask();
        if let Some(code) = self.recovery.lost.as_mut().and_then(|lost| lost.code.as_mut()) {
            *code = crate::recorder::code(code);
        }
        if let Some(wsc) = &mut self.recovery.wsc {
            wsc.token = names.secret(wsc.token.expose()).into();
        }
        if let Some(active) = &mut self.subs.active {
            active.server_id = names.secret(&active.server_id).into();
        }
        for filters in self.subs.wishes() {
            if let Ok(masked) = names.filters(filters) {
                *filters = masked;
            }
        }
        self.ledger.keep_newest(keys);
    }

    /// Whether the counters that number things can go on counting.
    pub(crate) fn is_sane(&self) -> bool {
        let bad_frames = u64::try_from(self.bad_frames).unwrap_or(u64::MAX);
        [
            self.next_id,
            self.next_conn,
            self.subs.next,
            self.requests.last_id(),
            self.tokens.number(),
            self.ledger.gaps(),
            bad_frames,
        ]
        .iter()
        .all(|n| *n < 1 << 60)
    }

    /// A Session that goes on from here.
    pub(crate) fn into_session(self, config: Config) -> Session {
        Session {
            config,
            clock: self.clock,
            now: self.now,
            rng: self.rng,
            out: Outbox::default(),
            timers: self.timers,
            stats: Stats::default(),
            link: self.link,
            ending: self.ending,
            attempt: self.attempt,
            attempts: self.attempts,
            waits_for: self.waits_for,
            not_before: self.not_before,
            bad_frames: self.bad_frames,
            fence: self.fence,
            last_sent: self.last_sent,
            tokens: self.tokens,
            recovery: self.recovery,
            trial: self.trial,
            repeats: self.repeats,
            ledger: self.ledger,
            subs: self.subs,
            requests: self.requests,
            next_id: self.next_id,
            next_conn: self.next_conn,
            tag: self.tag,
        }
    }
}
