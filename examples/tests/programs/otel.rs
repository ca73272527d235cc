//! Spans and metrics come out.

use crate::common;

use common::{Program, server, subscribed};

#[test]
fn spans_and_metrics_are_exported() {
    let server = server();
    let mut program = Program::start(env!("CARGO_BIN_EXE_otel"), &server, |command| {
        command.env("OTEL_METRIC_EXPORT_INTERVAL", "100").env_remove("RUST_LOG");
    });
    subscribed(&server);
    server.receive_sms(0, "+16505550100", "hunter2");
    // The span of the application's own work.
    program.line("Name         : handle");
    program.line("Name         : ringcentral_ws.notifications");
    program.line("Value        : 1");
    server.drop_connections();
    server.receive_sms(0, "+16505550100", "hunter2");
    program.line("Name         : connection");
    program.line("Name         : handle");
    program.line("Name         : ringcentral_ws.notifications");
    program.line("Value        : 2");
    program.line("Name         : ringcentral_ws.recoveries");
    program.line("Value        : 1");
    program.interrupt();
    assert!(program.end().success());
    let rest = program.rest();
    assert!(rest.iter().any(|line| line.contains("session")), "the longest span ends with the session");
    assert!(!rest.iter().any(|line| line.contains("hunter2")), "no content");
}
