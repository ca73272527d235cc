//! `tail` on a terminal of 80 columns, in virtual time: the program's decisions, its painter, a real session and the
//! stand-in. What a person would see is in the README of the command; `UPDATE_TRANSCRIPTS=1 cargo test` writes it anew.

mod screen;
mod stage;

use std::path::Path;
use std::time::Duration;

use ringcentral_ws_driver::Filter;
use ringcentral_ws_gateway::{GatewayConfig, MessageKind};

use self::stage::Stage;

const FROM: &str = "+16505550100";

/// What stands for less is not noticed.
const NOTICED: Duration = Duration::from_millis(100);

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn gateway() -> GatewayConfig {
    let mut config = GatewayConfig::default();
    config.reply_delay = Duration::from_millis(40);
    config
}

impl Stage {
    fn sms(&mut self, text: &str) {
        let (gateway, now) = self.world.server.gateway();
        gateway.receive(0, MessageKind::Sms, FROM, text, now);
    }

    fn restart(&mut self) {
        let (gateway, now) = self.world.server.gateway();
        gateway.restart(now);
    }

    fn close(&mut self, code: u16, reason: &str) {
        let (gateway, now) = self.world.server.gateway();
        gateway.close_all(code, reason, now);
    }
}

/// From the start to Ctrl-C: messages, an outage, a lost session, and an end by the server.
fn a_day() -> Stage {
    let mut stage = Stage::begin(gateway(), &[Filter::sms(), Filter::presence()]);
    stage.live(seconds(2));
    stage.sms("Hello");
    stage.live(seconds(1));
    stage.sms("晚饭七点开始，请带上你的朋友和他们的孩子，我们在河边的老地方见，不要迟到。");
    stage.live(seconds(4));
    stage.world.machine.refuse(true);
    stage.world.server.reset();
    stage.live(seconds(5));
    stage.sms("Are you there?");
    stage.live(seconds(10));
    stage.world.machine.refuse(false);
    stage.live(seconds(15));
    stage.restart();
    stage.sms("Nobody will read this.");
    stage.live(seconds(8));
    stage.sms("There you are.");
    stage.live(seconds(4));
    stage.close(1001, "maintenance");
    stage.live(seconds(12));
    stage.interrupt();
    stage.live(seconds(2));
    stage
}

fn refused() -> Stage {
    let mut config = gateway();
    config.invalid_filters = vec!["presence".to_owned()];
    let mut stage = Stage::begin(config, &[Filter::presence()]);
    stage.live(seconds(5));
    stage
}

/// A login that is accepted and never answered, then Ctrl-C.
fn unanswered() -> Stage {
    let mut stage = Stage::idle(gateway(), &[Filter::sms()]);
    stage.world.server.mute(true);
    stage.live(seconds(40));
    stage.interrupt();
    stage.live(seconds(8));
    stage
}

#[test]
fn no_line_breaks_and_no_silence_hides_what_is_waited_for() {
    for (mut stage, status) in [(a_day(), 0), (refused(), 1), (unanswered(), 0)] {
        stage.screen.check();
        assert_eq!(stage.finish(), status);
        assert_eq!(stage.screen.status(), "", "nothing is left behind the last line");
    }
}

#[test]
fn a_day_is_shown_as_it_is() {
    let stage = a_day();
    let shown = stage.screen.transcript(Duration::ZERO);
    let mut rest = shown.as_str();
    for part in [
        "[logging in | 0 events, 0 gaps, 0 reconnects]",
        "connected      (connection 1, a new session)",
        "subscribed     2 filters",
        "[listening | 0 events, 0 gaps, 0 reconnects]",
        "\"Hello\"",
        "[listening | 1 event, 0 gaps, 0 reconnects]",
        "晚饭七点开始",
        "disconnected",
        "[not connected: next try in 2 s | 2 events, 0 gaps, 0 reconnects]",
        "retry          the TCP connection failed",
        "the session goes on",
        "recovered      what was missed follows",
        "\"Are you there?\"",
        "[listening | 3 events, 0 gaps, 1 reconnect]",
        "disconnected",
        "the session before it is lost",
        "not recovered",
        "GAP            notifications of",
        "[listening | 3 events, 1 gap, 2 reconnects]",
        "\"There you are.\"",
        "the server closed the connection (1001): maintenance",
        "the session goes on",
        "[listening | 4 events, 1 gap, 3 reconnects]",
        "^C",
        "[closing | 4 events, 1 gap, 3 reconnects]",
        "closed         the session has ended, and its subscription",
    ] {
        let at = rest.find(part).unwrap_or_else(|| panic!("no {part:?} behind that, in\n{shown}"));
        rest = &rest[at + part.len()..];
    }
    assert!(!shown.contains("Nobody will read this."));
}

/// Of what a lost session missed 20 records are shown, none broken, and then what is missing.
#[test]
fn what_was_missed_is_shown_and_fits() {
    let mut stage = Stage::filling(gateway(), &[Filter::sms(), Filter::presence()]);
    stage.live(seconds(2));
    stage.restart();
    for n in 0..25 {
        stage.sms(&format!("missed {n}: {}", "晚饭七点开始，请带上你的朋友 and your friends ".repeat(n % 4)));
    }
    stage.live(seconds(60));
    stage.screen.check();
    let shown = stage.screen.transcript(Duration::ZERO);
    assert!(shown.contains("  what can be fetched of it follows soon\n"), "{shown}");
    let (_, fetched) = shown.split_once("backfill       26 records fetched of the time from\n").expect(&shown);
    let records: Vec<_> = fetched.lines().map(str::trim).filter(|line| line.starts_with("\"missed ")).collect();
    assert_eq!(records.len(), 20, "{shown}");
    assert!(records[0].starts_with("\"missed 0:") && records[19].starts_with("\"missed 19:"), "{shown}");
    let mut rest = fetched;
    for part in ["\"missed 19:", "… and 6 more; --json shows all\n", "not fetched: ", "[listening | "] {
        let at = rest.find(part).unwrap_or_else(|| panic!("no {part:?} behind that, in\n{shown}"));
        rest = &rest[at + part.len()..];
    }
    assert!(!shown.contains("NOT FETCHED"), "{shown}");
    stage.interrupt();
    stage.live(seconds(2));
    assert_eq!(stage.finish(), 0);
}

#[test]
fn what_is_not_answered_has_its_time_and_its_limit() {
    let unanswered = unanswered();
    for part in [
        "[logging in, 1 s of at most 30 s | ",
        "[logging in, 29 s of at most 30 s | ",
        "[closing, 4 s of at most 5 s | ",
    ] {
        assert!(unanswered.screen.has_shown(part), "{part}:\n{}", unanswered.screen.transcript(Duration::ZERO));
    }
    let shown = refused().screen.transcript(Duration::ZERO);
    let refusal = shown.find("not subscribed HTTP 400 SUB-508").expect(&shown);
    let end = shown.find("tail: the subscription was refused, so this ends").expect(&shown);
    assert!(refusal < end && shown[end..].contains("closed"), "{shown}");
}

/// What is no terminal gets a line for what is not answered, within two seconds: a login, a subscription, the end.
#[test]
fn other_programs_get_a_line_for_what_is_not_answered() {
    let mut config = gateway();
    config.reply_delay = seconds(20);
    let mut stage = Stage::piped(config, &[Filter::sms()]);
    stage.world.server.mute(true);
    stage.live(seconds(2));
    let line = "09:00:01  waiting        the login to http://127.0.0.1:8080 is not answered yet,";
    let expected = format!("{line}\n{:25}for 2 s of at most 30 s\n", "");
    assert_eq!(stage.screen.transcript(Duration::ZERO), expected);
    let mut config = gateway();
    config.reply_delay = seconds(20);
    let mut stage = Stage::piped(config, &[Filter::sms()]);
    stage.live(seconds(3));
    assert!(
        stage.screen.has_shown("waiting        the subscription at"),
        "{}",
        stage.screen.transcript(Duration::ZERO)
    );
    stage.interrupt();
    stage.live(seconds(2));
    assert!(
        stage.screen.has_shown("waiting        the end of the session at"),
        "{}",
        stage.screen.transcript(Duration::ZERO)
    );
    stage.live(seconds(8));
    assert!(stage.screen.has_shown("closed"), "{}", stage.screen.transcript(Duration::ZERO));
}

/// Events may come long before the state that they belong to, when there are many.
#[test]
fn a_connection_that_was_shown_is_not_waited_for() {
    let mut stage = Stage::piped(gateway(), &[Filter::sms()]);
    stage.world.server.mute(true);
    stage.live(Duration::from_millis(1));
    stage.hides_states = true;
    stage.world.server.mute(false);
    stage.world.server.reset();
    stage.live(seconds(9));
    let shown = stage.screen.transcript(Duration::ZERO);
    let (_, after) = shown.split_once("connected ").expect(&shown);
    assert!(!after.contains("waiting "), "{shown}");
}

/// A pause is announced with its length, or said before it is over: no two seconds go by without a line.
#[test]
fn other_programs_get_a_line_for_each_pause() {
    let mut silent = Duration::ZERO;
    for seed in 0..20 {
        let mut config = gateway();
        config.seed = seed;
        let mut stage = Stage::piped(config, &[Filter::sms()]);
        stage.live(seconds(1));
        stage.world.server.reset();
        let before = stage.screen.lines();
        stage.live(Duration::from_millis(10));
        assert_eq!(stage.screen.lines(), before + 1, "the loss is said");
        let pause = stage.pause();
        stage.live(pause + Duration::from_millis(500));
        let shown = stage.screen.transcript(Duration::ZERO);
        assert!(pause < Duration::from_millis(1490) || shown.contains("waiting        next in "), "{pause:?} {shown}");
        silent = silent.max(pause);
    }
    assert!(silent > Duration::from_millis(1500), "one of them was long: {silent:?}");
}

#[test]
fn the_readme_shows_what_is_seen() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("../cli/README.md");
    let text = std::fs::read_to_string(&readme).unwrap();
    let (begin, end) = ("<!-- terminal: begin -->\n", "<!-- terminal: end -->");
    let (before, rest) = text.split_once(begin).expect("the README has its place");
    let (_, after) = rest.split_once(end).expect("the README has its place");
    let block = |shown: String| format!("```text\n{shown}```\n");
    let expected = format!("{before}{begin}{}{end}{after}", block(a_day().screen.transcript(NOTICED)));
    if text != expected {
        if std::env::var_os("UPDATE_TRANSCRIPTS").is_some() {
            std::fs::write(&readme, expected).unwrap();
            return;
        }
        panic!("the README shows something else; UPDATE_TRANSCRIPTS=1 writes it anew:\n{expected}");
    }
}
