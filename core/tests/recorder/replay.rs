//! Replay of a recording: the first difference is named.

use ringcentral_ws_core::recorder::{Options, Recording, ReplayError, Replayed};
use ringcentral_ws_core::*;

use crate::taped::{drain, dump, flight, session};

#[test]
fn the_first_difference_is_named() {
    let dump = flight(Options::default()).replace("closed 1 code=1006", "closed 1 code=4400");
    match Recording::parse(&dump).unwrap().replay() {
        Err(ReplayError::Differs { line, recorded, replayed }) => {
            assert!(line > 10 && recorded != replayed);
            assert!(recorded.contains("socket_lost"), "{recorded}");
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn what_cannot_be_replayed_is_counted() {
    let dump = flight(Options::default());
    let at = dump.find("checkpoint").unwrap();
    let gone = format!("{}1 timeout\n  wait\nforgotten\n1 connect\n  wait\n{}", &dump[..at], &dump[at..]);
    let (whole, rest) = (Recording::parse(&dump).unwrap().replay().unwrap(), Recording::parse(&gone).unwrap().replay());
    assert_eq!(rest, Ok(Replayed { skipped: 4, ..whole }));
    for (error, words) in [
        (ReplayError::NoCheckpoint, "no checkpoint"),
        (ReplayError::BadCheckpoint { line: 7 }, "line 7: no session"),
        (
            ReplayError::Differs { line: 8, recorded: "a".into(), replayed: "b".into() },
            "line 8 differs\n  recorded a\n",
        ),
    ] {
        assert!(error.to_string().contains(words), "{error}");
    }
}

/// No transcript has these: `OverHttps`, a token that fits no header, and refused calls.
#[test]
fn ways_tokens_and_refusals_are_replayed() {
    let mut config = Config { rest_over_websocket: true, ..Config::default() };
    config.limits.undrained = 1;
    let mut s = session(config);
    s.connect(Timestamp::ZERO).unwrap();
    assert!(s.subscribe(Filters::new(["/a"]).unwrap(), Timestamp::ZERO).is_err());
    assert!(s.handle_input(Input::Timeout, Timestamp::ZERO).is_err());
    drain(&mut s);
    let token = AccessToken { secret: "line\n".into(), expires_in: None, cached: false };
    s.handle_input(Input::Authorized { id: 1.into(), token }, Timestamp::ZERO).unwrap();
    drain(&mut s);
    let request = http::Request::get("/r").extension(OverHttps).body(Body::empty()).unwrap();
    s.request(request, Timestamp::ZERO).unwrap();
    drain(&mut s);
    let dump = dump(&s);
    assert!(dump.contains("0 request GET https \"/r\" {}") && dump.contains(r#"0 authorized 1 "***1\n""#), "{dump}");
    assert!(!dump.contains("\n0 subscribe") && !dump.contains("\n0 timeout"), "{dump}");
    Recording::parse(&dump).unwrap().replay().unwrap();
}

#[test]
fn a_token_that_cost_no_call_is_replayed_as_such() {
    let mut config = Config::default();
    config.retry.auth_calls_per_minute = 2;
    let mut s = session(config);
    s.connect(Timestamp::ZERO).unwrap();
    drain(&mut s);
    let token = AccessToken { secret: "a".into(), expires_in: None, cached: true };
    s.handle_input(Input::Authorized { id: 1.into(), token }, Timestamp::ZERO).unwrap();
    drain(&mut s);
    let response = http::Response::builder().status(503).body(bytes::Bytes::new()).unwrap();
    s.handle_input(Input::HttpResponse { id: 2.into(), response: Box::new(response) }, Timestamp::ZERO).unwrap();
    drain(&mut s);
    let dump = dump(&s);
    Recording::parse(&dump).unwrap().replay().unwrap();
    let other = dump.replace("authorized 1 cached ", "authorized 1 ");
    assert!(other != dump && Recording::parse(&other).unwrap().replay().is_err(), "{dump}");
}

#[test]
fn a_call_or_a_state_that_differs_is_named() {
    let mut s = session(Config::default());
    s.unsubscribe(Timestamp::ZERO).unwrap_err();
    drain(&mut s);
    let dump = dump(&s);
    let replay = |text: &str| Recording::parse(text).unwrap().replay().unwrap_err().to_string();
    let silent = dump.replace("  refused NoSubscription\n", "");
    assert!(replay(&silent).ends_with("recorded wait\n  replayed refused NoSubscription"), "{}", replay(&silent));
    let next = dump.replace("  refused NoSubscription\n  wait\n", "0 timeout\n");
    assert!(replay(&next).contains("recorded (nothing)\n  replayed refused NoSubscription"), "{}", replay(&next));
    let checkpoint = dump.lines().find(|line| line.starts_with("checkpoint")).unwrap();
    Recording::parse(&format!("{dump}{checkpoint}\n")).unwrap().replay().unwrap();
    let other = checkpoint.replace(r#""attempt":0"#, r#""attempt":7"#);
    assert!(replay(&format!("{dump}{other}\n")).contains(r#""attempt":7"#));
}
