//! `tail --backfill`: what a lost session missed is shown, also after a restart.

use crate::common;

use std::process::Stdio;

use common::{MISSED, Running, lose_session_and_sms, program_for, server};

#[test]
fn a_person_sees_what_was_missed() {
    let server = server();
    let mut tail = Running::start(&mut program_for(&server, &["tail", "--backfill", "sms"]));
    tail.line_with("subscribed     1 filter");
    lose_session_and_sms(&server);
    tail.line_with("GAP ");
    assert!(tail.line_with("backfill ").contains("backfill       1 record fetched of the time from "));
    assert_eq!(tail.line().unwrap().trim(), format!("{MISSED:?}"));
    tail.line_with("not fetched: messages that were deleted meanwhile");
    assert_eq!(tail.all.matches(MISSED).count(), 1, "{}", tail.all);
}

#[test]
fn a_later_start_with_the_same_state_fetches_what_was_missed() {
    let server = server();
    let file = std::env::temp_dir().join(format!("ringcentral-ws-backfill-{}.state", std::process::id()));
    let args = ["tail", "--json", "--backfill", "--state", file.to_str().unwrap(), "sms"];
    let start = || Running::start(program_for(&server, &args).stdin(Stdio::piped()));
    let mut first = start();
    first.event("subscribed");
    let id = lose_session_and_sms(&server);
    first.event("gap");
    first.say(r#"{"cmd":"close","mode":"detach"}"#);
    assert_eq!(first.event("closed")["reason"], "detached");
    assert!(!first.all.contains(r#""event":"backfill""#), "it ends before it asks: {}", first.all);
    let mut second = start();
    let fetched = second.event("backfill");
    assert_eq!(fetched["records"].as_array().map(Vec::len), Some(1), "{fetched}");
    assert_eq!(fetched["records"][0]["body"]["id"].to_string(), id);
    assert!(!second.all.contains(r#""event":"gap""#), "the gap was said before: {}", second.all);
    second.say(r#"{"cmd":"close"}"#);
    second.event("closed");
    assert_eq!(second.all.matches(MISSED).count(), 1, "{}", second.all);
    for end in ["", ".login", ".rcws.lock"] {
        let _ = std::fs::remove_file(format!("{}{end}", file.display()));
    }
}
