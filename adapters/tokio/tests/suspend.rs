//! `watch` stopped as a whole, and going on.
#![cfg(target_os = "linux")]

use std::time::Duration;

use ringcentral_ws_conformance::suspended;
use ringcentral_ws_conformance::watch::example;

/// A short sleep, and the recovery window, in seconds: small ones, or with `TRUE_TIMES` in the environment a minute and
/// the service's own, which takes five minutes.
fn times() -> (Duration, Duration) {
    let (short, window) = if std::env::var_os("TRUE_TIMES").is_some() { (60, 180) } else { (1, 3) };
    (Duration::from_secs(short), Duration::from_secs(window))
}

// CLAUSE HB-4 REC-2 REC-5
#[test]
fn a_short_sleep_is_recovered_and_one_beyond_the_window_is_told() {
    let (short, window) = times();
    suspended(&example("watch"), short, window);
}
