//! Keys of notifications in as few bytes as they need. A session and its snapshots share them until it remembers more.

use std::collections::VecDeque;
use std::sync::Arc;

/// Keys, oldest first.
#[derive(Clone, Debug, Default)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "recorder", serde(from = "Vec<u128>", into = "Vec<u128>"))]
pub(crate) struct Keys(Arc<Stored>);

#[derive(Clone, Debug)]
enum Stored {
    /// All are numbers of 64 bits, as the service's own ids are.
    Short(VecDeque<u64>),
    Long(VecDeque<u128>),
}

impl Default for Stored {
    fn default() -> Self {
        Self::Short(VecDeque::new())
    }
}

impl Keys {
    pub(crate) fn len(&self) -> usize {
        match &*self.0 {
            Stored::Short(keys) => keys.len(),
            Stored::Long(keys) => keys.len(),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = u128> + '_ {
        let (short, long) = match &*self.0 {
            Stored::Short(keys) => (Some(keys), None),
            Stored::Long(keys) => (None, Some(keys)),
        };
        let short = short.into_iter().flatten().map(|key| u128::from(*key));
        short.chain(long.into_iter().flatten().copied())
    }

    pub(crate) fn contains(&self, key: u128) -> bool {
        match &*self.0 {
            Stored::Short(keys) => u64::try_from(key).is_ok_and(|key| keys.contains(&key)),
            Stored::Long(keys) => keys.contains(&key),
        }
    }

    /// Adds a key; no more than `window` are kept, and one at least.
    pub(crate) fn remember(&mut self, key: u128, window: usize) {
        let stored = Arc::make_mut(&mut self.0);
        if let Stored::Short(keys) = stored {
            if let Ok(key) = u64::try_from(key) {
                return push(keys, key, window);
            }
            *stored = Stored::Long(keys.iter().map(|key| u128::from(*key)).collect());
        }
        if let Stored::Long(keys) = stored {
            push(keys, key, window);
        }
    }

    /// The oldest ones.
    pub(crate) fn oldest(&self, count: usize) -> Self {
        if count >= self.len() { self.clone() } else { self.iter().take(count).collect() }
    }

    /// Forgets all but the newest ones.
    #[cfg(feature = "recorder")]
    pub(crate) fn keep_newest(&mut self, count: usize) {
        let too_many = self.len().saturating_sub(count);
        if too_many > 0 {
            *self = self.iter().skip(too_many).collect();
        }
    }
}

fn push<T>(keys: &mut VecDeque<T>, key: T, window: usize) {
    while keys.len() >= window.max(1) {
        keys.pop_front();
    }
    keys.push_back(key);
}

impl FromIterator<u128> for Keys {
    fn from_iter<I: IntoIterator<Item = u128>>(keys: I) -> Self {
        let mut made = Self::default();
        keys.into_iter().for_each(|key| made.remember(key, usize::MAX));
        made
    }
}

impl From<Vec<u128>> for Keys {
    fn from(keys: Vec<u128>) -> Self {
        keys.into_iter().collect()
    }
}

#[cfg(feature = "recorder")]
impl From<Keys> for Vec<u128> {
    fn from(keys: Keys) -> Self {
        keys.iter().collect()
    }
}

impl PartialEq for Keys {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.iter().eq(other.iter())
    }
}

impl Eq for Keys {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_and_long_keys_are_the_same_to_all_but_memory() {
        let long = u128::from(u64::MAX) + 1;
        let mut keys: Keys = [1, 2, u128::from(u64::MAX)].into_iter().collect();
        assert!(matches!(&*keys.0, Stored::Short(_)) && !keys.contains(long) && !keys.contains(long + 1));
        let before = keys.clone();
        keys.remember(long, 3);
        assert!(keys.iter().eq([2, u128::from(u64::MAX), long]));
        assert!(keys.contains(2) && keys.contains(long) && !keys.contains(1) && !keys.contains(long + 2));
        assert!(!keys.contains(long | 1 << 100) && !keys.contains(2 | 1 << 32), "only their lowest bits are the same");
        assert!(before.iter().eq([1, 2, u128::from(u64::MAX)]), "what was shared stays as it was");
        assert_ne!(before, keys);
        let again: Keys = vec![2, u128::from(u64::MAX), long].into();
        assert_eq!(again, keys);
        assert_eq!(Keys::from(vec![7]), keys_of_long(7));
    }

    /// The same key in the long form.
    fn keys_of_long(key: u128) -> Keys {
        let mut keys = Keys::from(vec![u128::MAX]);
        keys.remember(key, 1);
        keys
    }

    #[test]
    fn the_oldest_are_shared_or_copied() {
        let keys: Keys = (0..5).collect();
        assert!(Arc::ptr_eq(&keys.oldest(5).0, &keys.0));
        assert!(keys.oldest(2).iter().eq([0, 1]) && keys.oldest(0).is_empty());
    }
}
