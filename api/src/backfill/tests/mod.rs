//! Tests of filling gaps: each rule by a table, and all together against a model of the service.

mod bounds;
mod crowd;
mod hostile;
mod model;
mod precedence;
mod random;
mod rules;

use http::{HeaderMap, HeaderName, HeaderValue};
use ringcentral_ws_core::{Backfilled, ClockReading, Gap, GapCause, Notification, Timestamp, UnixMillis};

use super::*;
use crate::Filter;

/// The wall clock when the driver's clock is 0.
const EPOCH: u64 = 1_700_000_000_000;

fn clock(ms: u64) -> ClockReading {
    ClockReading { now: Timestamp::from_millis(ms), unix: UnixMillis(EPOCH + ms) }
}

fn gap(since: u64, until: u64) -> Gap {
    let cause = GapCause::WindowPassed;
    let (since, until) = (UnixMillis(EPOCH + since), UnixMillis(EPOCH + until));
    Gap { certainty: cause.certainty(), cause, after: None, since, until }
}

fn iso(ms: u64) -> String {
    UnixMillis(EPOCH + ms).to_string()
}

/// Settings without waits that tests would have to skip.
fn quick() -> Backfill {
    Backfill::new().settle(std::time::Duration::ZERO).spread(std::time::Duration::ZERO)
}

fn headers(pairs: &[(&str, &str)]) -> HeaderMap {
    let pair =
        |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    pairs.iter().map(pair).collect()
}

/// A filler, and a time that only its waits move on.
struct Lab {
    filler: GapFiller,
    ms: u64,
}

impl Lab {
    fn new(settings: Backfill, filters: &[Filter]) -> Self {
        Self::seeded(settings, filters, 7)
    }

    fn seeded(settings: Backfill, filters: &[Filter], seed: u64) -> Self {
        let mut filler = GapFiller::new(settings, seed);
        filler.set_filters(filters.iter().map(Filter::as_str));
        filler.set_online(true);
        Self { filler, ms: 0 }
    }

    /// One whose tokens are there already, as of the beginning. It is a day later.
    fn primed(settings: Backfill, filters: &[Filter]) -> Self {
        Self::primed_with(settings, filters, 7)
    }

    fn primed_with(settings: Backfill, filters: &[Filter], seed: u64) -> Self {
        let mut lab = Self::seeded(settings, filters, seed);
        while let Some(call) = lab.next_call() {
            let time = iso(lab.ms);
            lab.answer(&call, &format!(r#"{{"records":[],"syncInfo":{{"syncToken":"first","syncTime":"{time}"}}}}"#));
        }
        lab.ms = 86_400_000;
        lab
    }

    fn step(&mut self) -> FillStep {
        self.filler.poll(clock(self.ms))
    }

    /// The next call, after a wait if there is one.
    fn next_call(&mut self) -> Option<GapCall> {
        loop {
            match self.step() {
                FillStep::Call(call) => return Some(call),
                FillStep::Wait(Some(at)) => self.ms = at.as_micros().div_ceil(1000),
                FillStep::Wait(None) => return None,
                FillStep::Filled(filled) => panic!("{filled}"),
            }
        }
    }

    /// The next step that is no wait.
    fn step_or_wait(&mut self) -> FillStep {
        loop {
            match self.step() {
                FillStep::Wait(Some(at)) => self.ms = at.as_micros().div_ceil(1000),
                other => return other,
            }
        }
    }

    fn path(&mut self) -> String {
        self.next_call().expect("a call").path
    }

    fn filled(&mut self) -> Backfilled {
        loop {
            match self.step() {
                FillStep::Filled(filled) => return *filled,
                FillStep::Wait(Some(at)) => self.ms = at.as_micros().div_ceil(1000),
                other => panic!("{other:?}"),
            }
        }
    }

    fn answer(&mut self, call: &GapCall, body: &str) {
        self.answer_with(call, 200, &[], body);
    }

    fn answer_with(&mut self, call: &GapCall, status: u16, pairs: &[(&str, &str)], body: &str) {
        self.filler.on_answer(call.id, status, &headers(pairs), body.as_bytes(), clock(self.ms));
    }

    fn gap(&mut self, since: u64, until: u64) {
        self.filler.on_gap(gap(since, until), Timestamp::from_millis(self.ms));
    }

    /// Answers the next call with 200, and returns its path.
    fn answered(&mut self, body: &str) -> String {
        let call = self.next_call().expect("a call");
        self.answer(&call, body);
        call.path
    }
}

fn sms(id: u64, ms: u64) -> String {
    changed_sms(id, ms, ms)
}

fn changed_sms(id: u64, created: u64, changed: u64) -> String {
    format!(
        r#"{{"id":{id},"type":"SMS","direction":"Inbound","creationTime":"{}","lastModifiedTime":"{}","subject":"{id}"}}"#,
        iso(created),
        iso(changed)
    )
}

fn synced(records: &[String], token: &str, more: bool) -> String {
    let info = format!(r#"{{"syncType":"ISync","syncToken":"{token}","olderRecordsExist":{more}}}"#);
    format!(r#"{{"records":[{}],"syncInfo":{info}}}"#, records.join(","))
}

fn notified(event: &str, body: &str) -> Notification {
    let event = format!("/restapi/v1.0/account/1/extension/2/{event}");
    Notification::from_json(&format!(r#"{{"uuid":"u","event":"{event}","body":{body}}}"#)).unwrap()
}

fn ids(filled: &Backfilled) -> Vec<&str> {
    filled.records.iter().map(|record| record.id()).collect()
}

fn missing(filled: &Backfilled) -> Vec<&'static str> {
    filled.unfilled.iter().map(ringcentral_ws_core::Unfilled::as_str).collect()
}
