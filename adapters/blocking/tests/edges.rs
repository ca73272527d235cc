//! Settings and callbacks of the application at their edges.

mod common;

use std::time::Duration;

use common::{builder, get, subscribed};
use ringcentral_ws_blocking::IoLimits;
use ringcentral_ws_gateway::{Server, ServerConfig};

#[test]
fn a_limit_without_end_is_no_limit() {
    let server = Server::start(ServerConfig::default()).unwrap();
    let end = Duration::MAX;
    let limits = IoLimits {
        dns: end,
        tcp: end,
        tls: end,
        upgrade: end,
        response_head: end,
        response_body: end,
        download_read: end,
        idle_time: end,
        clock_slack: end,
        longest_sleep: end,
        ..IoLimits::default()
    };
    let (client, mut events) = builder(&server).limits(limits).start().unwrap();
    subscribed(&mut events);
    let account = "/restapi/v1.0/account/~";
    for _ in 0..2 {
        assert_eq!(client.request(get(account)).unwrap().status(), 200);
    }
    assert_eq!(client.download(get(account)).unwrap().status(), 200);
}

#[test]
fn a_buffer_of_any_size_carries_messages() {
    for size in [0, 1, usize::MAX] {
        let server = Server::start(ServerConfig::default()).unwrap();
        let (_client, mut events) = builder(&server)
            .limits(IoLimits { socket_buffer: size, command_queue: size, ..IoLimits::default() })
            .start()
            .unwrap();
        subscribed(&mut events);
    }
}
