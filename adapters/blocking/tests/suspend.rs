//! `watch-blocking` stopped as a whole, and going on.
#![cfg(target_os = "linux")]

use std::time::Duration;

use ringcentral_ws_conformance::suspended;
use ringcentral_ws_conformance::watch::example;

// CLAUSE HB-4 REC-2 REC-5
#[test]
fn a_second_and_beyond_a_small_window() {
    suspended(&example("watch-blocking"), Duration::from_secs(1), Duration::from_secs(3));
}

#[test]
#[ignore = "takes five minutes: the true times"]
fn a_minute_and_beyond_the_true_window() {
    suspended(&example("watch-blocking"), Duration::from_secs(60), Duration::from_secs(180));
}
