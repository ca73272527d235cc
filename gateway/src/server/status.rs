//! The status page, and what it shows: sessions, faults, counters, the last frames and events.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use hyper::body::Bytes;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::time::Instant;

use crate::HttpResponse;
use crate::server::frames::{FrameLog, Way};
use crate::server::shared::Shared;

const PAGE: &str = include_str!("status.html");
/// The page has its style and its script in itself, calls nobody else, and is part of no other page.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; connect-src 'self'; \
                      img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Changes are shown at most so often.
const PAUSE: Duration = Duration::from_millis(200);
/// Without a change the time goes on so often.
const QUIET: Duration = Duration::from_secs(1);
/// Sessions listed at most, the newest.
const MAX_SESSIONS: usize = 100;
/// Events listed at most, the newest.
const MAX_EVENTS: u64 = 200;

pub(super) fn page() -> HttpResponse {
    HttpResponse::new(200, PAGE)
        .header("Content-Type", "text/html; charset=utf-8")
        .header("Content-Security-Policy", POLICY)
        .header("Cross-Origin-Resource-Policy", "same-origin")
        .header("X-Content-Type-Options", "nosniff")
        .header("Referrer-Policy", "no-referrer")
        .header("Cache-Control", "no-store")
}

/// The numbers of the next frame and event that somebody has not seen.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    frames: u64,
    events: u64,
}

/// Everything as it is now, with the frames and events that have not been seen.
pub(super) fn state(shared: &Shared, seen: &mut Seen) -> Value {
    let half_open = shared.half_open_count();
    let (delay, split) = (shared.delay().as_millis(), shared.split.load(Ordering::Relaxed));
    shared.look(|gateway, frames, now| {
        let left = |until: u64| until.saturating_sub(now).div_ceil(1000);
        let overload = gateway.faults.overload.as_ref().filter(|overload| now < overload.until);
        let sessions = gateway.sessions().take(MAX_SESSIONS).map(|session| {
            let mut value = json!(session);
            value["left_ms"] = json!(session.recoverable_until.map(left));
            value
        });
        let mut counters = json!(gateway.observations());
        if let Some(counters) = counters.as_object_mut() {
            counters.retain(|_, value| value.is_number());
        }
        json!({
            "server": gateway.config().base_url,
            "uptime_ms": now / 1000,
            "users": gateway.config().users.len(),
            "logins": gateway.oauth_session_count(),
            "connections": gateway.connections().count(),
            "session_count": gateway.session_count(),
            "recovery_buffer": gateway.config().recovery_buffer_size,
            "sessions": sessions.collect::<Vec<_>>(),
            "faults": {
                "overload": overload.map(|overload| json!({"status": overload.status, "left_ms": left(overload.until)})),
                "refuse": shared.refusing.load(Ordering::Relaxed),
                "stall": *shared.stall.borrow(),
                "half_open": half_open,
                "delay_ms": u64::try_from(delay).unwrap_or(u64::MAX),
                "split": split,
                "fail": gateway.faults.failures.len(),
                "duplicate": gateway.faults.duplicates,
            },
            "counters": counters,
            "frames": new_frames(frames, seen),
            "events": new_events(gateway, seen),
        })
    })
}

fn new_frames(frames: &FrameLog, seen: &mut Seen) -> Vec<Value> {
    let mut new = Vec::new();
    for frame in frames.since(seen.frames) {
        seen.frames = frame.number + 1;
        new.push(json!({
            "number": frame.number,
            "at_ms": frame.at_us / 1000,
            "conn": frame.conn,
            "way": if frame.way == Way::In { "in" } else { "out" },
            "bytes": frame.len,
            "text": frame.shown(),
        }));
    }
    new
}

fn new_events(gateway: &crate::Gateway, seen: &mut Seen) -> Vec<Value> {
    let end = gateway.events_since(0).last().map_or(seen.events, |(number, _)| number + 1);
    let start = seen.events.max(end.saturating_sub(MAX_EVENTS));
    seen.events = seen.events.max(end);
    gateway.events_since(start).map(|(number, event)| json!({"number": number, "event": event})).collect()
}

/// States as server-sent events, one after each change, as fast as they are taken; `None` if too many follow already.
pub(super) fn follow(shared: &Arc<Shared>) -> Option<mpsc::Receiver<Bytes>> {
    let permit = Arc::clone(&shared.followers).try_acquire_owned().ok()?;
    let (sender, receiver) = mpsc::channel(1);
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let _permit = permit;
        let mut seen = Seen::default();
        loop {
            let version = shared.version();
            let event = format!("data: {}\n\n", state(&shared, &mut seen));
            if sender.send(Bytes::from(event)).await.is_err() {
                return;
            }
            let next = Instant::now() + QUIET;
            loop {
                tokio::select! {
                    () = sender.closed() => return,
                    () = tokio::time::sleep(PAUSE) => {}
                }
                if shared.version() != version || Instant::now() >= next {
                    break;
                }
            }
        }
    });
    Some(receiver)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::server::command::COMMANDS;

    #[test]
    fn the_page_needs_nobody_else() {
        let page = PAGE.replace("<link rel=\"icon\" href=\"data:,\">", "");
        for foreign in ["://", "src=", "@import", "url(", "<link"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        // What comes from the server is shown as text, never as markup.
        for markup in ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("] {
            assert!(!PAGE.contains(markup), "{markup}");
        }
    }

    #[test]
    fn the_page_has_a_form_for_every_command_with_every_member() {
        for (name, members) in COMMANDS {
            let form = PAGE.split("<form ").find(|form| form.contains(&format!("data-command=\"{name}\"")));
            let form = form.unwrap_or_else(|| panic!("{name} has no form"));
            for (member, _) in members {
                let left_to_scripts = matches!((name, *member), ("fail", "headers"));
                assert!(left_to_scripts || form.contains(&format!("name=\"{member}\"")), "{name} {member}");
            }
        }
    }
}
