//! WebSocket tokens: issued over HTTP, presented once at an upgrade.

use std::collections::{BTreeMap, VecDeque};

use crate::oauth::OAuthId;
use crate::text::{self, SplitMix};

/// Why a presented token does not open a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unusable {
    Unknown,
    Expired,
    Used,
}

#[derive(Debug, Clone)]
struct Issued {
    secret: u64,
    oauth: OAuthId,
    expires: u64,
    presented: u32,
    holder: Option<u64>,
}

/// A token that was accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Presented {
    pub(crate) oauth: OAuthId,
    /// The connection that used the token before, if it may be used again.
    pub(crate) earlier: Option<u64>,
}

#[derive(Debug, Default)]
pub(crate) struct WsTokens {
    issued: BTreeMap<u64, Issued>,
    /// Tokens in order of issue, hence of expiry, to forget them without a search.
    order: VecDeque<u64>,
    next: u64,
    /// How many presentations were of a token presented before.
    pub(crate) presented_again: u64,
    /// How many presentations were of an expired token.
    pub(crate) presented_expired: u64,
}

const PREFIX: &str = "SJC01P07|";
/// Used and expired tokens are remembered this long, so that presenting one again is distinguished from nonsense.
const REMEMBER: u64 = 3600 * 1_000_000;

/// Tokens remembered at most; the oldest go first.
const MAX_REMEMBERED: usize = 65_536;

impl WsTokens {
    pub(crate) fn issue(&mut self, oauth: OAuthId, life: u64, rng: &mut SplitMix, now: u64) -> String {
        while let Some(id) = self.order.front() {
            let old = self.issued.get(id).is_none_or(|t| t.expires.saturating_add(REMEMBER) < now);
            if !old && self.order.len() < MAX_REMEMBERED {
                break;
            }
            self.issued.remove(id);
            self.order.pop_front();
        }
        self.next += 1;
        let secret = rng.next();
        let expires = now.saturating_add(life);
        self.issued.insert(self.next, Issued { secret, oauth, expires, presented: 0, holder: None });
        self.order.push_back(self.next);
        text::numbered_token(PREFIX, self.next, secret)
    }

    pub(crate) fn present(
        &mut self,
        token: &str,
        conn: u64,
        single_use: bool,
        now: u64,
    ) -> Result<Presented, Unusable> {
        let plain = text::token_plain(token).ok_or(Unusable::Unknown)?;
        let digits = plain.strip_prefix(PREFIX).filter(|d| d.len() == 32).ok_or(Unusable::Unknown)?;
        let (id, secret) = digits.split_at_checked(16).ok_or(Unusable::Unknown)?;
        let id = u64::from_str_radix(id, 16).map_err(|_| Unusable::Unknown)?;
        let secret = u64::from_str_radix(secret, 16).map_err(|_| Unusable::Unknown)?;
        let issued = self.issued.get_mut(&id).filter(|t| t.secret == secret).ok_or(Unusable::Unknown)?;
        issued.presented += 1;
        if issued.presented > 1 {
            self.presented_again += 1;
            if single_use {
                return Err(Unusable::Used);
            }
        }
        if now >= issued.expires {
            self.presented_expired += 1;
            return Err(Unusable::Expired);
        }
        Ok(Presented { oauth: issued.oauth, earlier: issued.holder.replace(conn) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_opens_one_connection_before_it_expires() {
        let mut tokens = WsTokens::default();
        let mut rng = SplitMix::new(1);
        let first = tokens.issue(7, 100, &mut rng, 0);
        let second = tokens.issue(7, 100, &mut rng, 0);
        assert_eq!(tokens.present(&first, 1, true, 99).map(|p| p.oauth), Ok(7));
        assert_eq!(tokens.present(&first, 2, true, 99), Err(Unusable::Used));
        assert_eq!(tokens.present(&second, 2, true, 100), Err(Unusable::Expired));
        assert_eq!(tokens.present("nonsense", 3, true, 0), Err(Unusable::Unknown));
        assert_eq!((tokens.presented_again, tokens.presented_expired), (1, 1));
    }

    #[test]
    fn a_reusable_token_names_the_connection_it_cuts() {
        let mut tokens = WsTokens::default();
        let token = tokens.issue(7, 100, &mut SplitMix::new(1), 0);
        assert_eq!(tokens.present(&token, 1, false, 0).map(|p| p.earlier), Ok(None));
        assert_eq!(tokens.present(&token, 2, false, 0).map(|p| p.earlier), Ok(Some(1)));
    }
}
