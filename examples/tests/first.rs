//! The shortest program prints an SMS that arrives.

mod common;

#[test]
fn it_prints_an_sms() {
    let server = common::server();
    let mut program = common::Program::start(env!("CARGO_BIN_EXE_first"), &server, |_| {});
    program.line("subscribed to 1 filter");
    server.receive_sms(0, "+16505550100", "Hello");
    assert!(program.line("Hello").starts_with("/restapi/"));
}
