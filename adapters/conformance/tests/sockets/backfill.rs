//! Gaps are filled over real sockets, on every adapter: an outage beyond the recovery window, and a restart in the middle.

use crate::harness;

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use ringcentral_ws_api::{Backfill, CallGroup, FetchedRecordExt, RecordContent};
use ringcentral_ws_conformance::{DEADLINE, Harness, World, settings};
use ringcentral_ws_core::{Backfilled, Close, Config, Event, Gap, Snapshot};
use ringcentral_ws_gateway::RestLimits;

/// Messages that come in while there is no connection.
const MISSED: usize = 500;
const FROM: &str = "+16505550100";

fn quick() -> Backfill {
    // What was delivered is there long before the first call.
    Backfill::new().settle(Duration::from_millis(200)).spread(Duration::ZERO)
}

fn world<'a>(harness: &'a dyn Harness, over_websocket: bool, backfill: Backfill) -> World<'a> {
    let mut world = World::new(harness, false);
    world.server.with_gateway(|gateway, _| {
        let config = gateway.config_mut();
        config.recovery_timeout = Duration::from_millis(100);
        config.rest_limits = Some(RestLimits::default());
    });
    let mut config = settings::quick();
    config.rest_over_websocket = over_websocket;
    world.setup.config = config;
    world.setup.filters = vec![ringcentral_ws_api::Filter::sms().to_string()];
    world.setup.backfill = Some(backfill);
    world
}

/// What a test is about.
#[derive(Default)]
struct Seen {
    notifications: Vec<String>,
    gaps: Vec<Gap>,
    filled: Vec<Backfilled>,
}

impl Seen {
    fn take(&mut self, event: Event) {
        match event {
            Event::Notification(n) => {
                let body: serde_json::Value = n.parse().expect("JSON");
                self.notifications.push(body["id"].to_string());
            }
            Event::Gap(gap) => self.gaps.push(gap),
            Event::Backfill(filled) => {
                assert!(self.gaps.len() > self.filled.len(), "behind its gap");
                self.filled.push(*filled);
            }
            _ => {}
        }
    }

    fn until(&mut self, world: &mut World<'_>, what: &str, is_so: impl Fn(&Self) -> bool) {
        self.within(DEADLINE, world, what, is_so);
    }

    fn within(&mut self, time: Duration, world: &mut World<'_>, what: &str, is_so: impl Fn(&Self) -> bool) {
        let end = Instant::now() + time;
        while !is_so(self) {
            let event = world.client().next_event(end.saturating_duration_since(Instant::now()));
            self.take(event.unwrap_or_else(|| panic!("never {what}")).expect("it goes on"));
        }
    }
}

/// The service is away for longer than it keeps the session, and comes back. Returns what came in meanwhile.
fn outage(world: &World<'_>) -> Vec<String> {
    world.server.refuse_connections(true);
    world.server.drop_connections();
    let missed = (0..MISSED).map(|n| world.server.receive_sms(0, FROM, &n.to_string()).to_string()).collect();
    let gone = world.server.wait_until(DEADLINE, |gateway| gateway.sessions().count() == 0);
    assert!(gone, "the session outlived its window");
    world.server.refuse_connections(false);
    missed
}

fn ids(filled: &Backfilled) -> Vec<String> {
    filled.records.iter().map(|record| record.id().to_owned()).collect()
}

fn all_is_fetched(harness: &dyn Harness, over_websocket: bool) {
    let mut world = world(harness, over_websocket, quick());
    world.subscribe();
    let mut seen = Seen::default();
    let live: Vec<String> = (0..3).map(|_| world.server.receive_sms(0, FROM, "live").to_string()).collect();
    seen.until(&mut world, "notifications", |seen| seen.notifications.len() == 3);
    assert_eq!(seen.notifications, live);
    let missed = outage(&world);
    seen.until(&mut world, "a gap", |seen| !seen.gaps.is_empty());
    let after = world.server.receive_sms(0, FROM, "after").to_string();
    seen.until(&mut world, "a backfill", |seen| !seen.filled.is_empty());
    let last = world.server.receive_sms(0, FROM, "last").to_string();
    seen.until(&mut world, "another notification", |seen| seen.notifications.last() == Some(&last));
    let filled = &seen.filled[0];
    assert_eq!((seen.gaps.len(), seen.filled.len(), filled.complete), (1, 1, true), "{filled}");
    assert_eq!((&filled.gap, filled.may_repeat), (&seen.gaps[0], false));
    let fetched = ids(filled);
    assert_eq!(fetched.iter().collect::<BTreeSet<_>>().len(), MISSED, "each once");
    assert_eq!(fetched.iter().collect::<BTreeSet<_>>(), missed.iter().collect(), "all that was missed");
    assert_eq!(seen.notifications[3..], [after, last]);
    let RecordContent::InstantMessage(sms) = filled.records[0].content() else { panic!("no message") };
    assert_eq!((sms.sender(), sms.subject.as_deref()), (Some(FROM), Some("0")));
    let limited = world.server.observations().rate_limited;
    assert_eq!(limited, 0, "no call too many");
    world.client().close(Close::Revoke);
}

fn a_restart_goes_on(harness: &dyn Harness) {
    // The first run has the gap and ends before it asks.
    let mut world = world(harness, true, quick().settle(Duration::from_secs(3600)));
    world.subscribe();
    let mut seen = Seen::default();
    let missed = outage(&world);
    seen.until(&mut world, "a gap", |seen| !seen.gaps.is_empty());
    world.client().close(Close::Detach);
    while let Some(event) = world.client().next_event(DEADLINE).expect("the events end") {
        seen.take(event);
    }
    let (snapshot, _) = world.client().keep();
    let stored = snapshot.expect("a snapshot").to_json();
    assert!(seen.filled.is_empty());
    // The next one has it too, and asks.
    world.setup.snapshot = Some(Snapshot::from_json(&stored).unwrap());
    world.setup.backfill = Some(quick().calls_per_minute(CallGroup::Light, 20));
    world.start();
    seen.until(&mut world, "a backfill", |seen| !seen.filled.is_empty());
    assert_eq!(ids(&seen.filled[0]).into_iter().collect::<BTreeSet<_>>(), missed.into_iter().collect());
    world.client().close(Close::Revoke);
    // A run that does not fill gaps continues the same snapshot, and one without anything of it is continued too.
    let snapshot = Snapshot::from_json(&stored).unwrap();
    assert!(snapshot.extra().is_some());
    for snapshot in [snapshot.clone().with_extra(None), snapshot.with_extra(Some("of a later version".into()))] {
        for backfill in [None, Some(quick())] {
            assert!(world.server.wait_until(DEADLINE, |gateway| gateway.sessions().count() == 0));
            world.setup.snapshot = Some(snapshot.clone());
            world.setup.backfill.clone_from(&backfill);
            world.start();
            let mut seen = Seen::default();
            seen.until(&mut world, "a gap", |seen| !seen.gaps.is_empty());
            if backfill.is_some() {
                seen.until(&mut world, "a backfill", |seen| !seen.filled.is_empty());
                assert!(seen.filled[0].complete, "{}", seen.filled[0]);
            }
            world.client().close(Close::Revoke);
        }
    }
}

/// As users have it: the settings and the server's window are the defaults, and the clock is the real one.
fn ten_minutes(harness: &dyn Harness) {
    const OUTAGE: Duration = Duration::from_secs(600);
    let mut world = world(harness, true, Backfill::new());
    world.setup.config = Config { rest_over_websocket: true, ..Config::default() };
    world.server.with_gateway(|gateway, _| gateway.config_mut().recovery_timeout = Duration::from_secs(180));
    world.subscribe();
    let began = Instant::now();
    world.server.refuse_connections(true);
    world.server.drop_connections();
    let mut missed = BTreeSet::new();
    for n in 0..MISSED {
        std::thread::sleep((OUTAGE / MISSED as u32 * n as u32).saturating_sub(began.elapsed()));
        missed.insert(world.server.receive_sms(0, FROM, &n.to_string()).to_string());
    }
    std::thread::sleep(OUTAGE.saturating_sub(began.elapsed()));
    world.server.refuse_connections(false);
    let back = Instant::now();
    let mut seen = Seen::default();
    // Its next attempt may be half a minute away; the deadline is for a machine that is busy, too.
    let end = Duration::from_secs(300);
    seen.within(end, &mut world, "a gap", |seen| !seen.gaps.is_empty());
    let gap_after = back.elapsed();
    seen.within(end, &mut world, "a backfill", |seen| !seen.filled.is_empty());
    let healed = back.elapsed();
    let last = world.server.receive_sms(0, FROM, "last").to_string();
    seen.within(end, &mut world, "a notification", |seen| seen.notifications.last() == Some(&last));
    let (filled, limited) = (&seen.filled[0], world.server.observations().rate_limited);
    println!("after the server was back: the gap {gap_after:?}, its {} records {healed:?}", filled.records.len());
    assert_eq!((seen.gaps.len(), seen.filled.len(), filled.complete, limited), (1, 1, true, 0), "{filled}");
    assert_eq!(filled.records.len(), MISSED, "each once");
    assert_eq!(ids(filled).into_iter().collect::<BTreeSet<_>>(), missed, "all that was missed");
    assert_eq!(seen.notifications, [last], "none of it a second time");
    world.client().close(Close::Revoke);
}

fn on_all(play: impl Fn(&dyn Harness) + Sync) {
    let harnesses = harness::all();
    std::thread::scope(|scope| harnesses.iter().for_each(|harness| drop(scope.spawn(|| play(&**harness)))));
}

// CLAUSE REC-5
#[test]
fn what_was_missed_is_fetched_once() {
    on_all(|harness| all_is_fetched(harness, true));
    on_all(|harness| all_is_fetched(harness, false));
}

// CLAUSE REC-5 PST-2
#[test]
fn a_gap_outlives_a_restart() {
    on_all(a_restart_goes_on);
}

// CLAUSE REC-5
#[test]
#[ignore = "takes eleven minutes: an outage of ten, by the real clock"]
fn ten_minutes_of_outage_are_healed() {
    on_all(ten_minutes);
}
