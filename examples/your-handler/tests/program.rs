//! The program itself, with its credentials from the environment.

use std::process::{Command, Stdio};

use ringcentral_ws_gateway::Server;

#[test]
fn the_program_answers_messages() {
    let server = Server::start(Default::default()).unwrap();
    let mut program = Command::new(env!("CARGO_BIN_EXE_your-handler"));
    let mut program = program.envs(server.env()).stdin(Stdio::null()).spawn().unwrap();
    server.wait_for_subscription();
    server.receive_sms(0, "+16505550100", "Hello");
    let sent = server.wait_for_sent_sms(0, 1);
    program.kill().unwrap();
    program.wait().unwrap();
    assert_eq!(sent[0].to, "+16505550100");
}
