//! The subscription as the server confirmed it, and what may be wrong with it.

use std::fmt;

use crate::filters::{DisabledFilter, Filters};
use crate::ids::SubscriptionId;

/// The subscription as the server confirmed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionInfo {
    /// The call of `subscribe`.
    pub id: SubscriptionId,
    /// The server's id of the subscription.
    pub server_id: Box<str>,
    /// The filters of the call.
    pub requested: Filters,
    /// The filters as the server stored them: with ids in place of `~`, and some parameters rewritten.
    pub filters: Vec<Box<str>>,
    /// Filters that the server disabled although the call succeeded ([SUB-6](crate::protocol#sub-6)).
    pub disabled: Vec<DisabledFilter>,
    /// Seconds until the subscription expires. The server renews it by itself ([SUB-9](crate::protocol#sub-9)).
    pub expires_in: Option<u64>,
    /// The server's word, such as `Active`, `Suspended` or `Blacklisted`: at most 100 characters. `None` if it sent none.
    pub status: Option<Box<str>>,
    /// How it delivers in the server's words, such as `WebSocket`: at most 100 characters. `None` if it sent none.
    pub transport: Option<Box<str>>,
}

impl SubscriptionInfo {
    /// Why it may deliver nothing, or not everything, although the server confirmed it; empty for one that is as it
    /// should be. Filters that were refused while others stand are in [`disabled`](Self::disabled).
    #[must_use]
    pub fn problems(&self) -> Vec<SubscriptionProblem> {
        SubscriptionProblem::find(self.status.as_deref(), self.filters.len(), self.transport.as_deref())
    }
}

/// Why a subscription that the server confirmed delivers nothing here.
///
/// The session goes on as if it delivered: it reports what the server says, and only a person, or another call of
/// `subscribe`, changes it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SubscriptionProblem {
    /// Its status is not `Active` but this word.
    NotActive(Box<str>),
    /// It has no event filter.
    NoFilters,
    /// It delivers by this and not by `WebSocket`.
    OtherTransport(Box<str>),
}

impl SubscriptionProblem {
    /// What is wrong with a subscription of this status, with so many filters, that delivers so. What the server does
    /// not say counts as right.
    #[must_use]
    pub fn find(status: Option<&str>, filters: usize, transport: Option<&str>) -> Vec<Self> {
        let odd = |word: Option<&str>, good: &str| word.filter(|word| !word.eq_ignore_ascii_case(good)).map(Box::from);
        let mut found = Vec::new();
        found.extend(odd(status, "Active").map(Self::NotActive));
        found.extend((filters == 0).then_some(Self::NoFilters));
        found.extend(odd(transport, "WebSocket").map(Self::OtherTransport));
        found
    }

    /// A word such as `not_active`, which stays the same between versions.
    #[must_use]
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::NotActive(_) => "not_active",
            Self::NoFilters => "no_filters",
            Self::OtherTransport(_) => "other_transport",
        }
    }
}

impl fmt::Display for SubscriptionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotActive(status) => write!(
                f,
                "the subscription is {status} and not active, so nothing is delivered: subscribe again, and ask \
                 RingCentral's support if it stays so"
            ),
            Self::NoFilters => f.write_str(
                "the subscription has no event filter, so nothing is delivered: see which filters were refused, and \
                 subscribe to others",
            ),
            Self::OtherTransport(transport) => write!(
                f,
                "the subscription delivers by {transport} and not over this WebSocket: delete it, and subscribe again"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_problem_is_named_and_says_what_to_do() {
        let find = SubscriptionProblem::find;
        assert_eq!(find(None, 1, None), []);
        assert_eq!(find(Some("active"), 1, Some("WEBSOCKET")), []);
        let all = find(Some("Blacklisted"), 0, Some("WebHook"));
        let words: Vec<_> = all.iter().map(SubscriptionProblem::as_str).collect();
        assert_eq!(words, ["not_active", "no_filters", "other_transport"]);
        let texts: Vec<_> = all.iter().map(ToString::to_string).collect();
        assert!(texts[0].contains("is Blacklisted and not active") && texts[2].contains("delivers by WebHook"));
        assert!(texts.iter().all(|text| text.contains("subscribe")), "{texts:?}");
    }
}
