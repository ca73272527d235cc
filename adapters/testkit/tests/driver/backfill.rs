//! Random days of a client that fills gaps, on the real driver, in virtual time: connections break, the service restarts
//! and refuses calls, sync tokens expire, the machine sleeps, and the process is killed and started again. After the last
//! fault every SMS was delivered or fetched, and none twice.

use std::collections::{BTreeSet, VecDeque};
use std::future::Future as _;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use ringcentral_ws_driver::{
    Ack, Backfill, Close, Config, Event, Events, Filter, InFlightGaps, Listener, ListenerEvent, Snapshot,
};
use ringcentral_ws_gateway::{GatewayConfig, HttpResponse};
use ringcentral_ws_testkit::{Call, Machine, World};

type Client = ringcentral_ws_driver::Client<Machine>;

/// The machine's wall clock at its beginning.
const WALL_MS: u64 = 1_755_728_635_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum App {
    /// It takes events from the plain stream.
    Plain,
    /// It acknowledges what it has dealt with, and stores the snapshot with each.
    Acknowledges,
    /// A listener receives the messages, and is behind the plain stream.
    Listens,
}

struct Day {
    world: World,
    rng: fastrand::Rng,
    over_websocket: bool,
    running: Option<(Client, Events)>,
    app: App,
    /// Of one that listens.
    listener: Option<Listener>,
    /// What it has taken and not dealt with.
    open: VecDeque<(Vec<Event>, Ack)>,
    stored: Option<Snapshot>,
    /// All that came in since the first subscription.
    sent: BTreeSet<u64>,
    delivered: BTreeSet<u64>,
    fetched: BTreeSet<u64>,
    /// Handed out since the snapshot was stored: after a crash they may come again.
    unstored: BTreeSet<u64>,
    may_repeat: BTreeSet<u64>,
    /// Whether everything that was fetched was complete.
    complete: bool,
    gaps: usize,
    filled: usize,
}

impl Day {
    fn new(seed: u64, app: App) -> Self {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut config = GatewayConfig::default();
        // The clocks differ by up to two minutes.
        config.unix_ms_at_start = WALL_MS - 120_000 + rng.u64(0..240_000);
        config.message_store_size = 100_000;
        let mut day = Self {
            world: World::new(seed, config),
            over_websocket: rng.bool(),
            rng,
            running: None,
            app,
            listener: None,
            open: VecDeque::new(),
            stored: None,
            sent: BTreeSet::new(),
            delivered: BTreeSet::new(),
            fetched: BTreeSet::new(),
            unstored: BTreeSet::new(),
            may_repeat: BTreeSet::new(),
            complete: true,
            gaps: 0,
            filled: 0,
        };
        day.start();
        day.world.pass(Duration::from_secs(5));
        day.take();
        // A process that ends without a snapshot is another first one.
        day.settle(day.open.len());
        day
    }

    fn start(&mut self) {
        let config = Config {
            server: "http://127.0.0.1:8080".parse().unwrap(),
            rest_over_websocket: self.over_websocket,
            // Whatever may have been lost on its way is a gap.
            in_flight_gaps: InFlightGaps::EveryLoss,
            ..Config::default()
        };
        let filters = if self.app == App::Listens { vec![] } else { vec![Filter::sms()] };
        let mut builder = self
            .world
            .builder()
            .acknowledge(self.app == App::Acknowledges)
            .config(config)
            .filters(filters)
            .backfill(Backfill::new().attempts(20));
        if let Some(snapshot) = self.stored.clone() {
            builder = builder.restore(snapshot);
        }
        let (client, events) = builder.start().unwrap();
        if self.app == App::Listens {
            // Those of the snapshot belong to the plain stream until there is a listener.
            let mut listen = Call::new(client.listen([Filter::sms()]));
            while !listen.poll() {
                self.world.step();
            }
            self.listener = Some(listen.take().unwrap().unwrap());
            let mut unsubscribe = Call::new(client.unsubscribe());
            while !unsubscribe.poll() {
                self.world.step();
            }
        }
        self.running = Some((client, events));
    }

    /// Takes the events that are there. The snapshot is stored most of the time.
    fn take(&mut self) {
        while let Some((client, events)) = &mut self.running {
            if self.app == App::Acknowledges && self.rng.bool() {
                let most = self.rng.usize(1..=30);
                let polled = std::pin::pin!(events.next_batch(most)).poll(&mut Context::from_waker(Waker::noop()));
                match polled {
                    Poll::Ready(Some(batch)) => self.open.push_back((batch.events, batch.ack)),
                    Poll::Ready(None) => self.running = None,
                    Poll::Pending => break,
                }
                continue;
            }
            let polled = std::pin::pin!(events.next_delivery()).poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(delivery) = polled else { break };
            let Some(delivery) = delivery else {
                self.running = None;
                break;
            };
            if self.app == App::Acknowledges {
                self.open.push_back((vec![delivery.event], delivery.ack));
                continue;
            }
            if let Event::SnapshotChanged = delivery.event {
                if self.stored.is_none() || self.rng.u8(0..10) > 0 {
                    self.stored = client.snapshot().map(|snapshot| Snapshot::from_json(&snapshot.to_json()).unwrap());
                    if self.app == App::Plain {
                        self.unstored.clear();
                    }
                }
            } else {
                self.note(&delivery.event);
            }
        }
        self.hear();
        let all = self.open.len();
        let most = if self.rng.bool() { all } else { self.rng.usize(0..=all) };
        self.settle(most);
    }

    /// Takes some of what the listener has.
    fn hear(&mut self) {
        let mut most = if self.rng.bool() { usize::MAX } else { self.rng.usize(0..20) };
        while let Some(listener) = &mut self.listener
            && most > 0
        {
            most -= 1;
            let polled = std::pin::pin!(listener.next()).poll(&mut Context::from_waker(Waker::noop()));
            let Poll::Ready(Some(event)) = polled else { return };
            if let ListenerEvent::Notification(n) = event {
                self.note(&Event::Notification(n));
            }
        }
    }

    /// Deals with so many of what was taken.
    fn settle(&mut self, most: usize) {
        for (events, ack) in self.open.drain(..most).collect::<Vec<_>>() {
            let snapshot = ack.acknowledge_and_take();
            events.iter().for_each(|event| self.note(event));
            if let Some(snapshot) = snapshot {
                self.stored = Some(Snapshot::from_json(&snapshot.to_json()).unwrap());
                self.unstored.clear();
            }
        }
    }

    fn note(&mut self, event: &Event) {
        match event {
            Event::Notification(n) => {
                let body: serde_json::Value = n.parse().unwrap();
                let id = body["id"].as_u64().unwrap();
                assert!(self.delivered.insert(id) || self.may_repeat.contains(&id), "{id} was delivered twice");
                self.unstored.insert(id);
            }
            Event::Gap(_) => self.gaps += 1,
            Event::Backfill(filled) => {
                self.filled += 1;
                self.complete &= filled.complete;
                for record in &filled.records {
                    let id: u64 = record.id().parse().unwrap();
                    let is_new = !self.delivered.contains(&id) && self.fetched.insert(id);
                    let excused = filled.may_repeat || self.may_repeat.contains(&id);
                    assert!(is_new || excused, "{id} again");
                    self.unstored.insert(id);
                }
            }
            _ => {}
        }
    }

    fn receive(&mut self) {
        for _ in 0..self.rng.u32(1..=20) {
            let id = self.world.server.receive_sms("a");
            self.sent.insert(id);
        }
    }

    /// The process is killed: what it handed out after the snapshot may come again.
    fn crash(&mut self) {
        self.running = None;
        self.listener = None;
        self.open.clear();
        self.may_repeat.extend(std::mem::take(&mut self.unstored));
        self.world.pass(Duration::from_millis(self.rng.u64(0..400_000)));
        self.start();
    }

    fn restart_in_order(&mut self) {
        let Some((client, events)) = self.running.take() else { return };
        let mut close = Call::new(client.close(Close::Detach));
        while !close.poll() {
            self.world.step();
        }
        drop(close);
        let handle = client.clone();
        self.running = Some((client, events));
        self.take();
        if self.app == App::Listens {
            self.stored = handle.snapshot();
            self.listener = None;
        }
        drop(handle);
        assert!(self.running.is_none(), "all events are taken");
        self.open.clear();
        // The last snapshot is always stored. The handles are gone, so it was the last one that was taken.
        self.may_repeat.extend(std::mem::take(&mut self.unstored));
        self.world.pass(Duration::from_millis(self.rng.u64(0..400_000)));
        self.start();
    }

    fn fault(&mut self) {
        let time = Duration::from_millis(self.rng.u64(0..400_000));
        match self.rng.u8(0..10) {
            0 => self.world.server.reset(),
            1 => self.world.server.silence(true),
            2 => {
                self.world.machine.refuse(true);
                self.world.server.reset();
                self.receive();
                self.world.pass(time);
                self.receive();
                self.world.machine.refuse(false);
            }
            3 => {
                let (gateway, now) = self.world.server.gateway();
                gateway.restart(now);
            }
            4 => {
                let (status, after) = (*self.rng.choice(&[429, 500, 503]).unwrap(), self.rng.bool());
                let (gateway, now) = self.world.server.gateway();
                gateway.overload(status, time / 4, after, now);
            }
            5 => self.world.server.gateway().0.expire_sync_tokens(),
            6 => {
                let path = "/restapi/v1.0/account/~/extension/~/message-sync";
                let body = *self.rng.choice(&["", "{}", "{\"records\":[", "<html>"]).unwrap();
                let response = HttpResponse::new(*self.rng.choice(&[200, 408, 500, 502]).unwrap(), body);
                self.world.server.gateway().0.fail_next(path, response.header("Content-Type", "application/json"));
            }
            7 => self.world.suspend(time),
            8 => self.crash(),
            _ => self.restart_in_order(),
        }
    }

    fn live(&mut self) {
        for _ in 0..40 {
            if self.rng.u8(0..3) == 0 {
                self.fault();
            }
            self.receive();
            self.world.pass(Duration::from_millis(self.rng.u64(0..60_000)));
            // Sometimes it takes no events for a while.
            if self.rng.u8(0..4) > 0 {
                self.take();
            }
        }
    }

    /// All faults end. A silent connection is noticed, and every gap is done with.
    fn heal(&mut self) {
        self.world.server.gateway().0.fail_no_more();
        self.take();
        if self.running.is_none() {
            self.start();
        }
        for _ in 0..60 {
            self.world.pass(Duration::from_secs(30));
            self.take();
        }
        self.receive();
        self.world.pass(Duration::from_secs(5));
        self.take();
        self.settle(self.open.len());
        (0..100).for_each(|_| self.hear());
    }

    fn check(&self, seed: u64) {
        let missing: Vec<_> =
            self.sent.iter().filter(|id| !self.delivered.contains(id) && !self.fetched.contains(id)).collect();
        assert!(missing.is_empty() || !self.complete, "seed {seed}: {missing:?} of {} are missing", self.sent.len());
        assert!(self.filled > 0 || self.gaps == 0, "seed {seed}: {} gaps", self.gaps);
    }
}

fn days(app: App) {
    let seeds: u64 = std::env::var("BACKFILL_SEEDS").ok().and_then(|n| n.parse().ok()).unwrap_or(12);
    let (mut complete, mut fetched) = (0, 0);
    for seed in 0..seeds {
        let mut day = Day::new(seed, app);
        day.live();
        day.heal();
        day.check(seed);
        complete += u64::from(day.complete);
        fetched += day.fetched.len();
    }
    // Days on which something could not be fetched prove less.
    assert!(complete * 10 >= seeds * 8 && fetched > 0, "{complete} of {seeds}, {fetched} fetched");
}

// CLAUSE REC-5
#[test]
fn every_message_is_delivered_or_fetched() {
    days(App::Plain);
}

// CLAUSE REC-5 PST-6
#[test]
fn what_was_acknowledged_never_comes_again() {
    days(App::Acknowledges);
}

// CLAUSE REC-5 PST-4
#[test]
fn what_a_listener_has_not_taken_is_fetched_by_the_next_process() {
    days(App::Listens);
}
