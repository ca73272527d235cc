//! A clock that is monotonic, and goes on while the machine sleeps where the system has such a clock.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime};

use ringcentral_ws_core::{ClockReading, Timestamp, UnixMillis};

/// One look at all clocks of a machine. Only differences count, but for `wall`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockTimes {
    /// Monotonic; goes on while the machine sleeps, if the system has such a clock.
    pub boot: Duration,
    /// Monotonic; does not count sleep on most systems.
    pub mono: Duration,
    /// Since 1970.
    pub wall: Duration,
}

impl ClockTimes {
    /// What the system's clocks say now.
    #[must_use]
    pub fn system() -> Self {
        static START: OnceLock<Instant> = OnceLock::new();
        let mono = START.get_or_init(Instant::now).elapsed();
        let wall = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Self { boot: since_boot().unwrap_or(mono), mono, wall }
    }
}

/// What the clock says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reading {
    /// Now.
    pub now: Timestamp,
    /// Since the last look the machine slept, or the wall clock was put forward.
    pub jumped: bool,
}

/// A clock for one session; its time begins at [`Timestamp::ZERO`].
pub struct Clock {
    look: Arc<dyn Fn() -> ClockTimes + Send + Sync>,
    origin: Duration,
    last: ClockTimes,
    slack: Duration,
}

impl Clock {
    /// The clock that `look` sees. Clocks that differ by more than `slack` mean that the machine slept.
    pub fn new(slack: Duration, look: impl Fn() -> ClockTimes + Send + Sync + 'static) -> Self {
        let last = look();
        Self { look: Arc::new(look), origin: last.boot, last, slack }
    }

    /// What a Session is made with.
    #[must_use]
    pub fn reading(&self) -> ClockReading {
        let times = (self.look)();
        let unix = UnixMillis(u64::try_from(times.wall.as_millis()).unwrap_or(u64::MAX));
        ClockReading { now: self.stamp(times), unix }
    }

    /// The time now, and whether the machine slept since the last call.
    pub fn read(&mut self) -> Reading {
        let times = (self.look)();
        self.observe(times)
    }

    /// The same time for others to read.
    #[must_use]
    pub fn view(&self) -> ClockView {
        ClockView { look: Arc::clone(&self.look), origin: self.origin }
    }

    fn observe(&mut self, times: ClockTimes) -> Reading {
        let since = |new: Duration, old: Duration| new.saturating_sub(old);
        let (boot, mono) = (since(times.boot, self.last.boot), since(times.mono, self.last.mono));
        let wall = since(times.wall, self.last.wall);
        let jumped = since(boot, mono) > self.slack || since(wall, boot) > self.slack;
        self.last = times;
        Reading { now: self.stamp(times), jumped }
    }

    fn stamp(&self, times: ClockTimes) -> Timestamp {
        stamp(times, self.origin)
    }
}

fn stamp(times: ClockTimes, origin: Duration) -> Timestamp {
    Timestamp::ZERO.after(times.boot.saturating_sub(origin))
}

/// Reads the time of a [`Clock`], from any thread.
#[derive(Clone)]
pub struct ClockView {
    look: Arc<dyn Fn() -> ClockTimes + Send + Sync>,
    origin: Duration,
}

impl ClockView {
    /// The time now by the session's clock, and by the wall clock since 1970.
    #[must_use]
    pub fn now(&self) -> (Timestamp, Duration) {
        let times = (self.look)();
        (stamp(times, self.origin), times.wall)
    }
}

impl fmt::Debug for ClockView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClockView").finish_non_exhaustive()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Clock").field("last", &self.last).finish_non_exhaustive()
    }
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

    fn raw(boot: u64, mono: u64, wall: u64) -> ClockTimes {
        let ms = Duration::from_millis;
        ClockTimes { boot: ms(boot), mono: ms(mono), wall: ms(wall) }
    }

    fn clock() -> Clock {
        Clock::new(Duration::from_millis(2_000), || raw(5_000, 0, 1_000_000))
    }

    // CLAUSE HB-4
    #[test]
    fn sleep_shows_as_a_jump() {
        let mut c = clock();
        assert_eq!(c.observe(raw(6_000, 1_000, 1_001_000)), Reading { now: Timestamp::from_secs(1), jumped: false });
        // Asleep for a minute: the boot clock went on, the monotonic one did not.
        assert_eq!(c.observe(raw(67_000, 2_000, 1_062_000)), Reading { now: Timestamp::from_secs(62), jumped: true });
        assert!(!c.observe(raw(68_000, 3_000, 1_063_000)).jumped);
        // Without a boot clock the wall clock decides.
        assert!(c.observe(raw(69_000, 4_000, 1_066_001)).jumped);
        assert!(!c.observe(raw(69_500, 4_500, 1_068_500)).jumped, "exactly the slack");
        // Put back: no sleep.
        assert!(!c.observe(raw(70_000, 5_000, 900_000)).jumped);
    }

    #[test]
    fn time_moves_on() {
        let mut c = Clock::new(Duration::from_secs(2), ClockTimes::system);
        let first = c.read();
        assert!(first.now >= Timestamp::ZERO && c.read().now >= first.now);
        assert!(c.reading().unix.0 > 1_500_000_000_000);
        let (now, wall) = c.view().now();
        assert!(now >= first.now && wall > Duration::from_secs(1_500_000_000));
    }
}
