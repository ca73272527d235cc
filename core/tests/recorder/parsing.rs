//! Reading a recording: garbage, damage, and numbers that make no sense are errors, never a panic.

use ringcentral_ws_core::recorder::{EntryKind, MAX_LIMIT, MIN_LIMIT, Options, Recording, ReplayError};
use ringcentral_ws_core::*;

use crate::taped::flight;

#[test]
fn garbage_gets_a_clear_error() {
    for (text, part) in [
        ("", "empty"),
        ("hello", "no recording"),
        ("ringcentral-ws recording 9", "another format"),
        ("ringcentral-ws recording 1\nx y", "line 2: neither a time"),
        ("ringcentral-ws recording 1\nconfig {", "bad settings"),
        ("ringcentral-ws recording 1\n1.5 jump", "unknown input"),
        ("ringcentral-ws recording 1\n1 http 1 99", "status"),
        ("ringcentral-ws recording 1\n1 opened x", "no number"),
    ] {
        let error = Recording::parse(text).unwrap_err().to_string();
        assert!(error.contains(part), "{text}: {error}");
    }
    let empty = Recording::parse("ringcentral-ws recording 1\n# nothing\n1 timeout\n  wait\n").unwrap();
    assert_eq!(empty.replay(), Err(ReplayError::NoCheckpoint));
    let bad = Recording::parse("ringcentral-ws recording 1\ncheckpoint {}\n").unwrap();
    assert_eq!(bad.replay(), Err(ReplayError::BadCheckpoint { line: 2 }));
    for counter in [r#""bad_frames":"#, r#""gaps":"#] {
        // The counter would overflow.
        let full = flight(Options::default()).replace(&format!("{counter}0"), &format!("{counter}{}", u64::MAX));
        let replayed = Recording::parse(&full).unwrap().replay();
        assert!(matches!(replayed, Err(ReplayError::BadCheckpoint { .. })), "{counter} {replayed:?}");
    }
}

/// The recording is cut, and has a byte changed, at many places.
#[test]
fn a_damaged_recording_never_panics() {
    let dump = flight(Options::default());
    for at in (0..dump.len()).step_by(3) {
        if let Ok(recording) = Recording::parse(dump.get(..at).unwrap_or_default()) {
            let _ = recording.replay();
        }
        for byte in [b'9', b'"', b' ', b'\n'] {
            let mut bytes = dump.clone().into_bytes();
            bytes[at] = byte;
            if let Ok(recording) = Recording::parse(&String::from_utf8_lossy(&bytes)) {
                let _ = recording.replay();
            }
        }
    }
}

#[test]
fn only_lines_as_written_are_read() {
    let parse = |line: &str| Recording::parse(&format!("ringcentral-ws recording 1\n{line}\n"));
    for good in
        ["1 timeout", "1.5 timeout", "1.123456 timeout", "0 open-failed 1 dns \"m\"", "0 http-failed 1 tls \"m\""]
    {
        assert_eq!(parse(good).map(|recording| recording.entries().len()), Ok(1), "{good}");
    }
    for bad in [
        "1. timeout",
        ".5 timeout",
        "1.1234567 timeout",
        "1.5x timeout",
        "x.5 timeout",
        "-1 timeout",
        "1 open-failed 1 nowhere \"m\"",
        "1 request GET \"/\" {} jam (5 bytes)",
        "1 request GET \"/\" {\"a b\":\"c\"}",
        "1 request G[T \"/\" {}",
        "1 request GET \"/ x\" {}",
        "1 binary",
        "1 too-large 1",
        "1 text x []",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    let at = |line: &str| parse(line).unwrap().entries()[0].kind;
    assert_eq!(at("1.25 timeout"), EntryKind::Input(Timestamp::from_millis(1_250)));
    assert_eq!(at("0.000001 timeout"), EntryKind::Input(Timestamp::from_micros(1)));
    assert_eq!((at("  wait"), at("forgotten")), (EntryKind::Output, EntryKind::Forgotten));
}

#[test]
fn a_file_above_the_limit_is_refused() {
    for (size, read) in [(2 * MAX_LIMIT - 1, true), (2 * MAX_LIMIT, true), (2 * MAX_LIMIT + 1, false)] {
        let title = "ringcentral-ws recording 1\n#";
        let text = format!("{title}{}", "x".repeat(size - title.len()));
        assert_eq!(Recording::parse(&text).is_ok(), read, "{size}");
    }
    assert_eq!((MIN_LIMIT, MAX_LIMIT), (16 * 1024, 16 * 1024 * 1024));
}

#[test]
fn ids_of_a_checkpoint_leave_room_to_count() {
    let dump = flight(Options::default());
    for before in
        [r#""next_id":"#, r#""next_conn":"#, r#""requests":{"next":"#, r#""failures":0,"next":"#, r#""number":"#]
    {
        let at = dump.find(before).unwrap() + before.len();
        let end = at + dump[at..].find([',', '}']).unwrap();
        for (n, sane) in [((1_u64 << 60) - 1, true), (1 << 60, false)] {
            let replayed = Recording::parse(&format!("{}{n}{}", &dump[..at], &dump[end..])).unwrap().replay();
            assert_eq!(matches!(replayed, Err(ReplayError::BadCheckpoint { .. })), !sane, "{before}{n} {replayed:?}");
        }
    }
}

/// Every number of a recording is replaced, one at a time.
#[test]
fn numbers_that_make_no_sense_never_panic() {
    let dump = flight(Options { limit: 16 << 10, keep_bodies: false });
    let digit = |c: char| c.is_ascii_digit();
    let mut at = 0;
    while let Some(begin) = dump[at..].find(digit).map(|i| at + i) {
        let end = dump[begin..].find(|c| !digit(c)).map_or(dump.len(), |i| begin + i);
        for number in ["0", "1", "4294967295", "18446744073709551615", "-1"] {
            let changed = format!("{}{number}{}", &dump[..begin], &dump[end..]);
            if let Ok(recording) = Recording::parse(&changed) {
                let _ = recording.replay();
            }
        }
        at = end;
    }
}
