//! OAuth sessions: logins, refreshes, revocations, and the limit of sessions a user may have.

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest, Sha256};

use crate::config::{OAuthConfig, micros};
use crate::text::{self, SplitMix};

/// Number of an OAuth session, in order of login.
pub(crate) type OAuthId = u64;

#[derive(Debug, Clone)]
pub(crate) struct OAuthSession {
    pub(crate) user: usize,
    pub(crate) access_expires: u64,
    access: String,
    access_used_at: Option<u64>,
    refresh: Option<Refresh>,
    /// The refresh token that the current one replaced, and when that happened.
    replaced: Option<(String, u64)>,
}

#[derive(Debug, Clone)]
struct Refresh {
    token: String,
    expires: u64,
}

/// What a successful token call hands out.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    pub(crate) id: OAuthId,
    pub(crate) user: usize,
    pub(crate) access: String,
    pub(crate) refresh: Option<String>,
}

/// Why a bearer token does not authorize.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denied {
    /// No `Authorization` header.
    Missing,
    /// Another scheme than `Bearer`.
    Scheme,
    /// Not in the form of an access token.
    Unparsable,
    /// Life is over.
    Expired,
    /// Revoked, replaced or never issued.
    Unknown,
}

#[derive(Debug, Default)]
pub(crate) struct OAuthStore {
    sessions: BTreeMap<OAuthId, OAuthSession>,
    access: BTreeMap<String, OAuthId>,
    refresh: BTreeMap<String, OAuthId>,
    by_user: BTreeMap<usize, VecDeque<OAuthId>>,
    codes: BTreeMap<String, Code>,
    next: OAuthId,
}

/// Authorization codes that nobody redeems are kept up to this number.
const MAX_CODES: usize = 1000;

#[derive(Debug, Clone)]
pub(crate) struct Code {
    pub(crate) user: usize,
    pub(crate) challenge: Option<Challenge>,
}

/// What the application has to prove that redeems a code (PKCE).
#[derive(Debug, Clone)]
pub(crate) enum Challenge {
    Plain(String),
    S256(String),
}

impl Challenge {
    /// From the parameters of the authorization request; `None` for a method that is not known.
    pub(crate) fn new(challenge: &str, method: Option<&str>) -> Option<Self> {
        match method {
            None | Some("plain") => Some(Self::Plain(challenge.to_owned())),
            Some("S256") => Some(Self::S256(challenge.to_owned())),
            Some(_) => None,
        }
    }

    fn is_met_by(&self, verifier: &str) -> bool {
        match self {
            Self::Plain(challenge) => challenge == verifier,
            Self::S256(challenge) => {
                let digest = Sha256::digest(verifier.as_bytes());
                *challenge == data_encoding::BASE64URL_NOPAD.encode(&digest)
            }
        }
    }
}

impl Code {
    /// A code that was asked for without a challenge needs no verifier.
    pub(crate) fn is_good_with(&self, verifier: Option<&str>) -> bool {
        self.challenge.as_ref().is_none_or(|challenge| verifier.is_some_and(|verifier| challenge.is_met_by(verifier)))
    }
}

impl OAuthStore {
    /// Starts a session for `user`. The second value is the session that had to end for it.
    pub(crate) fn login(
        &mut self,
        user: usize,
        config: &OAuthConfig,
        rng: &mut SplitMix,
        now: u64,
    ) -> (Grant, Option<OAuthId>) {
        self.next += 1;
        let id = self.next;
        let session = OAuthSession {
            user,
            access_expires: 0,
            access: String::new(),
            access_used_at: None,
            refresh: None,
            replaced: None,
        };
        self.sessions.insert(id, session);
        let list = self.by_user.entry(user).or_default();
        list.push_back(id);
        let ended = if list.len() > config.max_sessions_per_user { list.front().copied() } else { None };
        (self.issue(id, user, config, rng, now), ended)
    }

    /// Redeems a refresh token: the old access token dies at once.
    pub(crate) fn refresh(&mut self, token: &str, config: &OAuthConfig, rng: &mut SplitMix, now: u64) -> Option<Grant> {
        let id = *self.refresh.get(token)?;
        let session = self.sessions.get_mut(&id)?;
        match (&session.refresh, &session.replaced) {
            (Some(current), _) if current.token == token => {
                if now >= current.expires {
                    return None;
                }
                let previous = session.replaced.replace((token.to_owned(), now));
                if let Some((older, _)) = previous {
                    self.refresh.remove(&older);
                }
            }
            (current, Some((replaced, at))) if replaced == token => {
                let used = session.access_used_at.map(|t| t + micros(config.refresh_grace_after_use));
                let unused = at.saturating_add(micros(config.refresh_grace_unused));
                if now >= used.map_or(unused, |used| used.min(unused)) {
                    return None;
                }
                let superseded = current.as_ref().map(|current| current.token.clone());
                if let Some(superseded) = superseded {
                    self.refresh.remove(&superseded);
                }
            }
            _ => return None,
        }
        let user = session.user;
        let dead = std::mem::take(&mut session.access);
        self.access.remove(&dead);
        Some(self.issue(id, user, config, rng, now))
    }

    /// The session a bearer token stands for.
    pub(crate) fn check(&mut self, header: Option<&str>, now: u64) -> Result<OAuthId, Denied> {
        let header = header.ok_or(Denied::Missing)?;
        let token = text::strip_scheme(header, "Bearer").ok_or(Denied::Scheme)?;
        if text::token_plain(token).is_none_or(|plain| !plain.starts_with(PREFIX)) {
            return Err(Denied::Unparsable);
        }
        let id = *self.access.get(token).ok_or(Denied::Unknown)?;
        let session = self.sessions.get_mut(&id).ok_or(Denied::Unknown)?;
        if now >= session.access_expires {
            return Err(Denied::Expired);
        }
        session.access_used_at.get_or_insert(now);
        Ok(id)
    }

    /// The session any of its tokens, access or refresh, belongs to.
    pub(crate) fn owner(&self, token: &str) -> Option<OAuthId> {
        self.access.get(token).or_else(|| self.refresh.get(token)).copied()
    }

    pub(crate) fn get(&self, id: OAuthId) -> Option<&OAuthSession> {
        self.sessions.get(&id)
    }

    /// Forgets the session and all its tokens.
    pub(crate) fn end(&mut self, id: OAuthId) {
        let Some(session) = self.sessions.remove(&id) else { return };
        self.access.remove(&session.access);
        for token in session.refresh.map(|r| r.token).into_iter().chain(session.replaced.map(|r| r.0)) {
            self.refresh.remove(&token);
        }
        if let Some(list) = self.by_user.get_mut(&session.user) {
            list.retain(|other| *other != id);
        }
    }

    /// When the session cannot be continued any more: its refresh token's end, else its access token's.
    pub(crate) fn ends_at(&self, id: OAuthId) -> Option<u64> {
        let session = self.sessions.get(&id)?;
        Some(session.refresh.as_ref().map_or(session.access_expires, |r| r.expires))
    }

    pub(crate) fn add_code(&mut self, code: String, user: usize, challenge: Option<Challenge>) {
        if self.codes.len() >= MAX_CODES {
            self.codes.pop_first();
        }
        self.codes.insert(code, Code { user, challenge });
    }

    pub(crate) fn take_code(&mut self, code: &str) -> Option<Code> {
        self.codes.remove(code)
    }

    pub(crate) fn of_user(&self, user: usize) -> Vec<OAuthId> {
        self.by_user.get(&user).into_iter().flatten().copied().collect()
    }

    /// Ends the life of every access token; returns the sessions.
    pub(crate) fn expire_all(&mut self, now: u64) -> Vec<OAuthId> {
        for session in self.sessions.values_mut() {
            session.access_expires = session.access_expires.min(now);
        }
        self.sessions.keys().copied().collect()
    }

    pub(crate) fn len(&self) -> usize {
        self.sessions.len()
    }

    fn issue(&mut self, id: OAuthId, user: usize, config: &OAuthConfig, rng: &mut SplitMix, now: u64) -> Grant {
        let access = token(rng);
        let refresh = config.issue_refresh_tokens.then(|| token(rng));
        self.access.insert(access.clone(), id);
        if let Some(token) = &refresh {
            self.refresh.insert(token.clone(), id);
        }
        if let Some(session) = self.sessions.get_mut(&id) {
            session.access = access.clone();
            session.access_expires = now.saturating_add(micros(config.access_token_lifetime));
            session.access_used_at = None;
            session.refresh = refresh
                .clone()
                .map(|token| Refresh { token, expires: now.saturating_add(micros(config.refresh_token_lifetime)) });
        }
        Grant { id, user, access, refresh }
    }
}

const PREFIX: &str = "SJC01P01PAS00|";

fn token(rng: &mut SplitMix) -> String {
    let (a, b) = (rng.next(), rng.next());
    text::numbered_token(PREFIX, a, b)
}
