//! The checkpoints of a recording: when one is made, and what is in it.

use ringcentral_ws_core::recorder::{Options, Recorded, Recording};
use ringcentral_ws_core::*;

use crate::taped::{drain, dump, frame, idle};

/// A checkpoint does not contain held notifications and requests, so none is made while there are some.
#[test]
fn no_checkpoint_is_made_of_what_is_not_kept() {
    // A notification before the answer to the subscription, one of a replay, a request that may be repeated, a close.
    type Hold = fn(&mut Recorded);
    let held: [(&str, Hold); 4] = [
        ("notification", |s| {
            let id = subscribe(s);
            notify(s, 1);
            idle_for_long(s);
            confirm(s, &id);
        }),
        ("notification", |s| {
            let id = subscribe(s);
            confirm(s, &id);
            lose(s, 1);
            up(s, r#""recoveryState":"Successful""#);
            notify(s, 1);
            idle_for_long(s);
            s.handle_input(Input::Closed { conn: 2.into(), close: CloseInfo::default() }, Timestamp::ZERO).unwrap();
            drain(s);
        }),
        ("http", |s| {
            let mut request = http::Request::get("/repeated").body(Body::empty()).unwrap();
            request.extensions_mut().insert(RequestOptions::new().repeatable());
            s.request(request, Timestamp::ZERO).unwrap();
            drain(s);
            idle_for_long(s);
            s.handle_input(Input::Closed { conn: 1.into(), close: CloseInfo::default() }, Timestamp::ZERO).unwrap();
            drain(s);
        }),
        ("ended detached", |s| {
            s.close(Close::Detach, Timestamp::ZERO).unwrap();
            drain(s);
            idle_for_long(s);
            s.handle_input(Input::Closed { conn: 1.into(), close: CloseInfo::default() }, Timestamp::ZERO).unwrap();
            drain(s);
        }),
    ];
    for (what, hold) in held {
        let mut s = ready();
        hold(&mut s);
        let dump = dump(&s);
        let (before, after) = dump.split_once("forgotten\n").expect("the ring was full");
        assert!(!before.contains("checkpoint") && !after.contains("checkpoint"), "{what}\n{dump}");
        assert!(dump.contains(&format!("\n  {what}")), "{what}\n{dump}");
    }
}

// CLAUSE SEC-1
#[test]
fn a_checkpoint_holds_no_id_whatever_the_subscription_does() {
    for steps in 0..4 {
        let mut s = ready();
        let id = subscribe(&mut s);
        if steps > 0 {
            confirm(&mut s, &id);
        }
        match steps {
            2 => drop(subscribe(&mut s)),
            3 => s.unsubscribe(Timestamp::ZERO).unwrap(),
            _ => {}
        }
        drain(&mut s);
        idle_for_long(&mut s);
        let dump = dump(&s);
        assert!(dump.contains(r#""filters":["/a/***"#) && !dump.contains("4711"), "{steps}\n{dump}");
        Recording::parse(&dump).unwrap().replay().unwrap();
    }
}

/// A connected session with a recorder of the smallest size.
fn ready() -> Recorded {
    let config = Config { rest_over_websocket: true, ..Config::default() };
    let mut s = Recorded::new(Session::new(config, 1, ClockReading::default()), Options::from(16 << 10));
    s.connect(Timestamp::ZERO).unwrap();
    drain(&mut s);
    let token = AccessToken { secret: "a".into(), expires_in: None, cached: false };
    s.handle_input(Input::Authorized { id: 1.into(), token }, Timestamp::ZERO).unwrap();
    drain(&mut s);
    up(&mut s, "");
    s
}

/// Loses the connection, up to the call for the next token.
fn lose(s: &mut Recorded, conn: u64) {
    s.handle_input(Input::Closed { conn: conn.into(), close: CloseInfo::default() }, Timestamp::ZERO).unwrap();
    drain(s);
    s.recover(Timestamp::ZERO).unwrap();
    drain(s);
}

fn last(s: &Recorded, after: &str) -> String {
    let dump = dump(s);
    dump.rsplit(after).next().unwrap().split([' ', '\n']).next().unwrap().to_owned()
}

/// From the call for a WebSocket token to ConnectionDetails.
fn up(s: &mut Recorded, fields: &str) {
    let call: u64 = last(s, "\n  http ").parse().unwrap();
    let body = r#"{"ws_access_token":"t","uri":"wss://h.ringcentral.com/ws","expires_in":600}"#;
    let response = Box::new(http::Response::new(body.into()));
    s.handle_input(Input::HttpResponse { id: call.into(), response }, Timestamp::ZERO).unwrap();
    drain(s);
    let conn = ConnId::from(last(s, "\n  open ").parse::<u64>().unwrap());
    s.handle_input(Input::Opened { conn }, Timestamp::ZERO).unwrap();
    drain(s);
    let text = format!(r#"[{{"type":"ConnectionDetails","wsc":{{"token":"w","sequence":1}}}},{{{fields}}}]"#);
    s.handle_input(Input::Frame { conn, frame: Frame::Text(&text) }, Timestamp::ZERO).unwrap();
    drain(s);
}

fn subscribe(s: &mut Recorded) -> String {
    s.subscribe(Filters::new(["/a/4711"]).unwrap(), Timestamp::ZERO).unwrap();
    drain(s);
    last(s, " subscribe ")
}

fn confirm(s: &mut Recorded, message: &str) {
    let text = format!(r#"[{{"type":"ClientRequest","messageId":"{message}","status":200}},{{"id":"s"}}]"#);
    frame(s, &text, Timestamp::ZERO);
}

fn notify(s: &mut Recorded, n: usize) {
    let SessionState::Ready { conn } = s.state() else { panic!("not connected") };
    let text = format!(r#"[{{"type":"ServerNotification"}},{{"uuid":"{n}","subscriptionId":"s","body":{{}}}}]"#);
    s.handle_input(Input::Frame { conn, frame: Frame::Text(&text) }, Timestamp::ZERO).unwrap();
    drain(s);
}

fn idle_for_long(s: &mut Recorded) {
    (0..10).for_each(|_| idle(s, Timestamp::ZERO));
}

// CLAUSE SEC-1
#[test]
fn a_code_of_the_server_is_no_place_for_a_secret_in_a_checkpoint() {
    let mut s = ready();
    let id = subscribe(&mut s);
    confirm(&mut s, &id);
    lose(&mut s, 1);
    up(&mut s, r#""recoveryState":"Failed","recoveryErrorCode":"the hunter code""#);
    idle_for_long(&mut s);
    let dump = dump(&s);
    let checkpoint = dump.lines().rfind(|line| line.starts_with("checkpoint")).unwrap();
    assert!(checkpoint.contains(r#""pending":{"#) && !dump.contains("hunter"), "{dump}");
    Recording::parse(&dump).unwrap().replay().unwrap();
}

#[test]
fn a_checkpoint_keeps_the_newest_keys_that_there_is_room_for() {
    let mut s = ready();
    let id = subscribe(&mut s);
    confirm(&mut s, &id);
    (0..60).for_each(|n| notify(&mut s, n));
    idle_for_long(&mut s);
    let dump = dump(&s);
    let checkpoint = dump.lines().rfind(|line| line.starts_with("checkpoint")).unwrap();
    let keys = checkpoint.split(r#""recent":["#).nth(1).unwrap().split(']').next().unwrap();
    // A sixteenth of the memory, at 40 bytes each.
    let newest: Vec<_> = (60 - 16384 / 16 / 40..60).map(|n| n.to_string()).collect();
    assert_eq!(keys, newest.join(","));
    Recording::parse(&dump).unwrap().replay().unwrap();
}
