//! `doctor` that is interrupted ends what it began on the server.
#![cfg(target_os = "linux")]

use crate::common;

use std::time::{Duration, Instant};

use common::{Running, program_for, server, signal, with_default};
use ringcentral_ws_gateway::Server;
use serde_json::Value;

/// The step that is walked while the signal comes follows this one.
fn interrupted_after(server: &Server, step: &str, name: &str) -> (Value, Option<i32>) {
    let mut doctor = Running::start(&mut with_default(name, &program_for(server, &["doctor", "--json"])));
    while doctor.event("step")["step"] != step {}
    signal(name, doctor.child.id());
    let closed = doctor.event("closed");
    assert_eq!(closed["reason"], "interrupted", "{}", doctor.all);
    (closed, doctor.end())
}

fn is_clean(server: &Server) -> bool {
    server.with_gateway(|gateway, _| gateway.subscriptions().next().is_none() && gateway.oauth_session_count() == 0)
}

// CLAUSE CLS-1
#[test]
fn the_session_and_the_login_are_ended() {
    // After the subscription it waits a second for a heartbeat.
    for (name, status) in [("INT", 130), ("TERM", 143), ("HUP", 129)] {
        let server = server();
        let (closed, ended) = interrupted_after(&server, "subscription", name);
        assert_eq!(ended, Some(status), "{name}");
        assert!(is_clean(&server), "{name} {closed}");
        assert_eq!(server.with_gateway(|gateway, _| gateway.connections().count()), 0, "{name}");
        assert_eq!(closed["message"], "nothing is left on the server");
    }
}

#[test]
fn whenever_it_comes() {
    for step in ["service", "login", "permissions", "token", "upgrade"] {
        let server = server();
        // So that the next step is under way and not over.
        server.delay(Duration::from_millis(50));
        let (closed, ended) = interrupted_after(&server, step, "INT");
        assert_eq!(ended, Some(130), "{step}");
        let left = server.with_gateway(|gateway, _| (gateway.subscriptions().count(), gateway.oauth_session_count()));
        let said = closed["message"].as_str().unwrap();
        assert!(
            left == (0, 0) || (step == "service" && said.contains("expires by itself")),
            "{step} {left:?} {closed}"
        );
    }
}

#[test]
fn a_server_that_does_not_answer_is_given_up() {
    let server = server();
    let mut doctor = Running::start(&mut with_default("TERM", &program_for(&server, &["doctor", "--json"])));
    while doctor.event("step")["step"] != "subscription" {}
    server.half_open();
    server.stall_connections(true);
    let began = Instant::now();
    signal("TERM", doctor.child.id());
    let closed = doctor.event("closed");
    assert!(closed["message"].as_str().unwrap().contains("expires by itself"), "{closed}");
    assert_eq!(doctor.end(), Some(143));
    // Five seconds, and those of a busy machine.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}
