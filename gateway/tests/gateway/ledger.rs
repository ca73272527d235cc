//! Random cuts, losses, outages and restarts: every notification is delivered once and in order, or reported
//! lost once, or still waits in a buffer.

use crate::support;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use ringcentral_ws_gateway::{FrameKind, GatewayEvent, GatewayOutput};
use support::{Bench, EXT, S};

const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";

/// A client behind a network that loses the newest frames when it breaks.
struct World {
    bench: Bench,
    random: fastrand::Rng,
    /// The open connection and its `wsc`.
    link: Option<u64>,
    wsc: Option<String>,
    in_flight: VecDeque<u64>,
    delivered: Vec<u64>,
    lost: BTreeMap<u64, u32>,
    /// Every notification made, in order.
    made: Vec<u64>,
}

impl World {
    fn new(seed: u64) -> Self {
        let bench = Bench::new(|config| {
            config.ws_token.rate_limit = None;
            config.recovery_buffer_size = 5;
            config.sent_history = 8;
            config.max_subscriptions = usize::MAX;
            config.idle_timeout = std::time::Duration::from_secs(600);
        });
        let (wsc, link) = (None, None);
        let (in_flight, delivered, lost) = (VecDeque::new(), Vec::new(), BTreeMap::new());
        Self { bench, random: fastrand::Rng::with_seed(seed), link, wsc, in_flight, delivered, lost, made: Vec::new() }
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.random.u64(..limit)
    }

    fn step(&mut self) {
        self.bench.now += (1 + self.below(100)) * S / 2;
        self.bench.g.handle_timeout(self.bench.now);
        self.drain();
        match (self.below(20), self.link) {
            (0..=7, _) => {
                let receipts =
                    self.bench.g.notify(&format!("{EXT}/message-store/instant?type=SMS"), "{}", self.bench.now);
                self.made.extend(receipts.iter().map(|receipt| receipt.uuid));
            }
            (8..=11, Some(_)) => self.deliver(),
            (12, Some(conn)) => self.cut(conn),
            (13, Some(_)) => self.bench.g.reset(None, self.bench.now),
            (14, Some(_)) if self.below(10) == 0 => self.bench.g.restart(self.bench.now),
            (_, None) => self.connect(),
            _ => {}
        }
        self.drain();
    }

    fn connect(&mut self) {
        let wsc = self.wsc.take();
        let conn = self.bench.open(wsc.as_deref());
        self.link = Some(conn);
        self.drain();
        let recovered = self.bench.events();
        let successful = recovered.iter().any(|event| {
            matches!(event, GatewayEvent::Connected { recovery: ringcentral_ws_gateway::Recovery::Successful, .. })
        });
        self.note(recovered);
        if !successful {
            self.bench.send_request(conn, "POST", support::SUBSCRIPTION, Some(support::subscribe_body(&[SMS])));
        }
    }

    /// Everything in flight arrives.
    fn deliver(&mut self) {
        self.delivered.extend(self.in_flight.drain(..));
    }

    /// The connection breaks; a random number of the newest frames never arrives.
    fn cut(&mut self, conn: u64) {
        let arrived = self.below(self.in_flight.len() as u64 + 1) as usize;
        self.delivered.extend(self.in_flight.drain(..arrived));
        let undelivered: Vec<u64> = self.in_flight.drain(..).collect();
        self.link = None;
        self.bench.g.ws_lost(conn, &undelivered, self.bench.now);
    }

    fn drain(&mut self) {
        for output in self.bench.outputs() {
            match output {
                GatewayOutput::Send { conn, kind: FrameKind::Notification { uuid }, .. } => {
                    assert_eq!(Some(conn), self.link);
                    self.in_flight.push_back(uuid);
                }
                GatewayOutput::Send { text, kind: FrameKind::ConnectionDetails, .. } => {
                    self.wsc = Some(support::wsc_of(&serde_json::from_str(&text).unwrap()));
                }
                GatewayOutput::Close { conn, .. } => {
                    self.deliver();
                    self.link = None;
                    self.bench.g.ws_closed(conn, self.bench.now);
                }
                GatewayOutput::Reset { conn } => self.cut(conn),
                _ => {}
            }
        }
        let events = self.bench.events();
        self.note(events);
    }

    fn note(&mut self, events: Vec<GatewayEvent>) {
        for event in events {
            if let GatewayEvent::Lost { uuids, .. } = event {
                for uuid in uuids {
                    *self.lost.entry(uuid).or_default() += 1;
                }
            }
        }
    }

    /// Lets every session end, then settles accounts.
    fn settle(mut self) -> (usize, usize) {
        self.deliver();
        self.bench.g.close_all(1000, "", self.bench.now);
        self.drain();
        self.bench.at(self.bench.now + 200 * S);
        self.drain();
        assert_eq!(self.bench.g.session_count(), 0);
        let delivered: BTreeSet<u64> = self.delivered.iter().copied().collect();
        assert_eq!(delivered.len(), self.delivered.len(), "delivered twice");
        assert!(self.lost.values().all(|times| *times == 1), "reported twice");
        for uuid in &self.made {
            assert!(delivered.contains(uuid) != self.lost.contains_key(uuid), "{uuid} is neither or both");
        }
        let order: Vec<u64> = self.made.iter().copied().filter(|uuid| delivered.contains(uuid)).collect();
        assert_eq!(self.delivered, order, "out of order");
        assert_eq!(self.bench.g.observations().lost, self.lost.len() as u64);
        (self.delivered.len(), self.lost.len())
    }
}

#[test]
fn every_notification_is_delivered_or_reported_lost() {
    let (mut delivered, mut lost) = (0, 0);
    for seed in 0..200 {
        let mut world = World::new(seed);
        for _ in 0..500 {
            world.step();
        }
        let (d, l) = world.settle();
        delivered += d;
        lost += l;
    }
    assert!(delivered > 10_000 && lost > 100, "a lively world: {delivered} delivered, {lost} lost");
}
