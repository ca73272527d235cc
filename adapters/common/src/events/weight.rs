//! What waits while nobody listens: how much it is, and which of it is outdated.

use ringcentral_ws_core::{Event, Snapshot};

/// What an event takes beside the texts in it, in bytes, and places in queues.
const EVENT: usize = 256;
/// What a snapshot takes, in bytes, beside what the driver keeps with it: the keys of some hundred notifications and a
/// recovery token. That neither grows without end is the Session's business.
const SNAPSHOT: usize = 32 << 10;

/// What an event takes while it waits, in bytes, roughly: exact where the server chooses the size.
pub(crate) fn weight(event: &Event, snapshot: Option<&Snapshot>) -> usize {
    let snapshot = snapshot.map_or(0, |snapshot| SNAPSHOT + snapshot.extra().map_or(0, str::len));
    let texts = match event {
        Event::Notification(n) => {
            let ids = [n.timestamp(), n.subscription_id(), n.owner_id()];
            let ids = ids.into_iter().flatten().map(str::len).sum::<usize>();
            n.uuid().len() + n.event().len() + ids + n.body().len()
        }
        Event::Connected { details, .. } => {
            let texts = [&details.creation_time, &details.recovery_error_code, &details.request_id];
            texts.into_iter().flatten().map(|text| text.len()).sum::<usize>() + details.other.len()
        }
        Event::Subscribed(info) => {
            let disabled = info.disabled.iter().map(|one| one.filter.len() + one.reason.len() + one.message.len());
            let filters = info.filters.iter().map(|filter| filter.len() + size_of::<Box<str>>());
            let words = [&info.status, &info.transport].into_iter().flatten().map(|word| word.len());
            let words = info.server_id.len() + words.sum::<usize>();
            words + filters.sum::<usize>() + disabled.map(|texts| texts + EVENT).sum::<usize>()
        }
        Event::SubscriptionFailed { error, .. } => {
            error.message.len() + error.errors.iter().map(|(code, message)| code.len() + message.len()).sum::<usize>()
        }
        Event::Backfill(fetched) => fetched.bytes() + fetched.records.len() * EVENT,
        Event::Disconnected { reason, .. } => reason.as_ref().map_or(0, |reason| reason.len()),
        _ => 0,
    };
    EVENT + snapshot + texts
}

/// Which of the events that wait, counted from the newest, is outdated by `later`. While nobody
/// takes events attempts may go on for days: of what repeats without anything else between only the last counts.
pub(super) fn replaced<'a>(later: &Event, newest_first: impl Iterator<Item = &'a Event>) -> Option<usize> {
    let kind = repeats(later)?;
    newest_first.map_while(repeats).position(|earlier| earlier == kind)
}

/// The kinds of events that come again and again during an outage.
const fn repeats(event: &Event) -> Option<u8> {
    match event {
        Event::Retry { .. } => Some(0),
        Event::Waiting { .. } => Some(1),
        Event::SnapshotChanged => Some(2),
        _ => None,
    }
}
