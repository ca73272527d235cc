//! Random days: messages, calls and posts come in, connections break and come back, calls fail, tokens expire, and the
//! process restarts at any step. In the end everything was delivered once, as a notification or as a record.

use std::collections::{BTreeMap, BTreeSet};

use ringcentral_ws_core::{RecordKind, Unfilled};

use super::model::{Item, Model};
use super::*;

/// SplitMix64, as the lab's.
pub(super) struct Rng(pub(super) u64);

impl Rng {
    pub(super) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % n
    }

    pub(super) fn chance(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }
}

/// What is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Sms,
    MessageStore,
    CallsAndPosts,
}

struct Day {
    rng: Rng,
    mode: Mode,
    model: Model,
    filler: GapFiller,
    settings: Backfill,
    /// Milliseconds by the client's clock.
    ms: u64,
    /// How far the server's is ahead.
    skew: i64,
    /// Since when there is no connection.
    down: Option<u64>,
    next_id: u64,
    call: Option<GapCall>,
    delivered: BTreeSet<u64>,
    /// Kind and id, and what of each was handed out at which times.
    handed_out: BTreeMap<(RecordKind, u64), Vec<u64>>,
    /// What happened while there was no connection: kind, id, and when.
    lost: Vec<(RecordKind, u64, u64)>,
    incomplete: bool,
    old_changes: bool,
    may_repeat: bool,
    calm: bool,
    name: String,
    gaps: Vec<(u64, u64)>,
    filled: Vec<(u64, u64)>,
}

impl Day {
    fn new(seed: u64, mode: Mode) -> Self {
        let mut rng = Rng(seed);
        let filters = match mode {
            Mode::Sms => vec![Filter::sms()],
            Mode::MessageStore => vec![Filter::message_store()],
            Mode::CallsAndPosts => vec![Filter::telephony_sessions(), Filter::team_posts()],
        };
        let settings = Backfill::new().attempts(30);
        let mut filler = GapFiller::new(settings.clone(), seed);
        filler.set_filters(filters.iter().map(Filter::as_str));
        filler.set_online(true);
        let skew = rng.below(240_000).cast_signed() - 120_000;
        Self {
            rng,
            mode,
            model: Model::default(),
            filler,
            settings,
            ms: 1_000_000,
            skew,
            down: None,
            next_id: 1,
            call: None,
            delivered: BTreeSet::new(),
            handed_out: BTreeMap::new(),
            lost: Vec::new(),
            incomplete: false,
            old_changes: false,
            may_repeat: false,
            calm: false,
            name: String::new(),
            gaps: Vec::new(),
            filled: Vec::new(),
        }
    }

    fn server(&self) -> u64 {
        self.ms.saturating_add_signed(self.skew)
    }

    /// Something happens on the account.
    fn happen(&mut self) {
        let now = self.server();
        let id = self.next_id;
        self.next_id += 1;
        let is_new = Item { created: now, changed: now };
        match self.mode {
            Mode::MessageStore if self.rng.chance(40) && !self.model.messages.is_empty() => {
                let place = self.rng.below(self.model.messages.len() as u64) as usize;
                let (id, message) = self.model.messages.iter_mut().nth(place).unwrap();
                message.changed = now;
                let id = *id;
                self.note(RecordKind::Message, id, now);
            }
            Mode::Sms | Mode::MessageStore => {
                let body = is_new.json(id);
                self.model.messages.insert(id, is_new);
                self.note(RecordKind::Message, id, now);
                if self.mode == Mode::Sms {
                    self.deliver(id, &notified("message-store/instant?type=SMS", &body));
                }
            }
            Mode::CallsAndPosts if self.rng.chance(50) => {
                let length = 1000 * (1 + self.rng.below(20));
                self.model.calls.insert(id, Item { created: now.saturating_sub(length), changed: now });
                self.note(RecordKind::Call, id, now);
            }
            Mode::CallsAndPosts => {
                let body = is_new.post(id);
                self.model.posts.insert(id, is_new);
                self.note(RecordKind::Post, id, now);
                let event = format!(r#"{{"event":"/team-messaging/v1/posts","body":{body}}}"#);
                self.deliver(id, &Notification::from_json(&event).unwrap());
            }
        }
    }

    fn note(&mut self, kind: RecordKind, id: u64, now: u64) {
        if self.down.is_some() {
            self.lost.push((kind, id, now));
        }
    }

    fn deliver(&mut self, id: u64, notification: &Notification) {
        if self.down.is_none() {
            self.delivered.insert(id);
            self.filler.on_notification(notification, clock(self.ms));
        }
    }

    fn connect_or_not(&mut self) {
        match self.down.take() {
            None => {
                self.down = Some(self.ms);
                self.filler.set_online(false);
            }
            Some(since) => {
                self.filler.set_online(true);
                self.filler.on_gap(gap(since, self.ms), Timestamp::from_millis(self.ms));
                self.gaps.push((since, self.ms));
            }
        }
    }

    /// Another process goes on. A call under way is lost with this one.
    fn restart(&mut self) {
        let state = self.filler.state(clock(self.ms)).to_json();
        let state = BackfillState::from_json(&state).expect("it was just written");
        self.filler = GapFiller::restore(self.settings.clone(), state, self.ms, clock(self.ms));
        self.filler.set_online(self.down.is_none());
        self.call = None;
    }

    fn end_call(&mut self) {
        let Some(call) = self.call.take() else { return };
        let now = clock(self.ms);
        if !self.calm {
            match self.rng.below(12) {
                0 => return self.filler.on_failure(call.id, true, now),
                1 => return self.filler.on_failure(call.id, false, now),
                2 => return self.filler.on_answer(call.id, 500, &HeaderMap::new(), b"<html>", now),
                3 => return self.filler.on_answer(call.id, 429, &headers(&[("Retry-After", "3")]), b"{}", now),
                4 => return self.filler.on_answer(call.id, 200, &HeaderMap::new(), b"{\"records\":", now),
                5 => self.model.tokens_from = self.server().saturating_sub(self.rng.below(600_000)),
                _ => {}
            }
        }
        let (status, body) = self.model.answer(&call.path, self.server());
        self.filler.on_answer(call.id, status, &HeaderMap::new(), body.as_bytes(), now);
    }

    fn turn(&mut self) {
        for _ in 0..50 {
            match self.filler.poll(clock(self.ms)) {
                FillStep::Call(call) => {
                    assert!(self.down.is_none() && self.call.is_none(), "no call without a connection, one at a time");
                    self.call = Some(call);
                }
                FillStep::Filled(filled) => self.take(&filled),
                FillStep::Wait(Some(at)) => return assert!(at > Timestamp::from_millis(self.ms)),
                FillStep::Wait(None) => return,
            }
        }
        panic!("it never waits");
    }

    fn take(&mut self, filled: &Backfilled) {
        self.filled.push((filled.gap.since.0 - EPOCH, filled.gap.until.0 - EPOCH));
        let old_changes = filled.unfilled.contains(&Unfilled::OldMessageChanges);
        self.old_changes |= old_changes;
        // That alone takes nothing from what was made in the gap.
        self.incomplete |= !filled.complete && (!old_changes || missing(filled).len() > 3);
        self.may_repeat |= filled.may_repeat;
        for record in &filled.records {
            let id: u64 = record.id().parse().unwrap();
            let time = record.time().unwrap().0 - EPOCH;
            if self.mode != Mode::MessageStore && !self.may_repeat {
                assert!(!self.delivered.contains(&id), "{id} was delivered");
            }
            let before = self.handed_out.entry((record.kind(), id)).or_default();
            let again = if self.mode == Mode::MessageStore { before.contains(&time) } else { !before.is_empty() };
            assert!(!again || self.may_repeat, "{id} came twice");
            before.push(time);
        }
    }

    fn step(&mut self) {
        self.ms += 1 + self.rng.below(3000);
        match self.rng.below(100) {
            0..40 => self.happen(),
            40..44 => self.connect_or_not(),
            44..48 => self.restart(),
            48..50 => self.ms += self.rng.below(400_000),
            50..80 => self.end_call(),
            _ => {}
        }
        self.turn();
    }

    fn check(&self) {
        assert!(self.filled.len() <= self.gaps.len() && self.filler.waiting() == 0);
        for (since, until) in &self.gaps {
            let covers = self.filled.iter().filter(|(from, to)| from <= since && until <= to);
            assert_eq!(covers.count(), 1, "each gap is part of one backfill");
        }
        if self.incomplete {
            return;
        }
        for (kind, id, at) in &self.lost {
            let is_change = self.model.messages.get(id).is_some_and(|message| message.created < *at);
            if is_change && self.old_changes {
                continue;
            }
            let records = self.handed_out.get(&(*kind, *id));
            let found = records.is_some_and(|times| times.iter().any(|time| time >= at));
            assert!(
                found || self.delivered.contains(id),
                "{}: {} {id} of {at} is missing (ahead {}): {:?}",
                self.name,
                kind.as_str(),
                self.skew,
                self.gaps
            );
        }
    }

    /// Faults end, and all gaps with them.
    fn finish(&mut self) {
        self.calm = true;
        if self.down.is_some() {
            self.connect_or_not();
        }
        for _ in 0..20_000 {
            self.turn();
            if self.call.is_some() {
                self.end_call();
            } else if self.filler.waiting() == 0 {
                return;
            }
            self.ms += 500;
        }
        panic!("{} gaps are never done with", self.filler.waiting());
    }
}

fn day(seed: u64, mode: Mode) -> bool {
    let mut day = Day::new(seed, mode);
    day.name = format!("seed {seed} {mode:?}");
    (0..400).for_each(|_| day.step());
    day.finish();
    day.check();
    !day.incomplete && !day.may_repeat
}

#[test]
fn everything_comes_once_whatever_happens() {
    let seeds: u64 = std::env::var("BACKFILL_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(40);
    for mode in [Mode::Sms, Mode::MessageStore, Mode::CallsAndPosts] {
        let whole = (0..seeds).filter(|seed| day(*seed, mode)).count() as u64;
        // Days that end incomplete prove less; there are few of them.
        assert!(whole * 10 > seeds * 8, "{mode:?}: {whole}");
    }
}
