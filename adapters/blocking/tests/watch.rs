//! `watch-blocking` from outside.

use ringcentral_ws_conformance::watch::{demonstration, example, line_protocol};

#[test]
fn the_demonstration_ends_well() {
    demonstration(&example("watch-blocking"));
}

#[test]
fn the_line_protocol_works() {
    line_protocol(&example("watch-blocking"));
}
