//! Snapshots: how large, how they fail, and that none is ever written that cannot be read.

#[path = "support/direct.rs"]
mod direct;

use direct::{DETAILS, Direct, details, notification};
use ringcentral_ws_core::*;

fn snapshot() -> String {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    (0..3).for_each(|n| drop(s.frame(&notification(n))));
    s.session.snapshot().unwrap().to_json()
}

// CLAUSE PST-3
#[test]
fn a_truncated_snapshot_is_corrupt_wherever_it_ends() {
    let text = snapshot();
    assert!(Snapshot::from_json(&text).is_ok());
    for end in 0..text.len() {
        let Some(part) = text.get(..end) else { continue };
        assert!(matches!(Snapshot::from_json(part), Err(RestoreError::Corrupt(_))), "{end}");
    }
}

// CLAUSE PST-3 FRM-1
#[test]
fn a_damaged_snapshot_is_refused_or_harmless() {
    let text = snapshot();
    for at in 0..text.len() {
        for byte in [b' ', b'0', b'"', b'}', b'-'] {
            let mut damaged = text.clone().into_bytes();
            damaged[at] = byte;
            let Ok(snapshot) = Snapshot::from_json(&String::from_utf8(damaged).unwrap()) else { continue };
            let Ok(restored) = contract::Checked::restore(Config::default(), snapshot, 1, direct::clock()) else {
                continue;
            };
            let mut s = Direct::around(restored);
            s.session.connect(s.now).unwrap();
            s.drain();
            s.authorize();
            s.open();
            s.frame(&details(DETAILS));
        }
    }
}

// CLAUSE PST-3
#[test]
fn each_reason_has_its_type() {
    let text = snapshot();
    let newer = text.replacen(r#""version":1"#, r#""version":2,"wholly":"new""#, 1);
    assert_eq!(Snapshot::from_json(&newer), Err(RestoreError::Newer { found: 2, known: 1 }));
    assert_eq!(Snapshot::from_json(r#"{"version":9}"#), Err(RestoreError::Newer { found: 9, known: 1 }));
    for bad in ["", "null", "[]", "{}", r#"{"version":1}"#, r#"{"version":"1"}"#, r#"{"version":-1}"#] {
        assert!(matches!(Snapshot::from_json(bad), Err(RestoreError::Corrupt(_))), "{bad}");
    }
    let space = (64 << 20) - text.len();
    assert!(Snapshot::from_json(&format!("{text}{}", " ".repeat(space))).is_ok());
    assert!(Snapshot::from_json(&format!("{text}{}", " ".repeat(space + 1))).is_err());
    for (next, good) in [("0", false), ("1", true), ("9007199254740990", true), ("9007199254740991", false)] {
        let changed = text.replacen(r#""next_subscription":1"#, &format!(r#""next_subscription":{next}"#), 1);
        assert_eq!(Snapshot::from_json(&changed).is_ok(), good, "{next}");
    }
    for (count, good) in [(8191, true), (8192, true), (8193, false)] {
        let keys: Vec<String> = (0..count).map(|n| format!("\"{n}\"")).collect();
        let changed = text.replacen(r#"["0","1","2"]"#, &format!("[{}]", keys.join(",")), 1);
        assert_ne!(changed, text);
        assert_eq!(Snapshot::from_json(&changed).is_ok(), good, "{count}");
    }
    let token = text.replacen("wsc-secret", "", 1);
    let cause = r#""next_subscription":1,"gap":{"cause":"sunspots","since":0}"#;
    let cause = text.replacen(r#""next_subscription":1"#, cause, 1);
    for changed in [token, cause] {
        assert!(changed != text && Snapshot::from_json(&changed).is_err(), "{changed}");
    }
    let zero = text.replacen(r#""version":1"#, r#""version":0"#, 1);
    assert!(matches!(Snapshot::from_json(&zero), Err(RestoreError::Corrupt(_))));
    let config = Config { server: "https://other.test".parse().unwrap(), ..Config::default() };
    let snapshot = Snapshot::from_json(&text).unwrap();
    assert_eq!(Session::restore(config, snapshot, 1, direct::clock()).err(), Some(RestoreError::OtherServer));
}

// CLAUSE PST-3 SUB-1
#[test]
fn subscription_numbers_that_cannot_be_are_corrupt() {
    let text = snapshot();
    assert!(text.contains(r#""next_subscription":1"#), "{text}");
    for bad in ["0", "18446744073709551615"] {
        let damaged = text.replace(r#""next_subscription":1"#, &format!(r#""next_subscription":{bad}"#));
        assert!(matches!(Snapshot::from_json(&damaged), Err(RestoreError::Corrupt(_))), "{bad}");
    }
}

// CLAUSE PST-1
#[test]
fn without_a_subscription_it_is_small() {
    let fields = format!("{DETAILS},\"idleTimeout\":18446744073709551615,\"maxActiveRequests\":18446744073709551615");
    let fields = fields.replace("100", "18446744073709551615").replace("180,", "18446744073709551615,");
    let mut s = Direct::connecting(of(USER));
    s.frame(&details(&fields));
    let text = s.session.snapshot().unwrap().to_json();
    assert!(text.contains(&identity(USER).to_string()), "{text}");
    assert!(text.len() <= 512, "{} {text}", text.len());
}

// CLAUSE PST-1 REC-4
#[test]
fn with_a_subscription_it_grows_by_filters_and_ids_only() {
    let mut s = Direct::ready(Config::default());
    s.subscribed();
    (0..5_000).for_each(|n| drop(s.frame(&notification(usize::MAX - n))));
    let text = s.session.snapshot().unwrap().to_json();
    // 256 ids of up to 32 hex digits, quotes and comma.
    assert!(text.len() <= 512 + 256 * 35 + 100, "{}", text.len());
}

// CLAUSE PST-1 SEC-3
#[test]
fn what_is_written_can_be_read() {
    // The most and longest filters, twice, with everything escaped.
    let longest = |n: usize| format!("/{n:04}{}", "\"".repeat(MAX_FILTER_BYTES - 5));
    let filters = Filters::new((0..MAX_FILTERS).map(longest)).unwrap();
    let mut s = Session::new(Config::default(), 1, direct::clock());
    s.subscribe(filters, Timestamp::ZERO).unwrap();
    while !matches!(s.poll_output(), Output::Wait(_)) {}
    let text = s.snapshot().unwrap().to_json();
    assert!(Snapshot::from_json(&text).is_ok(), "{} bytes", text.len());

    // A setting that believes in a very large buffer.
    let mut config = Config::default();
    config.limits.recovery_buffer = 100_000;
    let mut s = Direct::connecting(config);
    s.frame(&details(r#""recoveryBufferSize":100000"#));
    s.subscribed();
    (0..9_000).for_each(|n| drop(s.frame(&notification(n))));
    let text = s.session.snapshot().unwrap().to_json();
    assert!(Snapshot::from_json(&text).is_ok());
}

// CLAUSE PST-3 REC-5
#[test]
fn in_place_of_an_unusable_snapshot_a_gap_is_told() {
    let since = UnixMillis(direct::clock().unix.0 - 5_000);
    let config = Config::default();
    let lost = Snapshot::lost(&config.server, since);
    assert_eq!(Snapshot::from_json(&lost.to_json()).as_ref(), Ok(&lost));
    let mut s = Direct::around(contract::Checked::restore(config, lost, 1, direct::clock()).unwrap());
    s.subscribe();
    s.session.connect(s.now).unwrap();
    s.drain();
    s.authorize();
    s.open();
    let connected = s.frame(&details(DETAILS));
    let fresh = |e: &Event| matches!(e, Event::Connected { resumption: Resumption::Fresh, .. });
    assert!(direct::events(&connected).any(fresh), "{connected:?}");
    let mut told = s.reply(200, r#"{"id":"s"}"#);
    told.extend(s.frame(&notification(1)));
    let events: Vec<_> = direct::events(&told).filter(|e| !matches!(e, Event::SnapshotChanged)).collect();
    let [Event::Gap(gap), Event::Subscribed(_), Event::Notification(_)] = events[..] else { panic!("{events:?}") };
    assert_eq!((&gap.cause, gap.after.as_deref(), gap.since), (&GapCause::Restored, None, since));
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

/// What the address of the first connection holds.
fn first_address(config: Config, snapshot: Snapshot) -> (Direct, String) {
    let mut s = Direct::around(contract::Checked::restore(config, snapshot, 1, direct::clock()).unwrap());
    s.session.connect(s.now).unwrap();
    s.drain();
    s.authorize();
    let body = r#"{"ws_access_token":"ws-token","uri":"wss://ws.ringcentral.com/ws","expires_in":600}"#;
    let outputs = s.http(200, body);
    let url = direct::actions(&outputs).find_map(|a| if let Action::Open { url, .. } = a { Some(url) } else { None });
    let url = url.unwrap().expose().to_string();
    (s, url)
}

// CLAUSE TOK-10
#[test]
fn the_same_user_continues_and_no_other() {
    let snapshot = stored(of(USER));
    assert_eq!(snapshot.identity(), Some(identity(USER)));
    assert!(first_address(of(USER), snapshot.clone()).1.contains("wsc="));
    let app = |id: &str| Identity::named(&Config::default().server, id, USER);
    let other_app = Config { identity: Some(app("app2")), ..Config::default() };
    for config in [of("62220004"), other_app] {
        let refused = Session::restore(config, snapshot.clone(), 1, direct::clock()).unwrap_err();
        assert_eq!(refused, RestoreError::OtherIdentity);
        assert!(refused.to_string().contains("another user or app"), "{refused}");
    }
    let elsewhere = Config { server: "https://other.test".parse().unwrap(), ..of(USER) };
    assert_eq!(Session::restore(elsewhere, snapshot, 1, direct::clock()).err(), Some(RestoreError::OtherServer));
}

// CLAUSE TOK-10 PST-3
#[test]
fn an_older_snapshot_is_accepted_once_and_bound() {
    let older = stored(Config::default());
    assert!(older.identity().is_none() && !older.to_json().contains("identity"));
    let (s, address) = first_address(of(USER), older);
    assert!(address.contains("wsc="), "{address}");
    let bound = s.session.snapshot().unwrap();
    assert_eq!(bound.identity(), Some(identity(USER)));
    assert_eq!(Session::restore(of("x"), bound, 1, direct::clock()).err(), Some(RestoreError::OtherIdentity));
}

// CLAUSE TOK-10
#[test]
fn who_does_not_say_who_it_is_changes_nothing_about_whose_it_is() {
    let (s, address) = first_address(Config::default(), stored(of(USER)));
    assert!(address.contains("wsc="), "{address}");
    assert_eq!(s.session.snapshot().unwrap().identity(), Some(identity(USER)));
}

// CLAUSE TOK-10 PST-3
#[test]
fn an_identity_that_was_changed_is_refused() {
    let text = stored(of(USER)).to_json();
    let written = identity(USER).to_string();
    for at in 0..written.len() {
        let digit = if written.as_bytes()[at] == b'0' { "1" } else { "0" };
        let mut changed = written.clone();
        changed.replace_range(at..=at, digit);
        let snapshot = Snapshot::from_json(&text.replace(&written, &changed)).unwrap();
        let refused = Session::restore(of(USER), snapshot, 1, direct::clock()).err();
        assert_eq!(refused, Some(RestoreError::OtherIdentity), "{at}");
    }
    for bad in ["", "x", &written[1..], &written.replace(&written[..1], "G")] {
        let changed = text.replace(&written, bad);
        assert!(matches!(Snapshot::from_json(&changed), Err(RestoreError::Corrupt(_))), "{bad}");
    }
}

// CLAUSE TOK-10 PST-3 REC-5
#[test]
fn in_place_of_the_session_of_another_nothing_of_it_is_used() {
    let lost = Snapshot::lost(&Config::default().server, UnixMillis(0));
    let (mut s, address) = first_address(of("62220004"), lost);
    assert!(!address.contains("wsc="), "{address}");
    s.subscribe();
    s.input(Input::Opened { conn: s.conn });
    s.frame(&details(DETAILS));
    let told = s.reply(200, r#"{"id":"s"}"#);
    let gap = direct::events(&told).find_map(|e| if let Event::Gap(gap) = e { Some(&gap.cause) } else { None });
    assert_eq!(gap, Some(&GapCause::Restored), "{told:?}");
    assert_eq!(s.session.snapshot().unwrap().identity(), Some(identity("62220004")));
}
