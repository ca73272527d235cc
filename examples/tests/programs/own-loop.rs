//! A loop without a client receives, comes back after a cut, and reports what is lost.

use crate::common;

#[test]
fn it_receives_recovers_and_reports_a_loss() {
    let server = common::server();
    let mut program = common::Program::start(env!("CARGO_BIN_EXE_own-loop"), &server, |_| {});
    program.line("subscribed to 1 filter");
    server.receive_sms(0, "+16505550100", "one");
    assert!(program.line("one").starts_with("/restapi/"));
    server.drop_connections();
    server.receive_sms(0, "+16505550100", "in the cut");
    program.line("in the cut");
    server.restart();
    server.receive_sms(0, "+16505550100", "nobody hears this");
    program.line("gap: ");
    program.line("subscribed to 1 filter");
    server.receive_sms(0, "+16505550100", "two");
    program.line("two");
}
