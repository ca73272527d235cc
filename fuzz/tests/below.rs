//! The driver below its WebSocket, on stable: servers that were made by hand, which `corpus.rs` replays, and random
//! ones.
//! `SEEDS` says how many of those.
//!
//! `UPDATE_CORPUS=1 cargo test -p ringcentral-ws-fuzz --test below` writes the files of `corpus/below`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use ringcentral_ws_fuzz::{Rng, targets};

// The operations, by their bytes (`src/targets/below/play.rs`).
const FRAME: u8 = 0;
const RAW: u8 = 4;
const NOTIFY: u8 = 6;
const BURST: u8 = 9;
const MILLIS: u8 = 10;
const SECONDS: u8 = 11;
const LISTEN: u8 = 12;
const DEAF: u8 = 13;
const UNWRITABLE: u8 = 14;
const SILENT: u8 = 15;
const LINK: u8 = 16;
const FINISH: u8 = 17;
const CUT: u8 = 18;
const FLOOD: u8 = 19;
const ASK: u8 = 21;
const UPGRADE: u8 = 22;
const FRAGMENTS: u8 = 23;
const REPEAT: u8 = 24;
const LARGE: u8 = 25;
const RUBBISH: u8 = 26;
const CLOSE: u8 = 27;
const HEAL: u8 = 28;
const PINGS: u8 = 29;
const STEPS: u8 = 30;

/// The first byte: room for many events; a stream that holds half a kilobyte.
const MANY: u8 = 0x20;
const NARROW: u8 = 0x08;
const WIDE: u8 = 0x18;
/// Of a flood's time: it goes on.
const ON: u8 = 0x80;

/// How the payload of a frame is made (`FRAME`), and how the frame is spoilt.
const NOTIFICATION: u8 = 0;
const FIRST_HALF: u8 = 2;
const SECOND_HALF: u8 = 3;
const NO_UTF8: u8 = 5;
const FILLER: u8 = 8;
const GOOD: u8 = 0;

fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let one: &[u8] = &[NOTIFY, 0, MILLIS, 1];
    let all = |parts: &[&[u8]]| [&[0], one, &parts.concat(), one].concat();
    // The first number of a frame is its kind: 0 text, 6 a continuation, 9 binary, 10 a ping, 13 and 14 reserved.
    let spoilt = |how| all(&[&[FRAME, 0, how, NOTIFICATION], one]);
    vec![
        ("plain", all(&[&[HEAL, 0]])),
        ("frame-wide-length", spoilt(0x08)),
        ("frame-widest-length", spoilt(0x09)),
        ("frame-one-byte-short", spoilt(0x0a)),
        ("frame-one-byte-long", spoilt(0x0b)),
        ("frame-whose-text-is-cut", vec![0, 6, 0, 10, 21, 0, 1, 11, 6, 10, 20, 28, 0, 10, 1, 28, 0, 6, 0, 10, 1]),
        ("frame-of-the-largest-size", spoilt(0x0c)),
        ("frame-that-swallows-the-next", spoilt(0x0d)),
        ("frame-masked", spoilt(0x0e)),
        ("frame-reserved-bits", spoilt(0xe1)),
        ("frame-reserved-opcode", all(&[&[FRAME, 14, GOOD, NOTIFICATION], one])),
        ("frame-reserved-control", all(&[&[FRAME, 15, GOOD, 7], one])),
        ("frame-binary", all(&[&[FRAME, 9, GOOD, NOTIFICATION], one])),
        ("frame-no-utf8", all(&[&[FRAME, 0, GOOD, NO_UTF8], one])),
        ("ping-too-long", all(&[&[FRAME, 10, GOOD, FILLER, 40], one])),
        ("ping-in-pieces", all(&[&[FRAME, 0x1a, GOOD, 7], one])),
        ("halves", all(&[&[FRAME, 0x10, GOOD, FIRST_HALF, PINGS, 3, 0], &[FRAME, 6, GOOD, SECOND_HALF]])),
        ("half-and-another", all(&[&[FRAME, 0x10, GOOD, FIRST_HALF], one])),
        ("half-and-nothing", all(&[&[FRAME, 0x10, GOOD, FIRST_HALF, SECONDS, 63, SECONDS, 63], one])),
        ("half-and-the-end", all(&[&[FRAME, 0x10, GOOD, FIRST_HALF, FINISH, SECONDS, 20]])),
        ("half-and-a-cut", all(&[&[FRAME, 0x10, GOOD, FIRST_HALF, MILLIS, 1, CUT, SECONDS, 20]])),
        ("half-and-a-close", all(&[&[FRAME, 0x10, GOOD, FIRST_HALF, CLOSE, 0x40, 0, SECONDS, 20]])),
        ("continuation-of-nothing", all(&[&[FRAME, 6, GOOD, SECOND_HALF], one])),
        ("fragments", all(&[&[FRAGMENTS, 6, 2], one])),
        ("fragments-without-end", all(&[&[FRAGMENTS, 0, 1, SECONDS, 63, SECONDS, 63], one])),
        ("close-without-code", all(&[&[CLOSE, 0, 0, SECONDS, 20], one])),
        ("close-of-one-byte", all(&[&[CLOSE, 0x20, 0, SECONDS, 20], one])),
        ("close-and-a-notification", all(&[&[CLOSE, 0x41, 0], one])),
        ("close-reason-no-utf8", all(&[&[CLOSE, 0x44, 0, 2, 0xc3, 0x28, SECONDS, 20], one])),
        ("raw", all(&[&[RAW, 6, 0x81, 0x05, b'h', b'e', b'l', b'l', SECONDS, 1, RAW, 3, b'o', 0x89, 0], one])),
        ("repeated", all(&[&[REPEAT, SECONDS, 1, REPEAT]])),
        ("rubbish-again-and-again", all(&[&[RUBBISH; 20], one])),
        ("as-large-as-may-be", all(&[&[LARGE, 0, LARGE, 1, LARGE, 2, SECONDS, 1]])),
        ("larger-than-may-be", all(&[&[LARGE, 3], one])),
    ]
}

/// What the fuzzer found, as it was.
fn finds() -> Vec<(&'static str, Vec<u8>)> {
    vec![
        // A few pongs are sent before the peer reads no more; those and the rest together are too many.
        (
            "pings-unread-before-a-bad-frame",
            vec![
                0, 4, 0, 109, 189, 115, 189, 189, 189, 189, 101, 0, 13, 255, 0, 255, 255, 255, 6, 0, 10, 255, 255, 255,
                255, 255, 1,
            ],
        ),
        // What was read last takes forty polls, and then nothing comes any more.
        (
            "flood-and-silence",
            vec![0, 6, 0, 10, 1, 19, 2, 28, 47, 11, 20, 6, 52, 52, 52, 52, 52, 52, 52, 52, 52, 52, 53, 10, 0, 0, 10, 1],
        ),
        // It comes in one go with the end of a replay, and what is held until then takes no place among the events.
        (
            "replay-and-a-burst",
            vec![
                0, 0, 0, 10, 1, 0, 58, 0, 0, 0, 0, 0, 0, 31, 22, 122, 233, 252, 249, 255, 254, 255, 255, 0, 0, 44, 0,
                0, 78, 1, 115, 116, 97, 116,
            ],
        ),
        // While an answer is awaited only bytes count, and not those that are thrown away.
        (
            "asked-and-a-burst",
            vec![
                0, 6, 0, 0, 0, 42, 25, 255, 201, 142, 83, 10, 1, 19, 0, 119, 119, 119, 119, 255, 255, 73, 255, 255, 12,
                60, 21, 255, 255, 255,
            ],
        ),
        // Answers to pings cost nothing once nothing can be written: what is behind them is read.
        (
            "unwritable-and-many-pings",
            vec![
                0, 237, 238, 238, 238, 238, 238, 0, 9, 6, 57, 57, 57, 57, 57, 61, 237, 238, 238, 238, 238, 0, 245, 255,
                255, 255, 255, 255, 255, 253, 0, 0, 6, 0, 3, 75, 6,
            ],
        ),
        ("unwritable-and-flooded-with-pings", vec![0, 105, 114, 97, 116, 105, 111, 110, 20, 105, 1, 112, 105, 114]),
    ]
}

fn streams() -> Vec<(&'static str, Vec<u8>)> {
    let one: &[u8] = &[NOTIFY, 0, MILLIS, 1];
    let flood = |kind, time| [&[0], one, &[FLOOD, kind, time, ASK, SECONDS, 20], one, &[HEAL, 0], one].concat();
    let upgrade = |kind| [&[0], one, &[UPGRADE, kind, CUT, SECONDS, 40], one, &[HEAL, 1], one].concat();
    vec![
        ("flood-pings", flood(0, 60)),
        ("flood-long-pings", flood(1, 60)),
        ("flood-pongs", flood(2, 60)),
        ("flood-unknown", flood(3, 60)),
        ("flood-empty-fragments", flood(4 | 8, 60)),
        ("flood-fragments-and-pongs", flood(5 | 8, 60)),
        ("flood-fragments", flood(6 | 8, 60)),
        ("flood-no-frames", flood(7, 60)),
        ("flood-to-the-end", [&[0], one, &[ASK, FLOOD, 3, ON | 5], one, &[3]].concat()),
        (
            "flood-of-a-message-that-never-ends",
            [&[0], one, &[DEAF, 1, FLOOD, 5 | 8, ON | 60, SECONDS, 30], one].concat(),
        ),
        ("pings-unwritable", [&[0], one, &[UNWRITABLE, PINGS, 3, 0, SECONDS, 1], one].concat()),
        ("flood-of-pings-unread", [&[0], one, &[DEAF, 1, FLOOD, 1, 60], one].concat()),
        ("flood-without-handshake", vec![0, UPGRADE, 0x80, 4, 0x01, 0x00, 0x89, 0x00, CUT, FLOOD, 5, 40, SECONDS, 40]),
        ("upgrade-lines-end-bare", upgrade(2)),
        ("upgrade-behind-an-empty-line", upgrade(3)),
        ("upgrade-of-many-fields", upgrade(4)),
        ("upgrade-of-a-long-field", upgrade(5)),
        ("upgrade-of-another", upgrade(6)),
        ("upgrade-without-proof", upgrade(7)),
        ("upgrade-refused", upgrade(8)),
        ("upgrade-endless", upgrade(9)),
        ("upgrade-cut", upgrade(10)),
        ("pieces-of-one-byte", [&[1], one, &[FRAGMENTS, 6, 2, FRAME, 0, 0xe1, NOTIFICATION], one].concat()),
        ("pieces-later", [&[0], one, &[LINK, 3 | NARROW], &[LARGE, 1, BURST, 1, 20, SECONDS, 1], one].concat()),
        ("silent", [&[0], one, &[SILENT, 1], one, &[SECONDS, 63], one].concat()),
        ("silent-for-a-moment", [&[0], one, &[SILENT, 1, NOTIFY, 3, SECONDS, 5, SILENT, 0], one].concat()),
        ("nobody-listens", [&[0], one, &[LISTEN, 0, BURST, 15, 200, SECONDS, 60, LISTEN, 1], one].concat()),
        ("nobody-listens-and-it-ends", [&[0], one, &[LISTEN, 0, BURST, 15, 200, FINISH, SECONDS, 60], one].concat()),
        ("pings-unread-before-a-notification", vec![0, DEAF, 1, PINGS, 140, 124, MILLIS, 10]),
        ("unwritable", [&[0], one, &[BURST, 0, 0, UNWRITABLE, ASK, SECONDS, 1], one].concat()),
        ("unwritable-with-more-than-a-turn", vec![MANY | WIDE, BURST, 15, 255, STEPS, 2, UNWRITABLE, ASK, SECONDS, 1]),
        ("unwritable-and-never-pausing", vec![0, UNWRITABLE, ASK, FLOOD, 3, 60, SECONDS, 1]),
        ("half-closed", [&[0], one, &[BURST, 0, 0, FINISH, ASK, SECONDS, 15], one].concat()),
    ]
}

fn by_hand() -> BTreeMap<&'static str, Vec<u8>> {
    frames().into_iter().chain(streams()).chain(finds()).collect()
}

#[test]
fn the_corpus_is_what_is_written_here() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus/below");
    for (name, bytes) in by_hand() {
        let file = dir.join(name);
        if std::env::var_os("UPDATE_CORPUS").is_some() {
            fs::write(&file, &bytes).unwrap();
        }
        assert_eq!(fs::read(&file).ok(), Some(bytes), "UPDATE_CORPUS=1 writes {name} anew");
    }
}

/// A server that is not made by hand.
fn random(seed: u64) -> Vec<u8> {
    let mut rng = Rng::new(seed);
    let length = rng.between(1, 160) as usize;
    rng.bytes(length)
}

#[test]
fn random_servers_are_borne() {
    if let Ok(seed) = std::env::var("SEED") {
        return targets::below(&random(seed.parse().unwrap()));
    }
    let seeds: u64 = std::env::var("SEEDS").map_or(100, |text| text.parse().unwrap());
    for seed in 0..seeds {
        let bytes = random(seed);
        let done = std::panic::catch_unwind(|| targets::below(&bytes));
        assert!(done.is_ok(), "seed {seed}: {bytes:?}");
    }
}

/// What the client and its application hold, while nothing else is counted. Beside what may wait (64 KiB of events, two
/// messages of 32 KiB) there are the reader's buffer of a flood (64 KiB), and what a client at rest takes.
const MOST: i64 = 384 << 10;

// CLAUSE SEC-3 FRM-4
#[test]
fn no_server_makes_the_client_hold_more_than_its_limits_say() {
    let random = (0..30).map(|seed| (seed.to_string(), random(seed)));
    let by_hand = by_hand().into_iter().map(|(name, bytes)| (name.to_owned(), bytes));
    let mut highest = 0;
    for (name, mut bytes) in by_hand.chain(random) {
        bytes[0] &= !MANY;
        let mut held = 0;
        targets::below_with(&bytes, false, &mut |work| {
            let mut done = false;
            held += allocation_counter::measure(|| done = work()).bytes_current;
            assert!(held <= MOST, "{name}: {held} bytes");
            highest = highest.max(held);
            done
        });
    }
    println!("at most {highest} bytes");
}
