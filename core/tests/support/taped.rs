//! Sessions with a recorder.

#![allow(unreachable_pub, reason = "a module of tests")]

use ringcentral_ws_core::recorder::{Options, Recorded};
use ringcentral_ws_core::*;

pub fn drain(s: &mut Recorded) {
    while !matches!(s.poll_output(), Output::Wait(_)) {}
}

pub fn frame(s: &mut Recorded, text: &str, now: Timestamp) {
    s.handle_input(Input::Frame { conn: 1.into(), frame: Frame::Text(text) }, now).unwrap();
    drain(s);
}

/// Records enough lines for the next checkpoint.
pub fn idle(s: &mut Recorded, now: Timestamp) {
    for _ in 0..60 {
        s.handle_input(Input::NetworkChanged { online: false }, now).unwrap();
        drain(s);
    }
}

/// A session with a recorder that keeps everything.
pub fn session(config: Config) -> Recorded {
    let whole = Options { limit: 16 << 20, keep_bodies: false };
    Recorded::new(Session::new(config, 1, ClockReading::default()), whole)
}

pub fn dump(s: &Recorded) -> String {
    s.recorder().unwrap().dump()
}

pub const SECRETS: [&str; 6] = ["access-hunter1", "ws-hunter2", "wsc-hunter3", "4711", "sub-hunter4", "body-hunter5"];

/// The recording of a connection, a subscription, a notification, an unreadable frame, and a loss.
pub fn flight(options: Options) -> String {
    dump(&flown(options))
}

/// The session after that.
pub fn flown(options: Options) -> Recorded {
    let clock = ClockReading { now: Timestamp::ZERO, unix: UnixMillis(1_700_000_000_000) };
    let mut s = Recorded::new(Session::new(Config::default(), 1, clock), options);
    let now = Timestamp::from_millis(1_500);
    s.subscribe(Filters::new(["/restapi/v1.0/account/~/extension/4711/presence"]).unwrap(), now).unwrap();
    drain(&mut s);
    s.connect(now).unwrap();
    drain(&mut s);
    let token = AccessToken { secret: SECRETS[0].into(), expires_in: None };
    s.handle_input(Input::Authorized { id: 1.into(), token }, now).unwrap();
    drain(&mut s);
    let body = r#"{"ws_access_token":"ws-hunter2","uri":"wss://h.ringcentral.com/ws","expires_in":600,"owner":"4711"}"#;
    let response = Box::new(http::Response::new(body.into()));
    s.handle_input(Input::HttpResponse { id: 2.into(), response }, now).unwrap();
    drain(&mut s);
    s.handle_input(Input::Opened { conn: 1.into() }, now).unwrap();
    frame(&mut s, r#"[{"type":"ConnectionDetails","wsc":{"token":"wsc-hunter3","sequence":1}},{}]"#, now);
    let tag = s.recorder().unwrap().dump();
    let id = tag.split("send 1 subscribe ").nth(1).unwrap().split(' ').next().unwrap().to_owned();
    let reply = r#"{"id":"sub-hunter4","eventFilters":["/restapi/v1.0/account/4711/x"]}"#;
    frame(&mut s, &format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":200}},{reply}]"#), now);
    let n = r#"{"uuid":"u-1","event":"/x/4711","subscriptionId":"sub-hunter4","body":{"text":"body-hunter5"}}"#;
    frame(&mut s, &format!(r#"[{{"type":"ServerNotification"}},{n}]"#), now);
    frame(&mut s, r#"[{"type":"ServerNotification","wsc":{"token":"wsc-hunter3""#, now);
    let close = CloseInfo { code: Some(1006), reason: "gone".into() };
    s.handle_input(Input::Closed { conn: 1.into(), close }, Timestamp::from_secs(2)).unwrap();
    drain(&mut s);
    s
}
