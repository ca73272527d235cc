//! `watch-async-std` from outside.

ringcentral_ws_conformance::watch_tests!("watch-async-std");

#[cfg(unix)]
#[test]
fn too_few_descriptors_are_said_in_one_line() {
    ringcentral_ws_conformance::files::too_few_descriptors(&program());
}
