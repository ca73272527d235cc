//! `watch-blocking` from outside.

ringcentral_ws_conformance::watch_tests!("watch-blocking");
