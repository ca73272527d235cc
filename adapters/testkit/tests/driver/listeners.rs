//! Many listeners at random, under faults, through days of virtual time: nothing is lost without a gap, and nothing
//! foreign comes. `LISTENER_HOURS=10000 cargo test --profile quick -p ringcentral-ws-testkit --test driver listeners:: -- --nocapture`
//! runs for longer; `LISTENER_SEED` chooses the run.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use fastrand::Rng;
use futures_util::FutureExt;
use ringcentral_ws_driver::{Client, Event, Events, ListenError, ListenOptions, Listener, ListenerEvent, Overflow};
use ringcentral_ws_gateway::{GatewayConfig, GatewayEvent, HttpResponse};
use ringcentral_ws_testkit::{Call, Machine, World};

const LISTENERS: usize = 50;
/// Of the user's extension.
const FILTERS: [&str; 13] = [
    "presence",
    "presence/dnd",
    "presence/line",
    "message-store",
    "message-store/instant?type=SMS",
    "voicemail",
    "fax?direction=Inbound",
    "telephony/sessions",
    "favorite",
    "grant",
    "missed-calls",
    "directory/contacts",
    "start-ring",
];
/// The last one is for the end.
const USED: usize = FILTERS.len() - 1;
const MINUTE: Duration = Duration::from_secs(60);

fn filter(name: &str) -> String {
    format!("/restapi/v1.0/account/~/extension/~/{name}")
}

/// A listener, and what it is owed.
struct User {
    listener: Listener,
    names: BTreeSet<usize>,
    /// It is looked at only now and then.
    slow: bool,
    live: bool,
    /// It was refused.
    ended: bool,
    /// Notifications that must come, or a gap before the next one.
    owed: VecDeque<u64>,
    /// The last one that came.
    last: u64,
    /// The newest notification there was when the last gap came: no later one is lost by it.
    gap: u64,
}

/// What was counted in a run.
#[derive(Debug, Default)]
struct Counts {
    joined: u64,
    left: u64,
    refused: u64,
    notified: u64,
    received: u64,
    gaps: u64,
    excused: u64,
    /// Joins that brought a filter nobody had, and leaves that took the last of one.
    changes: u64,
    /// Subscriptions made or changed on the server.
    calls: u64,
    /// Subscriptions deleted or expired.
    ends: u64,
    faults: u64,
}

struct Play {
    world: World,
    client: Client<Machine>,
    events: Events,
    users: Vec<Option<User>>,
    rng: Rng,
    /// Which filter each notification was for.
    kinds: Vec<usize>,
    counts: Counts,
    invalid: Option<usize>,
}

impl Play {
    fn new(seed: u64) -> Self {
        let mut config = GatewayConfig::default();
        // A server that loses its sessions leaves their subscriptions behind.
        config.max_subscriptions = usize::MAX;
        let mut world = World::new(seed, config);
        let (client, events) = world.builder().start().unwrap();
        let users = (0..LISTENERS).map(|_| None).collect();
        let rng = Rng::with_seed(seed);
        Self { world, client, events, users, rng, kinds: vec![0], counts: Counts::default(), invalid: None }
    }

    fn wanted(&self) -> BTreeSet<usize> {
        self.users.iter().flatten().filter(|user| !user.ended).flat_map(|user| &user.names).copied().collect()
    }

    fn join(&mut self, place: usize) {
        let names = (0..self.rng.usize(1..=3)).map(|_| self.rng.usize(0..USED)).collect();
        self.join_for(place, names);
    }

    fn join_for(&mut self, place: usize, names: BTreeSet<usize>) {
        let slow = self.rng.u8(0..10) == 0;
        let mut options = ListenOptions::new();
        if self.rng.bool() {
            options = options.overflow(Overflow::DropOldest).events(self.rng.usize(1..50));
        } else if slow {
            options = options.events(self.rng.usize(1..20));
        }
        let before = self.wanted();
        let client = self.client.clone();
        let filters: Vec<String> = names.iter().map(|name| filter(FILTERS[*name])).collect();
        let mut call = Call::new(client.listen_with(filters, options));
        while !call.poll() {
            assert!(self.world.work().is_some(), "the driver answers at once");
        }
        let listener: Result<Listener, ListenError> = call.take().unwrap();
        self.counts.joined += 1;
        self.counts.changes += u64::from(!names.is_subset(&before));
        self.users[place] = Some(User {
            listener: listener.unwrap(),
            names,
            slow,
            live: false,
            ended: false,
            owed: VecDeque::new(),
            last: 0,
            gap: 0,
        });
    }

    fn leave(&mut self, place: usize) {
        let before = self.wanted();
        if self.users[place].take().is_some() {
            self.counts.left += 1;
            self.counts.changes += u64::from(self.wanted() != before);
        }
    }

    fn notify(&mut self, name: usize) {
        let (n, _) = self.world.server.notify_of(&filter(FILTERS[name]));
        assert_eq!(self.kinds.len() as u64, n);
        self.kinds.push(name);
        self.counts.notified += 1;
        for user in self.users.iter_mut().flatten() {
            if user.live && user.names.contains(&name) {
                user.owed.push_back(n);
            }
        }
    }

    /// Takes what there is, also for the slow ones if `all`.
    fn take(&mut self, all: bool) {
        while self.events.next().now_or_never().flatten().is_some_and(|event| {
            assert!(!matches!(event, Event::Notification(_) | Event::Closed { .. }), "{event}");
            true
        }) {}
        for place in 0..self.users.len() {
            let Some(user) = self.users[place].as_mut().filter(|user| all || !user.slow) else { continue };
            while let Some(event) = user.listener.next().now_or_never() {
                let Some(event) = event else {
                    assert!(user.ended, "it ended by itself");
                    break;
                };
                user.on(event, &self.kinds, &mut self.counts);
            }
        }
        for event in std::iter::from_fn(|| self.world.server.gateway().0.poll_event()) {
            self.counts.calls += u64::from(matches!(event, GatewayEvent::Subscribed { .. }));
            self.counts.ends += u64::from(matches!(event, GatewayEvent::Unsubscribed { .. }));
        }
    }

    /// Lets time pass, and takes what comes meanwhile.
    fn pass(&mut self, time: Duration) {
        self.world.pass(time);
        self.take(false);
    }

    fn fault(&mut self) {
        self.counts.faults += 1;
        match self.rng.u8(0..8) {
            0 | 1 => self.world.server.reset(),
            2 => {
                let (gateway, now) = self.world.server.gateway();
                gateway.restart(now);
            }
            3 => {
                // Up to beyond the recovery window, which is three minutes.
                self.world.machine.refuse(true);
                self.world.server.reset();
                for _ in 0..self.rng.u32(1..8) {
                    self.pass(MINUTE / 2);
                    self.notify(0);
                }
                self.world.machine.refuse(false);
            }
            4 => {
                self.world.server.silence(true);
                let seconds = self.rng.u64(5..60);
                self.pass(Duration::from_secs(seconds));
                self.world.server.silence(false);
            }
            5 => {
                let (gateway, now) = self.world.server.gateway();
                gateway.overload(503, MINUTE, true, now);
            }
            // The next call for the subscription is refused for good, and the server names no filter.
            6 => {
                let body = r#"{"errorCode":"CMN-101","message":"Parameter is invalid"}"#;
                let response = HttpResponse::new(400, body);
                self.world.server.gateway().0.fail_next("/restapi/v1.0/subscription", response);
            }
            _ => {
                self.invalid = self.invalid.is_none().then(|| self.rng.usize(0..USED));
                let names = self.invalid.map(|name| filter(FILTERS[name]));
                self.world.server.gateway().0.config_mut().invalid_filters = names.into_iter().collect();
            }
        }
    }

    fn act(&mut self) {
        match self.rng.u8(0..100) {
            0..10 => {
                let place = self.rng.usize(0..LISTENERS);
                if self.users[place].is_some() { self.leave(place) } else { self.join(place) }
            }
            10 => self.fault(),
            11 => self.take(true),
            12 if self.rng.u8(0..50) == 0 => {
                // All leave, and nothing stays on the server but what it lost itself.
                (0..LISTENERS).for_each(|place| self.leave(place));
            }
            _ => {
                let name = self.rng.usize(0..USED);
                self.notify(name);
            }
        }
        let ms = 1 << self.rng.u32(0..18);
        self.pass(Duration::from_millis(ms));
    }

    /// Faults end, and everything comes, or a gap says so.
    fn heal(&mut self) {
        self.world.server.gateway().0.config_mut().invalid_filters.clear();
        self.world.server.gateway().0.fail_no_more();
        for _ in 0..30 * 60 {
            self.pass(Duration::from_secs(1));
            self.take(true);
        }
        // A call with fewer filters that was refused is not repeated, so there may be more than are asked for. The next
        // change puts that right.
        self.leave(0);
        self.join_for(0, BTreeSet::from([USED]));
        self.pass(MINUTE);
        self.take(true);
        self.leave(0);
        self.pass(MINUTE);
        self.take(true);
        for name in 0..USED {
            self.notify(name);
        }
        for _ in 0..5 * 60 {
            self.pass(Duration::from_secs(1));
            self.take(true);
        }
        for user in self.users.iter().flatten().filter(|user| !user.ended) {
            assert!(user.live, "it is live after the faults");
            assert!(user.owed.is_empty(), "{:?} never came", user.owed);
        }
        let has: BTreeSet<String> = {
            let (gateway, _) = self.world.server.gateway();
            let newest = gateway.subscriptions().last();
            newest.iter().flat_map(|(_, filters)| filters.iter().map(|filter| (*filter).to_owned())).collect()
        };
        if !self.wanted().is_empty() {
            assert_eq!(has.len(), self.wanted().len(), "{has:?}");
        }
    }
}

impl User {
    fn on(&mut self, event: ListenerEvent, kinds: &[usize], counts: &mut Counts) {
        match event {
            ListenerEvent::Live { disabled } => {
                assert!(disabled.is_empty());
                self.live = true;
            }
            ListenerEvent::Gap(_) => {
                self.gap = kinds.len() as u64 - 1;
                counts.gaps += 1;
            }
            ListenerEvent::Refused { .. } => {
                counts.refused += 1;
                self.ended = true;
                self.live = false;
                self.owed.clear();
            }
            ListenerEvent::Notification(n) => {
                counts.received += 1;
                let number =
                    n.body().bytes().filter(u8::is_ascii_digit).fold(0, |n, digit| n * 10 + u64::from(digit - b'0'));
                let kind = kinds[number as usize];
                assert!(self.live && self.names.contains(&kind), "{number} of {} is foreign", FILTERS[kind]);
                assert!(number > self.last, "{number} after {}", self.last);
                self.last = number;
                while self.owed.front().is_some_and(|owed| *owed < number) {
                    let owed = self.owed[0];
                    assert!(owed <= self.gap, "{owed} is missing before {number}, and no gap says so");
                    self.owed.pop_front();
                    counts.excused += 1;
                }
                if self.owed.front() == Some(&number) {
                    self.owed.pop_front();
                }
            }
            other => panic!("{other:?}"),
        }
    }
}

/// `LISTENER_SEED=7` plays that one alone.
fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

// CLAUSE SUB-1 SUB-5 SUB-8 REC-5
#[test]
fn listeners_come_and_go_under_faults() {
    let hours = number("LISTENER_HOURS").unwrap_or(20);
    let mut total = Counts::default();
    let (mut seed, mut played) = (number("LISTENER_SEED").unwrap_or(1), Duration::ZERO);
    while played < Duration::from_secs(3600 * hours) {
        println!("seed {seed}");
        let mut play = Play::new(seed);
        let end = Duration::from_secs(3600 * hours.min(20));
        while play.world.machine.now() < end {
            play.act();
        }
        play.heal();
        played += play.world.machine.now();
        let counts = play.counts;
        // No call without a change, a loss or a refusal.
        let most = counts.changes + 8 * counts.faults + counts.refused;
        assert!(counts.calls <= most, "seed {seed}: {} calls, {counts:?}", counts.calls);
        assert!(counts.received > 0 && counts.joined > 0);
        for (sum, one) in [
            (&mut total.joined, counts.joined),
            (&mut total.left, counts.left),
            (&mut total.refused, counts.refused),
            (&mut total.notified, counts.notified),
            (&mut total.received, counts.received),
            (&mut total.gaps, counts.gaps),
            (&mut total.excused, counts.excused),
            (&mut total.changes, counts.changes),
            (&mut total.calls, counts.calls),
            (&mut total.faults, counts.faults),
        ] {
            *sum += one;
        }
        seed += 1;
    }
    println!("{} h: {total:?}", played.as_secs() / 3600);
}

/// Comings and goings, a few at a time and then none for a while, need one call each time that all together ask for
/// something else than before, and no other.
// CLAUSE SUB-5 SUB-8
#[test]
fn no_call_is_needless() {
    let (mut total, mut least) = (0, 0);
    for seed in 1..=20 {
        let mut play = Play::new(seed);
        for _ in 0..200 {
            let before = play.wanted();
            let calls = play.counts.calls + play.counts.ends;
            let most = if play.rng.u8(0..40) == 0 { LISTENERS } else { play.rng.usize(1..6) };
            for place in 0..most {
                let place = if most == LISTENERS { place } else { play.rng.usize(0..LISTENERS) };
                if play.users[place].is_some() {
                    play.leave(place);
                } else if most != LISTENERS {
                    play.join(place);
                }
            }
            // Longer than the time in which the number of changes is limited.
            play.pass(Duration::from_secs(15));
            let needed = u64::from(play.wanted() != before);
            least += needed;
            assert_eq!(play.counts.calls + play.counts.ends - calls, needed, "seed {seed}: {before:?}");
        }
        assert_eq!((play.counts.faults, play.counts.gaps, play.counts.refused), (0, 0, 0));
        total += play.counts.calls + play.counts.ends;
    }
    assert!(least > 500);
    println!("{total} calls, {least} needed");
}
