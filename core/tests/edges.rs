//! Requests, tokens and snapshots at their edges.

#[path = "support/direct.rs"]
mod direct;

use direct::Direct;
use ringcentral_ws_core::*;

// CLAUSE PST-3
#[test]
fn a_newer_snapshot_is_refused_however_it_was_read() {
    let s = Direct::ready(Config::default());
    let text = s.session.snapshot().unwrap().to_json().replacen(r#""version":1"#, r#""version":2"#, 1);
    let newer: Snapshot = serde_json::from_str(&text).unwrap();
    let refused = Session::restore(Config::default(), newer, 1, direct::clock()).unwrap_err();
    assert_eq!(refused, RestoreError::Newer { found: 2, known: 1 });
}
