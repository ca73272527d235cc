//! The token endpoint's limit, kept by all sources of a process together.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ringcentral_ws_core::AuthFailure;
use ringcentral_ws_core::oauth::ClientApp;

use crate::dial::is_loopback;

/// Calls of the token endpoint that RingCentral allows an app in any rolling window …
const CALLS: usize = 5;
/// … of this length.
const WINDOW: Duration = Duration::from_secs(60);

/// Server and client id.
type App = (String, String);

static MADE: Mutex<BTreeMap<App, VecDeque<Instant>>> = Mutex::new(BTreeMap::new());

/// Takes one call of this app, or says how long to wait. A server on this machine is a stand-in and has no limit.
pub(super) fn take(app: &ClientApp) -> Result<(), AuthFailure> {
    if is_loopback(&app.server) {
        return Ok(());
    }
    let key = (app.server.origin().ascii_serialization(), app.client_id.clone());
    take_at(&mut MADE.lock().unwrap_or_else(PoisonError::into_inner), key, Instant::now())
}

fn take_at(made: &mut BTreeMap<App, VecDeque<Instant>>, app: App, now: Instant) -> Result<(), AuthFailure> {
    made.retain(|_, calls| {
        while calls.front().is_some_and(|call| now.saturating_duration_since(*call) > WINDOW) {
            calls.pop_front();
        }
        !calls.is_empty()
    });
    let calls = made.entry(app).or_default();
    if let Some(oldest) = calls.front().filter(|_| calls.len() >= CALLS) {
        let wait = (WINDOW + Duration::from_millis(1)).saturating_sub(now.saturating_duration_since(*oldest));
        return Err(AuthFailure {
            permanent: false,
            code: None,
            message: format!("{CALLS} token calls were made within a minute, which is all RingCentral allows").into(),
            retry_after: Some(wait),
        });
    }
    calls.push_back(now);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_calls_a_minute_for_each_app() {
        let mut made = BTreeMap::new();
        let start = Instant::now();
        let app = |n: u32| ("https://h.example".to_owned(), n.to_string());
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        for second in 0..5 {
            take_at(&mut made, app(1), at(second)).unwrap();
        }
        let refused = take_at(&mut made, app(1), at(5)).unwrap_err();
        assert!(!refused.permanent);
        assert_eq!(refused.retry_after, Some(Duration::from_millis(55_001)));
        take_at(&mut made, app(2), at(5)).unwrap();
        assert!(take_at(&mut made, app(1), at(60)).is_err(), "exactly a minute is within it");
        take_at(&mut made, app(1), at(60) + Duration::from_millis(1)).unwrap();
        take_at(&mut made, app(3), at(200)).unwrap();
        assert_eq!(made.len(), 1, "old apps are forgotten");
    }
}
