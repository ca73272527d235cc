//! What outlives a process: plain, versioned data (PST).

use std::fmt;

use serde::{Deserialize, Serialize};
use url::Url;

use crate::error::RestoreError;
use crate::filters::Filters;
use crate::gap::GapCause;
use crate::hosts::HostKind;
use crate::identity::Identity;
use crate::json::beginning;
use crate::keys::Keys;
use crate::notification::dedupe_key;
use crate::retry::MAX_STORED;
use crate::secret::Secret;
use crate::serde_forms::MAX_EXACT;
use crate::session::MIN_WINDOW;
use crate::time::UnixMillis;
use crate::wire::{MAX_TOKEN, ServerLimits, Wsc};

/// The format written here. Older ones are read, newer ones refused.
pub(crate) const VERSION: u32 = 1;
/// Largest text read: more than the most and longest filters take twice.
const MAX_BYTES: usize = 64 << 20;
/// Most notification keys written and believed.
pub(crate) const MAX_RECENT: usize = 8192;
/// Most bytes kept of an id or a code.
pub(crate) const MAX_LAST: usize = 1024;
/// Most bytes kept for the driver.
const MAX_EXTRA: usize = 16 << 20;
/// Numbers are believed below this, so that they can go on being counted.
const MAX_NUMBER: u64 = MAX_EXACT;

/// What a process stores of a session, so that another process can continue it: plain, versioned data.
///
/// [`Session::snapshot`](crate::Session::snapshot) makes it, [`Session::restore`](crate::Session::restore) continues
/// from it. It contains the recovery token, which opens the notifications of the session, so keep it like a password.
/// It contains no OAuth token and no connection token; its owner is a hash ([`Identity`]). Without a subscription it is
/// at most 512 bytes of JSON beside the recovery token ([PST-1](crate::protocol#pst-1)).
///
/// ```
/// use ringcentral_ws_core::{ClockReading, Config, Session, Snapshot, UnixMillis};
///
/// # let session = Session::new(Config::default(), 7, ClockReading::default());
/// let stored = session.snapshot().expect("all outputs are drained").to_json();
///
/// // In another process:
/// let (config, clock) = (Config::default(), ClockReading::default());
/// let snapshot = Snapshot::from_json(&stored).unwrap_or_else(|error| {
///     eprintln!("the stored session cannot be used: {error}");
///     Snapshot::lost(&config.server, UnixMillis(1_700_000_000_000))
/// });
/// let session = Session::restore(config, snapshot, 8, clock)?;
/// # Ok::<(), ringcentral_ws_core::RestoreError>(())
/// ```
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    // This one and `server` stay first, in every format: a file that begins otherwise is not replaced (SEC-4).
    pub(crate) version: u32,
    pub(crate) server: String,
    /// Whose it is (TOK-10). Those of earlier versions have none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) identity: Option<Identity>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wsc: Option<StoredWsc>,
    /// The kind of host that the recovery token came from. In those of earlier versions it is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) given_by: Option<HostKind>,
    pub(crate) last_seen: UnixMillis,
    #[serde(default)]
    pub(crate) limits: ServerLimits,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) wanted: Option<StoredSubscription>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) active: Option<StoredSubscription>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removing: Option<u64>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) unsure: bool,
    #[serde(default, skip_serializing_if = "Keys::is_empty", with = "keys")]
    pub(crate) recent: Keys,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last: Option<Box<str>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) gap: Option<StoredGap>,
    /// What came after this moment is not proven complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unproven: Option<UnixMillis>,
    /// The active subscription, which is not to be verified, was there at this moment, if that is not `last_seen`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) confirmed: Option<UnixMillis>,
    /// The active subscription was there at this moment, and is to be verified since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) unverified: Option<UnixMillis>,
    #[serde(default, skip_serializing_if = "is_false")]
    pub(crate) detached: bool,
    pub(crate) next_subscription: u64,
    /// What is left of the budget of calls, and of a penalty (TOK-2).
    #[serde(default, skip_serializing_if = "StoredAuth::is_empty")]
    pub(crate) auth: StoredAuth,
    /// What the driver around the session keeps with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) extra: Option<String>,
}

/// Calls that count still, and penalties that run still.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredAuth {
    /// When each call counts no more.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) free_at: Vec<UnixMillis>,
    /// No call before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) no_call_before: Option<UnixMillis>,
    /// No login before this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) no_login_before: Option<UnixMillis>,
    /// No call for the subscription before this (SUB-5).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) no_subscribe_before: Option<UnixMillis>,
}

impl StoredAuth {
    fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredWsc {
    token: String,
    #[serde(with = "crate::serde_forms::exact")]
    sequence: u64,
}

/// `server_id` is there for the active one only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredSubscription {
    pub(crate) id: u64,
    pub(crate) filters: Filters,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) server_id: Option<Box<str>>,
}

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct StoredGap {
    cause: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    code: Option<Box<str>>,
    pub(crate) since: UnixMillis,
}

impl Snapshot {
    /// The snapshot as one line of JSON.
    #[must_use]
    pub fn to_json(&self) -> String {
        // Plain data: nothing in it can fail to be written.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what [`to_json`](Self::to_json) wrote.
    ///
    /// # Errors
    ///
    /// [`RestoreError::Corrupt`] for anything that is not a whole snapshot, [`RestoreError::Newer`] for one of a
    /// later format ([PST-3](crate::protocol#pst-3)). Starting without it is always possible.
    pub fn from_json(text: &str) -> Result<Self, RestoreError> {
        #[derive(Deserialize)]
        struct Version {
            version: u32,
        }
        if text.len() > MAX_BYTES {
            return Err(RestoreError::Corrupt("too large".into()));
        }
        let read = serde_json::from_str::<Self>(text);
        let found = match &read {
            Ok(snapshot) => snapshot.version,
            // A newer format may look different in everything else.
            Err(_) => serde_json::from_str::<Version>(text).map_err(|e| corrupt(&e))?.version,
        };
        if found > VERSION {
            return Err(newer(found));
        }
        let mut snapshot = read.map_err(|e| corrupt(&e))?;
        if snapshot.active.is_none() {
            // Earlier builds could leave it behind when a subscription was removed: it says nothing without one.
            snapshot.unverified = None;
        }
        snapshot.check()?;
        Ok(snapshot)
    }

    /// A snapshot in place of a stored one that cannot be used. A session that is restored from it is a new one, and
    /// reports a [`Gap`](crate::Gap) from `since` on before its first notification ([REC-5](crate::protocol#rec-5)),
    /// which [`Session::new`](crate::Session::new) does not.
    ///
    /// `server` is [`Config::server`](crate::Config::server).
    #[must_use]
    pub fn lost(server: &Url, since: UnixMillis) -> Self {
        Self {
            version: VERSION,
            server: server.as_str().to_owned(),
            identity: None,
            wsc: None,
            given_by: None,
            last_seen: since,
            limits: ServerLimits::default(),
            wanted: None,
            active: None,
            removing: None,
            unsure: false,
            recent: Keys::default(),
            last: None,
            gap: Some(StoredGap::new(&GapCause::Restored, since)),
            unproven: None,
            confirmed: None,
            unverified: None,
            detached: false,
            next_subscription: 0,
            auth: StoredAuth::default(),
            extra: None,
        }
    }

    /// The owner of the session, if it was known.
    #[must_use]
    pub const fn identity(&self) -> Option<Identity> {
        self.identity
    }

    /// Whether it is that of an orderly end by `close(Detach)`. Then nothing can have been missed within the recovery
    /// window.
    #[must_use]
    pub const fn is_detached(&self) -> bool {
        self.detached
    }

    /// The application has a notification with this [`uuid`](crate::Notification::uuid) that was emitted after the
    /// snapshot was taken. A session that is restored from it does not deliver the notification again, and a
    /// [`Gap`](crate::Gap) begins behind it ([PST-6](crate::protocol#pst-6)).
    ///
    /// All the rest stays as it was: the end of the process is still reported as a gap since the snapshot was taken. Call
    /// it in the order in which notifications were emitted, of one session, with none left out. An empty id changes
    /// nothing. As many are remembered as the session does ([REC-4](crate::protocol#rec-4)).
    pub fn mark_delivered(&mut self, uuid: &str) {
        if uuid.is_empty() {
            return;
        }
        let key = dedupe_key(uuid);
        if !self.recent.contains(key) {
            let buffer = self.limits.recovery_buffer_size.map_or(0, |n| usize::try_from(n).unwrap_or(usize::MAX));
            let window = MIN_WINDOW.max(buffer.saturating_mul(2)).min(MAX_RECENT);
            // Of a session with a larger window it has at least as many already.
            self.recent.remember(key, window.max(self.recent.len()));
        }
        self.last = Some(beginning(uuid, MAX_LAST).into());
    }

    /// Takes over what is left of the budget of calls, and of penalties, from a `newer` snapshot of the same session.
    /// `true` if that is another amount.
    ///
    /// Calls count for the user and app, whatever of the session's events the application has seen
    /// ([TOK-2](crate::protocol#tok-2)).
    pub fn adopt_budgets(&mut self, newer: &Self) -> bool {
        let differs = self.auth != newer.auth;
        if differs {
            self.auth.clone_from(&newer.auth);
        }
        differs
    }

    /// The filters of the subscription, as they were asked for; `None` without one.
    #[must_use]
    pub fn filters(&self) -> Option<&Filters> {
        self.active.as_ref().or(self.wanted.as_ref()).map(|subscription| &subscription.filters)
    }

    /// What the driver around the session keeps with it: a text of its own. The session neither reads nor writes it, so
    /// [`Session::snapshot`](crate::Session::snapshot) has none.
    #[must_use]
    pub fn extra(&self) -> Option<&str> {
        self.extra.as_deref()
    }

    /// The same with this text of the driver's, at most 16 MiB.
    #[must_use]
    pub fn with_extra(mut self, extra: Option<Box<str>>) -> Self {
        self.extra = extra.filter(|extra| extra.len() <= MAX_EXTRA).map(String::from);
        self
    }

    /// Adds a line to the text of the driver's, if there is one and it has room.
    pub fn add_to_extra(&mut self, line: &str) {
        if let Some(extra) = self.extra.as_mut().filter(|extra| extra.len() + line.len() < MAX_EXTRA) {
            extra.push('\n');
            extra.push_str(line);
        }
    }

    /// The highest number in use.
    fn newest_subscription(&self) -> u64 {
        let named = self.wanted.iter().chain(&self.active).map(|subscription| subscription.id);
        named.chain(self.removing).max().unwrap_or_default()
    }

    /// Also one that was not read by [`from_json`](Self::from_json).
    pub(crate) fn check(&self) -> Result<(), RestoreError> {
        if self.version > VERSION {
            return Err(newer(self.version));
        }
        let why = if self.version == 0 {
            "version 0"
        } else if self.recent.len() > MAX_RECENT {
            "too many notification ids"
        } else if self.last.as_ref().is_some_and(|last| last.len() > MAX_LAST) {
            "too long a notification id"
        } else if self.active.as_ref().is_some_and(|a| a.server_id.as_deref().is_none_or(str::is_empty)) {
            "a subscription without an id"
        } else if self.wanted.as_ref().is_some_and(|wanted| wanted.server_id.is_some()) {
            "a desired subscription with the server's id"
        } else if self.wanted.is_some() && self.removing.is_some() {
            "a subscription that is desired and given up"
        } else if self
            .confirmed
            .is_some_and(|at| self.active.is_none() || self.unverified.is_some() || at >= self.last_seen)
        {
            "a subscription that was confirmed at another time"
        } else if self.active.is_some() && self.unsure {
            "a subscription that is known and not known"
        } else if self.extra.as_ref().is_some_and(|extra| extra.len() > MAX_EXTRA) {
            "too much of the driver's"
        } else if self.auth.free_at.len() > MAX_STORED {
            "too many calls"
        } else if self.gap.as_ref().is_some_and(|gap| gap.cause().is_none()) {
            "an unknown cause of a gap"
        } else if self.gap.as_ref().is_some_and(|gap| gap.code.is_some() && !gap.is_failure()) {
            "a code that belongs to no failure"
        } else if self.gap.as_ref().and_then(|gap| gap.code.as_ref()).is_some_and(|code| code.len() > MAX_LAST) {
            "too long a code"
        } else if self.active.as_ref().and_then(|a| a.server_id.as_ref()).is_some_and(|id| id.len() > MAX_LAST) {
            "too long a subscription id"
        } else if self.wsc.as_ref().is_some_and(|wsc| !(1..=MAX_TOKEN).contains(&wsc.token.len())) {
            "an empty recovery token, or too long a one"
        } else if self.given_by.is_some() && self.wsc.is_none() {
            "the host of a recovery token that is not there"
        } else if self.next_subscription >= MAX_NUMBER || self.newest_subscription() > self.next_subscription {
            "impossible subscription numbers"
        } else {
            return Ok(());
        };
        Err(RestoreError::Corrupt(why.into()))
    }
}

const fn newer(found: u32) -> RestoreError {
    RestoreError::Newer { found, known: VERSION }
}

fn corrupt(error: &serde_json::Error) -> RestoreError {
    // Only the place: the message could quote a secret.
    let kind = if error.is_eof() { "it ends too early" } else { "it is not what was written" };
    RestoreError::Corrupt(format!("{kind}, line {} column {}", error.line(), error.column()).into())
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot")
            .field("server", &self.server)
            .field("recoverable", &self.wsc.is_some())
            .field("last_seen", &self.last_seen)
            .field("filters", &self.wanted.as_ref().map_or(0, |w| w.filters.len()))
            .field("detached", &self.detached)
            .finish_non_exhaustive()
    }
}

impl StoredWsc {
    pub(crate) fn new(wsc: &Wsc) -> Self {
        Self { token: wsc.token.expose().to_owned(), sequence: wsc.sequence }
    }

    pub(crate) fn into_wsc(self) -> Wsc {
        Wsc { token: Secret::from(self.token), sequence: self.sequence }
    }
}

/// A recovery token in a larger whole.
#[cfg(feature = "recorder")]
pub(crate) mod at_rest {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};

    use super::{StoredWsc, Wsc};

    #[expect(clippy::ref_option, reason = "the signature serde asks for")]
    pub(crate) fn serialize<S: Serializer>(wsc: &Option<Wsc>, serializer: S) -> Result<S::Ok, S::Error> {
        wsc.as_ref().map(StoredWsc::new).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Wsc>, D::Error> {
        Ok(Option::<StoredWsc>::deserialize(deserializer)?.map(StoredWsc::into_wsc))
    }
}

impl StoredGap {
    pub(crate) fn new(cause: &GapCause, since: UnixMillis) -> Self {
        let code = if let GapCause::RecoveryFailed(code) = cause { code.clone() } else { None };
        Self { cause: cause.as_str().to_owned(), code, since }
    }

    fn is_failure(&self) -> bool {
        matches!(self.cause(), Some(GapCause::RecoveryFailed(_)))
    }

    pub(crate) fn cause(&self) -> Option<GapCause> {
        GapCause::from_word(&self.cause, self.code.as_deref())
    }
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature serde asks for")]
const fn is_false(value: &bool) -> bool {
    !*value
}

/// Keys as text, because JSON numbers end at 64 bits for most readers.
mod keys {
    use std::fmt;

    use serde::de::{Error, SeqAccess, Visitor};
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use crate::keys::Keys;

    pub(super) fn serialize<S: Serializer>(keys: &Keys, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(keys.iter().map(Key))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Keys, D::Error> {
        struct Many;

        impl<'de> Visitor<'de> for Many {
            type Value = Keys;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an array of keys")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut keys = Keys::default();
                while let Some(Key(key)) = seq.next_element()? {
                    keys.remember(key, usize::MAX);
                }
                Ok(keys)
            }
        }

        deserializer.deserialize_seq(Many)
    }

    /// One key, in hexadecimal.
    struct Key(u128);

    impl Serialize for Key {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let mut text = [b'0'; 32];
            let (mut at, mut key) = (text.len(), self.0);
            loop {
                at -= 1;
                text[at] = b"0123456789abcdef"[(key & 15) as usize];
                key >>= 4;
                if key == 0 {
                    break;
                }
            }
            serializer.serialize_str(std::str::from_utf8(&text[at..]).unwrap_or_default())
        }
    }

    impl<'de> Deserialize<'de> for Key {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            struct Hex;

            impl Visitor<'_> for Hex {
                type Value = Key;

                fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                    f.write_str("a hexadecimal number")
                }

                fn visit_str<E: Error>(self, text: &str) -> Result<Key, E> {
                    u128::from_str_radix(text, 16).map(Key).map_err(|_| E::custom("key"))
                }
            }

            deserializer.deserialize_str(Hex)
        }
    }
}
