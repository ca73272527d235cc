//! Two hundred accounts in one process, and what the limit on logins does.

use crate::common;

use std::time::{Duration, Instant};

use common::{Folder, Program};
use ringcentral_ws_gateway::{Server, ServerConfig};

fn start(server: &Server, users: usize, folder: &Folder, logins: &str) -> Program {
    let jwts: Vec<String> = (0..users).map(|user| server.jwt(user)).collect();
    let path = folder.path().join("jwts.txt");
    std::fs::write(&path, jwts.join("\n") + "\n\n").expect("a file");
    Program::start(env!("CARGO_BIN_EXE_many-accounts"), server, |command| {
        command.env_remove("RC_USER_JWT").arg(path).arg(logins);
    })
}

#[test]
fn two_hundred_accounts_are_ready_within_half_a_minute() {
    let (server, folder) = (Server::start(ServerConfig::default().users(200)).expect("a port"), Folder::new("many"));
    let began = Instant::now();
    let mut program = start(&server, 200, &folder, "200");
    program.line("200 of 200 ready");
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    for user in 0..200 {
        server.receive_sms(user, "+16505550100", "Hello");
    }
    program.line("200 notifications");
    // One account that loses its session says so, and the others go on.
    server.drop_connections();
    server.receive_sms(7, "+16505550100", "Hello");
    program.line("201 notifications");
    program.interrupt();
    assert!(program.end().success());
}

#[test]
fn the_limit_holds_for_all_of_them_together() {
    let (server, folder) = (Server::start(ServerConfig::default().users(5)).expect("a port"), Folder::new("few"));
    let mut program = start(&server, 5, &folder, "3");
    program.line("3 of 5 ready");
    let calls = server.with_gateway(|gateway, _| gateway.subscriptions().count());
    // More than one line later: the other two have asked, and wait for the next minute.
    program.line("3 of 5 ready");
    program.line("3 of 5 ready");
    assert_eq!(calls, 3);
}
