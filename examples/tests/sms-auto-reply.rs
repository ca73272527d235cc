//! Each SMS is answered once, whatever happens to the connection.

mod common;

use common::{Program, server, subscribed};
use ringcentral_ws_gateway::Server;

/// The numbers that were answered, in order.
fn answered(server: &Server) -> Vec<String> {
    server.with_gateway(|gateway, _| {
        let sent = gateway.messages(0).filter(|message| message["direction"] == "Outbound");
        let mut sent: Vec<String> =
            sent.map(|message| message["to"][0]["phoneNumber"].as_str().expect("a number").to_owned()).collect();
        sent.sort();
        sent
    })
}

#[test]
fn each_message_is_answered_once() {
    let server = server();
    let mut program = Program::start(env!("CARGO_BIN_EXE_sms-auto-reply"), &server, |_| {});
    subscribed(&server);
    let own = server.with_gateway(|gateway, _| gateway.config().users[0].phone_number.clone());
    let sms = |n: u32| server.receive_sms(0, &format!("+1650555010{n}"), "Are you open?");
    server.duplicate_next(3);
    sms(0);
    server.receive_sms(0, &own, "A note to myself");
    server.receive_sms(0, "+16505550109", "Thank you for your message. We will call you back.");
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
    // In both: the gap's query and a notification.
    server.restart();
    sms(4);
    program.line("0104");
    sms(5);
    program.line("0105");
    let all: Vec<String> = (0..=5).map(|n| format!("+1650555010{n}")).collect();
    assert_eq!(answered(&server), all);
}
