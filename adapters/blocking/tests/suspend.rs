//! `watch-blocking` stopped as a whole, and going on.
#![cfg(target_os = "linux")]

use ringcentral_ws_conformance::suspended;
use ringcentral_ws_conformance::watch::example;

// CLAUSE HB-4 REC-2 REC-5
#[test]
fn a_short_sleep_is_recovered_and_one_beyond_the_window_is_reported() {
    suspended(&example("watch-blocking"));
}
