//! Whose a stored session is: only the same server, app and user continue it (TOK-10).

use ringcentral_ws_core::*;

use crate::direct::{DETAILS, Direct, TOKEN, actions, clock, details, events, notification};

// CLAUSE PST-1
#[test]
fn a_snapshot_without_a_subscription_is_512_bytes_at_most() {
    let fields = format!("{DETAILS},\"idleTimeout\":18446744073709551615,\"maxActiveRequests\":18446744073709551615");
    let fields = fields.replace("100", "18446744073709551615").replace("180,", "18446744073709551615,");
    let mut s = Direct::connecting(of(USER));
    s.frame(&details(&fields));
    let text = s.session.snapshot().unwrap().to_json();
    assert!(text.contains(&identity(USER).to_string()), "{text}");
    assert!(text.len() <= 512, "{} {text}", text.len());
}

const USER: &str = "62219004";

fn identity(user: &str) -> Identity {
    Identity::named(&Config::default().server, "app", user)
}

/// Settings of a session of this user.
fn of(user: &str) -> Config {
    Config { identity: Some(identity(user)), ..Config::default() }
}

/// A session that was subscribed, of this user.
fn stored(config: Config) -> Snapshot {
    let mut s = Direct::ready(config);
    s.subscribed();
    s.frame(&notification(1));
    s.session.snapshot().unwrap()
}

/// The session up to its first connection, and the URL of that.
fn first_address(config: Config, snapshot: Snapshot) -> (Direct, String) {
    let mut s = Direct::restored(config, snapshot);
    s.authorize();
    let outputs = s.http(200, TOKEN);
    let url = actions(&outputs).find_map(|a| if let Action::Open { url, .. } = a { Some(url) } else { None });
    let url = url.unwrap().expose().to_string();
    (s, url)
}

// CLAUSE TOK-10
#[test]
fn only_the_same_user_and_app_continue() {
    let snapshot = stored(of(USER));
    assert_eq!(snapshot.identity(), Some(identity(USER)));
    assert!(first_address(of(USER), snapshot.clone()).1.contains("wsc="));
    let app = |id: &str| Identity::named(&Config::default().server, id, USER);
    let other_app = Config { identity: Some(app("app2")), ..Config::default() };
    for config in [of("62220004"), other_app] {
        let refused = Session::restore(config, snapshot.clone(), 1, clock()).unwrap_err();
        assert_eq!(refused, RestoreError::OtherIdentity);
        assert!(refused.to_string().contains("another user or app"), "{refused}");
    }
    let elsewhere = Config { server: "https://other.test".parse().unwrap(), ..of(USER) };
    assert_eq!(Session::restore(elsewhere, snapshot, 1, clock()).err(), Some(RestoreError::OtherServer));
}

// CLAUSE TOK-10 PST-3
#[test]
fn a_snapshot_without_identity_is_accepted_and_bound() {
    let older = stored(Config::default());
    assert!(older.identity().is_none() && !older.to_json().contains("identity"));
    let (s, address) = first_address(of(USER), older);
    assert!(address.contains("wsc="), "{address}");
    let bound = s.session.snapshot().unwrap();
    assert_eq!(bound.identity(), Some(identity(USER)));
    assert_eq!(Session::restore(of("x"), bound, 1, clock()).err(), Some(RestoreError::OtherIdentity));
}

// CLAUSE TOK-10
#[test]
fn a_session_without_identity_keeps_the_stored_one() {
    let (s, address) = first_address(Config::default(), stored(of(USER)));
    assert!(address.contains("wsc="), "{address}");
    assert_eq!(s.session.snapshot().unwrap().identity(), Some(identity(USER)));
}

// CLAUSE TOK-10 PST-3
#[test]
fn a_changed_identity_is_refused() {
    let text = stored(of(USER)).to_json();
    let written = identity(USER).to_string();
    for at in 0..written.len() {
        let digit = if written.as_bytes()[at] == b'0' { "1" } else { "0" };
        let mut changed = written.clone();
        changed.replace_range(at..=at, digit);
        let snapshot = Snapshot::from_json(&text.replace(&written, &changed)).unwrap();
        let refused = Session::restore(of(USER), snapshot, 1, clock()).err();
        assert_eq!(refused, Some(RestoreError::OtherIdentity), "{at}");
    }
    for bad in ["", "x", &written[1..], &written.replace(&written[..1], "G")] {
        let changed = text.replace(&written, bad);
        assert!(matches!(Snapshot::from_json(&changed), Err(RestoreError::Corrupt(_))), "{bad}");
    }
}

// CLAUSE TOK-10 PST-3 REC-5
#[test]
fn nothing_of_the_session_of_another_user_is_used() {
    let lost = Snapshot::lost(&Config::default().server, UnixMillis(0));
    let (mut s, address) = first_address(of("62220004"), lost);
    assert!(!address.contains("wsc="), "{address}");
    s.subscribe();
    s.input(Input::Opened { conn: s.conn });
    s.frame(&details(DETAILS));
    let outputs = s.reply(200, r#"{"id":"s"}"#);
    let gap = events(&outputs).find_map(|e| if let Event::Gap(gap) = e { Some(&gap.cause) } else { None });
    assert_eq!(gap, Some(&GapCause::Restored), "{outputs:?}");
    assert_eq!(s.session.snapshot().unwrap().identity(), Some(identity("62220004")));
}
