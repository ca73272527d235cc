//! What need not be told while nobody listens.

use ringcentral_ws_core::Event;

/// Whether the later of two events that follow each other makes the earlier not worth telling. While nobody takes
/// events attempts may go on for days: of what repeats only the last counts.
#[must_use]
pub const fn replaces(later: &Event, earlier: &Event) -> bool {
    matches!(
        (earlier, later),
        (Event::Retry { .. }, Event::Retry { .. })
            | (Event::Waiting { .. }, Event::Waiting { .. })
            | (Event::SnapshotChanged, Event::SnapshotChanged)
    )
}
