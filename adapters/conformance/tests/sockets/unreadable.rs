//! What the WebSocket layer cannot read may have been a notification: each adapter says so before the next one.

use crate::harness;

use std::time::Instant;

use ringcentral_ws_conformance::peer::{Opening, Peer, RawFrame, Recovery, Step, notification, opcode, uuid};
use ringcentral_ws_conformance::{DEADLINE, Harness, Running};
use ringcentral_ws_core::{Close, Event, ProtocolError, Unreadable};

/// Bytes that are no message, and whether the connection ends with them.
struct Form {
    name: &'static str,
    bytes: Vec<u8>,
    end: Option<Step>,
    expected: Unreadable,
}

/// All of them. Each is a notification that was spoilt.
fn forms() -> Vec<Form> {
    let lost = notification("subscription-1", "lost ~");
    let (start, rest) = lost.split_at(40);
    let text = || RawFrame::text(lost.as_str());
    let part = || RawFrame::text(start).unfinished();
    let goes_on = |name, bytes, expected| Form { name, bytes, end: None, expected };
    let ends = |name, bytes| Form { name, bytes, end: Some(Step::End), expected: Unreadable::Cut };
    let not_utf8: Vec<u8> = lost.bytes().map(|byte| if byte == b'~' { 0xff } else { byte }).collect();
    let mut forms = vec![
        goes_on("not UTF-8", RawFrame::text(not_utf8).bytes(), Unreadable::Utf8),
        goes_on(
            "not UTF-8 in a second part",
            [part().bytes(), RawFrame::new(opcode::CONTINUATION, [0xc3, 0x28]).bytes()].concat(),
            Unreadable::Utf8,
        ),
        goes_on("RSV1", text().rsv(4).bytes(), Unreadable::ReservedBits),
        goes_on("RSV2", text().rsv(2).bytes(), Unreadable::ReservedBits),
        goes_on("RSV3", text().rsv(1).bytes(), Unreadable::ReservedBits),
        goes_on("reserved opcode", RawFrame::new(3, lost.as_str()).bytes(), Unreadable::Opcode),
        goes_on("reserved control opcode", RawFrame::new(11, "lost").bytes(), Unreadable::Opcode),
        goes_on("masked", text().masked([1, 2, 3, 4]).bytes(), Unreadable::Masked),
        goes_on(
            "continuation without a start",
            RawFrame::new(opcode::CONTINUATION, rest).bytes(),
            Unreadable::Fragment,
        ),
        goes_on("text inside an unfinished message", [part().bytes(), text().bytes()].concat(), Unreadable::Fragment),
        ends("cut after its first byte", text().cut(usize::MAX)),
        ends("cut in a frame", text().cut(5)),
        ends("cut between fragments", part().bytes()),
        ends("cut in a second part", [part().bytes(), RawFrame::new(opcode::CONTINUATION, rest).cut(1)].concat()),
        Form {
            name: "cut between fragments by a close frame",
            bytes: [part().bytes(), RawFrame::close(1001, "").bytes()].concat(),
            end: None,
            expected: Unreadable::Cut,
        },
    ];
    // Elsewhere a reset may take what came before it along.
    if cfg!(target_os = "linux") {
        let end = Some(Step::Reset);
        forms.push(Form { name: "cut by a reset", bytes: text().cut(5), end, expected: Unreadable::Cut });
    }
    forms
}

/// The first connection breaks behind a notification; the second one replays that notification and the next.
fn script(opening: &Opening, bytes: &[u8], end: Option<&Step>) -> Option<Vec<Step>> {
    let notify = |subject: &str| Step::Notify(subject.to_owned());
    match opening.number {
        _ if !opening.is_upgrade() => None,
        0 => {
            let start = [Step::Upgrade, Step::Details(Recovery::Fresh), Step::Subscribed, notify("one")];
            let broken = [Step::Write(bytes.to_vec())];
            Some(start.into_iter().chain(broken).chain(end.cloned()).collect())
        }
        _ if opening.has_handle() => {
            let replay = [Step::Details(Recovery::Successful), notify("one"), notify("two")];
            Some([Step::Upgrade].into_iter().chain(replay).chain([Step::Echoed, notify("three")]).collect())
        }
        _ => None,
    }
}

/// The line of an event that counts here.
fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Notification(n) => format!("notification {}", n.uuid()),
        Event::ProtocolError { error: ProtocolError::Transport(what), .. } => format!("unreadable {}", what.as_str()),
        Event::ProtocolError { error, .. } => format!("{error:?}"),
        Event::Gap(gap) => {
            assert!(gap.since <= gap.until, "{gap:?}");
            format!("gap {} after {}", gap.cause.as_str(), gap.after.as_deref().unwrap_or("nothing"))
        }
        Event::Connected { resumption, .. } => format!("connected {}", resumption.as_str()),
        Event::RecoveryFailed { .. } => "recovery failed".to_owned(),
        _ => return None,
    })
}

/// Takes lines until one is this.
fn lines_until(client: &mut dyn Running, last: &str, lines: &mut Vec<String>, what: &str) {
    let end = Instant::now() + DEADLINE;
    while lines.last().is_none_or(|line| line != last) {
        let left = end.saturating_duration_since(Instant::now());
        let event = client.next_event(left).unwrap_or_else(|| panic!("{what}: no `{last}` in time after {lines:#?}"));
        let event = event.unwrap_or_else(|| panic!("{what}: the events end without `{last}` after {lines:#?}"));
        lines.extend(line(&event));
    }
}

fn play(harness: &dyn Harness, form: &Form) {
    let what = format!("{} on {}", form.name, harness.name());
    let (bytes, end) = (form.bytes.clone(), form.end.clone());
    let peer = Peer::start(move |opening| script(opening, &bytes, end.as_ref()));
    let mut client = harness.start(peer.setup());
    let mut lines = Vec::new();
    lines_until(&mut *client, &format!("notification {}", uuid("three")), &mut lines, &what);
    client.close(Close::Revoke);
    while let Some(event) = client.next_event(DEADLINE).unwrap_or_else(|| panic!("{what}: the events do not end")) {
        lines.extend(line(&event));
    }
    let expected = [
        "connected fresh",
        "notification uuid-one",
        &format!("unreadable {}", form.expected.as_str()),
        "gap unreadable_frame after uuid-one",
        "connected recovered",
        "notification uuid-two",
        "notification uuid-three",
    ];
    assert_eq!(lines, expected, "{what}");
    assert_eq!((peer.upgrades().len(), peer.faults()), (2, vec![]), "{what}");
}

fn all_on(name: &str) {
    let harness = harness::all().into_iter().find(|harness| harness.name() == name).expect("an adapter");
    forms().iter().for_each(|form| play(&*harness, form));
}

// CLAUSE FRM-1 REC-5
#[test]
fn tokio_reports_a_gap_of_what_cannot_be_read() {
    all_on("tokio");
}

// CLAUSE FRM-1 REC-5
#[test]
fn smol_reports_a_gap_of_what_cannot_be_read() {
    all_on("smol");
}

// CLAUSE FRM-1 REC-5
#[test]
fn async_std_reports_a_gap_of_what_cannot_be_read() {
    all_on("async-std");
}

// CLAUSE FRM-1 REC-5
#[test]
fn blocking_reports_a_gap_of_what_cannot_be_read() {
    all_on("blocking");
}
