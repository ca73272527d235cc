//! A fleet that loses its server: when it comes back, and how close together its attempts are.

use std::time::Duration;

use bytes::Bytes;
use ringcentral_ws_core::*;

/// How the outage looks to a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outage {
    /// No TCP connection to the REST server.
    NoRest,
    /// The REST server is fine, the gateway refuses TCP.
    NoGateway,
    /// The REST server answers 503.
    Unavailable,
    /// Nothing answers at all.
    Silence,
    /// The REST server is fine, the gateway says nothing.
    SilentGateway,
}

const OUTAGES: [Outage; 5] =
    [Outage::NoRest, Outage::NoGateway, Outage::Unavailable, Outage::Silence, Outage::SilentGateway];
/// The server's window, counted from the last frame, which is also the moment of the loss.
const WINDOW: Duration = Duration::from_secs(180);
/// When the connection is lost.
const LOSS: Duration = Duration::from_secs(20);

struct Client {
    session: Session,
    now: Timestamp,
    wait: Wait,
}

impl Client {
    fn lost(seed: u64, code: Option<u16>) -> Self {
        let clock = ClockReading { now: Timestamp::ZERO, unix: UnixMillis(1_700_000_000_000) };
        let session = Session::new(Config::default(), seed, clock);
        let mut it = Self { session, now: Timestamp::ZERO, wait: Wait::ForInput };
        it.session.connect(it.now).unwrap();
        it.run(Duration::from_secs(1), Duration::ZERO, None);
        it.session.subscribe(Filters::new(["/a"]).unwrap(), it.now).unwrap();
        it.run(Duration::from_secs(1), Duration::ZERO, None);
        it.now = Timestamp::ZERO.after(LOSS);
        let conn = ConnId::from(1);
        it.give(Input::Frame { conn, frame: Frame::Control });
        it.give(Input::Closed { conn, close: CloseInfo { code, reason: "".into() } });
        it
    }

    fn give(&mut self, input: Input<'_>) {
        self.session.handle_input(input, self.now).unwrap();
    }

    /// Until `end`, with a server that is away until `back`. Returns when attempts began, and when one succeeded with
    /// the recovery handle.
    fn run(&mut self, end: Duration, back: Duration, how: Option<Outage>) -> (Vec<Duration>, Option<Duration>) {
        let end = self.now.max(Timestamp::ZERO.after(end));
        let (mut attempts, mut success) = (Vec::new(), None);
        loop {
            let at = self.now.since(Timestamp::ZERO);
            let how = how.filter(|_| at < back);
            match self.session.poll_output() {
                Output::Action(action) => match action {
                    Action::Authorize { id, .. } => {
                        let token = AccessToken { secret: "access".into(), expires_in: None };
                        self.give(Input::Authorized { id, token });
                    }
                    Action::Http { id, .. } => {
                        attempts.push(at);
                        self.answer(id, how);
                    }
                    Action::Open { conn, url } => {
                        attempts.push(at);
                        if how.is_none() {
                            let wsc = url.expose().query_pairs().any(|(key, _)| key == "wsc");
                            success = success.or(wsc.then_some(at));
                        }
                        self.open(conn, how);
                    }
                    Action::Send { conn, text, purpose: Purpose::Subscribe } => {
                        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
                        let id = &value[0]["messageId"];
                        let text =
                            format!(r#"[{{"type":"ClientRequest","messageId":{id},"status":200}},{{"id":"s"}}]"#);
                        self.give(Input::Frame { conn, frame: Frame::Text(&text) });
                    }
                    _ => {}
                },
                Output::Event(_) => {}
                Output::Wait(wait) => {
                    self.wait = wait;
                    match wait {
                        Wait::Until { at, .. } if at <= end && success.is_none() => {
                            self.now = at;
                            self.give(Input::Timeout);
                        }
                        _ => return (attempts, success),
                    }
                }
            }
        }
    }

    fn answer(&mut self, id: HttpId, how: Option<Outage>) {
        match how {
            None | Some(Outage::NoGateway | Outage::SilentGateway) => {
                let body = r#"{"ws_access_token":"t","uri":"wss://h.ringcentral.com/ws","expires_in":600}"#;
                self.give(Input::HttpResponse { id, response: Box::new(http::Response::new(Bytes::from(body))) });
            }
            Some(Outage::NoRest) => {
                let failure = HttpFailure { phase: Phase::Tcp, not_sent: true, message: "refused".into() };
                self.give(Input::HttpFailed { id, failure });
            }
            Some(Outage::Unavailable) => {
                let response = http::Response::builder().status(503).body(Bytes::new()).unwrap();
                self.give(Input::HttpResponse { id, response: Box::new(response) });
            }
            Some(Outage::Silence) => {}
        }
    }

    fn open(&mut self, conn: ConnId, how: Option<Outage>) {
        if matches!(how, Some(Outage::Silence | Outage::SilentGateway)) {
            return;
        }
        if how.is_some() {
            let failure = OpenFailure { phase: Phase::Tcp, status: None, retry_after: None, message: "refused".into() };
            return self.give(Input::OpenFailed { conn, failure });
        }
        self.give(Input::Opened { conn });
        let details = r#"[{"type":"ConnectionDetails","wsc":{"token":"w","sequence":1}},{"recoveryTimeout":180}]"#;
        self.give(Input::Frame { conn, frame: Frame::Text(details) });
    }
}

// CLAUSE BCK-2
#[test]
fn nearly_everyone_is_back_inside_the_window() {
    for how in OUTAGES {
        for seconds in [1, 10, 30, 59, 61, 90, 120, 140, 150, 160, 165, 170] {
            let back = LOSS + Duration::from_secs(seconds);
            let clients = 500;
            let inside = (0..clients).filter(|seed| {
                let mut client = Client::lost(*seed, Some(1001));
                let (_, success) = client.run(LOSS + WINDOW, back, Some(how));
                success.is_some()
            });
            let missed = clients as usize - inside.count();
            assert!(
                missed * 1000 <= clients as usize,
                "{how:?} of {seconds} s: {missed} of {clients} missed the window"
            );
        }
    }
}

// CLAUSE BCK-1 BCK-2
#[test]
fn a_fleet_does_not_come_in_step() {
    const FLEET: u64 = 5_000;
    for (how, code) in [(Outage::NoRest, Some(1001)), (Outage::NoGateway, Some(1001)), (Outage::Unavailable, None)] {
        let back = LOSS + Duration::from_secs(100);
        let mut tenths = vec![0_u64; 3_000];
        for seed in 0..FLEET {
            let mut client = Client::lost(seed, code);
            let (attempts, _) = client.run(LOSS + WINDOW, back, Some(how));
            let mut of_this: Vec<_> = attempts.iter().map(|at| at.as_millis() as usize / 100).collect();
            of_this.dedup();
            of_this.into_iter().for_each(|tenth| tenths[tenth] += 1);
        }
        let most = tenths.iter().max().unwrap();
        assert!(*most * 10 <= FLEET, "{how:?}: {most} of {FLEET} within 100 ms");
    }
}
