//! What was handed out already, as a bounded set of keys.

use std::collections::{BTreeMap, BTreeSet};

use data_encoding::BASE64;
use ringcentral_ws_core::UnixMillis;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// The key of a record: what it is, and its id.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key(pub(super) u64);

impl Key {
    pub(super) fn new(kind: &str, id: &str) -> Self {
        let mut hash = Sha256::new();
        for part in [kind, id] {
            hash.update((part.len() as u64).to_be_bytes());
            hash.update(part);
        }
        let mut key = [0; 8];
        key.copy_from_slice(&hash.finalize()[..8]);
        Self(u64::from_be_bytes(key))
    }
}

/// The keys of what was handed out, each with the time of its last change: those with the latest times. What falls out is not forgotten silently:
/// [`is_sure_about`](Self::is_sure_about) says for which times the set is whole.
#[derive(Clone, Debug)]
pub(super) struct Known {
    capacity: usize,
    times: BTreeMap<Key, UnixMillis>,
    order: BTreeSet<(UnixMillis, Key)>,
    /// Keys up to this time have fallen out.
    fallen: Option<UnixMillis>,
}

/// The same between two processes. The keys are 16 bytes each, in base64: the time and the hash.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct StoredKnown {
    #[serde(default, skip_serializing_if = "String::is_empty")]
    keys: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fallen: Option<UnixMillis>,
}

impl Known {
    pub(super) fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), times: BTreeMap::new(), order: BTreeSet::new(), fallen: None }
    }

    /// Whether it was handed out; `changed`: with this change of it or a later one.
    pub(super) fn contains(&self, key: Key, changed: Option<UnixMillis>) -> bool {
        self.times.get(&key).is_some_and(|known| changed.is_none_or(|changed| changed <= *known))
    }

    /// Whether a key of this time would still be there.
    pub(super) fn is_sure_about(&self, time: UnixMillis) -> bool {
        self.fallen.is_none_or(|fallen| time > fallen)
    }

    /// `false` if it was there, as of this time or a later one.
    pub(super) fn insert(&mut self, key: Key, time: UnixMillis) -> bool {
        if self.contains(key, Some(time)) {
            return false;
        }
        if let Some(earlier) = self.times.insert(key, time) {
            self.order.remove(&(earlier, key));
        }
        self.order.insert((time, key));
        if self.order.len() > self.capacity
            && let Some((time, key)) = self.order.pop_first()
        {
            self.times.remove(&key);
            self.fallen = self.fallen.max(Some(time));
        }
        true
    }

    /// Forgets what is older, which nobody will ask about.
    pub(super) fn forget_before(&mut self, time: UnixMillis) {
        while let Some((first, key)) = self.order.first().copied().filter(|(first, _)| *first < time) {
            self.order.remove(&(first, key));
            self.times.remove(&key);
            self.fallen = self.fallen.max(Some(first));
        }
    }

    pub(super) fn stored(&self) -> StoredKnown {
        let mut bytes = Vec::with_capacity(self.order.len() * 16);
        for (time, key) in &self.order {
            bytes.extend(time.0.to_be_bytes());
            bytes.extend(key.0.to_be_bytes());
        }
        StoredKnown { keys: BASE64.encode(&bytes), fallen: self.fallen }
    }

    /// What cannot be read counts as fallen out: everything up to now.
    pub(super) fn restore(&mut self, stored: &StoredKnown, now: UnixMillis) {
        self.fallen = stored.fallen;
        let Ok(bytes) = BASE64.decode(stored.keys.as_bytes()) else {
            self.fallen = self.fallen.max(Some(now));
            return;
        };
        for pair in bytes.chunks_exact(16) {
            let number = |from: usize| {
                let mut eight = [0; 8];
                eight.copy_from_slice(&pair[from..from + 8]);
                u64::from_be_bytes(eight)
            };
            self.insert(Key(number(8)), UnixMillis(number(0)));
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.times.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(n: u64) -> Key {
        Key::new("message", &n.to_string())
    }

    #[test]
    fn the_oldest_fall_out_and_that_is_known() {
        let mut known = Known::new(2);
        assert!(known.insert(key(1), UnixMillis(10)) && known.insert(key(2), UnixMillis(30)));
        assert!(!known.insert(key(2), UnixMillis(29)) && known.is_sure_about(UnixMillis(1)));
        known.insert(key(3), UnixMillis(20));
        assert_eq!([1, 2, 3].map(|n| known.contains(key(n), None)), [false, true, true]);
        assert!(!known.is_sure_about(UnixMillis(10)) && known.is_sure_about(UnixMillis(11)));
        known.forget_before(UnixMillis(30));
        assert_eq!((known.len(), known.is_sure_about(UnixMillis(20))), (1, false));
    }

    #[test]
    fn a_change_is_told_from_what_it_changed() {
        let mut known = Known::new(2);
        known.insert(key(1), UnixMillis(10));
        let knows = |known: &Known, time| known.contains(key(1), Some(UnixMillis(time)));
        assert_eq!([9, 10, 11].map(|time| knows(&known, time)), [true, true, false]);
        assert!(known.insert(key(1), UnixMillis(20)) && known.len() == 1);
        assert_eq!([11, 20, 21].map(|time| knows(&known, time)), [true, true, false]);
    }

    #[test]
    fn another_process_knows_the_same() {
        let mut known = Known::new(3);
        assert!((0..5).all(|n| known.insert(key(n), UnixMillis(n))));
        let mut next = Known::new(3);
        next.restore(&known.stored(), UnixMillis(9));
        assert_eq!(next.stored(), known.stored());
        let mut broken = Known::new(3);
        broken.restore(&StoredKnown { keys: "?".into(), fallen: None }, UnixMillis(9));
        assert!(!broken.is_sure_about(UnixMillis(9)) && broken.is_sure_about(UnixMillis(10)));
    }

    #[test]
    fn a_key_has_all_its_parts() {
        let one = Key::new("message", "1");
        assert_eq!(one, Key::new("message", "1"));
        for other in [Key::new("post", "1"), Key::new("message", "2"), Key::new("messag", "e1")] {
            assert_ne!(one, other);
        }
    }
}
