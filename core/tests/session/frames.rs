//! Frames: what can be read, what cannot, and the limits of one (FRM).

use std::fs;
use std::path::Path;

use ringcentral_ws_core::*;

use crate::direct::{Direct, actions, count, events, get, is_gap, is_notification, limited, notification};

#[test]
fn is_readable_runs_the_parser_alone() {
    assert!(contract::is_readable(r#"[{"type":"Heartbeat"}]"#) && !contract::is_readable("[{"));
}

// CLAUSE FRM-4
#[test]
fn a_frame_above_the_limit_is_a_gap() {
    let limit = SessionLimits::default().frame_bytes;
    for (size, read) in [(limit - 1, true), (limit, true), (limit + 1, false)] {
        let mut s = Direct::ready(Config::default());
        s.subscribed();
        let text = notification(1);
        let outputs = s.frame(&format!("{text}{}", " ".repeat(size - text.len())));
        assert_eq!((count(&outputs, is_notification) == 1, count(&outputs, is_gap) == 1), (read, !read), "{size}");
    }
}

// CLAUSE FRM-4 REQ-9
#[test]
fn headers_above_the_limit_are_left_off() {
    for (sent, kept) in [(3, 3), (4, 4), (5, 4), (500, 4)] {
        let mut s = Direct::ready(limited(|b| b.headers = 4));
        s.request(get("/r"));
        let headers: Vec<_> = (0..sent).map(|n| format!(r#""h{n}":"v""#)).collect();
        let (id, headers) = (s.message.clone(), headers.join(","));
        let text = format!(r#"[{{"type":"ClientRequest","messageId":"{id}","status":200,"headers":{{{headers}}}}}]"#);
        let outputs = s.frame(&text);
        let of = |e: &Event| match e {
            Event::Response { outcome: RequestOutcome::Response { response, .. }, .. } => response.headers().len(),
            other => panic!("{other:?}"),
        };
        assert_eq!(events(&outputs).map(of).collect::<Vec<_>>(), [kept], "{sent}");
    }
}

// CLAUSE FRM-1 FRM-4
#[test]
fn the_last_allowed_bad_frame_drops_the_connection() {
    for (sent, dropped) in [(2, false), (3, true), (4, true)] {
        let mut s = Direct::ready(limited(|b| b.bad_frames = 3));
        (0..sent).for_each(|_| drop(s.frame("x")));
        assert_eq!(matches!(s.session.state(), SessionState::Waiting { .. }), dropped, "{sent}");
    }
}

/// The next heartbeat. Most servers send its text back unchanged.
fn heartbeat_of(s: &mut Direct) -> String {
    let Wait::Until { at, .. } = s.wait else { panic!("nothing is planned") };
    s.now = at;
    let outputs = s.input(Input::Timeout);
    let sent =
        actions(&outputs).find_map(|a| if let Action::Send { text, .. } = a { Some(text.clone()) } else { None });
    sent.unwrap()
}

// CLAUSE FRM-4 HB-2
#[test]
fn an_echo_is_measured_and_counted_as_any_frame() {
    let limit = |bytes| limited(|b| (b.frame_bytes, b.bad_frames) = (bytes, 2));
    let echo = heartbeat_of(&mut Direct::ready(limit(256)));
    for (bytes, readable) in [(echo.len(), true), (echo.len() - 1, false)] {
        // The first message must fit.
        let mut s = Direct::connecting(limit(bytes));
        s.frame(r#"[{"type":"ConnectionDetails"}]"#);
        assert_eq!(heartbeat_of(&mut s), echo);
        let outputs = s.frame(&echo);
        let too_large = ProtocolError::TooLarge(echo.len());
        assert_eq!(count(&outputs, |e| *e == Event::ProtocolError { conn: s.conn, error: too_large }) == 0, readable);
        assert_eq!((s.session.stats().frames, s.session.stats().unreadable), (2, u64::from(!readable)));
        // Only a readable frame ends a row of unreadable ones.
        s.frame("x");
        assert_eq!(matches!(s.session.state(), SessionState::Ready { .. }), readable);
        s.frame(&echo);
        s.frame("x");
        assert_eq!(matches!(s.session.state(), SessionState::Ready { .. }), readable);
    }
}

// CLAUSE FRM-2
#[test]
fn every_fixture_is_a_sample_of_the_parser() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let tests = fs::read_to_string(root.join("src/wire/mod.rs")).unwrap();
    let names: Vec<String> = fs::read_dir(root.join("tests/fixtures"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(!names.is_empty());
    for name in names {
        assert!(tests.contains(&format!("\"{name}\",")), "{name} is not in SAMPLES");
    }
}
