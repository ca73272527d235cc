//! Notifications without end, and what the server does with them.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::time::{Duration, Instant};

use fastrand::Rng;
use ringcentral_ws_gateway::{GatewayEvent, Server};

use super::Moment;
use super::oracle::ServerLog;
use super::process::{FILTER, Process, unix_ms};
use crate::DEADLINE;

#[derive(Debug, Default)]
pub(super) struct Traffic {
    pub(super) log: ServerLog,
    /// The subscription of each session.
    subscribed: BTreeMap<u64, Rc<str>>,
    /// The one for which each notification was made. It may be replaced before the notification is sent.
    made_for: BTreeMap<u64, Rc<str>>,
}

impl Traffic {
    /// Sends until the moment comes. `false`: it never came.
    pub(super) fn flow(&mut self, server: &Server, rng: &mut Rng, process: &mut Process, moment: Moment) -> bool {
        let began = Instant::now();
        loop {
            let come = match moment {
                Moment::Time(time) => began.elapsed() >= time,
                Moment::Lines(event, count, _) => process.count(event) >= count,
            };
            if come {
                break;
            }
            if process.has_ended() || began.elapsed() > DEADLINE {
                return false;
            }
            self.step(server, rng);
        }
        if let Moment::Lines(_, _, after) = moment {
            self.pause(server, rng, after);
        }
        true
    }

    /// Sends for so long.
    pub(super) fn pause(&mut self, server: &Server, rng: &mut Rng, pause: Duration) {
        let began = Instant::now();
        while began.elapsed() < pause {
            self.step(server, rng);
        }
    }

    /// One notification or a burst, and a short rest.
    fn step(&mut self, server: &Server, rng: &mut Rng) {
        let burst = if rng.u64(..10) == 0 { 1 + rng.u64(..6) } else { 1 };
        (0..burst).for_each(|_| self.send(server));
        std::thread::sleep(Duration::from_micros(rng.u64(..4_000)));
    }

    pub(super) fn send(&mut self, server: &Server) {
        let n = self.log.sent.len();
        let at = unix_ms().max(self.log.sent.last().copied().unwrap_or(0));
        let body = format!("{{\"n\":{n}}}");
        let receipts = server.with_gateway(|gateway, now| gateway.notify(FILTER, &body, now));
        self.log.sent.push(at);
        self.log.numbers.extend(receipts.iter().map(|receipt| (receipt.uuid, n)));
    }

    /// Takes in what the gateway did.
    pub(super) fn read_events(&mut self, server: &Server) {
        let events = server.with_gateway(|gateway, _| {
            let events: Vec<GatewayEvent> = std::iter::from_fn(|| gateway.poll_event()).collect();
            events
        });
        for event in events {
            match event {
                GatewayEvent::Subscribed { session, id, .. } => {
                    self.subscribed.insert(session, id.into());
                }
                GatewayEvent::Buffered { session, uuid } => self.made(session, uuid),
                GatewayEvent::Sent { session, conn, uuid, .. } => {
                    self.made(session, uuid);
                    if let Some(n) = self.log.numbers.get(&uuid) {
                        if let Some(subscription) = self.made_for.get(&uuid) {
                            self.log.subscriptions.insert((conn, *n), subscription.clone());
                        }
                        self.log.conns.entry(conn).or_default().push(*n);
                        self.log.went.entry(uuid).or_default().push(conn);
                    }
                }
                GatewayEvent::Connected { conn, replayed, .. } => {
                    self.log.replayed.insert(conn, replayed);
                }
                _ => {}
            }
        }
    }

    /// The session made it, or sends again what it made.
    fn made(&mut self, session: u64, uuid: u64) {
        if let Some(subscription) = self.subscribed.get(&session) {
            self.made_for.entry(uuid).or_insert_with(|| subscription.clone());
        }
    }
}
