//! The program says at its end what it counted; what its handler does in faults is tested beside it.

use crate::common;

use common::{Program, server, subscribed};

#[test]
fn it_ends_in_order_with_its_counts() {
    let server = server();
    let mut program = Program::start(env!("CARGO_BIN_EXE_count-messages"), &server, |_| {});
    subscribed(&server);
    program.interrupt();
    assert_eq!(program.line("{"), "{}");
    assert!(program.end().success());
}
