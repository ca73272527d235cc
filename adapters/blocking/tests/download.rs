//! A large download in little memory. Alone in its process, because it measures the process.

mod common;

use std::io::Read;
use std::time::Instant;

use common::{get, subscribed, tls_server};
use ringcentral_ws_blocking::Close;

const SIZE: u64 = 200_000_000;
/// Most memory the download may add, in bytes.
const MOST: u64 = 16 << 20;

/// Resident memory in bytes, where the system shows it.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse::<u64>().ok()?;
    Some(pages * 4096)
}

#[test]
fn two_hundred_megabytes_in_less_than_sixteen() {
    let (server, builder) = tls_server();
    let (client, mut events) = builder.start().unwrap();
    subscribed(&mut events);
    let before = resident();
    let began = Instant::now();
    let response = client.download(get(&format!("/restapi/v1.0/_large/{SIZE}"))).unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let mut body = response.into_body();
    let (mut received, mut peak, mut next_look) = (0_u64, before, 0);
    let mut piece = vec![0; 64 << 10];
    loop {
        let count = body.read(&mut piece).unwrap();
        if count == 0 {
            break;
        }
        assert_eq!(u64::from(piece[0]), received % 251);
        received += count as u64;
        assert_eq!(u64::from(piece[count - 1]), (received - 1) % 251);
        if received >= next_look {
            next_look = received + 1_000_000;
            peak = peak.max(resident());
        }
    }
    assert_eq!((received, body.received()), (SIZE, SIZE));
    let added = peak.unwrap_or_default() - before.unwrap_or_default();
    println!("{received} bytes in {:?}, {} KiB added", began.elapsed(), added >> 10);
    assert!(added < MOST, "{added} bytes");
    client.close(Close::Revoke);
    drop(server);
}
