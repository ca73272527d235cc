//! Where two things happen at once: a frame and a deadline, a wish taken back and its answer, an end and what waits.

#[path = "support/direct.rs"]
mod direct;

use std::time::Duration;

use direct::{DETAILS, Direct, actions, details, error_body, events, notification};
use ringcentral_ws_core::*;

fn recovered(fields: &str) -> String {
    details(&format!(r#"{fields},"recoveryState":"Successful""#))
}

/// Gaps and notifications by word.
fn told(outputs: &[Output]) -> Vec<String> {
    let word = |event: &Event| match event {
        Event::Gap(gap) => Some(format!("gap {}", gap.cause.as_str())),
        Event::Notification(n) => Some(n.uuid().to_owned()),
        _ => None,
    };
    events(outputs).filter_map(word).collect()
}

fn purposes(outputs: &[Output]) -> Vec<Purpose> {
    let purpose = |a: &Action| if let Action::Send { purpose, .. } = a { Some(*purpose) } else { None };
    actions(outputs).filter_map(purpose).collect()
}

/// The echo of the heartbeat among these outputs.
fn echo_of(outputs: &[Output]) -> String {
    let beat = |a: &Action| match a {
        Action::Send { text, purpose: Purpose::Heartbeat, .. } => Some(text.clone()),
        _ => None,
    };
    actions(outputs).find_map(beat).unwrap()
}

/// Another process, up to where it asks for an access token.
fn restored(snapshot: Snapshot) -> Direct {
    let mut s = Direct::around(contract::Checked::restore(Config::default(), snapshot, 2, direct::clock()).unwrap());
    s.session.connect(s.now).unwrap();
    s.drain();
    s
}

fn detached(s: &mut Direct) -> Snapshot {
    s.session.close(Close::Detach, s.now).unwrap();
    s.drain();
    if s.session.state() != SessionState::Closed {
        s.closed(Some(1000));
    }
    s.session.snapshot().unwrap()
}

// CLAUSE PST-2 REC-5
#[test]
fn an_end_before_the_first_connection_leaves_the_doubt_of_a_crash() {
    // Died with a wish that no call had left for yet, as far as the snapshot knows.
    let mut s = Direct::new(Config::default());
    s.session.connect(s.now).unwrap();
    s.drain();
    s.subscribe();
    let crashed = s.session.snapshot().unwrap();
    for opened in [false, true] {
        let mut s = restored(crashed.clone());
        s.authorize();
        s.http(200, r#"{"ws_access_token":"ws-token","uri":"wss://h.test/ws","expires_in":600}"#);
        if opened {
            s.input(Input::Opened { conn: s.conn });
        }
        let snapshot = detached(&mut s);
        assert!(!snapshot.is_detached());
        let mut s = restored(snapshot);
        s.authorize();
        s.open();
        let mut outputs = s.frame(&details(DETAILS));
        outputs.extend(s.reply(200, r#"{"id":"s"}"#));
        outputs.extend(s.frame(&notification(1)));
        assert_eq!(told(&outputs), ["gap restored", "1"]);
    }
}
