//! A fax is followed until it is sent, whatever happens to the connection.

use crate::common;

use std::io::Write;

use common::{Program, server, subscribed};
use serde_json::Value;

/// Faxes that the first user has sent.
fn sent(server: &ringcentral_ws_gateway::Server) -> Vec<Value> {
    server.with_gateway(|gateway, _| gateway.messages(0).filter(|message| message["type"] == "Fax").collect())
}

fn letter(folder: &std::path::Path) -> String {
    let path = folder.join("letter.pdf");
    std::fs::File::create(&path).and_then(|mut file| file.write_all(b"%PDF-1.4")).expect("a file");
    path.to_str().expect("text").to_owned()
}

#[test]
fn a_fax_is_sent_once_and_followed() {
    let (server, folder) = (server(), common::Folder::new("fax"));
    let path = letter(folder.path());
    let mut program = Program::start(env!("CARGO_BIN_EXE_fax"), &server, |command| {
        command.args(["+16505550100", &path]);
    });
    assert!(program.line("+16505550100").contains("Queued"));
    assert!(program.line("+16505550100").contains("Sent"));
    assert!(program.end().success());
    let faxes = sent(&server);
    assert_eq!(faxes.len(), 1);
    assert_eq!(
        (&faxes[0]["messageStatus"], &faxes[0]["to"][0]["phoneNumber"]),
        (&"Sent".into(), &"+16505550100".into())
    );
    assert_eq!(faxes[0]["attachments"][0]["contentType"], "application/pdf");
}

#[test]
fn its_end_may_be_in_a_gap() {
    let (server, folder) = (server(), common::Folder::new("fax-gap"));
    let path = letter(folder.path());
    let mut program = Program::start(env!("CARGO_BIN_EXE_fax"), &server, |command| {
        command.args(["+16505550100", &path]);
    });
    program.line("Queued");
    // The session is forgotten, and nobody listens while the fax leaves.
    server.refuse_connections(true);
    server.restart();
    common::wait_until("it is sent", || sent(&server).iter().any(|fax| fax["messageStatus"] == "Sent"));
    server.refuse_connections(false);
    program.line("Sent");
    assert!(program.end().success());
    assert_eq!(sent(&server).len(), 1);
}

#[test]
fn what_is_refused_is_said() {
    let server = server();
    let mut program = Program::start(env!("CARGO_BIN_EXE_fax"), &server, |command| {
        command.args(["+16505550100", "no such file"]);
    });
    program.line("no such file");
    assert!(!program.end().success());
    let folder = common::Folder::new("fax-refused");
    let path = letter(folder.path());
    server.next_http_fails("/restapi/v1.0/account/~/extension/~/fax", 403, r#"{"errorCode":"CMN-408"}"#, &[]);
    let mut program = Program::start(env!("CARGO_BIN_EXE_fax"), &server, |command| {
        command.args(["+16505550100", &path]);
    });
    subscribed(&server);
    program.line("CMN-408");
    assert!(!program.end().success());
    assert_eq!(sent(&server), [Value::Null; 0]);
}
