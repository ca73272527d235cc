//! Each recording becomes a file, whole or not at all.

use crate::common;

use std::fs;
use std::path::Path;

use common::{Folder, Program, server};
use ringcentral_ws_gateway::{CallPlan, Server};

fn start(server: &Server, folder: &Folder) -> Program {
    let mut program = Program::start(env!("CARGO_BIN_EXE_recording"), server, |command| {
        command.arg(folder.path());
    });
    program.line("subscribed to 1 filter");
    program
}

fn files(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").file_name());
    let mut names: Vec<String> = names.map(|name| name.into_string().expect("text")).collect();
    names.sort();
    names
}

#[test]
fn recordings_are_kept_and_other_calls_are_not() {
    let (server, folder) = (server(), Folder::new("recording"));
    let mut program = start(&server, &folder);
    // Not there yet when the call is over.
    server.next_http_fails("/restapi/v1.0/account/~/recording/", 404, r#"{"errorCode":"CMN-102"}"#, &[]);
    server.duplicate_next(20);
    server.call(0, &CallPlan::inbound("+16505550100"));
    server.call(0, &CallPlan::inbound("+16505550101").recorded());
    assert!(program.line(".mp3").ends_with("65536 bytes"));
    server.drop_connections();
    server.call(0, &CallPlan::outbound("+16505550102").recorded());
    program.line(".mp3");
    let files = files(folder.path());
    assert!(files.len() == 2 && files.iter().all(|name| name.ends_with(".mp3")), "{files:?}");
    for name in files {
        assert_eq!(fs::metadata(folder.path().join(name)).expect("a file").len(), 65_536);
    }
}

#[test]
fn what_a_gap_hides_is_in_the_call_log() {
    let (server, folder) = (server(), Folder::new("recording-gap"));
    let mut program = start(&server, &folder);
    server.refuse_connections(true);
    server.restart();
    server.call(0, &CallPlan::inbound("+16505550101").recorded());
    server.refuse_connections(false);
    program.line(".mp3");
    assert_eq!(files(folder.path()).len(), 1);
    // The next gap finds it there, and the other one.
    server.call(0, &CallPlan::inbound("+16505550102").recorded());
    program.line(".mp3");
    server.restart();
    program.line("connected");
    program.line("subscribed");
    program.interrupt();
    program.end();
    assert_eq!(program.rest().iter().filter(|line| line.contains(".mp3")).count(), 0);
    assert_eq!(files(folder.path()).len(), 2);
}
