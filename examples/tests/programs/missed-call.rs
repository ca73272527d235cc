//! A call that nobody answered is one line.

use crate::common;

use common::{Program, server, subscribed};
use ringcentral_ws_gateway::{CallPlan, Server};
use serde_json::json;

const EVENT: &str = "/restapi/v1.0/account/~/extension/~/telephony/sessions";

fn call(server: &Server, id: &str, steps: &[&str]) {
    for (i, code) in steps.iter().enumerate() {
        let party = json!({
            "direction": "Inbound", "from": { "phoneNumber": format!("+1650555{id}") }, "status": { "code": code },
            "missedCall": id == "0104" && *code == "Disconnected",
        });
        server.notify(EVENT, &json!({ "telephonySessionId": id, "sequence": i, "parties": [party] }));
    }
}

fn ended(program: &mut Program) -> Vec<String> {
    program.interrupt();
    assert!(program.end().success());
    program.rest().into_iter().filter(|line| line.contains("missed call")).collect()
}

#[test]
fn only_what_nobody_answered_is_missed() {
    let server = server();
    let mut program = Program::start(env!("CARGO_BIN_EXE_missed-call"), &server, |_| {});
    subscribed(&server);
    call(&server, "0103", &["Setup", "Proceeding"]);
    server.call(0, &CallPlan::outbound("+16505550107").missed());
    server.call(0, &CallPlan::inbound("+16505550101"));
    server.call(0, &CallPlan::inbound("+16505550102").voicemail("Please call back"));
    assert!(program.line("missed call").contains("+16505550102"));
    server.call(0, &CallPlan::inbound("+16505550108").missed());
    assert!(program.line("missed call").contains("+16505550108"));
    // Already answered before this program could see it.
    call(&server, "0106", &["Disconnected"]);
    // The end comes after a cut, twice.
    server.drop_connections();
    server.duplicate_next(9);
    call(&server, "0103", &["Disconnected"]);
    call(&server, "0103", &["Disconnected"]);
    assert!(program.line("missed call").contains("+16505550103"));
    assert_eq!(ended(&mut program), [""; 0], "no other line");
}

#[test]
fn what_a_gap_hides_is_missed_only_if_the_server_says_so() {
    let server = server();
    let mut program = Program::start(env!("CARGO_BIN_EXE_missed-call"), &server, |_| {});
    subscribed(&server);
    for id in ["0104", "0105"] {
        call(&server, id, &["Setup", "Proceeding"]);
    }
    server.restart();
    program.line("probably lost");
    for id in ["0105", "0104"] {
        call(&server, id, &["Disconnected"]);
        call(&server, id, &["Disconnected"]);
    }
    assert!(program.line("missed call").contains("+16505550104"));
    assert_eq!(ended(&mut program), [""; 0], "no other line");
}
