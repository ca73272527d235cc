//! What a fleet of clients does to the server after an outage (BCK-2): real Sessions in virtual time, beside the
//! schedules of other clients.
//!
//! `cargo run --release -p ringcentral-ws-benches --bin fleet [CLIENTS]`

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

use bytes::Bytes;
use ringcentral_ws_core::{
    AccessToken, Action, ClockReading, CloseInfo, Config, ConnId, Event, Filters, Frame, HttpFailure, HttpId, Input,
    Output, Phase, Resumption, Session, Timestamp, UnixMillis, Wait,
};

/// The moment of the loss, in seconds.
const LOSS: u64 = 1_000;
/// All clients lose their socket within this.
const SPREAD: Duration = Duration::from_millis(50);
/// The recovery window of the server.
const WINDOW: Duration = Duration::from_secs(180);
/// How long the server takes for anything.
const LATENCY: Duration = Duration::from_millis(50);

const DETAILS: &str = r#"[{"type":"ConnectionDetails","wsc":{"token":"w","sequence":1}},{"recoveryTimeout":180,"recoveryBufferSize":100,"absoluteTimeout":86400}]"#;
const RECOVERED: &str = r#"[{"type":"ConnectionDetails","wsc":{"token":"w","sequence":1}},{"recoveryState":"Successful","recoveryTimeout":180,"recoveryBufferSize":100,"absoluteTimeout":86400}]"#;
const TOKEN: &str = r#"{"ws_access_token":"t","uri":"wss://ws.ringcentral.com/ws","expires_in":600}"#;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outage {
    /// Nothing can be reached.
    Network,
    /// The server closes everyone and answers 503.
    Server,
}

/// What came of one fleet.
#[derive(Default)]
struct Tally {
    inside: usize,
    clients: usize,
    attempts: Vec<u64>,
    most_attempts: u64,
    most_calls_a_minute: usize,
    total_attempts: u64,
}

impl Tally {
    fn worst_100ms(&mut self) -> f64 {
        self.attempts.sort_unstable();
        let mut worst = 0;
        let mut first = 0;
        for (i, at) in self.attempts.iter().enumerate() {
            while at - self.attempts[first] >= 100_000 {
                first += 1;
            }
            worst = worst.max(i + 1 - first);
        }
        worst as f64 / self.clients as f64
    }

    fn print(&mut self, name: &str) {
        let inside = 100.0 * self.inside as f64 / self.clients as f64;
        let worst = 100.0 * self.worst_100ms();
        let mean = self.total_attempts as f64 / self.clients as f64;
        let calls = match self.most_calls_a_minute {
            0 => "-".to_owned(),
            n => n.to_string(),
        };
        println!("  {name:<34} {inside:>7.2} % {worst:>7.2} % {mean:>9.1} {:>6} {calls:>10}", self.most_attempts);
    }
}

/// One client and the server's side of it.
struct Client {
    session: Session,
    /// An answer under way.
    pending: Option<(Timestamp, Reply)>,
    calls: Vec<u64>,
    attempts: u64,
    recovered: Option<bool>,
}

enum Reply {
    Failed(HttpId),
    Unavailable(HttpId),
    Token(HttpId),
    Open(ConnId),
}

fn main() {
    let clients = std::env::args().nth(1).map_or(Ok(20_000), |n| n.parse());
    let Ok(clients) = clients else {
        eprintln!("usage: fleet [CLIENTS]");
        std::process::exit(2);
    };
    for (kind, name) in [(Outage::Network, "no network"), (Outage::Server, "the server closes everyone, then 503")] {
        for seconds in [1, 30, 120, 150, 170] {
            println!("{clients} clients, {name} for {seconds} s, window {} s", WINDOW.as_secs());
            println!(
                "  {:<34} {:>9} {:>9} {:>9} {:>6} {:>10}",
                "", "inside", "100 ms", "attempts", "most", "tokens/min"
            );
            let outage = Duration::from_secs(seconds);
            fleet(clients, kind, outage).print("this client");
            for (name, schedule) in SCHEDULES {
                formula(clients, outage, schedule).print(name);
            }
        }
    }
}

fn fleet(clients: usize, kind: Outage, outage: Duration) -> Tally {
    let loss = Timestamp::from_secs(LOSS);
    let back = loss.after(outage);
    let mut fleet: Vec<Client> = (0..clients).map(|seed| ready(seed as u64)).collect();
    let mut wake = BinaryHeap::new();
    for (i, client) in fleet.iter_mut().enumerate() {
        let at = loss.after(SPREAD * u32::try_from(i).unwrap_or(0) / u32::try_from(clients).unwrap_or(1));
        let code = (kind == Outage::Server).then_some(1001);
        let input = Input::Closed { conn: ConnId::from(1), close: CloseInfo { code, reason: "".into() } };
        client.give(input, at);
        wake.push(Reverse((client.drain(at, kind, back), i)));
    }
    while let Some(Reverse((at, i))) = wake.pop() {
        let client = &mut fleet[i];
        if client.recovered.is_some() || at == Timestamp::from_micros(u64::MAX) {
            continue;
        }
        match client.pending.take_if(|(due, _)| *due <= at) {
            Some((_, reply)) => client.answer(reply, at),
            None => client.give(Input::Timeout, at),
        }
        wake.push(Reverse((client.drain(at, kind, back), i)));
    }
    tally(&fleet, clients)
}

fn tally(fleet: &[Client], clients: usize) -> Tally {
    let mut tally = Tally { clients, ..Tally::default() };
    for client in fleet {
        tally.inside += usize::from(client.recovered == Some(true));
        tally.attempts.extend(&client.calls);
        tally.total_attempts += client.attempts;
        tally.most_attempts = tally.most_attempts.max(client.attempts);
        for (i, at) in client.calls.iter().enumerate() {
            let minute = client.calls[i..].iter().take_while(|later| *later - at <= 60_000_000).count();
            tally.most_calls_a_minute = tally.most_calls_a_minute.max(minute);
        }
    }
    tally
}

/// A subscribed session that heard of its server right before the loss.
fn ready(seed: u64) -> Client {
    let now = Timestamp::from_secs(LOSS - 1);
    let clock = ClockReading { now, unix: UnixMillis(0) };
    let mut client = Client {
        session: Session::new(Config::default(), seed, clock),
        pending: None,
        calls: Vec::new(),
        attempts: 0,
        recovered: None,
    };
    let filters = Filters::new(["/restapi/v1.0/account/~/presence"]).expect("a constant filter");
    client.session.subscribe(filters, now).expect("drained");
    client.session.connect(now).expect("drained");
    let mut message = String::new();
    loop {
        match client.session.poll_output() {
            Output::Action(Action::Authorize { id, .. }) => {
                let token = AccessToken { secret: "a".into(), expires_in: None };
                client.give(Input::Authorized { id, token }, now);
            }
            Output::Action(Action::Http { id, .. }) => client.answer(Reply::Token(id), now),
            Output::Action(Action::Open { conn, .. }) => {
                client.give(Input::Opened { conn }, now);
                client.give(Input::Frame { conn, frame: Frame::Text(DETAILS) }, now);
            }
            Output::Action(Action::Send { conn, text, .. }) => {
                if let Some(id) = text.split('"').skip_while(|part| *part != "messageId").nth(2) {
                    message = id.to_owned();
                }
                let reply =
                    format!(r#"[{{"type":"ClientRequest","messageId":"{message}","status":200}},{{"id":"s"}}]"#);
                client.give(Input::Frame { conn, frame: Frame::Text(&reply) }, now);
            }
            Output::Wait(_) => break,
            Output::Action(_) | Output::Event(_) => {}
        }
    }
    client
}

impl Client {
    fn give(&mut self, input: Input<'_>, now: Timestamp) {
        self.session.handle_input(input, now).expect("drained");
    }

    fn answer(&mut self, reply: Reply, now: Timestamp) {
        match reply {
            Reply::Failed(id) => {
                let failure = HttpFailure { phase: Phase::Tcp, not_sent: true, message: "no route".into() };
                self.give(Input::HttpFailed { id, failure }, now);
            }
            Reply::Unavailable(id) => {
                let mut response = http::Response::new(Bytes::new());
                *response.status_mut() = http::StatusCode::SERVICE_UNAVAILABLE;
                self.give(Input::HttpResponse { id, response: Box::new(response) }, now);
            }
            Reply::Token(id) => {
                let response = http::Response::new(Bytes::from_static(TOKEN.as_bytes()));
                self.give(Input::HttpResponse { id, response: Box::new(response) }, now);
            }
            Reply::Open(conn) => {
                self.give(Input::Opened { conn }, now);
                self.give(Input::Frame { conn, frame: Frame::Text(RECOVERED) }, now);
            }
        }
    }

    /// Carries out what the session wants and says when it is to be woken.
    fn drain(&mut self, now: Timestamp, kind: Outage, back: Timestamp) -> Timestamp {
        let never = Timestamp::from_micros(u64::MAX);
        loop {
            match self.session.poll_output() {
                Output::Action(Action::Http { id, .. }) => {
                    self.calls.push(now.as_micros());
                    self.attempts += 1;
                    let reply = match kind {
                        _ if now >= back => (now.after(LATENCY), Reply::Token(id)),
                        Outage::Network => (now, Reply::Failed(id)),
                        Outage::Server => (now.after(LATENCY), Reply::Unavailable(id)),
                    };
                    self.pending = Some(reply);
                }
                Output::Action(Action::Open { conn, .. }) => {
                    self.pending = Some((now.after(LATENCY), Reply::Open(conn)));
                }
                Output::Event(Event::Connected { resumption, .. }) => {
                    self.recovered = Some(resumption == Resumption::Recovered);
                }
                Output::Wait(wait) => {
                    let timer = if let Wait::Until { at, .. } = wait { at } else { never };
                    return self.pending.as_ref().map_or(timer, |(at, _)| timer.min(*at));
                }
                Output::Action(_) | Output::Event(_) => {}
            }
        }
    }
}

/// Delay in seconds before try `n` (from 0), given a random number in 0..1 and the seconds left in the window.
type Schedule = fn(u32, f64, f64) -> f64;

const SCHEDULES: [(&str, Schedule); 4] = [
    ("full jitter up to 60 s", |n, r, _| r * f64::from(1u32 << n.min(6)).min(60.0)),
    ("full jitter up to 20 s", |n, r, _| r * f64::from(1u32 << n.min(6)).min(20.0)),
    ("exponential 1 s to 30 s, no jitter", |n, _, _| f64::from(1u32 << n.min(6)).min(30.0)),
    ("uniform 2 s to 8 s", |_, r, _| 2.0 + 6.0 * r),
];

/// The same fleet on a bare formula, without budgets.
fn formula(clients: usize, outage: Duration, schedule: Schedule) -> Tally {
    let mut tally = Tally { clients, ..Tally::default() };
    let mut random = Random(1);
    for i in 0..clients {
        let lost = 0.05 * i as f64 / clients as f64;
        let (mut at, mut n) = (lost, 0);
        loop {
            at += schedule(n, random.next(), lost + 180.0 - at);
            n += 1;
            tally.attempts.push((at * 1e6) as u64);
            if at >= outage.as_secs_f64() || n > 10_000 {
                break;
            }
        }
        tally.inside += usize::from(at < lost + 180.0);
        tally.total_attempts += u64::from(n);
        tally.most_attempts = tally.most_attempts.max(u64::from(n));
    }
    tally
}

/// xorshift: enough to draw a table.
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // CLAUSE BCK-2
    #[test]
    fn a_fleet_comes_back_inside_the_window_without_a_storm() {
        for (kind, seconds) in [
            (Outage::Network, 1),
            (Outage::Network, 170),
            (Outage::Server, 1),
            (Outage::Server, 120),
            (Outage::Server, 170),
        ] {
            let mut tally = fleet(4_000, kind, Duration::from_secs(seconds));
            assert!(tally.inside * 1_000 >= tally.clients * 999, "{seconds} s: {} inside", tally.inside);
            assert!(tally.worst_100ms() <= 0.10, "{seconds} s: {}", tally.worst_100ms());
            assert!(tally.most_attempts <= 50, "{seconds} s: {}", tally.most_attempts);
            assert!(tally.most_calls_a_minute <= 4, "{seconds} s: {}", tally.most_calls_a_minute);
        }
    }
}
