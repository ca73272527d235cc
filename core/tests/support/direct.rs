//! A session driven call by call, for tests in Rust.

#![allow(dead_code, unreachable_pub, reason = "shared by several tests, each of which uses a part")]

use std::time::Duration;

use bytes::Bytes;
use ringcentral_ws_core::contract::Checked;
use ringcentral_ws_core::*;

/// A session under the contract's eye, its clock, and the ids that its last outputs named.
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

    /// Up to the open socket.
    pub fn connecting(config: Config) -> Self {
        let mut it = Self::new(config);
        it.session.connect(it.now).unwrap();
        it.drain();
        it.authorize();
        it.open();
        it
    }

    pub fn authorize(&mut self) -> Vec<Output> {
        let token = AccessToken { secret: "access".into(), expires_in: None };
        self.input(Input::Authorized { id: self.login, token })
    }

    /// Answers the token call and opens the socket.
    pub fn open(&mut self) {
        self.http(200, TOKEN);
        self.input(Input::Opened { conn: self.conn });
    }

    pub fn subscribe(&mut self) -> Vec<Output> {
        self.session.subscribe(Filters::new(["/a"]).unwrap(), self.now).unwrap();
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

    /// Loses the connection and opens the next one, up to ConnectionDetails.
    pub fn reopen(&mut self) {
        self.closed(None);
        while self.session.state() != SessionState::Connecting {
            let Wait::Until { at, .. } = self.wait else { panic!("nothing is planned") };
            self.now = at;
            self.input(Input::Timeout);
        }
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

/// Gaps and notifications by word.
pub fn told(outputs: &[Output]) -> Vec<String> {
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

/// Up to the next `Action::Open`, whose connection then opens. Whether it carries the handle.
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
