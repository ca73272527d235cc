//! Requests under random calls, answers and losses: each ends once, and its outcome is what happened (REQ-3, REQ-8).

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use ringcentral_ws_core::contract::Checked;
use ringcentral_ws_core::*;

use crate::direct::{DETAILS, Direct, clock, details, error_body, message_id};

/// What the test knows about one request.
#[derive(Debug, Default)]
struct Seen {
    repeatable: bool,
    /// How often it left in a way that may have made it run.
    ran: u32,
    ended: bool,
}

struct Stage {
    s: Direct,
    random: fastrand::Rng,
    requests: BTreeMap<RequestId, Seen>,
    /// Calls for WebSocket tokens.
    tokens: Vec<HttpId>,
    /// Messages on the socket, and the requests they carry.
    messages: Vec<(String, RequestId)>,
    calls: BTreeMap<HttpId, RequestId>,
    logins: Vec<AuthId>,
    conns: Vec<ConnId>,
    ready: bool,
    /// How requests ended, and how often one left over the socket, or again.
    tally: BTreeMap<&'static str, usize>,
}

impl Stage {
    fn new(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let limits =
            SessionLimits { active_requests: 1 + random.usize(..4), queued_requests: 6, ..SessionLimits::default() };
        let config = Config {
            rest_over_websocket: random.usize(..4) > 0,
            auto_recover: random.usize(..4) > 0,
            limits,
            ..Config::default()
        };
        let mut s = Direct::around(Checked::new(config, seed, clock()));
        s.session.connect(s.now).unwrap();
        let mut stage = Self {
            s,
            random,
            requests: BTreeMap::new(),
            tokens: Vec::new(),
            messages: Vec::new(),
            calls: BTreeMap::new(),
            logins: Vec::new(),
            conns: Vec::new(),
            ready: false,
            tally: BTreeMap::new(),
        };
        stage.look();
        stage
    }

    fn look(&mut self) {
        for output in self.s.drain() {
            match output {
                Output::Action(Action::Authorize { id, .. }) => self.logins.push(id),
                Output::Action(Action::Http { id, request, .. }) => self.call(id, &request),
                Output::Action(Action::AbortHttp { id }) => {
                    self.tokens.retain(|call| *call != id);
                    self.calls.remove(&id);
                }
                Output::Action(Action::Open { conn, .. }) => self.conns.push(conn),
                Output::Action(Action::Send { text, purpose: Purpose::Request(id), .. }) => {
                    *self.tally.entry("socket").or_default() += 1;
                    self.left(id);
                    self.messages.push((message_id(&text), id));
                }
                Output::Event(Event::Response { id, outcome }) => self.ended(id, &outcome),
                Output::Event(Event::Disconnected { .. }) => self.messages.clear(),
                _ => {}
            }
        }
        self.ready = matches!(self.s.session.state(), SessionState::Ready { .. });
    }

    fn call(&mut self, id: HttpId, request: &http::Request<Bytes>) {
        let number = request.uri().path().strip_prefix("/r/").map(|number| number.parse::<u64>().unwrap());
        let Some(number) = number else { return self.tokens.push(id) };
        let request = RequestId::from(number);
        self.left(request);
        self.calls.insert(id, request);
    }

    fn left(&mut self, id: RequestId) {
        let seen = self.requests.entry(id).or_default();
        assert!(!seen.ended && (seen.ran == 0 || seen.repeatable), "{id:?} was sent twice");
        *self.tally.entry("again").or_default() += usize::from(seen.ran > 0);
        seen.ran += 1;
    }

    fn ended(&mut self, id: RequestId, outcome: &RequestOutcome) {
        let seen = self.requests.get_mut(&id).unwrap();
        assert!(!std::mem::replace(&mut seen.ended, true), "{id:?} ended twice");
        let (kind, may_have_run) = match outcome {
            RequestOutcome::NotSent(_) => ("not sent", false),
            RequestOutcome::TimedOut { sent } => ("timed out", *sent),
            RequestOutcome::Cancelled { sent } => ("cancelled", *sent),
            RequestOutcome::Response { .. } => ("response", true),
            _ => ("unknown", true),
        };
        *self.tally.entry(kind).or_default() += 1;
        if kind == "response" {
            return;
        }
        assert_eq!(may_have_run, seen.ran > 0, "{id:?} {outcome:?} {seen:?}");
    }

    fn step(&mut self) {
        match self.random.usize(..20) {
            0..=3 => self.request(),
            4 => {
                let ids: Vec<_> = self.requests.keys().copied().collect();
                if let Some(id) = self.random.choice(ids) {
                    self.s.session.cancel(id, self.s.now).unwrap();
                }
            }
            5..=7 => self.answer_login(),
            8..=10 => self.answer_token(),
            11 => self.answer_call(),
            12 => self.answer_message(),
            13..=17 => self.connection(),
            18 => self.pass(),
            _ => self.odd(),
        }
        self.look();
    }

    fn request(&mut self) {
        // Ids are given in order, so the path shows which one it is.
        let number = self.requests.len() as u64 + 1;
        let repeatable = self.random.usize(..3) == 0;
        let method = if self.random.usize(..2) == 0 { http::Method::GET } else { http::Method::POST };
        let mut request = http::Request::new(Body::empty());
        *request.uri_mut() = format!("/r/{number}").parse().unwrap();
        let timeout =
            self.random.choice([None, None, None, Some(Duration::ZERO), Some(Duration::from_secs(3))]).unwrap();
        request.extensions_mut().insert(RequestOptions {
            repeat_if_safe: repeatable,
            timeout,
            ..RequestOptions::default()
        });
        if self.random.usize(..3) == 0 {
            request.extensions_mut().insert(OverHttps);
        }
        let repeatable = repeatable && method == http::Method::GET;
        *request.method_mut() = method;
        if let Ok(id) = self.s.session.request(request, self.s.now) {
            assert_eq!(id, RequestId::from(number));
            self.requests.insert(id, Seen { repeatable, ..Seen::default() });
        }
    }

    fn answer_login(&mut self) {
        let Some(id) = self.random.choice(self.logins.clone()) else { return };
        self.logins.retain(|login| *login != id);
        let input = if self.random.usize(..6) > 0 {
            let expires_in = self.random.choice([None, Some(Duration::from_secs(20))]).unwrap();
            Input::Authorized { id, token: AccessToken { secret: "access".into(), expires_in, cached: false } }
        } else {
            let retry_after = self.random.choice([None, Some(Duration::from_secs(9))]).unwrap();
            let failure = AuthFailure { retry_after, ..AuthFailure::transient("m") };
            Input::AuthorizeFailed { id, failure }
        };
        self.s.session.handle_input(input, self.s.now).unwrap();
    }

    fn respond(&mut self, id: HttpId, status: u16, body: String) {
        let response = Box::new(http::Response::builder().status(status).body(Bytes::from(body)).unwrap());
        self.s.session.handle_input(Input::HttpResponse { id, response }, self.s.now).unwrap();
    }

    fn fail(&mut self, id: HttpId, not_sent: bool) {
        let failure = HttpFailure { phase: Phase::Tcp, not_sent, message: "m".into() };
        self.s.session.handle_input(Input::HttpFailed { id, failure }, self.s.now).unwrap();
    }

    fn answer_token(&mut self) {
        let Some(id) = self.random.choice(self.tokens.clone()) else { return };
        self.tokens.retain(|call| *call != id);
        match self.random.usize(..8) {
            0 => self.fail(id, true),
            1 => self.respond(id, 401, error_body("OAU-213")),
            2 => self.respond(id, 503, String::new()),
            _ => self.respond(
                id,
                200,
                r#"{"ws_access_token":"t","uri":"wss://h.ringcentral.com/ws","expires_in":60}"#.to_owned(),
            ),
        }
    }

    fn answer_call(&mut self) {
        let calls: Vec<_> = self.calls.keys().copied().collect();
        let Some(id) = self.random.choice(calls) else { return };
        let request = self.calls.remove(&id).unwrap();
        let kind = self.random.usize(..6);
        if matches!(kind, 0 | 1) {
            // Neither a call that did not leave nor one that was not authorized has run.
            self.requests.get_mut(&request).unwrap().ran -= 1;
        }
        match kind {
            0 => self.fail(id, true),
            1 => self.respond(id, 401, error_body("OAU-213")),
            2 => self.fail(id, false),
            3 => self.respond(id, 429, String::new()),
            _ => self.respond(id, 200, String::new()),
        }
    }

    fn answer_message(&mut self) {
        if self.messages.is_empty() || !self.ready {
            return;
        }
        let at = self.random.usize(..self.messages.len());
        let (message, _) = self.messages.swap_remove(at);
        self.s
            .session
            .handle_input(
                Input::Frame {
                    conn: self.s.conn,
                    frame: Frame::Text(&format!(
                        r#"[{{"type":"ClientRequest","messageId":"{message}","status":200}}]"#
                    )),
                },
                self.s.now,
            )
            .unwrap();
    }

    fn connection(&mut self) {
        let (conn, now) = (self.s.conn, self.s.now);
        let close = CloseInfo { code: self.random.choice([None, Some(1001)]).unwrap(), reason: "".into() };
        let failure = OpenFailure { phase: Phase::Tcp, status: None, retry_after: None, message: "m".into() };
        let lose = self.random.usize(..12) == 0;
        let input = match self.s.session.state() {
            SessionState::Connecting if !self.conns.contains(&conn) && lose => Input::Closed { conn, close },
            SessionState::Connecting if !self.conns.contains(&conn) => {
                let text = details(DETAILS);
                return self.s.session.handle_input(Input::Frame { conn, frame: Frame::Text(&text) }, now).unwrap();
            }
            SessionState::Connecting => {
                self.conns.clear();
                if lose { Input::OpenFailed { conn, failure } } else { Input::Opened { conn } }
            }
            _ if lose => Input::Closed { conn, close },
            _ => return,
        };
        self.s.session.handle_input(input, now).unwrap();
    }

    fn pass(&mut self) {
        let by = self.random.choice([1, 500, 3_000, 30_000, 70_000]).unwrap();
        let mut to = self.s.now.after(Duration::from_millis(by));
        if let Wait::Until { at, .. } = self.s.wait {
            to = if self.random.usize(..2) == 0 { at } else { to.min(at) };
        }
        self.s.now = to;
        self.s.session.handle_input(Input::Timeout, to).unwrap();
    }

    fn odd(&mut self) {
        let (conn, now) = (self.s.conn, self.s.now);
        match self.random.usize(..40) {
            0 => self.s.session.close(Close::Detach, now).unwrap(),
            1 => self.s.session.close(Close::Revoke, now).unwrap(),
            2..=9 => self.s.session.handle_input(Input::SendBlocked { conn }, now).unwrap(),
            10..=19 => self.s.session.handle_input(Input::SendReady { conn }, now).unwrap(),
            20..=24 => drop(self.s.session.recover(now)),
            25..=29 => self.s.session.handle_input(Input::Resumed, now).unwrap(),
            _ => drop(self.s.session.subscribe(Filters::new(["/a"]).unwrap(), now)),
        }
    }
}

// CLAUSE REQ-3 REQ-8 C7
#[test]
fn every_request_ends_once_with_the_outcome_that_happened() {
    let mut tally = BTreeMap::<_, usize>::new();
    for seed in 1..=1_500 {
        let mut stage = Stage::new(seed);
        for _ in 0..250 {
            stage.step();
        }
        stage.s.session.close(Close::Detach, stage.s.now).unwrap();
        stage.look();
        stage.s.now = stage.s.now.after(Duration::from_secs(10));
        stage.s.session.handle_input(Input::Timeout, stage.s.now).unwrap();
        stage.look();
        assert!(stage.requests.values().all(|seen| seen.ended), "{seed}: {:?}", stage.requests);
        stage.tally.into_iter().for_each(|(what, count)| *tally.entry(what).or_default() += count);
    }
    assert!(tally.len() == 7 && tally.values().all(|count| *count > 100), "{tally:?}");
}
