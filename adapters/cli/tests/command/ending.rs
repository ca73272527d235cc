//! How `tail` ends, and what it says before.

use crate::common;

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use common::{DEADLINE, Running, finish, program, program_for, server, signal, with_default};
use ringcentral_ws_gateway::{Server, ServerConfig};
use serde_json::Value;

const LONG: Duration = DEADLINE;

fn refusing() -> Server {
    let mut config = ServerConfig::default();
    config.gateway.invalid_filters = vec!["presence".to_owned()];
    Server::start(config).unwrap()
}

fn last(out: &str) -> Value {
    serde_json::from_str(out.lines().last().expect("a line")).unwrap()
}

#[cfg(target_os = "linux")]
#[test]
fn signals_end_it_in_order() {
    let server = server();
    for name in ["INT", "TERM", "HUP"] {
        let mut tail = Running::start(&mut with_default(name, &program_for(&server, &["tail", "--json", "sms"])));
        tail.event("subscribed");
        signal(name, tail.child.id());
        assert_eq!(tail.event("closed")["reason"], "revoked", "{name}");
        assert_eq!(tail.end(), Some(0), "{name}");
        assert!(server.with_gateway(|gateway, _| gateway.subscriptions().next().is_none()), "{name}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn what_nohup_asks_for_is_kept() {
    let server = server();
    let command = program_for(&server, &[]);
    let program = command.get_program().to_owned();
    let mut tail = Running::start(
        Command::new("sh")
            .args(["-c", "trap '' HUP; exec \"$0\" tail --json sms"])
            .arg(program)
            .envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped()),
    );
    tail.event("subscribed");
    signal("HUP", tail.child.id());
    server.receive_sms(0, "+16505550100", "still here");
    assert_eq!(tail.event("notification")["body"]["subject"], "still here");
    signal("TERM", tail.child.id());
    assert_eq!(tail.event("closed")["reason"], "revoked");
}

/// The process that waits for the first one of a namespace, whose number out here is that of its only child.
#[cfg(target_os = "linux")]
#[test]
fn the_first_process_of_a_container_ends_in_order() {
    let can = Command::new("unshare").args(["--pid", "--fork", "true"]).output();
    if !can.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no namespace can be made here");
        return;
    }
    let server = server();
    let inner = program_for(&server, &[]);
    let mut outer = Command::new("unshare");
    outer.args(["--pid", "--fork", "--kill-child"]).arg(inner.get_program()).args(["tail", "--json", "sms"]);
    outer.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let mut tail = Running::start(outer.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()));
    tail.event("subscribed");
    let children = format!("/proc/{0}/task/{0}/children", tail.child.id());
    let first: u32 = std::fs::read_to_string(children).unwrap().trim().parse().unwrap();
    let began = Instant::now();
    signal("TERM", first);
    assert_eq!(tail.event("closed")["reason"], "revoked");
    assert_eq!(tail.end(), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_refusal_for_good_is_the_end_when_no_command_can_come() {
    let server = refusing();
    let (status, out, error) = finish(&mut program_for(&server, &["tail", "--json", "presence"]));
    assert_eq!(status, 1, "{out}{error}");
    let end = last(&out);
    assert!(end["event"] == "closed" && end["message"].as_str().unwrap().contains("SUB-508"), "{end}");
    assert!(error.contains("SUB-508") && error.lines().count() == 1, "{error}");
    // While commands may come they may ask for something else.
    let mut tail = Running::start(program_for(&server, &["tail", "--json", "presence"]).stdin(Stdio::piped()));
    assert_eq!(tail.event("error")["kind"], "subscription_failed");
    tail.say(r#"{"cmd":"subscribe","filters":["/restapi/v1.0/account/~/extension/~/voicemail"]}"#);
    tail.event("subscribed");
    tail.say(r#"{"cmd":"subscribe","filters":["/restapi/v1.0/account/~/extension/~/presence"]}"#);
    tail.event("error");
    tail.stdin = None;
    assert!(tail.event("closed")["message"].as_str().unwrap().contains("SUB-508"));
    assert_eq!(tail.end(), Some(1));
}

#[test]
fn json_always_ends_with_why() {
    let server = server();
    let (status, out, _) =
        finish(program_for(&server, &["tail", "--json", "sms"]).env("RC_APP_CLIENT_SECRET", "hunter2"));
    assert_eq!(status, 1);
    let end = last(&out);
    assert!(end["event"] == "closed" && end["reason"] == "credentials", "{end}");
    server.refuse_connections(true);
    let (status, out, _) = finish(&mut program_for(&server, &["tail", "--json", "sms"]));
    assert_eq!(status, 1);
    let end = last(&out);
    assert!(end["event"] == "closed" && end["reason"] == "unreachable", "{end}");
    assert!(end["message"].as_str().unwrap().contains("refused"), "{end}");
}

#[test]
fn a_server_address_with_a_path_is_refused_at_once() {
    let server = server();
    let mut command = program_for(&server, &["tail", "sms"]);
    let (status, _, error) = finish(command.env("RC_SERVER_URL", format!("{}/some/path", server.http_url())));
    assert!(status == 2 && error.contains("/some/path") && error.contains("RC_SERVER_URL"), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn a_login_that_is_never_answered_is_no_silence() {
    let server = server();
    server.stall_connections(true);
    for args in [&["tail", "sms"][..], &["tail", "--json", "sms"]] {
        let began = Instant::now();
        let mut tail = Running::start(&mut program_for(&server, args));
        let line = tail.line().unwrap();
        assert!(line.contains("the login to") && line.contains("not answered yet"), "{line}");
        assert!(line.contains("waiting") || line.contains(r#""event":"progress""#), "{line}");
        assert!(began.elapsed() < LONG);
    }
}

#[test]
fn certificates_of_a_file_are_trusted() {
    let server = Server::start(ServerConfig { tls: true, ..ServerConfig::default() }).unwrap();
    let file = std::env::temp_dir().join(format!("ringcentral-ws-ending-{}.pem", std::process::id()));
    std::fs::write(&file, server.ca_pem().unwrap()).unwrap();
    let path = file.to_str().unwrap();
    let mut by_option = Running::start(&mut program_for(&server, &["tail", "--json", "--ca-file", path, "sms"]));
    by_option.event("subscribed");
    let mut by_environment =
        Running::start(program_for(&server, &["tail", "--json", "sms"]).env("SSL_CERT_FILE", path));
    by_environment.event("subscribed");
    std::fs::remove_file(&file).unwrap();
}

#[test]
fn without_credentials_a_demonstration_runs() {
    let (status, out, error) = finish(&mut program(&["tail"]));
    assert_eq!(status, 0, "{out}{error}");
    for part in ["subscribed", "notification", "recovered", "GAP", "closed"] {
        assert!(out.contains(part), "{part}: {out}");
    }
}
