//! The driver below its WebSocket, on stable: random servers.

use ringcentral_ws_fuzz::targets;

/// Bytes that are most often few and small numbers, so that operations get the operands they were made for.
fn random(seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    let length = 1 + usize::from(next()) % 160;
    (0..length).map(|_| next()).collect()
}

#[test]
fn random_servers_are_borne() {
    let seeds: u64 = std::env::var("SEEDS").map_or(300, |text| text.parse().unwrap());
    for seed in 0..seeds {
        let bytes = random(seed);
        let done = std::panic::catch_unwind(|| targets::below(&bytes));
        assert!(done.is_ok(), "seed {seed}: {bytes:?}");
    }
}
