//! Orders to refuse connections, and to listen again.

use std::sync::mpsc::SyncSender;

use tokio::sync::mpsc;

/// Whether to listen at all; `done` is signalled when it is so.
#[derive(Debug)]
pub(super) struct Refuse {
    pub(super) on: bool,
    pub(super) done: Option<SyncSender<()>>,
}

/// The sender of [`Refuse`], for the control resources.
pub(super) type Refusals = mpsc::UnboundedSender<Refuse>;
