//! Each is what the simulator found once, as short as it can be.

use std::time::Duration;

use bytes::Bytes;
use ringcentral_ws_core::contract::Checked;
use ringcentral_ws_core::*;

const WS_TOKEN: &str = r#"{"uri":"wss://h.ringcentral.com/ws","ws_access_token":"secret","expires_in":600}"#;
const SUBSCRIBED: &str = r#"{"id":"sub-1","eventFilters":["/x"],"expiresIn":86399}"#;

/// A connected client in a few lines.
struct Rig {
    session: Checked,
    now: Timestamp,
    conn: ConnId,
    /// The id of the last message sent.
    sent: String,
    events: Vec<Event>,
}

impl Rig {
    fn new(details: &str) -> Self {
        let session = Checked::new(Config::default(), 1, ClockReading::default());
        let mut rig =
            Self { session, now: Timestamp::ZERO, conn: ConnId::from(0), sent: String::new(), events: Vec::new() };
        rig.session.subscribe(Filters::new(["/x"]).unwrap(), rig.now).unwrap();
        rig.session.connect(rig.now).unwrap();
        rig.drain();
        rig.connect(details);
        let reply = format!(r#"[{{"type":"ClientRequest","messageId":"{}","status":200}},{SUBSCRIBED}]"#, rig.sent);
        rig.frame(&reply);
        rig
    }

    /// From the open action on.
    fn connect(&mut self, details: &str) {
        self.give(Input::Opened { conn: self.conn });
        self.frame(&format!(r#"[{{"type":"ConnectionDetails","wsc":{{"token":"t","sequence":1}}}},{{{details}}}]"#));
    }

    fn give(&mut self, input: Input<'_>) {
        self.session.handle_input(input, self.now).unwrap();
        self.drain();
    }

    fn frame(&mut self, text: &str) {
        self.give(Input::Frame { conn: self.conn, frame: Frame::Text(text) });
    }

    fn notify(&mut self, uuid: u64) {
        let body = format!(r#"{{"uuid":"{uuid}","subscriptionId":"sub-1","body":{{}}}}"#);
        self.frame(&format!(r#"[{{"type":"ServerNotification","messageId":"{uuid}"}},{body}]"#));
    }

    fn echo(&mut self) {
        self.frame(&format!(r#"[{{"type":"Heartbeat","messageId":"{}"}}]"#, self.sent));
    }

    /// Sleeps exactly to each deadline until the session opens another connection.
    fn reconnect(&mut self) {
        let before = self.conn;
        while self.conn == before {
            let Output::Wait(Wait::Until { at, .. }) = self.session.poll_output() else { panic!("it does not retry") };
            self.now = at;
            self.give(Input::Timeout);
        }
    }

    fn drain(&mut self) {
        loop {
            let mut next = None;
            match self.session.poll_output() {
                Output::Wait(_) => return,
                Output::Event(event) => self.events.push(event),
                Output::Action(Action::Authorize { id, .. }) => {
                    let token = AccessToken { secret: Secret::from("access"), expires_in: None };
                    next = Some(Input::Authorized { id, token });
                }
                Output::Action(Action::Http { id, .. }) => {
                    let response = http::Response::new(Bytes::from_static(WS_TOKEN.as_bytes()));
                    next = Some(Input::HttpResponse { id, response: Box::new(response) });
                }
                Output::Action(Action::Open { conn, .. }) => self.conn = conn,
                Output::Action(Action::Send { text, .. } | Action::Resubscribe { text, .. }) => {
                    let rest = text.split_once("\"messageId\":\"").unwrap().1;
                    self.sent = rest.split_once('"').unwrap().0.to_owned();
                }
                Output::Action(_) => {}
            }
            if let Some(input) = next {
                self.session.handle_input(input, self.now).unwrap();
            }
        }
    }

    fn gaps(&self) -> Vec<&Gap> {
        self.events.iter().filter_map(|event| if let Event::Gap(gap) = event { Some(gap) } else { None }).collect()
    }
}

/// HB-1: the server's idle timer looks at messages of the client only. A client that hears something every few
/// seconds (pings, or a busy account) sent no heartbeat, and was thrown out every half hour.
#[test]
fn an_account_that_is_never_quiet_still_sends_heartbeats() {
    let mut rig = Rig::new(r#""idleTimeout":1800"#);
    let mut last = (rig.sent.clone(), rig.now);
    for _ in 0..3 * 360 {
        rig.now = rig.now.after(Duration::from_secs(10));
        rig.give(Input::Frame { conn: rig.conn, frame: Frame::Control });
        if rig.sent != last.0 {
            last = (rig.sent.clone(), rig.now);
        }
        assert!(rig.now.since(last.1) < Duration::from_secs(1800), "idle for {:?}", rig.now.since(last.1));
    }
}

/// REC-5: what is read after a sleep may have waited in the socket since its beginning. A loss after it was reported
/// as beginning at the wake-up, although notifications of the time asleep were lost.
#[test]
fn a_gap_after_a_sleep_begins_before_the_sleep() {
    let mut rig = Rig::new(r#""recoveryTimeout":180"#);
    rig.notify(1);
    let asleep = rig.now;
    rig.now = rig.now.after(Duration::from_secs(170));
    rig.give(Input::Resumed);
    rig.give(Input::Frame { conn: rig.conn, frame: Frame::Control });
    rig.give(Input::Closed { conn: rig.conn, close: CloseInfo::default() });
    rig.reconnect();
    rig.connect(r#""recoveryState":"Failed","recoveryErrorCode":"WSG-1005""#);
    let reply = format!(r#"[{{"type":"ClientRequest","messageId":"{}","status":200}},{SUBSCRIBED}]"#, rig.sent);
    rig.frame(&reply);
    let since: Vec<_> = rig.gaps().iter().map(|gap| gap.since.0).collect();
    assert_eq!(since, [asleep.as_micros() / 1000]);
}

/// The same without a loss: the answer to a heartbeat sent after the sleep proves that all has been read.
#[test]
fn an_answered_heartbeat_ends_the_doubt_about_a_sleep() {
    let mut rig = Rig::new(r#""recoveryTimeout":180"#);
    rig.now = rig.now.after(Duration::from_secs(100));
    rig.give(Input::Resumed);
    rig.echo();
    let awake = rig.now;
    rig.now = rig.now.after(Duration::from_secs(1));
    rig.frame("not JSON");
    assert_eq!(rig.gaps()[0].since.0, awake.as_micros() / 1000);
}
