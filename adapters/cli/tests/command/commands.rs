//! The commands, from outside.

use crate::common;

use std::process::Stdio;

use common::{Running, finish, program, program_for, server};

#[test]
fn help_and_version_go_to_stdout() {
    let (status, out, error) = finish(&mut program(&["--help"]));
    assert!(status == 0 && error.is_empty(), "{status} {error}");
    for part in ["tail", "replay", "stand-in", "RC_APP_CLIENT_ID", "Exit status"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    let (status, out, _) = finish(&mut program(&["--version"]));
    assert_eq!((status, out), (0, format!("ringcentral-ws {}\n", env!("CARGO_PKG_VERSION"))));
    let (status, out, _) = finish(&mut program(&["tail", "--help"]));
    let parts = ["--rest-over-websocket", "--backfill", "voicemail"];
    assert!(status == 0 && parts.iter().all(|part| out.contains(part)), "{out}");
    let (status, out, _) = finish(&mut program(&["stand-in", "--help"]));
    assert!(status == 0 && out.contains("Usage: ringcentral-ws stand-in") && out.contains("--traffic"), "{out}");
}

#[test]
fn mistakes_get_one_line_and_status_two() {
    for (args, part) in [
        (&["tial"][..], "tial"),
        (&["tail", "--jsn"], "--jsn"),
        (&["tail", "smss"], "voicemail"),
        (&["tail", "--state"], "--state"),
        (&["tail", "--auth-calls", "0"], "0"),
        (&["tail", "--revoke-login", "--state", "s", "sms"], "--state"),
        (&["doctor", "--stand-in", "--login", "f"], "--login"),
        (&["doctor", "smss"], "voicemail"),
        (&["tail", "--ca-file", "/nowhere/at/all", "sms"], "cannot be read"),
        (&["replay", "/nowhere/at/all"], "/nowhere/at/all"),
        (&["stand-in", "--seed", "x"], "--help"),
        (&["completions", "tcsh"], "tcsh"),
    ] {
        let (status, out, error) = finish(program_for(&server(), args).env("NO_COLOR", "1"));
        assert!(status == 2 && out.is_empty() && error.contains(part), "{args:?}: {status} {out} {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let (status, out, error) = finish(&mut program(&[]));
    assert!(status == 2 && out.is_empty() && error.contains("Usage"), "{status} {error}");
}

#[test]
fn tail_speaks_the_line_protocol_and_knows_short_names() {
    let server = server();
    let mut tail = Running::start(program_for(&server, &["tail", "--json", "sms", "voicemail"]).stdin(Stdio::piped()));
    assert_eq!(tail.event("connected")["resumption"], "fresh");
    let subscribed = tail.event("subscribed");
    assert!(subscribed["filters"][0].as_str().unwrap().ends_with("/message-store/instant?type=SMS"), "{subscribed}");
    assert_eq!(subscribed["filters"].as_array().map(Vec::len), Some(2));
    server.receive_sms(0, "+16505550100", "Hello");
    assert_eq!(tail.event("notification")["body"]["subject"], "Hello");
    tail.say(r#"{"cmd":"request","id":1,"path":"/restapi/v1.0/account/~/extension/~"}"#);
    assert_eq!(tail.event("response")["status"], 200);
    tail.say(r#"{"cmd":"close"}"#);
    assert_eq!(tail.event("closed")["reason"], "revoked");
    assert_eq!(tail.end(), Some(0));
}

#[test]
fn a_recording_is_replayed_and_drawn() {
    let server = server();
    let file = std::env::temp_dir().join(format!("ringcentral-ws-cli-{}.record", std::process::id()));
    let path = file.to_str().unwrap();
    let mut tail =
        Running::start(program_for(&server, &["tail", "--json", "--record", path, "sms"]).stdin(Stdio::piped()));
    tail.event("subscribed");
    tail.say(r#"{"cmd":"close"}"#);
    assert_eq!(tail.end(), Some(0));
    let (status, out, error) = finish(&mut program(&["replay", "--ascii", path]));
    std::fs::remove_file(&file).unwrap();
    assert!(status == 0 && out.contains("same outputs") && out.contains("session"), "{status} {out} {error}");
}

#[test]
fn the_stand_in_serves() {
    let mut server = Running::start(&mut program(&["stand-in", "--quiet"]));
    assert!(server.line_with("HTTP").contains("http://127.0.0.1:"));
    assert!(server.line_with("JWT").contains("gateway.user-0.jwt"));
}

#[test]
fn shells_and_man_are_served() {
    for shell in ["bash", "zsh", "fish"] {
        let (status, out, _) = finish(&mut program(&["completions", shell]));
        assert!(status == 0 && out.contains("stand-in") && out.contains("backfill"), "{shell}: {out}");
    }
    let (status, out, _) = finish(&mut program(&["man"]));
    assert!(status == 0 && out.contains(".TH ringcentral-ws 1") && out.contains("rest\\-over\\-websocket"), "{out}");
}
