//! Nothing, for programs that do not want it. Names and arguments are those of `on`.
#![allow(missing_docs, clippy::unused_self, reason = "the documented ones are those of `on`")]

use ringcentral_ws_core::{Event, RequestId, Session, Timestamp};

use crate::clock::Clock;
use crate::health::Pulse;

#[derive(Debug)]
pub struct Meter;

impl Meter {
    #[must_use]
    pub const fn new(_: Option<&str>) -> Self {
        Self
    }

    #[must_use]
    pub const fn queue(&self) -> QueueMeter {
        QueueMeter(())
    }

    pub const fn requested(&mut self, _: RequestId, _: Timestamp) {}

    pub const fn event(&mut self, _: &Event, _: Timestamp) {}

    pub const fn turn(&mut self, _: &Session, _: &Pulse, _: &Clock) {}
}

#[derive(Debug, Default)]
pub struct QueueMeter(());

impl QueueMeter {
    pub const fn waiting(&self, _: usize, _: usize) {}

    pub const fn taken(&self, _: &Event) {}
}
