//! Connections that present a handle.

use std::io;

use ringcentral_ws_conformance::peer::{Link, RawFrame, Recovery, opcode};
use serde_json::Value;

use super::{Behaviour, again};

const FAILED: &[&str] = &["gap recovery_failed"];
const OVERFLOW: &[&str] = &["gap replay_overflow"];

/// ConnectionDetails with this `recoveryState`, and a good server from then on.
fn state(link: &mut Link<'_>, state: &str) -> io::Result<()> {
    let good = link.good_details(Recovery::Successful);
    // Behind the header, which has the length in two bytes.
    let mut details: Vec<Value> = serde_json::from_slice(&good[4..]).expect("it is JSON");
    details[1]["recoveryState"] = serde_json::from_str(state).expect("it is JSON");
    link.frame(&RawFrame::text(Value::from(details).to_string()))?;
    link.serve()
}

/// The session goes on.
fn recovered(link: &mut Link<'_>) -> io::Result<()> {
    let details = link.good_details(Recovery::Successful);
    link.send(details)
}

pub(super) fn all() -> Vec<Behaviour> {
    [states(), replays(), refusals()].into_iter().flatten().collect()
}

fn states() -> Vec<Behaviour> {
    vec![
        again("recoveryState is an unknown word", FAILED, |link| state(link, "\"Perhaps\"")),
        again("recoveryState is a number", FAILED, |link| state(link, "1")),
        again("recoveryState is null", FAILED, |link| state(link, "null")),
        again("recoveryState is a word of 1 MB", FAILED, |link| {
            let word = format!("\"{}\"", "P".repeat(1_000_000));
            state(link, &word)
        }),
    ]
}

fn replays() -> Vec<Behaviour> {
    vec![
        again("a replay without end", OVERFLOW, |link| {
            recovered(link)?;
            for n in 0.. {
                let frame = link.notification(&format!("replay-{n}"));
                link.send(frame)?;
            }
            Ok(())
        }),
        again("a replay of the same notification without end", &["disconnected", "gap replay_overflow"], |link| {
            recovered(link)?;
            let frame = link.notification("before");
            link.flood(frame)
        }),
        again("a replay that never comes to its end", &["gap replay_interrupted"], |link| {
            recovered(link)?;
            let frame = link.notification("replayed");
            link.send(frame)?;
            link.swallow()
        }),
        again("a replay that is cut", &["gap replay_interrupted", "gap unreadable_frame"], |link| {
            recovered(link)?;
            let frame = link.notification("replayed");
            link.send(&frame[..frame.len() - 3])
        }),
        again("a replay that cannot be read, for ever", &["gap recovery_abandoned"], |link| {
            recovered(link)?;
            link.frame(&RawFrame::new(opcode::TEXT, "x").rsv(4))?;
            link.swallow()
        }),
    ]
}

/// The handle is refused for ever: it is given up, and that is a gap.
fn refusals() -> Vec<Behaviour> {
    const ABANDONED: &[&str] = &["gap recovery_abandoned"];
    vec![
        again("the handle is answered by WSG-400", &["gap "], |link| {
            link.frame(&RawFrame::text(
                r#"[{"type":"Error","messageId":"e","status":400},{"errorCode":"WSG-400","message":"m"}]"#,
            ))?;
            link.swallow()
        }),
        again("the handle is answered by an unknown error", ABANDONED, |link| {
            link.frame(&RawFrame::text(
                r#"[{"type":"Error","messageId":"e","status":500},{"errorCode":"WSG-999","message":"m"}]"#,
            ))?;
            link.swallow()
        }),
        again("the handle is answered by close code 4400", ABANDONED, |link| {
            link.frame(&RawFrame::close(4400, "no"))?;
            link.swallow()
        }),
        again("the handle is answered by an end", ABANDONED, |_| Ok(())),
        again("the handle is answered by a reset", ABANDONED, |link| link.reset()),
        // That is no refusal: the handle is presented until the window has passed.
        again("the handle is answered by silence", &["retry handshake_timeout"], |link| link.swallow()),
        again("the session goes on, and its connection ends at once, again and again", ABANDONED, recovered),
    ]
}
