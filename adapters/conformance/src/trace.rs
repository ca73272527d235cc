//! What an application saw, without what differs from run to run.

use std::fmt;

use ringcentral_ws_core::{Cause, CloseReason, Event};

/// Letters of a message that are compared.
const SHOWN: usize = 20;

/// One line for each event, in order; times, ids and delays left out. Snapshots are left out too, because adapters may
/// report several changes at once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Trace(Vec<String>);

impl Trace {
    /// Adds a line. A failed attempt that fails again in the same way is one line: how often depends on speed.
    pub fn push(&mut self, line: String) {
        if !(line.starts_with("retry") && self.0.last() == Some(&line)) {
            self.0.push(line);
        }
    }

    /// The lines.
    #[must_use]
    pub fn lines(&self) -> &[String] {
        &self.0
    }
}

impl fmt::Display for Trace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|line| writeln!(f, "    {line}"))
    }
}

/// The line for an event.
pub(crate) fn line(event: &Event) -> Option<String> {
    Some(match event {
        Event::Connected { resumption, .. } => format!("connected {}", resumption.as_str()),
        Event::Subscribed(info) => format!("subscribed {} {}", info.filters.len(), info.disabled.len()),
        Event::SubscriptionFailed { error, retry_at, .. } => {
            format!("subscription failed {} {}", error.status, if retry_at.is_some() { "for now" } else { "for good" })
        }
        Event::Unsubscribed { .. } => "unsubscribed".to_owned(),
        Event::Notification(n) => {
            let body: serde_json::Value = serde_json::from_str(n.body()).unwrap_or_default();
            let start: String = body["subject"].as_str().unwrap_or("?").chars().take(SHOWN).collect();
            format!("notification {start}")
        }
        Event::Recovered { .. } => "recovered".to_owned(),
        Event::RecoveryFailed { code, .. } => format!("recovery failed {}", code.as_deref().unwrap_or("-")),
        Event::Retry { cause: why, .. } => format!("retry {}", cause(why)),
        Event::Waiting { reason, .. } => format!("waiting {}", reason.as_str()),
        Event::Gap(gap) => format!("gap {}", gap.cause.as_str()),
        Event::Disconnected { cause: why, .. } => format!("disconnected {}", cause(why)),
        Event::ProtocolError { error, .. } => format!("protocol error {error:?}"),
        Event::Closed { reason: CloseReason::Permanent(why) } => format!("closed {}", cause(why)),
        Event::Closed { reason } => format!("closed {reason:?}").to_lowercase(),
        _ => return None,
    })
}

/// The word for a cause, and the step that failed.
fn cause(cause: &Cause) -> String {
    match cause {
        Cause::ConnectFailed { phase, .. } | Cause::Network { phase, .. } => format!("{} {phase:?}", cause.as_str()),
        Cause::UpgradeRefused { status } => format!("{} {status}", cause.as_str()),
        Cause::ServerClosed { code } => format!("{} {code:?}", cause.as_str()),
        _ => cause.as_str().to_owned(),
    }
}
