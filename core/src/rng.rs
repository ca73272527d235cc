//! SplitMix64: all that jitter needs. Not for secrets.

use std::time::Duration;

#[derive(Clone, Debug)]
#[cfg_attr(feature = "recorder", derive(serde::Serialize, serde::Deserialize))]
pub(crate) struct Rng(#[cfg_attr(feature = "recorder", serde(with = "crate::serde_forms::exact"))] u64);

impl Rng {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform in `0..=max`, to the microsecond.
    pub(crate) fn up_to(&mut self, max: Duration) -> Duration {
        let range = u128::from(u64::try_from(max.as_micros()).unwrap_or(u64::MAX)) + 1;
        let scaled = (u128::from(self.next()) * range) >> 64;
        Duration::from_micros(u64::try_from(scaled).unwrap_or(u64::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jitter_stays_in_range_and_spreads() {
        let mut rng = Rng::new(7);
        let max = Duration::from_secs(1);
        let mut tenths = [0u32; 10];
        for _ in 0..10_000 {
            let d = rng.up_to(max);
            assert!(d <= max);
            tenths[usize::try_from(d.as_millis() / 100).unwrap().min(9)] += 1;
        }
        assert!(tenths.iter().all(|n| (850..1150).contains(n)), "{tenths:?}");
        assert_eq!(rng.up_to(Duration::ZERO), Duration::ZERO);
    }
}
