//! An application that acknowledges what it has stored, over real sockets, on every adapter: it crashes, goes on from what
//! it has stored, and has each message once.

use crate::harness;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use ringcentral_ws_adapter::{Ack, Batch};
use ringcentral_ws_api::Backfill;
use ringcentral_ws_conformance::{DEADLINE, Harness, World};
use ringcentral_ws_core::{Close, Event, Gap, GapCause, Snapshot};

const FROM: &str = "+16505550100";

/// What the application keeps over its crashes. Each call of `commit` is a transaction.
#[derive(Default)]
struct Database {
    /// How often each message was stored.
    rows: BTreeMap<String, usize>,
    /// The uuid of the notification that was stored last.
    last: Option<String>,
    snapshot: Option<String>,
    gaps: Vec<Gap>,
    filled: usize,
}

impl Database {
    /// Stores events together with the snapshot that covers them. The handle is used on another thread.
    fn commit(&mut self, Batch { events, ack }: Batch) {
        for event in events {
            match event {
                Event::Notification(n) => {
                    self.insert(id(&n.parse::<serde_json::Value>().expect("JSON")["id"]));
                    self.last = Some(n.uuid().to_owned());
                }
                Event::Backfill(filled) => {
                    self.filled += 1;
                    filled.records.iter().for_each(|record| self.insert(record.id().to_owned()));
                }
                Event::Gap(gap) => self.gaps.push(gap),
                _ => {}
            }
        }
        let snapshot = std::thread::spawn(|| ack.acknowledge_and_take()).join().expect("a snapshot or none");
        self.snapshot = snapshot.map(|snapshot| snapshot.to_json()).or(self.snapshot.take());
    }

    fn insert(&mut self, id: String) {
        *self.rows.entry(id).or_default() += 1;
    }

    /// Stores what comes until something is so.
    fn until(&mut self, world: &mut World<'_>, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + DEADLINE;
        while !is_so(self) {
            let batch = world.client().next_batch(5, end.saturating_duration_since(Instant::now()));
            self.commit(batch.unwrap_or_else(|| panic!("never {what}")).expect("it goes on"));
        }
    }

    /// Another run begins with what is stored.
    fn start(&self, world: &mut World<'_>, refresh_token: Option<String>) {
        let snapshot = self.snapshot.as_ref().map(|json| Snapshot::from_json(json).expect("a snapshot"));
        (world.setup.snapshot, world.setup.refresh_token) = (snapshot, refresh_token);
        world.start();
    }

    fn has_once(&self, ids: &[String]) {
        for id in ids {
            assert_eq!(self.rows.get(id), Some(&1), "{id} of {ids:?} in {:?}, {:?}", self.rows, self.gaps);
        }
    }
}

fn id(json: &serde_json::Value) -> String {
    json.as_str().map_or_else(|| json.to_string(), str::to_owned)
}

fn world(harness: &dyn Harness, unacknowledged: usize) -> World<'_> {
    let mut world = World::new(harness, false);
    world.setup.acknowledge = Some(unacknowledged);
    // What was delivered is there long before the first call.
    world.setup.backfill = Some(Backfill::new().settle(Duration::from_millis(500)).spread(Duration::ZERO));
    world
}

fn send(world: &World<'_>, count: usize) -> Vec<String> {
    (0..count).map(|n| world.server.receive_sms(0, FROM, &n.to_string()).to_string()).collect()
}

/// Notifications among these events.
fn notifications(batch: &Batch) -> usize {
    batch.events.iter().filter(|event| matches!(event, Event::Notification(_))).count()
}

fn crashes(harness: &dyn Harness) {
    let mut world = world(harness, 1000);
    world.start();
    let mut database = Database::default();
    let subscribed = |world: &World<'_>| world.server.with_gateway(|gateway, _| gateway.subscriptions().count() > 0);
    while !subscribed(&world) {
        if let Some(batch) = world.client().next_batch(5, Duration::from_millis(10)) {
            database.commit(batch.expect("it goes on"));
        }
    }
    let stored = send(&world, 7);
    database.until(&mut world, "the first messages", |database| database.rows.len() == 7);
    database.has_once(&stored);
    let (last, before) = (database.last.clone(), database.snapshot.clone());
    // These are taken, and the process ends before they are stored.
    let lost = send(&world, 6);
    let mut taken = 0;
    let mut open: Vec<Ack> = Vec::new();
    while taken < lost.len() {
        let batch = world.client().next_batch(4, DEADLINE).expect("in time").expect("it goes on");
        taken += notifications(&batch);
        open.push(batch.ack);
    }
    let (shown, refresh_token) = world.client().keep();
    world.stop();
    drop(open);
    assert_eq!(shown.and_then(|snapshot| uuid(&snapshot.to_json())), uuid(before.as_ref().expect("a snapshot")));
    let gone = |world: &World<'_>| world.server.with_gateway(|gateway, _| gateway.connections().count() == 0);
    world.until_server(|_| gone(&world));
    // What comes while nobody is there is kept by the server.
    let kept = send(&world, 3);

    database.start(&mut world, refresh_token);
    database.until(&mut world, "a gap, and what is behind it", |database| database.filled == 1);
    database.until(&mut world, "what was kept", |database| kept.iter().all(|id| database.rows.contains_key(id)));
    let after = send(&world, 2);
    database.until(&mut world, "what comes now", |database| after.iter().all(|id| database.rows.contains_key(id)));
    let gap = &database.gaps[0];
    assert_eq!((database.gaps.len(), &gap.cause, &gap.after.as_deref()), (1, &GapCause::Restored, &last.as_deref()));
    // What was acknowledged does not come again, and of what was not each comes once more.
    for ids in [&stored, &lost, &kept, &after] {
        database.has_once(ids);
    }
    assert_eq!(database.rows.len(), 18, "{:?}", database.rows);

    // All is acknowledged: an orderly end leaves no gap.
    world.client().close(Close::Detach);
    while let Some(batch) = world.client().next_batch(5, DEADLINE).expect("the events end") {
        database.commit(batch);
    }
    let refresh_token = world.client().keep().1;
    let meanwhile = send(&world, 2);
    database.start(&mut world, refresh_token);
    database.until(&mut world, "what came meanwhile", |database| database.rows.len() == 20);
    let then = send(&world, 1);
    database.until(&mut world, "what comes then", |database| database.rows.len() == 21);
    database.has_once(&[meanwhile, then].concat());
    assert!(database.rows.values().all(|times| *times == 1), "{:?}", database.rows);
    assert_eq!(database.gaps.len(), 1, "{:?}", database.gaps);
    world.client().close(Close::Revoke);
}

/// The last notification that a snapshot covers.
fn uuid(snapshot: &str) -> Option<String> {
    let json: serde_json::Value = serde_json::from_str(snapshot).expect("JSON");
    json["last"].as_str().map(str::to_owned)
}

fn stops_reading(harness: &dyn Harness) {
    let mut world = world(harness, 8);
    world.setup.event_queue = 4;
    world.subscribe();
    let sent = send(&world, 60);
    let (mut open, mut taken, began) = (Vec::new(), 0, Instant::now());
    loop {
        match world.client().next_batch(3, Duration::from_millis(200)) {
            Some(batch) => open.push(batch.expect("it goes on")),
            None if taken >= 8 => break,
            None => assert!(began.elapsed() < DEADLINE, "{taken} were taken"),
        }
        taken = open.iter().map(notifications).sum::<usize>();
    }
    assert!(taken < 30, "{taken} were taken");
    assert!(world.client().stats().notifications < 60, "reading has stopped");
    let mut database = Database::default();
    open.into_iter().for_each(|batch| database.commit(batch));
    database.until(&mut world, "the others", |database| database.rows.len() == 60);
    database.has_once(&sent);
    assert!(database.gaps.is_empty() && world.client().stats().connections == 1);
    world.client().close(Close::Revoke);
}

fn on_all(play: fn(&dyn Harness)) {
    let harnesses = harness::all();
    std::thread::scope(|scope| harnesses.iter().for_each(|harness| drop(scope.spawn(move || play(&**harness)))));
}

// CLAUSE PST-2 PST-4 PST-6 REC-5
#[test]
fn what_is_acknowledged_is_stored_once_over_a_crash_and_a_restart() {
    on_all(crashes);
}

// CLAUSE PST-7
#[test]
fn reading_stops_while_too_much_is_not_acknowledged() {
    on_all(stops_reading);
}
