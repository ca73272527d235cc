//! The program answers; what its handler does in faults is tested beside it.

use crate::common;

use common::{Program, server, subscribed};

#[test]
fn it_answers_messages() {
    let server = server();
    let _program = Program::start(env!("CARGO_BIN_EXE_test-your-handler"), &server, |_| {});
    subscribed(&server);
    server.receive_sms(0, "+16505550100", "Hello");
    assert_eq!(server.wait_for_sent_sms(0, 1)[0].to, "+16505550100");
}
