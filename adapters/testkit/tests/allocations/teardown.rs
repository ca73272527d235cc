//! Clients dropped at a hundred thousand random points leave no task, stream, timer or byte behind, and those that are
//! closed instead end in time. Allocations are counted.

use std::collections::BTreeMap;
use std::time::Duration;

use ringcentral_ws_driver::{Body, Close, Config, Filter, Filters, OverHttps, SessionState};
use ringcentral_ws_driver::{Client, IoLimits, http};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, Held, Link, Machine, Received, Step, Watch, World};

/// Lives that end at a random point, each in a world of its own: seconds with optimisation, minutes without, so then
/// it is fewer. `LIVES=n` sets another number.
const LIVES: u64 = if cfg!(debug_assertions) { 2_000 } else { 100_000 };
/// Of `Config`, by default: `close` ends within this.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

/// One client, what it was asked, and who listens.
struct Life {
    random: fastrand::Rng,
    world: World,
    client: Option<Client<Machine>>,
    watch: Option<Watch>,
    calls: Vec<Call<'static, ()>>,
    listens: bool,
    closing: bool,
}

fn begin(seed: u64) -> Life {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut world = World::new(seed, GatewayConfig::default());
    if random.u64(..3) == 0 {
        world.machine.set_link(Link { piece: 1 + random.u64(..200) as usize, ..Link::default() });
    }
    match random.u64(..40) {
        0 => world.machine.refuse(true),
        1 => world.machine.cut_off(true, false),
        2 => world.machine.cut_off(false, true),
        3 => world.server.mute(true),
        _ => {}
    }
    let config = Config { rest_over_websocket: random.u64(..2) == 0, ..Config::default() };
    let event_queue = if random.u64(..2) == 0 { 1 } else { 1024 };
    let limits = IoLimits { event_queue, command_queue: 1 + random.u64(..4) as usize, ..IoLimits::default() };
    let (client, events) =
        world.builder().filters([Filter::sms()]).config(config).limits(limits).start().expect("it starts");
    let watch = Some(Watch::new(events));
    let listens = random.u64(..2) == 0;
    Life { random, world, client: Some(client), watch, calls: Vec::new(), listens, closing: false }
}

impl Life {
    /// One step of the world; now and then the application or the network does something.
    fn step(&mut self) {
        self.world.step();
        self.calls.retain_mut(|call| !call.poll());
        if let Some(watch) = self.watch.as_mut().filter(|_| self.listens) {
            watch.take_one();
        }
        match self.random.u64(..100) {
            0..3 => drop(self.world.server.notify()),
            3..6 => self.ask(),
            6 => self.command(),
            7 if self.random.u64(..4) == 0 => self.world.server.reset(),
            8 if self.random.u64(..4) == 0 => self.world.server.silence(true),
            9 if self.random.u64(..8) == 0 => self.close(),
            _ => {}
        }
    }

    fn ask(&mut self) {
        let Some(client) = self.client.clone() else { return };
        let mut request = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).expect("a path");
        if self.random.u64(..2) == 0 {
            request.extensions_mut().insert(OverHttps);
        }
        self.calls.push(if self.random.u64(..4) == 0 {
            Call::new(async move { drop(client.download(request).await) })
        } else {
            Call::new(async move { drop(client.request(request).await) })
        });
    }

    fn command(&mut self) {
        let Some(client) = self.client.clone() else { return };
        self.calls.push(match self.random.u64(..4) {
            0 => Call::new(async move {
                drop(client.subscribe(Filters::new([Filter::sms(), Filter::presence()]).expect("filters")).await)
            }),
            1 => Call::new(async move { drop(client.unsubscribe().await) }),
            2 => Call::new(async move { drop(client.recover().await) }),
            _ => Call::new(async move { client.network_changed(true).await }),
        });
    }

    fn close(&mut self) {
        let Some(client) = self.client.clone() else { return };
        self.closing = true;
        let mode = if self.random.u64(..2) == 0 { Close::Revoke } else { Close::Detach };
        self.calls.push(Call::new(async move { client.close(mode).await }));
    }

    fn state(&self) -> String {
        let state = self.client.as_ref().map_or(SessionState::Closed, Client::state);
        let name = format!("{state:?}");
        let name = name.split([' ', '{', '(']).next().unwrap_or_default();
        let streams = match (name, self.world.machine.held().streams) {
            ("Connecting" | "Closing", 0) => ", no stream",
            ("Connecting" | "Closing", _) => ", with a stream",
            _ => "",
        };
        let full = !self.listens && name == "Ready";
        let (closing, full) = (if self.closing { ", closing" } else { "" }, if full { ", nobody listens" } else { "" });
        format!("{name}{streams}{closing}{full}{}", if self.calls.is_empty() { "" } else { ", calls in flight" })
    }

    /// Drops everything in some order; not a microsecond later nothing is left.
    fn drop_all(mut self) {
        let first = self.random.u64(..3);
        if first == 0 {
            self.client = None;
            self.world.work();
        }
        if first == 1 {
            self.watch = None;
            self.world.work();
        }
        self.calls.clear();
        (self.client, self.watch) = (None, None);
        let now = self.world.machine.now();
        self.world.settle();
        self.leaves_nothing();
        assert_eq!(self.world.machine.now(), now);
    }

    /// Closes it, and takes the last events.
    fn close_all(mut self) {
        let Some(client) = self.client.take() else { return };
        let mut close = Call::new(async move { client.close(Close::Detach).await });
        let began = self.world.machine.now();
        while !close.poll() {
            assert!(self.world.step() != Step::Stuck, "close does not end");
        }
        assert!(self.world.machine.now() - began <= CLOSE_TIMEOUT);
        let mut watch = self.watch.take().expect("it is dropped only at the end");
        while !watch.has_ended() {
            watch.take();
            self.calls.retain_mut(|call| !call.poll());
            assert!(watch.has_ended() || self.world.work().is_some(), "the events have no end");
        }
        self.calls.retain_mut(|call| !call.poll());
        assert!(self.calls.is_empty(), "a call has no end");
        assert_eq!(watch.received().last(), Some(&Received::Closed));
        self.world.settle();
        self.leaves_nothing();
    }

    fn leaves_nothing(&self) {
        assert_eq!((self.world.machine.held(), self.world.server.streams()), (Held::default(), 0));
    }
}

/// Steps after which little that is new happens.
const LONGEST: u64 = 160;

fn live(seed: u64) -> String {
    let mut life = begin(seed);
    for _ in 0..life.random.u64(..LONGEST) {
        life.step();
    }
    let state = life.state();
    if life.random.u64(..8) == 0 {
        life.close_all()
    } else {
        life.drop_all()
    }
    state
}

#[test]
fn nothing_is_left_of_a_client_dropped_anywhere() {
    let lives = std::env::var("LIVES").ok().and_then(|text| text.parse().ok()).unwrap_or(LIVES);
    // What is made once and kept, such as tables of the TLS library, is made here.
    for seed in 0..300 {
        live(seed);
    }
    let mut states = BTreeMap::<String, u32>::new();
    for seed in 300..300 + lives {
        let mut ended = None;
        let counted = allocation_counter::measure(|| ended = Some(live(seed)));
        let Some(state) = ended else { panic!("{seed} did not live") };
        let kept = (1, state.capacity().cast_signed() as i64);
        assert_eq!((counted.count_current, counted.bytes_current), kept, "the life of seed {seed} left something");
        *states.entry(state).or_default() += 1;
    }
    println!("{lives} lives ended, nothing is left; where they ended:");
    for (name, count) in &states {
        println!("{count:>8}  {name}");
    }
    assert!(states.len() > 15, "{states:?}");
}
