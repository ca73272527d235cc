//! A large download in little memory. Alone in its process, because it measures the process.

mod common;

use std::time::Instant;

use common::*;
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_tokio::Close;

const SIZE: u64 = 200_000_000;
/// Most memory the download may add, in bytes.
const MOST: u64 = 16 << 20;

/// Resident memory in bytes, where the system shows it.
fn resident() -> Option<u64> {
    let pages = std::fs::read_to_string("/proc/self/statm").ok()?.split(' ').nth(1)?.parse::<u64>().ok()?;
    Some(pages * 4096)
}

#[tokio::test]
async fn two_hundred_megabytes_in_less_than_sixteen() {
    let (server, tls) = tls_server(GatewayConfig::default());
    let (client, mut events) = builder(&server).tls(tls).start().unwrap();
    subscribed(&mut events).await;
    let before = resident();
    let began = Instant::now();
    let request = client.download(get(&format!("/restapi/v1.0/_large/{SIZE}")));
    let response = tokio::time::timeout(DEADLINE, request).await.unwrap().unwrap();
    assert_eq!(response.status().as_u16(), 200);
    let mut body = response.into_body();
    let (mut received, mut peak) = (0_u64, before);
    while let Some(chunk) = tokio::time::timeout(DEADLINE, body.chunk()).await.unwrap() {
        let chunk = chunk.unwrap();
        assert!(chunk.len() <= 1 << 17);
        assert_eq!(u64::from(chunk[0]), received % 251);
        received += chunk.len() as u64;
        assert_eq!(u64::from(chunk[chunk.len() - 1]), (received - 1) % 251);
        if received % 50 == 0 || received > SIZE / 2 {
            peak = peak.max(resident());
        }
    }
    assert_eq!((received, body.received()), (SIZE, SIZE));
    let added = peak.unwrap_or_default() - before.unwrap_or_default();
    println!("{received} bytes in {:?}, {} KiB added", began.elapsed(), added >> 10);
    assert!(added < MOST, "{added} bytes");
    client.close(Close::Revoke).await;
}
