//! A `watch` program that is stopped as a whole, as a laptop is when it sleeps, and goes on later.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use ringcentral_ws_gateway::{GatewayConfig, Server, ServerConfig};

use crate::until;
use crate::watch::{FILTER, Talk, with_credentials};

/// A short sleep, and the recovery window, in seconds: small ones, or with `TRUE_TIMES` in the environment a minute and
/// the service's own, which takes five minutes.
fn times() -> (Duration, Duration) {
    let (short, window) = if std::env::var_os("TRUE_TIMES").is_some() { (60, 180) } else { (1, 3) };
    (Duration::from_secs(short), Duration::from_secs(window))
}

/// Stops the program for a short time on a good connection and on a lost one, and then until the session can be recovered no
/// more. The first two must lose nothing, the last must be reported; all end in a live session.
///
/// # Panics
///
/// When it is not so.
pub fn suspended(program: &Path) {
    let (short, window) = times();
    let mut gateway = GatewayConfig::default();
    gateway.recovery_timeout = window;
    gateway.ws_token.rate_limit = None;
    let server = Server::start(ServerConfig { gateway, ..ServerConfig::default() }).expect("the loopback serves");
    let mut talk = Talk::start(with_credentials(program, &server).args(["--json", FILTER]));
    talk.next("subscribed");
    // The first stop is of a client that has seen all there was.
    arrives(&mut talk, &server, "awake");

    stop(&talk);
    server.receive_sms(0, "+16505550100", "unheard");
    pass(&server, short);
    go_on(&talk);
    assert_eq!(talk.next("notification")["body"]["subject"], "unheard");
    arrives(&mut talk, &server, "on the same connection");
    assert!(!talk.all.contains("disconnected"), "{}", talk.all);

    stop(&talk);
    server.drop_connections();
    server.receive_sms(0, "+16505550100", "kept");
    pass(&server, short.min(window / 3));
    go_on(&talk);
    assert_eq!(talk.next("connected")["resumption"], "recovered");
    assert_eq!(talk.next("notification")["body"]["subject"], "kept");
    assert!(!talk.all.contains("\"gap\""), "{}", talk.all);

    stop(&talk);
    server.drop_connections();
    server.receive_sms(0, "+16505550100", "lost");
    pass(&server, window + Duration::from_secs(1));
    assert_eq!(sessions(&server), 0, "its time is over");
    go_on(&talk);
    talk.next("gap");
    talk.next("subscribed");
    arrives(&mut talk, &server, "in a new session");
    assert!(!talk.all.contains("\"subject\":\"lost\""), "{}", talk.all);
    talk.close("revoke", "revoked");
}

fn arrives(talk: &mut Talk, server: &Server, text: &str) {
    server.receive_sms(0, "+16505550100", text);
    assert_eq!(talk.next("notification")["body"]["subject"], text);
}

/// Waits until so much time has passed for the server.
fn pass(server: &Server, time: Duration) {
    let clock = || server.with_gateway(|_, now| Duration::from_micros(now));
    let end = clock() + time;
    until(time + crate::DEADLINE, "time passes", || clock() >= end);
}

fn sessions(server: &Server) -> usize {
    server.with_gateway(|gateway, now| {
        gateway.handle_timeout(now);
        gateway.session_count()
    })
}

fn stop(talk: &Talk) {
    signal(talk, "STOP");
    let stat = format!("/proc/{}/stat", talk.child.id());
    until(crate::DEADLINE, "it stops", || {
        let stat = std::fs::read_to_string(&stat).unwrap_or_default();
        stat.rsplit(')').next().is_some_and(|rest| rest.trim_start().starts_with('T'))
    });
}

fn go_on(talk: &Talk) {
    signal(talk, "CONT");
}

/// Every shell can.
fn signal(talk: &Talk, name: &str) {
    let pid = talk.child.id().to_string();
    let done = Command::new("sh").args(["-c", "kill -s \"$0\" \"$1\"", name, &pid]).status().expect("there is a shell");
    assert!(done.success(), "{name} did not reach {pid}");
}
