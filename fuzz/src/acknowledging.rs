//! An application that acknowledges late, in any order or never, stores what it has now and then, and crashes: the real
//! driver and its queue of events on a machine in memory, against the stand-in.
//!
//! What it has on disk is a snapshot, and the notifications and gaps that were acknowledged in order when the snapshot was
//! read. At the end each number that was sent is there once and in order, or behind a gap.

use std::collections::{BTreeSet, VecDeque};
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ringcentral_ws_core::{Close, Config, Event, Snapshot};
use ringcentral_ws_driver::{Ack, Batch, Client, Delivery, Events, Filter, IoLimits, NotReady, Runtime, TokenSet};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, Machine, World};

use crate::rng::Rng;

/// Things that happen in one run.
const STEPS: u64 = 250;

/// What a run came to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AckReport {
    /// Notifications sent while the application was to get them.
    pub sent: u64,
    /// Of them on disk at the end.
    pub stored: u64,
    /// Of them behind a gap.
    pub covered: u64,
    /// Processes that were killed.
    pub crashes: u64,
    /// What was acknowledged, and came to the next process again because it was not stored.
    pub again: u64,
    /// What came later than newer ones, after a crash.
    pub late: u64,
    /// Handles that were dropped.
    pub dropped: u64,
    /// Times at which the health said that reading had stopped.
    pub stopped: u64,
}

impl std::ops::AddAssign for AckReport {
    fn add_assign(&mut self, other: Self) {
        self.sent += other.sent;
        self.stored += other.stored;
        self.covered += other.covered;
        self.crashes += other.crashes;
        self.again += other.again;
        self.late += other.late;
        self.dropped += other.dropped;
        self.stopped += other.stopped;
    }
}

/// One run. Without `acknowledges` the application does the same and the client does not know of it, which must show.
///
/// # Errors
///
/// What was lost or came twice.
pub fn acknowledging(seed: u64, acknowledges: bool) -> Result<AckReport, String> {
    let mut run = Run::new(seed, acknowledges);
    run.start();
    for _ in 0..STEPS {
        run.one();
    }
    run.heal();
    run.check().map_err(|what| format!("seed {seed}: {what}"))
}

/// What matters of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Row {
    Notification(u64),
    /// From when to when, in Unix milliseconds.
    Gap(&'static str, u64, u64),
}

/// What the application has taken, with the number of the first of them and whether they are acknowledged.
#[derive(Default)]
struct Taken {
    rows: VecDeque<(Row, bool)>,
    first: usize,
    /// The handles, each with the numbers of its rows.
    handles: Vec<(Vec<usize>, Ack)>,
}

struct Run {
    world: World,
    rng: Rng,
    acknowledges: bool,
    limits: IoLimits,
    client: Option<Client<Machine>>,
    events: Option<Events>,
    taken: Taken,
    /// What was acknowledged in order, on disk and since.
    rows: Vec<Row>,
    /// The process has to store its first snapshot at once.
    has_stored: bool,
    subscribed: bool,
    // On disk.
    tokens: Arc<Mutex<Option<TokenSet>>>,
    stored: Option<Snapshot>,
    stored_rows: usize,
    /// The first number that the application must get.
    due: Option<u64>,
    /// When each number was sent, in Unix milliseconds; the first is 1.
    sent_at: Vec<u64>,
    /// It works as it should.
    calm: bool,
    report: AckReport,
}

impl Run {
    fn new(seed: u64, acknowledges: bool) -> Self {
        let mut rng = Rng::new(seed);
        let mut gateway = GatewayConfig::default();
        gateway.recording_size = 10;
        gateway.max_subscriptions = usize::MAX;
        gateway.replay_sent_tail = *rng.pick(&[0, 0, 5, 30]);
        gateway.recovery_buffer_size = *rng.pick(&[10, 100]);
        gateway.rotate_wsc_every = *rng.pick(&[None, Some(1), Some(3)]);
        gateway.accept_old_wsc = rng.chance(700);
        let limits = IoLimits {
            event_queue: *rng.pick(&[2, 10, 1024]),
            snapshot_every: *rng.pick(&[1, 4, 64]),
            unacknowledged: *rng.pick(&[1, 3, 20, 1000]),
            ..IoLimits::default()
        };
        Self {
            world: World::new(seed, gateway),
            rng,
            acknowledges,
            limits,
            client: None,
            events: None,
            taken: Taken::default(),
            rows: Vec::new(),
            has_stored: false,
            subscribed: false,
            tokens: Arc::default(),
            stored: None,
            stored_rows: 0,
            due: None,
            sent_at: Vec::new(),
            calm: false,
            report: AckReport::default(),
        }
    }

    /// A process starts, from what is on disk.
    fn start(&mut self) {
        let disk = Arc::clone(&self.tokens);
        let kept = disk.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut login = self.world.login().on_tokens(move |tokens| {
            *disk.lock().unwrap_or_else(PoisonError::into_inner) = Some(tokens.clone());
        });
        if let Some(tokens) = kept {
            login = login.with_tokens(tokens).expect("tokens of this login");
        }
        let builder = self.world.builder_with(login).filters([Filter::sms()]);
        let builder = builder.limits(self.limits.clone()).acknowledge(self.acknowledges);
        let builder = match self.stored.clone() {
            Some(snapshot) => builder.restore(snapshot),
            None => builder,
        };
        let (client, events) = builder.start().expect("it starts");
        (self.client, self.events) = (Some(client), Some(events));
        self.taken = Taken::default();
        self.rows.truncate(self.stored_rows);
        (self.has_stored, self.subscribed) = (false, false);
        self.world.settle();
    }

    /// The process is killed.
    fn crash(&mut self) {
        self.report.crashes += 1;
        self.report.again += (self.rows.len() - self.stored_rows) as u64;
        // Its handles go with it, and say nothing to anybody.
        (self.client, self.events) = (None, None);
        self.taken = Taken::default();
        self.world.settle();
    }

    fn one(&mut self) {
        match self.rng.below(100) {
            0..30 => self.notify(),
            30..57 => drop(self.take()),
            57..78 => self.acknowledge(),
            78 => self.drop_one(),
            79 | 80 => {
                self.crash();
                let away = self.rng.below(4) * self.rng.below(60);
                self.world.pass(Duration::from_secs(away));
                self.start();
            }
            81 => self.end_and_start(),
            82..85 => self.fault(),
            _ => {
                let millis = *self.rng.pick(&[1, 50, 3_000, 30_000]);
                self.world.pass(Duration::from_millis(millis));
            }
        }
        self.world.settle();
        let reason = self.client.as_ref().and_then(|client| client.health().reason);
        self.report.stopped += u64::from(reason == Some(NotReady::Unacknowledged));
    }

    fn notify(&mut self) {
        for _ in 0..=self.rng.below(5) {
            let (number, _) = self.world.server.notify();
            self.sent_at.push(u64::try_from(self.world.machine.clocks().wall.as_millis()).unwrap_or(u64::MAX));
            // Nothing is promised before the application knows of its subscription and has stored that it has one.
            if self.due.is_none() && self.subscribed && self.stored.is_some() {
                self.due = Some(number);
            }
        }
    }

    /// Takes one event, or a batch.
    fn take(&mut self) -> bool {
        let Some(events) = &mut self.events else { return false };
        let mut cx = Context::from_waker(Waker::noop());
        let batch = if self.rng.chance(500) {
            let most = self.rng.between(1, 8) as usize;
            std::pin::pin!(events.next_batch(most)).poll(&mut cx)
        } else {
            std::pin::pin!(events.next_delivery())
                .poll(&mut cx)
                .map(|one| one.map(|Delivery { event, ack }| Batch { events: vec![event], ack }))
        };
        let Poll::Ready(Some(Batch { events, ack })) = batch else { return false };
        let (mut numbers, mut is_snapshot) = (Vec::new(), false);
        for event in events {
            let row = match event {
                Event::Notification(n) => Row::Notification(number_of(n.body())),
                Event::Gap(gap) => Row::Gap(gap.cause.as_str(), gap.since.0, gap.until.0),
                Event::SnapshotChanged => {
                    is_snapshot = true;
                    continue;
                }
                Event::Subscribed(_) => {
                    self.subscribed = true;
                    continue;
                }
                _ => continue,
            };
            numbers.push(self.taken.first + self.taken.rows.len());
            self.taken.rows.push_back((row, false));
        }
        if !numbers.is_empty() {
            self.taken.handles.push((numbers, ack));
        }
        // The first one must be stored before the next event is taken; with others there is no hurry.
        if is_snapshot && (!self.has_stored || self.calm || self.rng.chance(700)) {
            let snapshot = self.client.as_ref().and_then(Client::snapshot);
            self.store(snapshot);
        }
        true
    }

    /// Writes both in one transaction.
    fn store(&mut self, snapshot: Option<Snapshot>) {
        let Some(snapshot) = snapshot else { return };
        self.has_stored = true;
        self.stored = Some(snapshot);
        self.stored_rows = self.rows.len();
    }

    /// Acknowledges something, mostly the oldest.
    fn acknowledge(&mut self) {
        if self.taken.handles.is_empty() {
            return;
        }
        let last = self.taken.handles.len() as u64 - 1;
        let which = if self.calm || self.rng.chance(600) { 0 } else { self.rng.between(0, last) };
        let (numbers, ack) = self.taken.handles.remove(which as usize);
        self.finish(&numbers);
        // In one transaction only what is acknowledged in order, as the documentation says.
        if self.rng.chance(500) {
            if let Some(snapshot) = ack.acknowledge_and_take() {
                self.store(Some(snapshot));
            }
        } else {
            ack.acknowledge();
        }
    }

    /// The application has dealt with these: its results count as far as all before them are there.
    fn finish(&mut self, numbers: &[usize]) {
        for number in numbers {
            self.taken.rows[number - self.taken.first].1 = true;
        }
        while self.taken.rows.front().is_some_and(|(_, is_done)| *is_done)
            && let Some((row, _)) = self.taken.rows.pop_front()
        {
            self.rows.push(row);
            self.taken.first += 1;
        }
    }

    /// Loses a handle. Such a program ends before long.
    fn drop_one(&mut self) {
        if self.rng.chance(300) && self.taken.handles.pop().is_some() {
            self.report.dropped += 1;
        }
    }

    /// An orderly end, with or without the acknowledgements that are still open.
    fn end_and_start(&mut self) {
        let Some(client) = self.client.clone() else { return };
        let mut close = Call::new(async move { client.close(Close::Detach).await });
        while !close.poll() {
            self.world.step();
        }
        while self.take() {}
        if self.rng.chance(500) {
            while !self.taken.handles.is_empty() {
                self.acknowledge();
            }
            let snapshot = self.client.as_ref().and_then(Client::snapshot);
            self.store(snapshot);
        }
        self.crash();
        self.notify();
        let away = self.rng.below(200);
        self.world.pass(Duration::from_secs(away));
        self.start();
    }

    fn fault(&mut self) {
        match self.rng.below(7) {
            0 | 1 => self.world.server.reset(),
            2 => {
                self.world.machine.refuse(true);
                let away = self.rng.below(250);
                self.world.server.reset();
                self.world.pass(Duration::from_secs(away));
                self.notify();
                self.world.machine.refuse(false);
            }
            3 => {
                self.world.server.silence(true);
                self.notify();
                self.world.pass(Duration::from_secs(60));
                self.world.server.silence(false);
            }
            4 => {
                let (gateway, now) = self.world.server.gateway();
                gateway.restart(now);
            }
            5 => {
                let (gateway, now) = self.world.server.gateway();
                gateway.close_all(1001, "bye", now);
            }
            _ => self.world.suspend(Duration::from_secs(90)),
        }
    }

    /// All goes well, in a new process: what was sent has come, or a gap says that it does not.
    fn heal(&mut self) {
        self.calm = true;
        self.crash();
        self.start();
        for round in 0..60 {
            self.work_off();
            if matches!(round, 20 | 40) {
                self.notify();
            }
            self.world.pass(Duration::from_secs(10));
        }
        self.work_off();
    }

    /// Takes and acknowledges all there is, and lets the client read on.
    fn work_off(&mut self) {
        while self.take() || !self.taken.handles.is_empty() {
            while self.take() {}
            while !self.taken.handles.is_empty() {
                self.acknowledge();
            }
            self.world.settle();
        }
    }

    /// Each number once and in order; what is missing was sent within a gap that came before the next one. What a process
    /// had got that was killed may come later than its place, as what it had not got at all.
    fn check(mut self) -> Result<AckReport, String> {
        let Some(first) = self.due else { return Ok(self.report) };
        let (mut next, mut gaps, mut seen) = (first, Vec::new(), BTreeSet::new());
        for (place, row) in self.rows.iter().enumerate() {
            match *row {
                Row::Gap(_, since, until) => gaps.push((since, until)),
                Row::Notification(n) if n < first => {}
                Row::Notification(n) => {
                    let before = &self.rows[place.saturating_sub(20)..=place];
                    if !seen.insert(n) {
                        return Err(format!("{n} came again: {before:?}"));
                    }
                    if n < next {
                        // A process that was killed had got it, and the server sends it again in a longer replay.
                        self.report.late += 1;
                        continue;
                    }
                    if let Some(lost) = (next..n).find(|lost| !self.is_covered(*lost, &gaps)) {
                        let at = self.sent_at[lost as usize - 1];
                        return Err(format!("{lost}, sent at {at}, is missing without a gap: {before:?}"));
                    }
                    self.report.stored += 1;
                    self.report.covered += n - next;
                    next = n + 1;
                }
            }
        }
        let last = self.sent_at.len() as u64;
        if next <= last {
            return Err(format!("{next} to {last} never came: {:?}", self.rows.last()));
        }
        self.report.sent = last + 1 - first;
        Ok(self.report)
    }

    fn is_covered(&self, number: u64, gaps: &[(u64, u64)]) -> bool {
        let at = self.sent_at[number as usize - 1];
        // What was read after a pause had waited so long at most; and both ends are rounded.
        let early = 1 + Config::default().wake_timeout.as_millis() as u64;
        gaps.iter().any(|(since, until)| (since.saturating_sub(early)..=until + 1).contains(&at))
    }
}

/// The number in `{"n":7}`.
fn number_of(body: &str) -> u64 {
    body.bytes().filter(u8::is_ascii_digit).fold(0, |n, digit| n * 10 + u64::from(digit - b'0'))
}
