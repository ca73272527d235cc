//! The states of a session, and the changes between them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ringcentral_ws_fuzz::simulate_dense;

use crate::svg::Svg;
use crate::watched::{Change, Watching, changes_during};
use crate::{check, support};

const HEIGHT: u32 = 740;

struct State {
    name: &'static str,
    centre: (u32, u32),
    width: u32,
    tone: &'static str,
    /// Whether it may end at once.
    ends: bool,
}

const fn state(name: &'static str, centre: (u32, u32), width: u32, tone: &'static str, ends: bool) -> State {
    State { name, centre, width, tone, ends }
}

const STATES: [State; 8] = [
    state("Idle", (300, 40), 110, "", true),
    state("AwaitingStore", (510, 130), 150, "", true),
    state("Connecting", (300, 220), 130, "", true),
    state("Waiting", (90, 300), 120, "bad", true),
    state("Offline", (510, 300), 120, "bad", true),
    state("Ready", (300, 420), 110, "good", false),
    state("Closing", (300, 550), 110, "", false),
    state("Closed", (300, 674), 110, "", false),
];

/// An arrow between two states.
struct Arrow {
    change: Change,
    tone: &'static str,
    path: &'static str,
    /// Where the lines of the label are, and which end of each is there.
    label: &'static [(u32, u32, &'static str, &'static str)],
}

const fn arrow(
    from: &'static str,
    to: &'static str,
    tone: &'static str,
    path: &'static str,
    label: &'static [(u32, u32, &'static str, &'static str)],
) -> Arrow {
    Arrow { change: (from, to), tone, path, label }
}

const ARROWS: [Arrow; 13] = [
    arrow("Idle", "Connecting", "", "M300 60V199", &[(308, 136, "start", "connect()")]),
    arrow(
        "Idle",
        "AwaitingStore",
        "",
        "M355 40H490Q510 40 510 60V109",
        &[(500, 66, "end", "connect() after"), (500, 86, "end", "an orderly end")],
    ),
    arrow(
        "AwaitingStore",
        "Connecting",
        "",
        "M510 150V196Q510 206 500 206H366",
        &[(500, 184, "end", "snapshot_stored()")],
    ),
    arrow(
        "Idle",
        "Waiting",
        "",
        "M245 40H80Q60 40 60 60V279",
        &[(72, 66, "start", "connect() during"), (72, 86, "start", "a Retry-After")],
    ),
    arrow("Connecting", "Waiting", "bad", "M235 230H150Q130 230 130 250V279", &[(140, 262, "start", "attempt failed")]),
    arrow(
        "Waiting",
        "Connecting",
        "",
        "M95 280V222Q95 210 107 210H234",
        &[(103, 180, "start", "time is up,"), (103, 200, "start", "or recover()")],
    ),
    arrow(
        "Connecting",
        "Ready",
        "good",
        "M300 240V399",
        &[(308, 344, "start", "Connection-"), (308, 364, "start", "Details")],
    ),
    arrow("Ready", "Waiting", "bad", "M245 420H110Q90 420 90 400V321", &[(104, 410, "start", "connection lost")]),
    arrow(
        "Ready",
        "Offline",
        "bad",
        "M355 420H490Q510 420 510 400V321",
        &[(500, 390, "end", "lost, with"), (500, 410, "end", "auto_recover off")],
    ),
    arrow("Offline", "Connecting", "", "M510 280V244Q510 234 500 234H366", &[(500, 258, "end", "recover()")]),
    arrow(
        "Ready",
        "Closing",
        "",
        "M300 440V529",
        &[(308, 478, "start", "close(), or renewal before"), (308, 498, "start", "absoluteTimeout")],
    ),
    arrow(
        "Closing",
        "Connecting",
        "",
        "M355 550H562Q582 550 582 530V232Q582 220 570 220H366",
        &[(572, 540, "end", "renewal goes on")],
    ),
    arrow(
        "Closing",
        "Closed",
        "",
        "M300 570V653",
        &[(308, 606, "start", "the socket is closed, or"), (308, 626, "start", "close_timeout is over")],
    ),
];

/// The picture, and the changes in it.
fn picture() -> (String, BTreeSet<Change>) {
    let mut svg = Svg::new("The states of a session", HEIGHT);
    let mut shown = BTreeSet::new();
    for Arrow { change, tone, path, label } in ARROWS {
        shown.insert(change);
        svg.arrow(path, tone);
        for (x, y, anchor, words) in label {
            svg.text((*x, *y), anchor, tone, words);
        }
    }
    for State { name, centre, width, tone, ends } in STATES {
        svg.node(centre, width, tone, name);
        if ends {
            shown.insert((name, "Closed"));
            svg.text((centre.0 + width / 2 - 6, centre.1 - 7), "end", "bad", "×");
        }
    }
    svg.text((300, 722), "middle", "dim", "× close(), or a permanent error, leads to Closed at once");
    (svg.finish(), shown)
}

#[test]
fn the_picture_of_the_states_has_every_change_and_no_other() {
    let (picture, shown) = picture();
    let mut files = Vec::new();
    support::files(&Path::new(env!("CARGO_MANIFEST_DIR")).join("../core/tests/transcripts"), &mut files);
    let seen = changes_during(|| {
        for file in files {
            support::Rig::run(&fs::read_to_string(file).unwrap());
        }
    });
    assert_eq!(seen, shown, "the changes in the transcripts (left) are not those of the picture (right)");
    let dense = changes_during(|| {
        for seed in 0..50 {
            simulate_dense(&Watching, seed).unwrap_or_else(|failure| panic!("{failure}"));
        }
    });
    let unknown: Vec<_> = dense.difference(&shown).collect();
    assert!(unknown.is_empty(), "no transcript has these changes: {unknown:?}");
    check("states.svg", &picture);
}
