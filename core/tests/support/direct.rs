//! A session driven call by call, for tests in Rust.

#![allow(dead_code, unreachable_pub, reason = "shared by several tests, each of which uses a part")]

use std::time::Duration;

use bytes::Bytes;
use ringcentral_ws_core::contract::Checked;
use ringcentral_ws_core::*;

/// A session with the contract checker, its clock, and the ids of its last outputs.
pub struct Direct {
    pub session: Checked,
    pub now: Timestamp,
    pub login: AuthId,
    pub call: HttpId,
    pub conn: ConnId,
    pub message: String,
    pub wait: Wait,
}

pub const DETAILS: &str = r#""recoveryBufferSize":100,"recoveryTimeout":180,"absoluteTimeout":86400"#;

impl Direct {
    pub fn new(config: Config) -> Self {
        Self::around(Checked::new(config, 1, clock()))
    }

    pub fn around(session: Checked) -> Self {
        Self {
            session,
            now: Timestamp::ZERO,
            login: AuthId::from(0),
            call: HttpId::from(0),
            conn: ConnId::from(0),
            message: String::new(),
            wait: Wait::ForInput,
        }
    }

    /// A connection without a subscription.
    pub fn ready(config: Config) -> Self {
        let mut it = Self::connecting(config);
        it.frame(&details(DETAILS));
        it
    }

    /// Up to the question for an access token.
    pub fn starting(config: Config) -> Self {
        Self::new(config).started()
    }

    /// Another process, which continues from the snapshot, up to the question for an access token.
    pub fn restored(config: Config, snapshot: Snapshot) -> Self {
        Self::restored_at(config, snapshot, clock())
    }

    pub fn restored_at(config: Config, snapshot: Snapshot, clock: ClockReading) -> Self {
        let mut it = Self::around(Checked::restore(config, snapshot, 2, clock).unwrap()).started();
        if it.session.state() == SessionState::AwaitingStore {
            it.session.snapshot_stored(it.now).unwrap();
        }
        it
    }

    fn started(mut self) -> Self {
        self.session.connect(self.now).unwrap();
        self.drain();
        self
    }

    /// Up to the open socket.
    pub fn connecting(config: Config) -> Self {
        let mut it = Self::starting(config);
        it.authorize();
        it.open();
        it
    }

    pub fn authorize(&mut self) -> Vec<Output> {
        let token = AccessToken { secret: "access".into(), expires_in: None, cached: false };
        self.input(Input::Authorized { id: self.login, token })
    }

    /// Answers the token call and opens the socket.
    pub fn open(&mut self) {
        self.http(200, TOKEN);
        self.input(Input::Opened { conn: self.conn });
    }

    pub fn subscribe(&mut self) -> Vec<Output> {
        self.subscribe_to("/a")
    }

    pub fn subscribe_to(&mut self, filter: &str) -> Vec<Output> {
        self.session.subscribe(Filters::new([filter]).unwrap(), self.now).unwrap();
        self.drain()
    }

    pub fn unsubscribe(&mut self) -> Vec<Output> {
        self.session.unsubscribe(self.now).unwrap();
        self.drain()
    }

    pub fn request(&mut self, request: http::Request<Body>) -> Vec<Output> {
        self.session.request(request, self.now).unwrap();
        self.drain()
    }

    /// A subscription `s`.
    pub fn subscribed(&mut self) {
        self.subscribe();
        self.reply(200, r#"{"id":"s"}"#);
    }

    pub fn input(&mut self, input: Input<'_>) -> Vec<Output> {
        self.session.handle_input(input, self.now).unwrap();
        self.drain()
    }

    pub fn frame(&mut self, text: &str) -> Vec<Output> {
        self.input(Input::Frame { conn: self.conn, frame: Frame::Text(text) })
    }

    /// Answers the last call over the socket.
    pub fn reply(&mut self, status: u16, body: &str) -> Vec<Output> {
        let id = self.message.clone();
        self.frame(&format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":{status}}},{body}]"#))
    }

    /// Answers the last HTTPS call.
    pub fn http(&mut self, status: u16, body: &str) -> Vec<Output> {
        let response = http::Response::builder().status(status).body(Bytes::from(body.to_owned())).unwrap();
        self.input(Input::HttpResponse { id: self.call, response: Box::new(response) })
    }

    pub fn closed(&mut self, code: Option<u16>) -> Vec<Output> {
        self.input(Input::Closed { conn: self.conn, close: CloseInfo { code, reason: "".into() } })
    }

    /// Sleeps from deadline to deadline for a while.
    pub fn sleep(&mut self, d: Duration) -> Vec<Output> {
        let end = self.now.after(d);
        let mut outputs = Vec::new();
        while let Wait::Until { at, .. } = self.wait
            && at <= end
        {
            self.now = at;
            outputs.extend(self.input(Input::Timeout));
        }
        self.now = end;
        outputs
    }

    /// Sleeps until the next attempt has begun.
    pub fn until_connecting(&mut self) {
        while self.session.state() != SessionState::Connecting {
            let Wait::Until { at, .. } = self.wait else { panic!("nothing is planned") };
            self.now = at;
            self.input(Input::Timeout);
        }
    }

    /// Loses the connection and opens the next one, up to ConnectionDetails.
    pub fn reopen(&mut self) {
        self.closed(None);
        self.until_connecting();
        self.open();
    }

    pub fn drain(&mut self) -> Vec<Output> {
        let mut outputs = Vec::new();
        loop {
            let output = self.session.poll_output();
            match &output {
                Output::Action(Action::Authorize { id, .. }) => self.login = *id,
                Output::Action(Action::Http { id, .. }) => self.call = *id,
                Output::Action(Action::Open { conn, .. }) => self.conn = *conn,
                Output::Action(Action::Send { text, purpose, .. }) if *purpose != Purpose::Heartbeat => {
                    self.message = message_id(text);
                }
                Output::Action(Action::Resubscribe { text, .. }) => self.message = message_id(text),
                Output::Wait(wait) => {
                    self.wait = *wait;
                    return outputs;
                }
                _ => {}
            }
            outputs.push(output);
        }
    }
}

pub fn details(fields: &str) -> String {
    format!(r#"[{{"type":"ConnectionDetails","wsc":{{"token":"wsc-secret","sequence":1}}}},{{{fields}}}]"#)
}

pub fn notification(uuid: usize) -> String {
    format!(r#"[{{"type":"ServerNotification"}},{{"uuid":"{uuid}","subscriptionId":"s","body":{{}}}}]"#)
}

/// A notification of another subscription than `s`.
pub fn notification_of(subscription: &str, uuid: usize) -> String {
    notification(uuid).replace(r#""s""#, &format!("{subscription:?}"))
}

pub fn error_body(code: &str) -> String {
    format!(r#"{{"errorCode":"{code}","message":"m"}}"#)
}

pub fn message_id(text: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(text).unwrap();
    value[0]["messageId"].as_str().unwrap().to_owned()
}

pub fn events(outputs: &[Output]) -> impl Iterator<Item = &Event> {
    outputs.iter().filter_map(|o| if let Output::Event(e) = o { Some(e) } else { None })
}

pub fn actions(outputs: &[Output]) -> impl Iterator<Item = &Action> {
    outputs.iter().filter_map(|o| if let Output::Action(a) = o { Some(a) } else { None })
}

pub const fn clock() -> ClockReading {
    ClockReading { now: Timestamp::ZERO, unix: UnixMillis(1_700_000_000_000) }
}

pub fn recovered(fields: &str) -> String {
    details(&format!(r#"{fields},"recoveryState":"Successful""#))
}

pub fn over_socket() -> Config {
    Config { rest_over_websocket: true, ..Config::default() }
}

/// REST over the socket, and other limits.
/// After a 429 the next call may be made at once.
pub fn without_penalty() -> Config {
    let mut config = Config::default();
    config.retry.penalty = Duration::ZERO;
    config
}

pub fn limited(change: impl FnOnce(&mut SessionLimits)) -> Config {
    let mut config = over_socket();
    change(&mut config.limits);
    config
}

pub fn get(uri: &str) -> http::Request<Body> {
    http::Request::get(uri).body(Body::empty()).unwrap()
}

/// Extreme numbers, and other values in their place.
pub const HOSTILE: &[&str] = &[
    "0",
    "1",
    "-1",
    "0.5",
    "18446744073709551615",
    "18446744073709551616",
    "1e400",
    "-1e400",
    "1e19",
    r#""7""#,
    r#""-7""#,
    r#""x""#,
    "null",
    "true",
    "[]",
    "{}",
];

pub fn count(outputs: &[Output], kind: impl Fn(&Event) -> bool) -> usize {
    events(outputs).filter(|e| kind(e)).count()
}

pub const fn is_gap(event: &Event) -> bool {
    matches!(event, Event::Gap(_))
}

pub const fn is_notification(event: &Event) -> bool {
    matches!(event, Event::Notification(_))
}

pub fn unsubscribed(outputs: &[Output]) -> bool {
    events(outputs).any(|e| matches!(e, Event::Unsubscribed { .. }))
}

pub fn gap(outputs: &[Output]) -> Option<&Gap> {
    events(outputs).find_map(|e| if let Event::Gap(gap) = e { Some(gap) } else { None })
}

/// How requests ended.
pub fn outcomes(outputs: &[Output]) -> Vec<RequestOutcome> {
    let outcome = |e: &Event| if let Event::Response { outcome, .. } = e { Some(outcome.clone()) } else { None };
    events(outputs).filter_map(outcome).collect()
}

pub fn first_outcome(outputs: &[Output]) -> &RequestOutcome {
    events(outputs).find_map(|e| if let Event::Response { outcome, .. } = e { Some(outcome) } else { None }).unwrap()
}

/// The gaps and notifications among the events, as text.
pub fn delivered(outputs: &[Output]) -> Vec<String> {
    let word = |event: &Event| match event {
        Event::Gap(gap) => Some(format!("gap {}", gap.cause.as_str())),
        Event::Notification(n) => Some(n.uuid().to_owned()),
        _ => None,
    };
    events(outputs).filter_map(word).collect()
}

pub fn purposes(outputs: &[Output]) -> Vec<Purpose> {
    let purpose = |a: &Action| if let Action::Send { purpose, .. } = a { Some(*purpose) } else { None };
    actions(outputs).filter_map(purpose).collect()
}

/// The echo of the heartbeat among these outputs.
pub fn echo_of(outputs: &[Output]) -> String {
    let beat = |a: &Action| match a {
        Action::Send { text, purpose: Purpose::Heartbeat, .. } => Some(text.clone()),
        _ => None,
    };
    actions(outputs).find_map(beat).unwrap()
}

/// A good answer to the call for a token.
pub const TOKEN: &str = r#"{"ws_access_token":"ws-token","uri":"wss://h.ringcentral.com/ws","expires_in":600}"#;

pub fn carries_handle(outputs: &[Output]) -> Option<bool> {
    actions(outputs).find_map(|action| match action {
        Action::Open { url, .. } => Some(url.expose().query_pairs().any(|(key, _)| key == "wsc")),
        _ => None,
    })
}

/// Sleeps up to the next `Action::Open`, and opens that connection. Returns whether it presents the handle.
pub fn next_connection(s: &mut Direct) -> (bool, Vec<Output>) {
    let mut outputs = Vec::new();
    loop {
        let now = s.sleep(Duration::from_secs(1));
        let calls = actions(&now).any(|action| matches!(action, Action::Http { .. }));
        outputs.extend(now);
        if calls {
            outputs.extend(s.http(200, TOKEN));
        }
        if let Some(handle) = carries_handle(&outputs) {
            outputs.extend(s.input(Input::Opened { conn: s.conn }));
            return (handle, outputs);
        }
    }
}

/// A subscribed session whose connection is good.
pub fn good() -> Direct {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    let outputs = s.sleep(Duration::from_secs(31));
    s.frame(&echo_of(&outputs));
    s.frame(&notification(1));
    s
}
