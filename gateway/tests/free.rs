//! What a dropped server leaves behind: nothing. Alone in its program, because it counts files and threads.
#![cfg(target_os = "linux")]

#[path = "support/net.rs"]
mod net;

use net::{connect, frame, log_in};
use ringcentral_ws_gateway::{Server, ServerConfig};

fn count(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count()
}

#[tokio::test]
async fn dropped_servers_free_their_files_and_threads() {
    let mut before = (0, 0);
    for round in 0..30 {
        let server = Server::start(ServerConfig::default()).unwrap();
        let authorization = log_in(&server);
        let mut open = connect(&server, &authorization, None).await.unwrap();
        frame(&mut open).await;
        if round % 2 == 0 {
            server.half_open();
        }
        let mut other = connect(&server, &authorization, None).await.unwrap();
        frame(&mut other).await;
        drop(server);
        drop((open, other));
        if round == 0 {
            before = (count("fd"), count("task"));
        }
    }
    assert_eq!((count("fd"), count("task")), before);
}
