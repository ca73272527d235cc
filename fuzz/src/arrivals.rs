//! What is under way, in order of arrival.

/// A queue by time. Of what arrives together, that which was sent first comes first.
#[derive(Debug)]
pub(crate) struct Arrivals<T> {
    /// When each arrives. The next one is the last.
    queue: Vec<(u64, T)>,
}

impl<T> Default for Arrivals<T> {
    fn default() -> Self {
        Self { queue: Vec::new() }
    }
}

impl<T> Arrivals<T> {
    /// When the next one arrives; `u64::MAX`: nothing is under way.
    pub(crate) fn next(&self) -> u64 {
        self.queue.last().map_or(u64::MAX, |(at, _)| *at)
    }

    pub(crate) fn pop(&mut self) -> Option<T> {
        self.queue.pop().map(|(_, item)| item)
    }

    /// Few are under way at a time, mostly none: putting one in its place moves little.
    pub(crate) fn push(&mut self, at: u64, item: T) {
        let place = self.queue.partition_point(|(other, _)| *other > at);
        self.queue.insert(place, (at, item));
    }

    /// All that is under way, the next one first.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &T> {
        self.queue.iter().rev().map(|(_, item)| item)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_comes_first_and_of_equals_the_one_sent_first() {
        let mut arrivals = Arrivals::default();
        for (at, item) in [(5, 'c'), (3, 'a'), (5, 'd'), (4, 'b'), (5, 'e')] {
            arrivals.push(at, item);
        }
        assert_eq!(arrivals.next(), 3);
        assert_eq!(arrivals.iter().collect::<String>(), "abcde");
        assert_eq!(std::iter::from_fn(|| arrivals.pop()).collect::<String>(), "abcde");
        assert_eq!(arrivals.next(), u64::MAX);
    }
}
