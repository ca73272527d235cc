//! Each part of the program receives its own, and hears of losses.

use crate::common;

use common::{Program, server};
use ringcentral_ws_gateway::CallPlan;

#[test]
fn each_part_receives_its_own() {
    let server = server();
    let mut program = Program::start(env!("CARGO_BIN_EXE_listeners"), &server, |_| {});
    program.line("live");
    program.line("live");
    server.receive_sms(0, "+16505550100", "hello");
    assert!(program.line("messages: ").contains("hello"));
    server.call(0, &CallPlan::inbound("+16505550101"));
    program.line("calls: 1 changes");
    // One subscription for both.
    assert_eq!(
        server.with_gateway(|g, _| g.subscriptions().map(|(_, filters)| filters.len()).collect::<Vec<_>>()),
        [3]
    );
    server.restart();
    program.line("probably lost");
    program.line("probably lost");
    program.interrupt();
    assert!(program.end().success());
}
