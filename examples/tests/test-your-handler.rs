//! The program counts; what its handler does in faults is tested beside it.

mod common;

use common::{Program, server, subscribed};

#[test]
fn it_counts_messages() {
    let server = server();
    let mut program = Program::start(env!("CARGO_BIN_EXE_test-your-handler"), &server, |_| {});
    subscribed(&server);
    server.receive_sms(0, "+16505550100", "Hello");
    program.line("Count { messages: 1, gaps: 0 }");
}
