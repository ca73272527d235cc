//! The clock: monotonic, and going on while the machine sleeps where the system has such a clock.

use std::time::{Duration, Instant, SystemTime};

use ringcentral_ws_core::{ClockReading, Timestamp, UnixMillis};

/// One look at all clocks. Only differences count, but for `wall`, which is since 1970.
#[derive(Clone, Copy, Debug)]
struct Raw {
    /// Counts sleep, if the system can tell.
    boot: Duration,
    /// Does not count sleep on most systems.
    mono: Duration,
    wall: Duration,
}

/// What the clock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) now: Timestamp,
    /// Since the last look the machine slept, or the wall clock was put forward.
    pub(crate) jumped: bool,
}

#[derive(Debug)]
pub(crate) struct Clock {
    start: Instant,
    origin: Duration,
    last: Raw,
    slack: Duration,
}

impl Clock {
    pub(crate) fn new(slack: Duration) -> Self {
        let start = Instant::now();
        let last = look(start);
        Self { start, origin: last.boot, last, slack }
    }

    pub(crate) fn reading(&self) -> ClockReading {
        let raw = look(self.start);
        let unix = UnixMillis(u64::try_from(raw.wall.as_millis()).unwrap_or(u64::MAX));
        ClockReading { now: self.stamp(raw), unix }
    }

    pub(crate) fn read(&mut self) -> Reading {
        let raw = look(self.start);
        self.observe(raw)
    }

    fn observe(&mut self, raw: Raw) -> Reading {
        let since = |new: Duration, old: Duration| new.saturating_sub(old);
        let (boot, mono) = (since(raw.boot, self.last.boot), since(raw.mono, self.last.mono));
        let wall = since(raw.wall, self.last.wall);
        let jumped = since(boot, mono) > self.slack || since(wall, boot) > self.slack;
        self.last = raw;
        Reading { now: self.stamp(raw), jumped }
    }

    fn stamp(&self, raw: Raw) -> Timestamp {
        Timestamp::ZERO.after(raw.boot.saturating_sub(self.origin))
    }
}

fn look(start: Instant) -> Raw {
    let mono = start.elapsed();
    let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Raw { boot: since_boot().unwrap_or(mono), mono, wall }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn since_boot() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
    Some(Duration::new(time.tv_sec.try_into().ok()?, time.tv_nsec.try_into().ok()?))
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn since_boot() -> Option<Duration> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(boot: u64, mono: u64, wall: u64) -> Raw {
        let ms = Duration::from_millis;
        Raw { boot: ms(boot), mono: ms(mono), wall: ms(wall) }
    }

    fn clock() -> Clock {
        let last = raw(5_000, 0, 1_000_000);
        Clock { start: Instant::now(), origin: last.boot, last, slack: Duration::from_millis(2_000) }
    }

    // CLAUSE HB-4
    #[test]
    fn sleep_shows_as_a_jump() {
        let mut c = clock();
        assert_eq!(c.observe(raw(6_000, 1_000, 1_001_000)), Reading { now: Timestamp::from_secs(1), jumped: false });
        // Asleep for a minute: the boot clock went on, the monotonic one did not.
        assert_eq!(c.observe(raw(67_000, 2_000, 1_062_000)), Reading { now: Timestamp::from_secs(62), jumped: true });
        assert!(!c.observe(raw(68_000, 3_000, 1_063_000)).jumped);
        // Without a boot clock the wall clock tells.
        assert!(c.observe(raw(69_000, 4_000, 1_066_001)).jumped);
        assert!(!c.observe(raw(69_500, 4_500, 1_068_500)).jumped, "exactly the slack");
        // Put back: no sleep.
        assert!(!c.observe(raw(70_000, 5_000, 900_000)).jumped);
    }

    #[test]
    fn time_moves_on() {
        let mut c = Clock::new(Duration::from_secs(2));
        let first = c.read();
        assert!(first.now >= Timestamp::ZERO && c.read().now >= first.now);
        assert!(c.reading().unix.0 > 1_500_000_000_000);
    }
}
