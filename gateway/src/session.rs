//! A WebSocket session: what survives the socket, and the token that finds it again.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use crate::oauth::OAuthId;
use crate::output::Ledger;
use crate::text;

/// A notification as it is sent: the second element of the frame, ready to be sent again.
#[derive(Debug, Clone)]
pub(crate) struct Stored {
    pub(crate) uuid: u64,
    /// Its place among the notifications of its session.
    pub(crate) number: u64,
    pub(crate) body: Arc<str>,
}

#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) oauth: OAuthId,
    pub(crate) conn: Option<u64>,
    /// Counts the connections of the session; part of the recovery token.
    pub(crate) epoch: u64,
    pub(crate) wsc_sequence: u64,
    pub(crate) subscription: Option<u64>,
    pub(crate) buffer: VecDeque<Stored>,
    pub(crate) sent: VecDeque<Stored>,
    /// Notifications made for it so far.
    pub(crate) made: u64,
    /// When the socket was lost, as the server saw it.
    pub(crate) detached_at: u64,
    pub(crate) ledger: Ledger,
}

impl Session {
    pub(crate) fn new(oauth: OAuthId) -> Self {
        Self {
            oauth,
            conn: None,
            epoch: 0,
            wsc_sequence: 1,
            subscription: None,
            buffer: VecDeque::new(),
            sent: VecDeque::new(),
            made: 0,
            detached_at: 0,
            ledger: Ledger::default(),
        }
    }

    /// Puts a notification into the recovery buffer; returns the one that fell out.
    pub(crate) fn buffer(&mut self, stored: Stored, capacity: usize) -> Option<u64> {
        self.buffer.push_back(stored);
        if self.buffer.len() > capacity { self.buffer.pop_front().map(|s| s.uuid) } else { None }
    }

    /// The last ones sent, to be sent again: `tail` of them at most, and none that lies further back than twice the
    /// recovery buffer, because no client could be expected to know it again.
    pub(crate) fn sent_tail(&self, tail: usize, buffer: usize) -> Vec<Stored> {
        let reach = tail.max(buffer.saturating_mul(2)) as u64;
        let start = self.sent.len().saturating_sub(tail);
        self.sent.range(start..).filter(|s| s.number.saturating_add(reach) > self.made).cloned().collect()
    }

    /// Each once, in the order of their making, however often they are sent.
    pub(crate) fn remember_sent(&mut self, stored: Stored, capacity: usize) {
        if self.sent.back().is_none_or(|last| last.number < stored.number) {
            self.sent.push_back(stored);
        } else {
            let at = self.sent.partition_point(|other| other.number < stored.number);
            if self.sent.get(at).is_none_or(|other| other.number != stored.number) {
                self.sent.insert(at, stored);
            }
        }
        if self.sent.len() > capacity {
            self.sent.pop_front();
        }
    }
}

/// A subscription, which outlives its session by up to a day.
#[derive(Debug, Clone)]
pub(crate) struct Subscription {
    pub(crate) id: String,
    pub(crate) user: usize,
    pub(crate) session: Option<u64>,
    pub(crate) filters: Vec<Filter>,
    pub(crate) disabled: Vec<String>,
    pub(crate) created_ms: u64,
    /// Meaningful once the session is gone; before that the server renews.
    pub(crate) expires: u64,
}

/// An event filter in its stored form, `~` replaced by numbers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Filter {
    pub(crate) expanded: String,
    pub(crate) json: String,
}

impl Filter {
    pub(crate) fn new(expanded: String) -> Self {
        let json = text::json(&expanded);
        Self { expanded, json }
    }

    pub(crate) fn path(&self) -> &str {
        self.expanded.split_once('?').map_or(self.expanded.as_str(), |(path, _)| path)
    }

    /// Whether a parameter of the filter has this value.
    pub(crate) fn asks(&self, key: &str, value: &str) -> bool {
        let query = self.expanded.split_once('?').map_or("", |(_, query)| query);
        text::pairs(query).iter().any(|(k, v)| k == key && v == value)
    }

    /// Whether an event with this path and query is for this filter. A parameter that only one side names
    /// does not matter: `type=SMS` narrows a filter, `sipData=true` merely decorates it. Of a parameter with several
    /// values, such as `statusCode`, one has to be the event's.
    pub(crate) fn accepts(&self, path: &str, query: &str) -> bool {
        let (own_path, own_query) = self.expanded.split_once('?').unwrap_or((&self.expanded, ""));
        if own_path != path {
            return false;
        }
        if own_query.is_empty() || query.is_empty() || own_query == query {
            return true;
        }
        let (own, theirs) = (text::pairs(own_query), text::pairs(query));
        let names = |key: &str, value: &str| own.iter().any(|(k, v)| k == key && v == value);
        own.iter().all(|(key, _)| text::lookup(&theirs, key).is_none_or(|other| names(key, other)))
    }
}

/// Subscriptions by number, with the indices that keep every call independent of how many there are.
#[derive(Debug, Default)]
pub(crate) struct Subscriptions {
    pub(crate) all: BTreeMap<u64, Subscription>,
    by_id: BTreeMap<String, u64>,
    by_user: BTreeMap<usize, BTreeSet<u64>>,
    /// Filter path without query → subscriptions whose session is alive.
    by_path: BTreeMap<String, BTreeSet<u64>>,
    next: u64,
}

impl Subscriptions {
    pub(crate) fn insert(&mut self, subscription: Subscription) -> u64 {
        self.next += 1;
        let key = self.next;
        self.by_id.insert(subscription.id.clone(), key);
        self.by_user.entry(subscription.user).or_default().insert(key);
        self.all.insert(key, subscription);
        self.index(key);
        key
    }

    pub(crate) fn replace_filters(&mut self, key: u64, filters: Vec<Filter>, disabled: Vec<String>) {
        self.unindex(key);
        if let Some(subscription) = self.all.get_mut(&key) {
            subscription.filters = filters;
            subscription.disabled = disabled;
        }
        self.index(key);
    }

    /// The session is gone: the subscription receives nothing more, and waits for its end.
    pub(crate) fn orphan(&mut self, key: u64, expires: u64) {
        self.unindex(key);
        if let Some(subscription) = self.all.get_mut(&key) {
            subscription.session = None;
            subscription.expires = expires;
        }
    }

    pub(crate) fn remove(&mut self, key: u64) -> Option<Subscription> {
        self.unindex(key);
        let subscription = self.all.remove(&key)?;
        self.by_id.remove(&subscription.id);
        if let Some(set) = self.by_user.get_mut(&subscription.user) {
            set.remove(&key);
        }
        Some(subscription)
    }

    pub(crate) fn find(&self, id: &str) -> Option<u64> {
        self.by_id.get(id).copied()
    }

    pub(crate) fn of_user(&self, user: usize) -> impl Iterator<Item = u64> + '_ {
        self.by_user.get(&user).into_iter().flatten().copied()
    }

    pub(crate) fn count_of_user(&self, user: usize) -> usize {
        self.by_user.get(&user).map_or(0, BTreeSet::len)
    }

    pub(crate) fn on_path(&self, path: &str) -> impl Iterator<Item = u64> + '_ {
        self.by_path.get(path).into_iter().flatten().copied()
    }

    fn index(&mut self, key: u64) {
        let Some(subscription) = self.all.get(&key) else { return };
        for filter in &subscription.filters {
            match self.by_path.get_mut(filter.path()) {
                Some(set) => {
                    set.insert(key);
                }
                None => {
                    self.by_path.insert(filter.path().to_owned(), BTreeSet::from([key]));
                }
            }
        }
    }

    fn unindex(&mut self, key: u64) {
        let Some(subscription) = self.all.get(&key).filter(|s| s.session.is_some()) else { return };
        for filter in &subscription.filters {
            if let Some(set) = self.by_path.get_mut(filter.path()) {
                set.remove(&key);
                if set.is_empty() {
                    self.by_path.remove(filter.path());
                }
            }
        }
    }
}

/// What a recovery token says. It carries its own proof, so that a well-formed token of a forgotten
/// session is distinguished from an invented one without remembering any.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Wsc {
    pub(crate) oauth: OAuthId,
    pub(crate) session: u64,
    pub(crate) epoch: u64,
    pub(crate) sequence: u64,
}

impl Wsc {
    pub(crate) fn encode(self, seed: u64) -> String {
        let mut plain = String::with_capacity(9 + 56);
        plain.push_str("SJC01P07|");
        for (value, digits) in
            [(self.oauth, 12), (self.session, 12), (self.epoch, 8), (self.sequence, 8), (self.proof(seed), 16)]
        {
            text::push_digits(&mut plain, value, digits, 16);
        }
        text::token_text(&plain)
    }

    pub(crate) fn decode(token: &str, seed: u64) -> Option<Self> {
        let plain = text::token_plain(token)?;
        let digits = plain.strip_prefix("SJC01P07|")?;
        let number = |range: std::ops::Range<usize>| u64::from_str_radix(digits.get(range)?, 16).ok();
        let wsc =
            Self { oauth: number(0..12)?, session: number(12..24)?, epoch: number(24..32)?, sequence: number(32..40)? };
        (digits.len() == 56 && number(40..56)? == wsc.proof(seed)).then_some(wsc)
    }

    fn proof(self, seed: u64) -> u64 {
        [self.oauth, self.session, self.epoch, self.sequence]
            .iter()
            .fold(seed, |acc, part| text::mix(acc ^ part.wrapping_add(0x9e37_79b9_7f4a_7c15)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_token_proves_itself() {
        let wsc = Wsc { oauth: 3, session: 9, epoch: 1, sequence: 4 };
        let token = wsc.encode(77);
        assert_eq!(Wsc::decode(&token, 77), Some(wsc));
        assert_eq!(Wsc::decode(&token, 78), None);
        for bad in ["", "made-up", "wsc", &token[1..], &format!("{token}AAAA")] {
            assert_eq!(Wsc::decode(bad, 77), None);
        }
    }

    #[test]
    fn filters_match_by_path_and_common_parameters() {
        let filter = |text: &str| Filter::new(text.to_owned());
        let sms = filter("/a/message-store/instant?type=SMS");
        assert!(sms.accepts("/a/message-store/instant", "type=SMS"));
        assert!(sms.accepts("/a/message-store/instant", ""));
        assert!(!sms.accepts("/a/message-store/instant", "type=MMS"));
        assert!(!sms.accepts("/a/message-store", "type=SMS"));
        assert!(filter("/a/presence?sipData=true").accepts("/a/presence", "detailed=true"));
        let calls = filter("/a/telephony/sessions?statusCode=Answered&statusCode=Disconnected&direction=Inbound");
        assert!(calls.accepts("/a/telephony/sessions", "direction=Inbound&statusCode=Disconnected"));
        assert!(!calls.accepts("/a/telephony/sessions", "direction=Inbound&statusCode=Setup"));
        assert!(!calls.accepts("/a/telephony/sessions", "direction=Outbound&statusCode=Answered"));
    }
}
