//! What outlives a process.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use ringcentral_ws_core::{Certainty, Gap, GapCause, Notification, UnixMillis};
use serde::{Deserialize, Serialize};

use super::MARGIN;
use super::budget::{CallGroup, StoredBudget};
use super::known::StoredKnown;
use super::noted::Noted;
use super::task::MAX_TOKEN;

/// The format written here. Others are not read.
const VERSION: u32 = 1;
/// Gaps that are kept apart.
pub(super) const MAX_GAPS: usize = 8;
/// Sync tokens of one resource.
const MAX_TOKENS: usize = 4;
/// Most bytes kept of a gap's texts.
const MAX_TEXT: usize = 1024;

/// What a [`GapFiller`](super::GapFiller) goes on from in another process: sync tokens, gaps that wait, what was handed
/// out, calls of the last minute. It is plain data, at most about 64 kB with the default settings (16 bytes for each
/// remembered key in base64, four sync tokens for each resource). `Debug` shows no token.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackfillState {
    pub(super) version: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) filters: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) tokens: BTreeMap<String, Tokens>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) gaps: Vec<StoredGap>,
    #[serde(default)]
    pub(super) known: StoredKnown,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(super) budgets: BTreeMap<CallGroup, StoredBudget>,
    /// How far the server's clock is ahead, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) ahead: Option<i64>,
    /// What was delivered since, one line each behind the state itself.
    #[serde(skip)]
    pub(super) noted: Vec<Noted>,
}

impl Default for BackfillState {
    /// Nothing is known.
    fn default() -> Self {
        Self {
            version: VERSION,
            filters: None,
            tokens: BTreeMap::new(),
            gaps: Vec::new(),
            known: StoredKnown::default(),
            budgets: BTreeMap::new(),
            ahead: None,
            noted: Vec::new(),
        }
    }
}

impl BackfillState {
    /// The state as one line of JSON, and a line for each delivery that was added to it ([`delivered`](Self::delivered)).
    #[must_use]
    pub fn to_json(&self) -> String {
        // Plain data: nothing in it can fail to be written.
        let mut text = serde_json::to_string(self).unwrap_or_default();
        for noted in &self.noted {
            text.push('\n');
            text.push_str(&noted.to_line());
        }
        text
    }

    /// The line that says that this notification was delivered after the state was made. It goes behind what
    /// [`to_json`](Self::to_json) wrote, after a newline: then the next process does not hand out its message again. `None`
    /// if nothing that can be fetched belongs to it.
    #[must_use]
    pub fn delivered(notification: &Notification) -> Option<String> {
        Noted::of(notification).map(Noted::to_line)
    }

    /// Reads what [`to_json`](Self::to_json) wrote. `None` for anything else and for another format: then start from
    /// [`BackfillState::default`].
    #[must_use]
    pub fn from_json(text: &str) -> Option<Self> {
        let (state, noted) = text.split_once('\n').unwrap_or((text, ""));
        let mut state: Self = serde_json::from_str(state).ok()?;
        state.noted = noted.lines().filter_map(Noted::read).collect();
        state.gaps.truncate(MAX_GAPS);
        state.tokens.values_mut().for_each(Tokens::tidy);
        (state.version == VERSION).then_some(state)
    }
}

impl fmt::Debug for BackfillState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackfillState").field("gaps", &self.gaps.len()).finish_non_exhaustive()
    }
}

/// The newest sync tokens of a resource, each with the time by which its answer had come, the oldest first. An older one
/// is needed when the newest was made within the gap.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(super) struct Tokens(VecDeque<(UnixMillis, String)>);

impl Tokens {
    /// One that comes right after another is not kept: no gap is served by it that the other does not serve.
    pub(super) fn push(&mut self, at: UnixMillis, token: String) {
        if self.0.back().is_some_and(|(last, _)| last.after(MARGIN) > at && *last <= at) {
            return;
        }
        self.0.push_back((at, token));
        self.tidy();
    }

    /// The newest one that knows nothing of what came after `time`.
    pub(super) fn before(&self, time: UnixMillis) -> Option<&str> {
        self.0.iter().rev().find(|(at, _)| *at <= time).map(|(_, token)| token.as_str())
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The service does not know this one any more, so it knows no older one either.
    pub(super) fn remove(&mut self, token: &str) {
        if let Some(place) = self.0.iter().position(|(_, one)| one == token) {
            self.0.drain(..=place);
        }
    }

    fn tidy(&mut self) {
        self.0.retain(|(_, token)| !token.is_empty() && token.len() <= MAX_TOKEN);
        while self.0.len() > MAX_TOKENS {
            self.0.pop_front();
        }
    }
}

impl fmt::Debug for Tokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|(at, _)| at)).finish()
    }
}

/// A gap that waits.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredGap {
    cause: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Box<str>>,
    certainty: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    after: Option<Box<str>>,
    since: UnixMillis,
    until: UnixMillis,
}

impl StoredGap {
    pub(super) fn of(gap: &Gap) -> Self {
        let code = if let GapCause::RecoveryFailed(code) = &gap.cause { code.clone() } else { None };
        Self {
            cause: gap.cause.as_str().to_owned(),
            code,
            certainty: gap.certainty.as_str().to_owned(),
            after: gap.after.clone(),
            since: gap.since,
            until: gap.until,
        }
    }

    /// A cause that a later version wrote counts as a restart: the gap is what matters.
    pub(super) fn into_gap(self) -> Gap {
        let short = |text: Option<Box<str>>| text.filter(|text| text.len() <= MAX_TEXT);
        let cause = GapCause::from_word(&self.cause, short(self.code).as_deref()).unwrap_or(GapCause::Restored);
        let certainty = [Certainty::Possible, Certainty::Probable, Certainty::Certain];
        let certainty = certainty.into_iter().find(|one| one.as_str() == self.certainty);
        let certainty = certainty.unwrap_or_else(|| cause.certainty());
        Gap { cause, certainty, after: short(self.after), since: self.since, until: self.until }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gap(cause: GapCause, since: u64, until: u64) -> Gap {
        let certainty = cause.certainty();
        Gap { cause, certainty, after: Some("a".into()), since: UnixMillis(since), until: UnixMillis(until) }
    }

    #[test]
    fn a_gap_is_kept_whole() {
        for one in [
            gap(GapCause::RecoveryFailed(Some("WSG-1".into())), 5, 9),
            gap(GapCause::QueueOverflow, 0, 9),
            Gap { certainty: Certainty::Certain, ..gap(GapCause::InFlight, 1, 2) },
        ] {
            let stored = serde_json::to_string(&StoredGap::of(&one)).unwrap();
            assert_eq!(serde_json::from_str::<StoredGap>(&stored).unwrap().into_gap(), one);
        }
        let odd = r#"{"cause":"newer","certainty":"odd","since":1,"until":2}"#;
        assert_eq!(serde_json::from_str::<StoredGap>(odd).unwrap().into_gap().cause, GapCause::Restored);
    }

    #[test]
    fn a_token_made_within_the_gap_does_not_fill_it() {
        let mut tokens = Tokens::default();
        let minute = |n: f64| UnixMillis((n * 60_000.0) as u64);
        (1..=6).for_each(|n| tokens.push(minute(f64::from(n)), n.to_string()));
        assert_eq!(tokens.0.len(), MAX_TOKENS);
        let before = [2.9, 3.0, 4.5, 9.9].map(|at| tokens.before(minute(at)));
        assert_eq!(before, [None, Some("3"), Some("4"), Some("6")]);
        tokens.push(minute(6.9), "soon".into());
        assert_eq!(tokens.before(minute(9.9)), Some("6"));
        tokens.remove("4");
        assert_eq!(tokens.before(minute(4.9)), None);
        tokens.push(minute(8.0), "a".repeat(MAX_TOKEN + 1));
        assert_eq!(tokens.before(minute(9.9)), Some("6"));
    }

    // CLAUSE SEC-1
    #[test]
    fn what_cannot_be_read_is_left_and_no_token_shows() {
        let mut state = BackfillState::default();
        state.tokens.entry("a".into()).or_default().push(UnixMillis(1), "hunter2".into());
        assert!(!format!("{state:?}").contains("hunter2"));
        assert_eq!(BackfillState::from_json(&state.to_json()), Some(state.clone()));
        for odd in ["", "{}", "[]", r#"{"version":2}"#, r#"{"version":1,"gaps":7}"#] {
            assert_eq!(BackfillState::from_json(odd), None, "{odd}");
        }
        assert_eq!(BackfillState::from_json(r#"{"version":1}"#), Some(BackfillState::default()));
    }
}
