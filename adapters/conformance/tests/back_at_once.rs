//! How soon a client is back, with the settings of the retries that it has by default, and that it says so meanwhile. Alone
//! in its process, so that other tests do not add to the silences.

mod harness;

use std::fmt::Write as _;
use std::io::Write as _;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use ringcentral_ws_conformance::{DEADLINE, Harness, Running, Setup, World, until};
use ringcentral_ws_core::{Event, Gap, GapCause, Resumption, RetryPolicy, WaitReason};

/// Without a sign for longer than this, users think that it hangs.
const SILENCE: Duration = Duration::from_secs(2);
/// What a slow machine may add to a silence.
const SLOW: Duration = Duration::from_millis(500);

/// Where a connection must be good: it is so after its first heartbeat.
const HEARTBEAT: Duration = Duration::from_secs(2);

/// Plays on all adapters at once, and prints what was measured.
fn on_all(what: &str, play: impl Fn(&dyn Harness) -> String + Sync) {
    let harnesses = harness::all();
    let play = &play;
    let failed: Vec<_> = std::thread::scope(|scope| {
        let runs = harnesses.iter().map(|harness| (harness.name(), scope.spawn(move || play(&**harness))));
        let runs: Vec<_> = runs.collect();
        let ended = runs.into_iter().map(|(name, run)| (name, run.join()));
        let failed = ended.filter_map(|(name, ended)| match ended {
            Ok(measured) => {
                // Past the capture of the test harness.
                let _ = writeln!(std::io::stdout(), "{what}: {name:<9} {measured}");
                None
            }
            Err(_) => Some(name),
        });
        failed.collect()
    });
    assert!(failed.is_empty(), "{what}: failed on {failed:?}, see above");
}

/// A server behind a proxy that everything goes through, and retries as they are by default.
fn world(harness: &dyn Harness) -> World<'_> {
    let mut world = World::new(harness, false);
    world.setup.app.server = format!("http://{}", world.proxy.address()).parse().expect("a URL");
    world.setup.config.retry = RetryPolicy::default();
    world
}

fn unix_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock that is set");
    u64::try_from(since.as_millis()).expect("not yet")
}

/// A client and what it said when.
struct Client {
    running: Box<dyn Running>,
    started: Instant,
    seen: Vec<(Instant, Event)>,
    ended: bool,
}

impl Client {
    fn start(harness: &dyn Harness, setup: &Setup) -> Self {
        let started = Instant::now();
        Self { running: harness.start(setup.clone()), started, seen: Vec::new(), ended: false }
    }

    /// The next event that comes before `end`, and its time.
    fn take(&mut self, end: Instant) -> Option<Instant> {
        let left = end.saturating_duration_since(Instant::now());
        let event = self.running.next_event(left)?;
        let now = Instant::now();
        self.ended |= event.is_none();
        assert!(!self.ended, "it ended\n{}", self.log());
        self.seen.push((now, event?));
        Some(now)
    }

    /// Takes events up to this moment.
    fn take_until(&mut self, end: Instant) {
        while self.take(end).is_some() {}
    }

    /// Takes events up to the first that is so; when that came.
    fn wait(&mut self, what: &str, is_so: impl Fn(&Event) -> bool) -> Instant {
        let end = Instant::now() + 3 * DEADLINE;
        loop {
            let Some(at) = self.take(end) else { panic!("in vain: {what}\n{}", self.log()) };
            if self.seen.last().is_some_and(|(_, event)| is_so(event)) {
                return at;
            }
        }
    }

    fn subscribed(&mut self) -> Instant {
        self.wait("it is subscribed", |event| matches!(event, Event::Subscribed(_)))
    }

    /// The connection is good: after ConnectionDetails and the answer to the subscription its first heartbeat was
    /// answered (BCK-6).
    fn good(&self) {
        until(DEADLINE, "a heartbeat is answered", || self.running.stats().frames >= 3);
    }

    fn connected(&mut self) -> Instant {
        self.wait("it is connected", |event| matches!(event, Event::Connected { .. }))
    }

    fn notified(&mut self, text: &str) -> Instant {
        self.wait(text, |event| text_of(event).as_deref() == Some(text))
    }

    /// The texts of all notifications, in order.
    fn texts(&self) -> Vec<String> {
        self.seen.iter().filter_map(|(_, event)| text_of(event)).collect()
    }

    fn gaps(&self) -> impl Iterator<Item = &Gap> {
        self.seen.iter().filter_map(|(_, event)| if let Event::Gap(gap) = event { Some(gap) } else { None })
    }

    /// Since when it is connected.
    fn connected_since(&self) -> Option<Instant> {
        let changes = |event: &Event| matches!(event, Event::Connected { .. } | Event::Disconnected { .. });
        let (at, event) = self.seen.iter().rev().find(|(_, event)| changes(event))?;
        matches!(event, Event::Connected { .. }).then_some(*at)
    }

    /// How the last connection began.
    fn resumption(&self) -> Option<Resumption> {
        self.seen.iter().rev().find_map(|(_, event)| match event {
            Event::Connected { resumption, .. } => Some(*resumption),
            _ => None,
        })
    }

    /// The longest time without a connection and without a word. `cut`: when the first connection was lost. What says
    /// until when it waits covers that time.
    fn longest_silence(&self, cut: Option<Instant>) -> Duration {
        let (mut longest, mut covered) = (Duration::ZERO, Some(self.started));
        let mut cut = cut;
        for (at, event) in &self.seen {
            if let Some(cut) = cut.take_if(|cut| *cut <= *at) {
                covered = Some(cut);
            }
            let until = match event {
                Event::Disconnected { .. } | Event::Connected { .. } => *at,
                Event::Waiting { reason: WaitReason::SubscriptionLimit, .. } => continue,
                Event::Retry { delay, .. } | Event::Waiting { delay, .. } => *at + *delay,
                _ => continue,
            };
            longest = longest.max(covered.map_or(Duration::ZERO, |covered| at.saturating_duration_since(covered)));
            let is_connected = matches!(event, Event::Connected { .. });
            covered = (!is_connected).then(|| covered.map_or(until, |covered| covered.max(until)));
        }
        longest
    }

    /// It was never silent for long.
    fn assert_never_silent(&self, cut: Option<Instant>) -> Duration {
        let longest = self.longest_silence(cut);
        assert!(longest <= SILENCE + SLOW, "silent for {longest:?}\n{}", self.log());
        longest
    }

    /// What it said, for people.
    fn log(&self) -> String {
        let mut log = String::new();
        for (at, event) in &self.seen {
            let event = match event {
                Event::SnapshotChanged => continue,
                Event::Notification(_) => format!("notification {}", text_of(event).unwrap_or_default()),
                Event::Connected { resumption, .. } => format!("connected {resumption:?}"),
                Event::Subscribed(_) => "subscribed".to_owned(),
                other => format!("{other:?}"),
            };
            let _ = writeln!(log, "    {:7.3} {event}", at.duration_since(self.started).as_secs_f64());
        }
        log
    }
}

fn text_of(event: &Event) -> Option<String> {
    let Event::Notification(notification) = event else { return None };
    let body: serde_json::Value = serde_json::from_str(notification.body()).expect("JSON");
    body["subject"].as_str().map(str::to_owned)
}

/// It came within the limit.
fn assert_within(limit: Duration, from: Instant, at: Instant, client: &Client) -> Duration {
    let took = at.saturating_duration_since(from);
    let from = from.saturating_duration_since(client.started).as_secs_f64();
    assert!(took <= limit, "{took:?} from {from:.3} on, more than {limit:?}\n{}", client.log());
    took
}

/// The server is away for 6 s, and nobody listens meanwhile.
fn down(harness: &dyn Harness) -> String {
    let mut world = world(harness);
    let mut client = Client::start(harness, &world.setup);
    client.subscribed();
    world.proxy.refuse(true);
    let cut = Instant::now();
    world.proxy.reset();
    // A message that a dead socket swallowed could not be replayed.
    world.until_server(|server| server.with_gateway(|gateway, _| gateway.connections().count()) == 0);
    for second in 0..6 {
        world.sms(&format!("down {second}"));
        client.take_until(cut + Duration::from_secs(second + 1));
    }
    assert_eq!(client.connected_since(), None, "nobody listens\n{}", client.log());
    world.proxy.refuse(false);
    let back = Instant::now();
    world.sms("back");
    let connected = client.connected();
    world.sms("after");
    client.notified("after");
    let expected = ["down 0", "down 1", "down 2", "down 3", "down 4", "down 5", "back", "after"];
    assert_eq!(client.texts(), expected, "\n{}", client.log());
    assert_eq!(client.resumption(), Some(Resumption::Recovered));
    assert_eq!(client.gaps().count(), 0, "\n{}", client.log());
    let took = assert_within(Duration::from_secs(5), back, connected, &client);
    let silent = client.assert_never_silent(Some(cut));
    format!("connected {took:.2?} after the return, silent for {silent:.2?} at most")
}

// CLAUSE BCK-1
// CLAUSE REC-8
#[test]
fn it_is_back_within_5_s_of_the_return_of_the_server() {
    on_all("down for 6 s", down);
}

/// The connection is cut, and at the same moment the access token ends; the refresh token stays good.
fn token_ended(harness: &dyn Harness) -> String {
    let world = world(harness);
    let mut client = Client::start(harness, &world.setup);
    client.subscribed();
    let cut = Instant::now();
    world.server.with_gateway(|gateway, now| {
        gateway.reset(None, now);
        gateway.expire_access_tokens(now);
    });
    world.sms("missed");
    let connected = client.connected();
    let notified = client.notified("missed");
    assert_eq!(client.resumption(), Some(Resumption::Recovered));
    assert_eq!((client.texts().len(), client.gaps().count()), (1, 0), "\n{}", client.log());
    let limit = Duration::from_secs(5);
    let (took, until) = (assert_within(limit, cut, connected, &client), assert_within(limit, cut, notified, &client));
    let silent = client.assert_never_silent(Some(cut));
    format!("connected after {took:.2?}, notified after {until:.2?}, silent for {silent:.2?} at most")
}

/// The same with the whole login: only a new one helps, and the session is lost with the old one.
fn login_ended(harness: &dyn Harness) -> String {
    let world = world(harness);
    let mut client = Client::start(harness, &world.setup);
    client.subscribed();
    let cut = Instant::now();
    let cut_at = unix_ms();
    world.server.with_gateway(|gateway, now| {
        gateway.reset(None, now);
        gateway.log_out(0, now);
    });
    world.sms("lost");
    let connected = client.connected();
    client.subscribed();
    world.sms("after");
    let notified = client.notified("after");
    assert_eq!(client.texts(), ["after"], "\n{}", client.log());
    let reported = client.gaps().any(|gap| gap.since.0 <= cut_at && cut_at <= gap.until.0);
    assert!(reported, "what was lost is in a gap\n{}", client.log());
    let limit = Duration::from_secs(5);
    let (took, until) = (assert_within(limit, cut, connected, &client), assert_within(limit, cut, notified, &client));
    let silent = client.assert_never_silent(Some(cut));
    format!("connected after {took:.2?}, notified after {until:.2?}, silent for {silent:.2?} at most")
}

// CLAUSE TOK-4
// CLAUSE REC-8
#[test]
fn it_is_back_within_5_s_when_its_token_was_revoked_meanwhile() {
    on_all("access token revoked", token_ended);
    on_all("login revoked", login_ended);
}

/// The upgrade is refused twice: the token is replaced at once, and what the server asked for is waited for and no more.
fn refused(harness: &dyn Harness) -> String {
    const LIMIT: Duration = Duration::from_secs(8);
    let mut world = world(harness);
    world.setup.config.heartbeat_interval = HEARTBEAT;
    let mut client = Client::start(harness, &world.setup);
    client.subscribed();
    client.good();
    let cut = Instant::now();
    world.server.next_http_fails("/ws", 401, "", &[]);
    world.server.next_http_fails("/ws", 503, "", &[("Retry-After", "2")]);
    world.server.drop_connections();
    until(DEADLINE, "the server knows", || world.server.with_gateway(|gateway, _| gateway.connections().count()) == 0);
    world.sms("missed");
    let connected = client.connected();
    client.notified("missed");
    assert_eq!(world.server.observations().upgrades_refused, 2);
    assert_eq!(client.resumption(), Some(Resumption::Recovered));
    assert_eq!((client.texts().len(), client.gaps().count()), (1, 0), "\n{}", client.log());
    let took = assert_within(LIMIT, cut, connected, &client);
    let silent = client.assert_never_silent(Some(cut));
    format!("connected after {took:.2?}, silent for {silent:.2?} at most")
}

// CLAUSE BCK-1
// CLAUSE REC-8
#[test]
fn it_is_back_soon_when_the_upgrade_was_refused_twice() {
    on_all("upgrade refused twice", refused);
}

/// A notification that was sent, and when: before and after the call, in Unix time.
struct Sent {
    text: String,
    from: u64,
    to: u64,
}

fn send(world: &World<'_>, text: String) -> Sent {
    let from = unix_ms();
    world.sms(&text);
    Sent { text, from, to: unix_ms() }
}

/// What a client of a shared session did not get lies in its gaps; what it got came once and in order.
fn assert_nothing_lost_in_silence(who: &str, client: &Client, sent: &[Sent]) -> usize {
    let texts = client.texts();
    let mut left = sent.iter();
    for text in &texts {
        let known = left.any(|sent| sent.text == *text);
        assert!(known, "{who}: `{text}` came twice or out of order\n{}", client.log());
    }
    let missing: Vec<_> = sent.iter().filter(|sent| !texts.contains(&sent.text)).collect();
    for Sent { text, from, to } in &missing {
        let reported = client.gaps().any(|gap| gap.since.0 <= *from && *to <= gap.until.0);
        assert!(reported, "{who}: no gap for `{text}`, sent {from} to {to}\n{}", client.log());
    }
    missing.len()
}

/// Takes what both say, up to this moment.
fn take_from_both(clients: &mut [(&str, Client); 2], end: Instant) {
    while Instant::now() < end {
        for (_, client) in &mut *clients {
            client.take_until(end.min(Instant::now() + Duration::from_millis(5)));
        }
    }
}

/// What the first client has when the second one begins with its snapshot.
#[derive(PartialEq, Eq)]
enum Begun {
    /// A good connection.
    Good,
    /// One that was not asked anything yet.
    Young,
    /// The same, and the snapshot was taken before the subscription.
    Subscribing,
}

/// Two clients have one session, with one login, and so the server takes the connection from one for the other.
fn shared(harness: &dyn Harness, begun: &Begun, retry: RetryPolicy, traffic: Duration) -> String {
    const CALM: Duration = Duration::from_secs(90);
    const SETTLED: Duration = Duration::from_secs(10);
    let mut world = world(harness);
    world.setup.config.heartbeat_interval = HEARTBEAT;
    world.setup.config.retry = retry;
    // Each of them gets the same answer to its login: a login of its own would end the other's access token.
    let login = world.server.with_gateway(|gateway, now| gateway.login(0, now)).expect("there is a user");
    let answer = serde_json::json!({ "access_token": login.access_token, "token_type": "bearer", "expires_in": 3600 });
    for _ in 0..2 {
        world.server.next_http_fails("/restapi/oauth/token", 200, &answer.to_string(), &[]);
    }
    let mut first = Client::start(harness, &world.setup);
    first.subscribed();
    if *begun != Begun::Subscribing {
        // The snapshot that has the subscription comes behind it.
        first.wait("it is in the snapshot", |event| matches!(event, Event::SnapshotChanged));
    }
    if *begun == Begun::Good {
        first.good();
    }
    world.setup.snapshot = first.running.keep().0;
    assert!(world.setup.snapshot.is_some(), "a session that is subscribed has one");
    world.setup.filters.clear();
    let second = Client::start(harness, &world.setup);
    let mut clients = [("first", first), ("second", second)];
    let (began, mut sent) = (Instant::now(), Vec::new());
    while began.elapsed() < traffic {
        sent.push(send(&world, format!("{};", sent.len())));
        take_from_both(&mut clients, began + Duration::from_millis(250) * u32::try_from(sent.len()).expect("few"));
    }
    let calm = Instant::now();
    let settled = |client: &Client| client.connected_since().is_some_and(|since| since.elapsed() >= SETTLED);
    while !clients.iter().all(|(_, client)| settled(client)) {
        let logs = || clients.iter().map(|(who, client)| format!("{who}\n{}", client.log())).collect::<String>();
        assert!(calm.elapsed() < CALM, "they do not settle\n{}", logs());
        take_from_both(&mut clients, Instant::now() + Duration::from_millis(100));
    }
    sent.push(send(&world, "last".to_owned()));
    let mut measured = format!("{} takeovers", world.server.observations().takeovers);
    for (who, client) in &mut clients {
        client.notified("last");
        let missing = assert_nothing_lost_in_silence(who, client, &sent);
        let silent = client.assert_never_silent(None);
        let since = client.connected_since().map_or(Duration::ZERO, |since| since.saturating_duration_since(began));
        let gaps: Vec<_> = client.gaps().map(|gap| gap.cause.as_str()).collect();
        let _ = write!(measured, "; {who}: settled at {since:.2?}, {missing} in gaps {gaps:?}, silent {silent:.2?}");
    }
    let contended = |client: &Client| client.gaps().any(|gap| gap.cause == GapCause::Contended);
    assert!(clients.iter().any(|(_, client)| contended(client)), "one of them gave way");
    measured
}

/// As by default, but soon over.
fn soon_over() -> RetryPolicy {
    // With five calls a minute one of the clients would wait for the next minute, and the test with it.
    RetryPolicy { contended: Duration::from_secs(4), auth_calls_per_minute: 10, ..RetryPolicy::default() }
}

// CLAUSE CON-7
// CLAUSE REC-5
// CLAUSE REC-8
#[test]
fn a_session_of_two_clients_is_parted_and_nothing_is_lost_in_silence() {
    on_all("two clients", |harness| shared(harness, &Begun::Good, soon_over(), Duration::from_secs(20)));
}

#[test]
#[ignore = "takes minutes"]
fn a_session_of_two_clients_is_parted_with_the_default_settings() {
    let retry = RetryPolicy::default;
    on_all("by default", |harness| shared(harness, &Begun::Good, retry(), Duration::from_secs(60)));
}

#[test]
fn a_young_connection_that_another_client_takes_is_a_gap() {
    on_all("young", |harness| shared(harness, &Begun::Young, soon_over(), Duration::from_secs(20)));
}

#[test]
fn a_subscription_that_another_client_replaces_is_a_gap() {
    on_all("subscribing", |harness| shared(harness, &Begun::Subscribing, soon_over(), Duration::from_secs(20)));
}
