//! What the server's bytes come to, connection by connection, held against what the application got.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use ringcentral_ws_testkit::Seen;

use super::limits::{
    AHEAD, EVENT, EVENTS, FINISH_BY, FRAME_BYTES, HANDSHAKE, HELD_BYTES, PARTS, POLL, POLL_FRAMES, PONG_MAX, SILENCE,
    SLACK, UPGRADE,
};
use super::script::RUBBISH;
use super::wire::{Item, Wire};

/// Bytes by which a client's frame is longer than the same one of a server (RFC 6455, 5.3).
const MASK: usize = 4;

/// What the application got, as far as it matters here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Received {
    Notification(u64),
    Gap(&'static str),
    /// The end of a connection, for the trace.
    Disconnected(String),
}

/// What the bytes came to, in their order over all connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Sent {
    Notification(u64),
    /// What cannot be read, or was cut: it may have been a notification.
    Lost,
    /// The same, of which nobody can say so.
    Unclear,
    /// The end of a connection; whether the client ended it, so that it may have left unread what it had taken.
    End {
        left: bool,
    },
}

/// One stream.
#[derive(Debug)]
struct Lane {
    wire: Wire,
    born: Duration,
    /// The client saw that the stream has ended.
    ended: bool,
    /// ConnectionDetails came.
    ready: bool,
    /// And an echo or an answer after it: what is read before may be held, until it is known whether it is a replay or whose
    /// it is.
    settled: bool,
    /// When the client has handled what came whole last.
    life: Duration,
    /// Since when a message has been unfinished.
    unfinished: Option<Duration>,
    /// Bytes of pings since the client wrote last.
    pings: usize,
    /// Most bytes of pongs that can have counted as unsent: those since the last poll that left none.
    pongs: usize,
    /// The client has flushed what answers the pings that it read.
    flushed: bool,
    /// The client's writes fail.
    unwritable: bool,
    /// It has read a ping since.
    failed: bool,
    /// Notifications that the server wrote.
    written: Vec<u64>,
}

#[derive(Debug, Default)]
pub(super) struct Oracle {
    lanes: BTreeMap<u64, Lane>,
    sent: Vec<Sent>,
    pub(super) received: Vec<Received>,
    /// Notifications that were sent, by their text.
    texts: BTreeMap<String, u64>,
    /// Those that were read and not taken by the application, with their sizes.
    waiting: BTreeMap<u64, usize>,
    /// Those of them that may have been held first, which the limits of the session bound.
    held: BTreeMap<u64, usize>,
    known: BTreeSet<u64>,
    /// Most bytes of events that may wait.
    most: usize,
    /// An answer over the socket has been awaited since the application had taken all: then only bytes count.
    asked: bool,
}

impl Oracle {
    pub(super) fn new(many: bool) -> Self {
        Self { most: EVENTS[usize::from(many)].0, ..Self::default() }
    }

    /// A notification of this text may come.
    pub(super) fn will_send(&mut self, text: &str, number: u64) {
        self.texts.insert(text.to_owned(), number);
    }

    pub(super) fn was_sent(&self, text: &str) -> bool {
        self.texts.contains_key(text)
    }

    /// The newest stream that is ready and not dropped.
    pub(super) fn live(&self) -> Option<u64> {
        self.lanes.iter().rev().find(|(_, lane)| lane.ready).map(|(id, _)| *id)
    }

    pub(super) fn set_unwritable(&mut self, id: u64) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.unwritable = true;
        }
    }

    /// The server has written this one, whole, to this stream.
    pub(super) fn was_written(&mut self, id: u64, number: u64) {
        if let Some(lane) = self.lanes.get_mut(&id) {
            lane.written.push(number);
        }
    }

    pub(super) fn notified(&mut self, number: u64) {
        self.waiting.remove(&number);
        self.held.remove(&number);
        self.received.push(Received::Notification(number));
    }

    /// Takes what streams saw in one poll.
    pub(super) fn see(&mut self, seen: Vec<Seen>, now: Duration) {
        for one in seen {
            match one {
                Seen::Read(id, bytes) => self.read(id, &bytes, now),
                Seen::End(id) => {
                    if let Some(lane) = self.lanes.get_mut(&id) {
                        lane.ended = true;
                    }
                }
                Seen::Wrote(id, _) => self.lane(id, now).pings = 0,
                Seen::Flushed(id) => self.lane(id, now).flushed = true,
                Seen::Dropped(id) => self.dropped(id),
            }
        }
        self.lanes.values_mut().filter(|lane| lane.flushed).for_each(|lane| lane.pongs = 0);
    }

    fn lane(&mut self, id: u64, now: Duration) -> &mut Lane {
        self.lanes.entry(id).or_insert_with(|| Lane {
            wire: Wire::new(FRAME_BYTES),
            born: now,
            ended: false,
            ready: false,
            settled: false,
            life: now,
            unfinished: None,
            pings: 0,
            pongs: 0,
            flushed: false,
            unwritable: false,
            failed: false,
            written: Vec::new(),
        })
    }

    fn read(&mut self, id: u64, bytes: &[u8], now: Duration) {
        let (lane, mut items) = (self.lane(id, now), Vec::new());
        lane.wire.read(bytes, &mut items);
        if !items.is_empty() {
            lane.life = now + POLL * (items.len() / POLL_FRAMES) as u32;
        }
        let in_message = lane.wire.is_in_message();
        let renewed = items.iter().any(|item| matches!(item, Item::Text(_) | Item::Binary));
        lane.unfinished = if in_message { lane.unfinished.filter(|_| !renewed).or(Some(now)) } else { None };
        for item in items {
            self.item(id, item);
        }
    }

    fn item(&mut self, id: u64, item: Item) {
        match item {
            Item::Text(text) => self.text(id, &text),
            Item::Binary | Item::Bad(_) => self.sent.push(Sent::Lost),
            Item::Ping(size) => {
                if let Some(lane) = self.lanes.get_mut(&id) {
                    // The answer to the first one after writes have failed shows that they do; those that follow take
                    // no room.
                    if !std::mem::replace(&mut lane.failed, lane.unwritable) {
                        lane.pings += size;
                        lane.pongs += size + MASK;
                        lane.flushed = false;
                    }
                }
            }
            Item::Pong => {}
            Item::Closed { cut: true, .. } => self.sent.push(Sent::Lost),
            Item::Closed { proper, .. } => self.sent.extend((!proper).then_some(Sent::Unclear)),
        }
    }

    fn text(&mut self, id: u64, text: &str) {
        // White space around it is part of no message: a frame that claims a byte more may end with it.
        let text = text.trim_matches([' ', '\t', '\r', '\n']);
        if let Some(number) = self.texts.get(text).copied().or_else(|| genuine(text)) {
            self.sent.push(Sent::Notification(number));
            if self.known.insert(number) {
                let is_settled = self.lanes.get(&id).is_some_and(|lane| lane.settled);
                let kept = if is_settled { &mut self.waiting } else { &mut self.held };
                kept.insert(number, text.len());
            }
        } else if text == RUBBISH {
            self.sent.push(Sent::Lost);
        } else if serde_json::from_str::<serde_json::Value>(text).is_err() {
            // A frame that claims fewer bytes than there are makes a text that only begins like a good one.
            self.sent.push(Sent::Unclear);
        } else if text.starts_with("[{\"type\":\"ConnectionDetails\"") {
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.ready = true;
            }
        } else if ["ClientRequest", "Heartbeat"].iter().any(|kind| is_of(text, kind)) {
            if let Some(lane) = self.lanes.get_mut(&id) {
                lane.settled = true;
            }
        } else if !is_of(text, "SomethingNew") {
            self.sent.push(Sent::Unclear);
        }
    }

    fn dropped(&mut self, id: u64) {
        let Some(lane) = self.lanes.remove(&id).filter(|lane| lane.wire.is_upgraded()) else { return };
        let over = lane.wire.is_over();
        if lane.wire.is_in_message() {
            self.sent.push(if lane.ended || lane.ready { Sent::Lost } else { Sent::Unclear });
        }
        // A peer that does not read pongs is left before what it sent behind the pings is read, though it ends there.
        let left = !lane.ended && (!over || lane.pongs > PONG_MAX);
        if left {
            // The server takes them as sent, and nobody reads them any more. Where writes fail its end is gone.
            let written = if lane.unwritable { &[][..] } else { &lane.written };
            self.sent.extend(written.iter().any(|number| !self.known.contains(number)).then_some(Sent::Lost));
            self.waiting.clear();
            self.held.clear();
        }
        self.sent.push(Sent::End { left });
    }

    /// Calls of the application are under way.
    pub(super) fn asks(&mut self, asks: bool) {
        self.asked = asks || self.asked && !self.waiting.is_empty();
    }

    /// Nothing is late and nothing is too much. `listens` is since when the application has taken events.
    pub(super) fn check(&self, now: Duration, listens: Option<Duration>) {
        for (id, lane) in self.lanes.iter().filter(|(_, lane)| lane.wire.is_upgraded()) {
            let wire = &lane.wire;
            assert!(wire.behind() <= AHEAD, "{} bytes were read behind the end of {id}", wire.behind());
            assert!(wire.parts() <= PARTS + AHEAD / 2, "a message of {id} has {} frames", wire.parts());
            assert!(lane.pings <= PONG_MAX + AHEAD, "{} bytes of pings wait for answers", lane.pings);
            assert!(lane.ready || now <= lane.born + HANDSHAKE + UPGRADE + SLACK, "no end of the handshake of {id}");
            let Some(since) = listens else { continue };
            let age = |from: Duration| now.saturating_sub(from.max(since));
            assert!(age(lane.life) <= SILENCE + SLACK, "{id} has been silent for {:?}", age(lane.life));
            let unfinished = lane.unfinished.map_or(Duration::ZERO, age);
            assert!(unfinished <= FINISH_BY + SLACK, "a message of {id} has been unfinished for {unfinished:?}");
        }
        let held: usize = self.held.values().sum();
        assert!(held <= HELD_BYTES + FRAME_BYTES, "{held} bytes are held");
        // What an event weighs is not what its text is long: a session keeps little of that beside the body.
        let waiting = if self.asked { self.waiting.len() * EVENT } else { self.waiting.values().sum() };
        assert!(waiting <= self.most + 2 * FRAME_BYTES + AHEAD, "{waiting} bytes wait for the application");
    }

    /// What was received is what was sent: once, in order, and with a gap for each loss before what came after it.
    pub(super) fn settle(&self) {
        if std::env::var_os("TRACE").is_some() {
            eprintln!("{self}");
        }
        let delivered: BTreeSet<u64> = self.numbers().collect();
        assert_eq!(delivered.len(), self.numbers().count(), "something came twice: {self}");
        // Where in `sent` the last notification was, and what came since.
        let (mut at, mut gaps): (usize, Vec<&str>) = (0, Vec::new());
        for received in &self.received {
            let number = match received {
                Received::Gap(cause) => {
                    gaps.push(cause);
                    continue;
                }
                Received::Notification(number) => *number,
                Received::Disconnected(_) => continue,
            };
            let found = self.sent[at..].iter().position(|sent| *sent == Sent::Notification(number));
            let Some(found) = found else { panic!("{number} was not sent, or not in this place: {self}") };
            self.between(&self.sent[at..at + found], at, &delivered, &gaps, number);
            at += found + 1;
            gaps.clear();
        }
        self.between(&self.sent[at..], at, &delivered, &["the end"], 0);
    }

    fn between(&self, sent: &[Sent], from: usize, delivered: &BTreeSet<u64>, gaps: &[&str], before: u64) {
        let (mut lost, mut unclear, mut ended) = (false, false, false);
        for (at, one) in sent.iter().enumerate() {
            match one {
                Sent::Notification(number) if delivered.contains(number) => {}
                Sent::Notification(number) => {
                    lost = true;
                    let end = self.sent[from + at..].iter().find(|sent| matches!(sent, Sent::End { .. }));
                    assert_eq!(end, Some(&Sent::End { left: true }), "{number} was read and not received: {self}");
                }
                Sent::Lost => lost = true,
                Sent::Unclear => unclear = true,
                Sent::End { .. } => ended = true,
            }
        }
        assert!(!lost || !gaps.is_empty(), "something was lost before {before}, and no gap says so: {self}");
        let reason = lost || unclear;
        let (last, any) = (before == 0, gaps.is_empty());
        assert!(last || any || reason || ended, "nothing was lost before {before}, and a gap says so: {self}");
        let unreadable = gaps.contains(&"unreadable_frame");
        assert!(!unreadable || reason || left(sent), "all before {before} could be read: {self}");
    }

    fn numbers(&self) -> impl Iterator<Item = u64> {
        self.received
            .iter()
            .filter_map(|received| if let Received::Notification(number) = received { Some(*number) } else { None })
    }
}

/// Whether the client ended a connection by itself.
fn left(sent: &[Sent]) -> bool {
    sent.contains(&Sent::End { left: true })
}

impl std::fmt::Display for Oracle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "\nsaid {:?}\ntold {:?}", self.sent, self.received)
    }
}

fn is_of(text: &str, kind: &str) -> bool {
    text.strip_prefix("[{\"type\":\"").is_some_and(|rest| rest.starts_with(kind))
}

/// The number of a notification that the stand-in made.
fn genuine(text: &str) -> Option<u64> {
    let number = text.strip_suffix("}}]")?.rsplit_once("\"body\":{\"n\":")?.1.parse().ok()?;
    (is_of(text, "ServerNotification") && !text.contains("forged-")).then_some(number)
}
