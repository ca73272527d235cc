//! Each SMS is answered once, whatever happens to the connection and to the program.

use crate::common;

use common::{Folder, Program, server, subscribed};

#[test]
fn each_message_is_answered_once() {
    let (server, folder) = (server(), Folder::new("sms-auto-reply"));
    let file = folder.path().join("state");
    let start = || {
        Program::start(env!("CARGO_BIN_EXE_sms-auto-reply"), &server, |command| {
            command.arg(&file);
        })
    };
    let mut program = start();
    subscribed(&server);
    let sms = |n: u32| server.receive_sms(0, &format!("+1650555010{n}"), "Are you open?");
    server.duplicate_next(3);
    sms(0);
    server.receive_sms(0, &server.phone_number(0), "A note to myself");
    sms(1);
    program.line("0101");
    // Replayed, and what was sent before is sent again.
    server.with_gateway(|gateway, _| gateway.config_mut().replay_sent_tail = 10);
    server.drop_connections();
    sms(2);
    program.line("0102");
    // The session is forgotten: this one is only in the message store.
    server.restart();
    sms(3);
    program.line("0103");
    // Killed: the gap of the next run lists what this one has answered.
    program.kill();
    server.restart();
    sms(4);
    let mut program = start();
    program.line("0104");
    sms(5);
    program.line("0105");
    let all: Vec<String> = (0..=5).map(|n| format!("+1650555010{n}")).collect();
    let mut answered: Vec<String> = server.sent_sms(0).into_iter().map(|sms| sms.to).collect();
    answered.sort();
    assert_eq!(answered, all);
}

#[test]
fn an_answer_that_did_not_run_is_sent_by_the_next_start() {
    let (server, folder) = (server(), Folder::new("sms-auto-reply-later"));
    let file = folder.path().join("state");
    let start = || {
        Program::start(env!("CARGO_BIN_EXE_sms-auto-reply"), &server, |command| {
            command.arg(&file);
        })
    };
    let mut program = start();
    subscribed(&server);
    server.refuse_connections(true);
    server.receive_sms(0, "+16505550108", "Are you open?");
    assert!(!program.end().success());
    server.refuse_connections(false);
    server.next_http_fails("/restapi/v1.0/account/~/extension/~/sms", 503, "", &[]);
    assert!(!start().end().success());
    start().line("0108");
    assert_eq!(server.sent_sms(0).len(), 1);
}

#[cfg(unix)]
#[test]
fn ctrl_c_ends_it_in_order_and_the_next_start_answers_what_came_meanwhile() {
    let (server, folder) = (server(), Folder::new("sms-auto-reply-again"));
    let file = folder.path().join("state");
    let start = || {
        Program::start(env!("CARGO_BIN_EXE_sms-auto-reply"), &server, |command| {
            command.arg(&file);
        })
    };
    let mut program = start();
    subscribed(&server);
    program.interrupt();
    assert!(program.end().success());
    server.receive_sms(0, "+16505550107", "Are you open?");
    let mut program = start();
    program.line("0107");
    program.interrupt();
    assert!(program.end().success());
    assert!(!program.rest().iter().any(|line| line.contains("gap")), "it continued");
    assert_eq!(server.sent_sms(0).len(), 1);
}
