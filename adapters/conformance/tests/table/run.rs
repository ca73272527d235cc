//! Plays a behaviour on an adapter, and measures it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use ringcentral_ws_conformance::peer::{Opening, Peer, Recovery, Step};
use ringcentral_ws_conformance::settings::quick;
use ringcentral_ws_conformance::{Harness, Outcome, Running, Setup, cpu};
use ringcentral_ws_core::{Body, Cause, Close, CloseReason, Config, Event, RetryPolicy};

use super::{App, Behaviour, Stage, Then};
use crate::memory::Rise;

/// What an attack may cost beside what is held for the application by a limit with a name ([`EVENT_BYTES`]).
const MEMORY: usize = 64 << 20;

/// What a client that is gone may have left: buffers that runtimes keep.
const LEFT: usize = 2 << 20;

/// `IoLimits::event_bytes`.
const EVENT_BYTES: usize = 16 << 20;

/// `Config::token_timeout`, `Config::handshake_timeout`, `Config::request_timeout` and the limits of dialling.
const STEP: Duration = Duration::from_millis(400);

/// `Config::heartbeat_interval` and `Config::heartbeat_timeout`.
const HEARTBEAT: Duration = Duration::from_millis(200);

/// `Config::close_timeout`.
const CLOSE: Duration = Duration::from_millis(200);

/// What a busy machine may add to each limit of time.
const MARGIN: Duration = Duration::from_secs(20);

/// How long the attack lasts before the client is closed in the middle of it.
const UNDER_ATTACK: Duration = Duration::from_millis(20);

/// Panics of this process, whatever thread they are in.
pub(crate) static PANICS: AtomicUsize = AtomicUsize::new(0);

/// One behaviour on one adapter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Row {
    pub(crate) memory: usize,
    pub(crate) cpu: Duration,
    pub(crate) react: Duration,
    pub(crate) close: Duration,
    pub(crate) reported: String,
    pub(crate) faults: Vec<String>,
}

/// What a client is started with.
fn setup(peer: &Peer, app: App) -> Setup {
    let quick = quick().retry;
    let short = quick.base;
    let (unsent, unsent_later, penalty, contended) = (short, short, short, short);
    let (auth_calls_per_minute, attempts_per_minute) = (100_000, 100_000);
    let retry =
        RetryPolicy { unsent, unsent_later, penalty, contended, auth_calls_per_minute, attempts_per_minute, ..quick };
    // What such an application waits with is large: a busy machine takes its time to read it.
    let heartbeat_timeout = if matches!(app, App::Sleeps(_)) { MARGIN } else { HEARTBEAT };
    let config = Config {
        rest_over_websocket: matches!(app, App::Asks | App::Sends(_)),
        handshake_timeout: STEP,
        token_timeout: STEP,
        request_timeout: STEP,
        heartbeat_interval: HEARTBEAT,
        heartbeat_timeout,
        wake_timeout: HEARTBEAT,
        close_timeout: CLOSE,
        retry,
        ..Config::default()
    };
    Setup { config, event_bytes: EVENT_BYTES, step_limit: STEP, ..peer.setup() }
}

/// The steps of a connection; none where all goes well.
fn script(behaviour: &Behaviour, opening: &Opening, is_over: bool) -> Option<Vec<Step>> {
    let attack = behaviour.attack;
    let hands = [Step::Hands(Arc::new(attack)), Step::End];
    let details = || {
        let state = if opening.has_handle() { Recovery::Successful } else { Recovery::Fresh };
        [Step::Upgrade, Step::Details(state)]
    };
    let subscribed = || details().into_iter().chain((!opening.has_handle()).then_some(Step::Subscribed));
    let is_token = opening.path.ends_with("/wstoken");
    if is_over {
        let state = if opening.has_handle() { Recovery::Failed } else { Recovery::Fresh };
        let good = [Step::Upgrade, Step::Details(state), Step::Subscribed, Step::Notify("over".to_owned())];
        return opening.is_upgrade().then(|| good.to_vec());
    }
    match (behaviour.stage, opening.is_upgrade()) {
        (Stage::Token, false) if is_token => Some(hands.to_vec()),
        (Stage::Upgrade, true) => Some(hands.to_vec()),
        (Stage::Open, true) => Some([Step::Upgrade].into_iter().chain(hands).collect()),
        (Stage::Connected, true) => Some(details().into_iter().chain(hands).collect()),
        (Stage::Live, true) => Some(subscribed().chain(hands).collect()),
        (Stage::Recovery, true) if opening.has_handle() => Some([Step::Upgrade].into_iter().chain(hands).collect()),
        (Stage::Recovery, true) if opening.number == 0 => {
            Some(subscribed().chain([Step::Notify("before".to_owned()), Step::End]).collect())
        }
        _ => None,
    }
}

/// A server and its client.
struct Fight {
    peer: Peer,
    over: Arc<AtomicBool>,
    client: Box<dyn Running>,
    lines: Vec<String>,
    ended: bool,
}

impl Fight {
    fn start(behaviour: &'static Behaviour, harness: &dyn Harness) -> Self {
        let over = Arc::<AtomicBool>::default();
        let is_over = Arc::clone(&over);
        let peer = Peer::start(move |opening| script(behaviour, opening, is_over.load(Ordering::SeqCst)));
        let client = harness.start(setup(&peer, behaviour.app));
        Self { peer, over, client, lines: Vec::new(), ended: false }
    }

    /// Takes events until a line begins like one of these, for no longer than `limit`. The lines from `from` on count.
    fn until(&mut self, beginnings: &[&str], limit: Duration) -> Result<String, String> {
        let began = Instant::now();
        let mut from = 0;
        loop {
            let is_it = |line: &&String| beginnings.iter().any(|beginning| line.starts_with(beginning));
            if let Some(line) = self.lines[from..].iter().find(is_it) {
                return Ok(line.clone());
            }
            from = self.lines.len();
            if self.ended {
                return Err(format!("the events ended without {beginnings:?}: {:?}", self.last()));
            }
            // Events may come without a pause.
            let left = limit.saturating_sub(began.elapsed());
            match (!left.is_zero()).then(|| self.client.next_event(left)).flatten() {
                Some(Some(event)) => self.lines.extend(line(&event)),
                Some(None) => self.ended = true,
                None => return Err(format!("not in time: {beginnings:?}: {:?}", self.last())),
            }
        }
    }

    fn last(&self) -> &[String] {
        &self.lines[self.lines.len().saturating_sub(12)..]
    }

    /// Waits for the attack to begin.
    fn attacked(&mut self) -> Result<Instant, String> {
        let began = Instant::now();
        while began.elapsed() < MARGIN {
            if let Some(first) = self.peer.first_hands() {
                return Ok(first);
            }
            if let Some(Some(event)) = self.client.next_event(Duration::from_millis(5)) {
                self.lines.extend(line(&event));
            }
        }
        Err(format!("the attack never began: {:?}", self.last()))
    }

    /// Closes, and sees that the events end.
    fn close(&mut self, faults: &mut Vec<String>) -> Duration {
        let began = Instant::now();
        self.client.close(Close::Detach);
        let took = began.elapsed();
        if took > CLOSE + MARGIN {
            faults.push(format!("close took {took:?}"));
        }
        if let Err(error) = self.until(&["closed"], MARGIN) {
            faults.push(format!("after close: {error}"));
        }
        took
    }

    /// What the application does.
    fn act(&mut self, app: App) {
        let body = match app {
            App::Listens => return,
            App::Sleeps(milliseconds) => return std::thread::sleep(Duration::from_millis(milliseconds)),
            App::Asks => Body::empty(),
            App::Sends(bytes) => Body::from(serde_json::Value::from("x".repeat(bytes)).to_string()),
        };
        let method = if body.is_empty() { http::Method::GET } else { http::Method::POST };
        let request = http::Request::builder().method(method).uri("/restapi/v1.0/account/~");
        let request = request.header("content-type", "application/json").body(body).expect("a request");
        let outcome = self.client.request(request);
        self.lines.push(match outcome {
            Outcome::Response(status, ..) => format!("answer {status}"),
            Outcome::Failed(word, _) => format!("request {word}"),
            Outcome::Broken(_) => "request broken".to_owned(),
        });
    }
}

/// Closes a client in the middle of the attack.
fn close_under_attack(behaviour: &'static Behaviour, harness: &dyn Harness, row: &mut Row) -> (Duration, u64) {
    let mut fight = Fight::start(behaviour, harness);
    match fight.attacked() {
        Ok(_) => std::thread::sleep(UNDER_ATTACK),
        Err(error) => row.faults.push(error),
    }
    row.close = fight.close(&mut row.faults);
    let Fight { peer, client, .. } = fight;
    drop(client);
    let written = peer.written();
    row.faults.extend(peer.faults());
    (peer.end(), written)
}

/// Waits until the attack is reported, and looks whether the client is none the worse for it.
fn withstand(behaviour: &'static Behaviour, harness: &dyn Harness, row: &mut Row) -> (Duration, u64) {
    let mut fight = Fight::start(behaviour, harness);
    let limit = limit(behaviour) + MARGIN;
    match fight.attacked() {
        Ok(began) => {
            if matches!(behaviour.app, App::Asks | App::Sends(_)) {
                // A request is refused by itself before there is a connection.
                let _ = fight.until(&["connected"], MARGIN);
            }
            fight.act(behaviour.app);
            match fight.until(behaviour.expect, limit.saturating_sub(began.elapsed())) {
                Ok(line) => row.reported = line,
                Err(error) => row.faults.push(error),
            }
            row.react = began.elapsed();
        }
        Err(error) => row.faults.push(error),
    }
    fight.over.store(true, Ordering::SeqCst);
    fight.peer.calm();
    let rest = match behaviour.then {
        Then::Recovers => fight.until(&["notification uuid-over"], MARGIN).map(drop),
        Then::Ends => fight.until(&["closed"], MARGIN).map(drop),
        Then::Waits => Ok(()),
    };
    row.faults.extend(rest.err().map(|error| format!("afterwards: {error}")));
    let took = fight.close(&mut row.faults);
    row.close = row.close.max(took);
    if std::env::var_os("SHOW_LINES").is_some() {
        println!("{}: {:#?}", behaviour.name, fight.lines);
    }
    let Fight { peer, client, .. } = fight;
    drop(client);
    let written = peer.written();
    row.faults.extend(peer.faults());
    row.faults.extend(elsewhere(&peer));
    (peer.end(), written)
}

/// A secret that was carried where the server pointed to.
fn elsewhere(peer: &Peer) -> Option<String> {
    let led = peer.openings().into_iter().find(|opening| opening.path.contains("elsewhere"));
    led.map(|opening| format!("the client followed the server to {} {}", opening.method, opening.path))
}

/// The limit in the settings that ends such an attack.
fn limit(behaviour: &Behaviour) -> Duration {
    match (behaviour.stage, behaviour.app) {
        (_, App::Sleeps(milliseconds)) => Duration::from_millis(milliseconds) + HEARTBEAT * 2,
        (Stage::Token | Stage::Upgrade | Stage::Open | Stage::Connected, _) | (_, App::Asks | App::Sends(_)) => STEP,
        (Stage::Live | Stage::Recovery, App::Listens) => HEARTBEAT * 2,
    }
}

/// Whether a thread makes a call, where the system can say so. The name is cut to 15 bytes there.
fn calls_go_on() -> bool {
    let names = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let names = names.filter_map(|thread| std::fs::read_to_string(thread.path().join("comm")).ok());
    names.into_iter().any(|name| name.trim_end() == "ringcentral-cal")
}

/// Plays a behaviour on an adapter.
pub(crate) fn play(behaviour: &'static Behaviour, harness: &dyn Harness) -> Row {
    let mut row = Row::default();
    let (began, used, panics) = (Instant::now(), cpu::of_this_process(), PANICS.load(Ordering::SeqCst));
    let rise = Rise::watch();
    let (cost_1, written_1) = close_under_attack(behaviour, harness, &mut row);
    // A call that was given up may still hold its answer for a moment, or be about to unpack it.
    let closed = Instant::now();
    while (rise.now() > LEFT || calls_go_on()) && closed.elapsed() < MARGIN {
        std::thread::sleep(Duration::from_millis(2));
    }
    if rise.now() > LEFT {
        row.faults.push(format!("{} MiB are left when the client is gone", rise.now() >> 20));
    }
    let (cost_2, written_2) = withstand(behaviour, harness, &mut row);
    row.memory = rise.most();
    row.cpu = cpu::of_this_process().saturating_sub(used).saturating_sub(cost_1 + cost_2);
    let elapsed = began.elapsed();
    if row.memory > MEMORY + EVENT_BYTES {
        row.faults.push(format!("{} MiB in use", row.memory >> 20));
    }
    let explained = explained(elapsed, written_1 + written_2);
    if row.cpu > explained {
        row.faults.push(format!("{:?} of the processor where {explained:?} are explained", row.cpu));
    }
    if PANICS.load(Ordering::SeqCst) > panics {
        row.faults.push("a panic".to_owned());
    }
    row
}

/// The time of the processor that so many bytes in so long explain. It catches a client that is busy with nothing: that
/// uses all the time there is.
fn explained(elapsed: Duration, written: u64) -> Duration {
    Duration::from_millis(500) + elapsed / 2 + Duration::from_nanos(written.saturating_mul(2_000))
}

/// The line of an event that counts here.
fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Notification(n) => {
            let shown: String = n.uuid().chars().take(40).flat_map(char::escape_default).collect();
            format!("notification {shown}")
        }
        Event::Gap(gap) => format!("gap {}", gap.cause.as_str()),
        Event::Disconnected { cause, .. } => format!("disconnected {}", word(cause)),
        Event::Retry { cause, reason, .. } => format!("retry {} {}", word(cause), reason.as_str()),
        Event::Waiting { reason, .. } => format!("waiting {}", reason.as_str()),
        Event::ProtocolError { error, .. } => format!("protocol error {error:?}"),
        Event::Connected { resumption, .. } => format!("connected {}", resumption.as_str()),
        Event::Subscribed(_) => "subscribed".to_owned(),
        Event::SubscriptionFailed { error, .. } => format!("subscription failed {}", error.status),
        Event::RecoveryFailed { .. } => "recovery failed".to_owned(),
        Event::Recovered { .. } => "recovered".to_owned(),
        Event::Closed { reason: CloseReason::Permanent(cause) } => format!("closed {}", word(cause)),
        Event::Closed { .. } => "closed".to_owned(),
        _ => return None,
    })
}

fn word(cause: &Cause) -> String {
    match cause {
        Cause::ConnectFailed { phase, .. } | Cause::Network { phase, .. } => format!("{} {phase:?}", cause.as_str()),
        Cause::UpgradeRefused { status } => format!("{} {status}", cause.as_str()),
        Cause::ServerClosed { code } => format!("{} {code:?}", cause.as_str()),
        _ => cause.as_str().to_owned(),
    }
}
