//! `watch-async-std` from outside.

use ringcentral_ws_conformance::watch::{demonstration, example, line_protocol, proxy_of_the_environment};

#[test]
fn the_demonstration_ends_well() {
    demonstration(&example("watch-async-std"));
}

#[test]
fn the_line_protocol_works() {
    line_protocol(&example("watch-async-std"));
}

#[test]
fn the_environment_names_a_proxy() {
    proxy_of_the_environment(&example("watch-async-std"));
}

// CLAUSE SEC-4
#[cfg(unix)]
#[test]
fn its_files_are_its_alone() {
    ringcentral_ws_conformance::files::private_files(&example("watch-async-std"));
}

// CLAUSE SEC-5
#[test]
fn hostile_text_does_nothing_to_a_terminal() {
    ringcentral_ws_conformance::watch::hostile_text(&example("watch-async-std"));
}

#[cfg(unix)]
#[test]
fn too_few_descriptors_are_said_in_one_line() {
    ringcentral_ws_conformance::files::too_few_descriptors(&example("watch-async-std"));
}

#[cfg(unix)]
#[test]
fn streams_that_take_nothing_end_it_in_order_or_not_at_all() {
    ringcentral_ws_conformance::streams::failing(&example("watch-async-std"));
}

#[cfg(unix)]
#[test]
fn a_stream_that_is_full_and_unread_does_not_keep_it() {
    ringcentral_ws_conformance::streams::unread_and_full(&example("watch-async-std"));
}

// CLAUSE TOK-10
#[test]
fn the_state_file_of_another_user_is_not_used() {
    ringcentral_ws_conformance::binding::bound_to_its_user(&ringcentral_ws_conformance::watch::example(
        "watch-async-std",
    ));
}
