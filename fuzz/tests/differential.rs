//! The session and the model of it agree.

use std::fs;
use std::path::Path;

use ringcentral_ws_fuzz::{Plain, Rng, targets};

/// Everything the model can say, and the causes of gaps it knows.
const WORDS: &[&str] = &[
    "Login",
    "TokenCall",
    "Abort",
    "Open {",
    "Heartbeat",
    "Post",
    "Resubscribe",
    "Put(",
    "Delete(",
    "Request(",
    " Close",
    "Drop",
    "Connected(\"fresh\")",
    "Connected(\"recovered\")",
    "Connected(\"lost\")",
    "Subscribed(",
    "Refused(true)",
    "Refused(false)",
    "Unsubscribed",
    "Notification(",
    "Recovered",
    "RecoveryFailed",
    "Retry(",
    "\"response\"",
    "\"unknown\"",
    "\"timed_out\"",
    "\"cancelled\"",
    "Disconnected",
    "Bad",
    "Closed(\"revoked\")",
    "Closed(\"detached\")",
    "recovery_failed",
    "window_passed",
    "replay_overflow",
    "replay_interrupted",
    "unreadable_frame",
    "subscription_lost",
    "in_flight",
    "contended",
    "recovery_abandoned",
    "Closed(\"unauthorized\")",
    "Closed(\"evicted\")",
];

/// Operations by their place in the target's list, as often as they are to come: mostly the next step well, then
/// echoes, losses, failures and notifications.
const LIKELY: &[u8] = &[0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 4, 5, 5, 6, 6, 6, 9, 10, 10, 11, 11, 7];

/// Connects, subscribes, and waits for the first heartbeat.
const BEGINNING: &[u8] = &[0, 0, 0, 0, 12, 0, 11];

/// `TRACE=name` prints what is done in one file.
#[test]
fn the_corpus_shows_all_that_the_model_knows() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/differential");
    let wanted = std::env::var_os("TRACE");
    let mut all = String::new();
    for entry in fs::read_dir(dir).unwrap() {
        let file = entry.unwrap();
        let trace = targets::differ(&Plain, &fs::read(file.path()).unwrap());
        let trace = trace.unwrap_or_else(|why| panic!("{}: {why}", file.path().display())).join("\n");
        if wanted.as_ref() == Some(&file.file_name()) {
            println!("{trace}");
        }
        all.push_str(&trace);
    }
    let outputs: Vec<&str> = all.lines().filter(|line| line.starts_with("             ")).collect();
    let missing: Vec<_> = WORDS.iter().filter(|word| !outputs.iter().any(|line| line.contains(*word))).collect();
    assert!(missing.is_empty(), "no file shows {missing:?}");
}

/// Random bytes reach most of what the model knows, and need no nightly. `ROUNDS=100000` for more.
#[test]
fn random_operations_differ_nowhere() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000);
    let mut rng = Rng::new(1);
    for round in 0..rounds {
        let bytes = rng.bytes(50 + round % 600);
        targets::differential(&bytes);
    }
}

/// Lives in which most goes well, so that what happens again and again is reached. `ROUNDS=100000` for more.
#[test]
fn likely_lives_differ_nowhere() {
    let rounds = std::env::var("ROUNDS").ok().and_then(|n| n.parse().ok()).unwrap_or(4_000u64);
    let mut rng = Rng::new(3);
    for _ in 0..rounds {
        let mut bytes = Vec::new();
        for step in 0..20 + rng.below(60) {
            let likely = *rng.pick(LIKELY);
            let op = BEGINNING.get(step as usize).copied().unwrap_or(likely);
            // As the derived Arbitrary chooses among the 18 operations.
            let choice = ((u64::from(op) << 32).div_ceil(18)) as u32;
            bytes.extend(choice.to_le_bytes());
            let arguments = match op {
                5 => 2,
                1 | 2 | 6 | 7 | 8 | 11 | 15 | 17 => 1,
                _ => 0,
            };
            bytes.extend(rng.bytes(arguments));
        }
        targets::differential(&bytes);
    }
}
