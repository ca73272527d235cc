//! The filler of a process, perhaps with a defect.

use http::HeaderMap;
use ringcentral_ws_api::{Backfill, BackfillState, FillStep, GapFiller};
use ringcentral_ws_core::{Backfilled, ClockReading, Gap, Notification, RecordKind, Timestamp, Unfilled};

macro_rules! defects {
    ($($name:ident $text:literal,)*) => {
        /// What can be wrong with the filling of gaps.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each says what it is by its name and as_str")]
        pub enum FillDefect { $($name,)* }

        impl FillDefect {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$name,)*];

            /// In words.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

defects! {
    GapDuringGap "a gap that comes while another one is filled is dropped",
    GapsForgotten "a restart forgets the gaps that wait",
    TokenForgotten "a restart forgets the sync tokens",
    LateBegin "a gap is asked about from half a minute after its beginning on",
    TakesDelivered "what was delivered as a notification is handed out again",
    TakesFetched "what one gap brought is handed out again by the next",
    CompleteUnasked "a gap is called complete, and nothing was asked for",
    IgnoresOlder "it is not looked whether older records exist",
    SilentFailure "what could not be fetched is not named",
    KindsUnnamed "the kinds that cannot be fetched are not named",
    NoActiveCalls "the calls that go on are left out",
    FirstPage "only the first page of the posts of a chat is read",
    OneChat "only the posts of the chat with the last one are read",
}

/// What fills gaps in a process.
#[derive(Debug)]
pub(crate) struct Filler {
    inner: GapFiller,
    settings: Backfill,
    defect: Option<FillDefect>,
}

impl Filler {
    /// A process begins, perhaps with what another one wrote down.
    pub(crate) fn start(
        settings: &Backfill,
        stored: Option<&str>,
        seed: u64,
        clock: ClockReading,
        defect: Option<FillDefect>,
    ) -> Self {
        let stored = match defect {
            Some(FillDefect::GapsForgotten) => stored.map(|text| without(text, "gaps")),
            Some(FillDefect::TokenForgotten) => stored.map(|text| without(text, "tokens")),
            _ => stored.map(str::to_owned),
        };
        let state = stored.and_then(|text| BackfillState::from_json(&text)).unwrap_or_default();
        Self { inner: GapFiller::restore(settings.clone(), state, seed, clock), settings: settings.clone(), defect }
    }

    fn has(&self, defect: FillDefect) -> bool {
        self.defect == Some(defect)
    }

    pub(crate) const fn knows_filters(&self) -> bool {
        self.inner.knows_filters()
    }

    pub(crate) fn state(&self, clock: ClockReading) -> BackfillState {
        self.inner.state(clock)
    }

    pub(crate) fn take_changed(&mut self) -> bool {
        self.inner.take_changed()
    }

    pub(crate) fn waiting(&self) -> usize {
        self.inner.waiting()
    }

    pub(crate) fn set_online(&mut self, is_online: bool) {
        self.inner.set_online(is_online);
    }

    pub(crate) fn yield_to_subscription(&mut self, retry_at: Timestamp) {
        self.inner.yield_to_subscription(retry_at);
    }

    pub(crate) fn yield_to_call(&mut self, headers: &HeaderMap, clock: ClockReading) {
        self.inner.yield_to_call(headers, clock);
    }

    pub(crate) fn set_filters<'a>(&mut self, filters: impl IntoIterator<Item = &'a str>) {
        self.inner.set_filters(filters);
    }

    pub(crate) fn on_notification(&mut self, notification: &Notification, clock: ClockReading) {
        if !self.has(FillDefect::TakesDelivered) {
            self.inner.on_notification(notification, clock);
        }
    }

    pub(crate) fn on_gap(&mut self, mut gap: Gap, clock: ClockReading) {
        if self.has(FillDefect::GapDuringGap) && self.inner.waiting() > 0 {
            return;
        }
        if self.has(FillDefect::LateBegin) {
            gap.since.0 += 90_000;
        }
        self.inner.on_gap(gap, clock.now);
    }

    pub(crate) fn on_answer(&mut self, call: u64, status: u16, headers: &HeaderMap, body: &[u8], clock: ClockReading) {
        if self.has(FillDefect::IgnoresOlder) {
            let text =
                String::from_utf8_lossy(body).replace("\"olderRecordsExist\":true", "\"olderRecordsExist\":false");
            return self.inner.on_answer(call, status, headers, text.as_bytes(), clock);
        }
        if self.has(FillDefect::FirstPage) {
            let text = String::from_utf8_lossy(body).replace("\"prevPageToken\"", "\"none\"");
            return self.inner.on_answer(call, status, headers, text.as_bytes(), clock);
        }
        if self.has(FillDefect::OneChat)
            && let Some(first) = first_chat(body)
        {
            return self.inner.on_answer(call, status, headers, first.as_bytes(), clock);
        }
        self.inner.on_answer(call, status, headers, body, clock);
    }

    pub(crate) fn on_failure(&mut self, call: u64, sent: bool, clock: ClockReading) {
        self.inner.on_failure(call, sent, clock);
    }

    pub(crate) fn poll(&mut self, clock: ClockReading) -> FillStep {
        loop {
            match self.inner.poll(clock) {
                FillStep::Call(call) if self.has(FillDefect::CompleteUnasked) => {
                    let nothing = br#"{"records":[],"syncInfo":{"olderRecordsExist":false}}"#;
                    self.inner.on_answer(call.id, 200, &HeaderMap::new(), nothing, clock);
                }
                FillStep::Filled(filled) => return FillStep::Filled(Box::new(self.spoiled(*filled, clock))),
                step => return step,
            }
        }
    }

    fn spoiled(&mut self, filled: Backfilled, clock: ClockReading) -> Backfilled {
        let Backfilled { gap, mut records, mut unfilled, may_repeat, .. } = filled;
        match self.defect {
            Some(FillDefect::TakesFetched) => {
                let state = without(&self.inner.state(clock).to_json(), "known");
                let state = BackfillState::from_json(&state).unwrap_or_default();
                self.inner = GapFiller::restore(self.settings.clone(), state, 0, clock);
                self.inner.set_online(true);
            }
            Some(FillDefect::SilentFailure) => unfilled.retain(Unfilled::is_lost_for_everybody),
            Some(FillDefect::KindsUnnamed) => unfilled.retain(|missing| !missing.is_lost_for_everybody()),
            Some(FillDefect::NoActiveCalls) => records.retain(|record| record.kind() != RecordKind::ActiveCall),
            _ => {}
        }
        Backfilled::new(gap, records, unfilled).repeating(may_repeat)
    }
}

/// A list of chats without all but the first.
fn first_chat(body: &[u8]) -> Option<String> {
    let mut value: serde_json::Value = serde_json::from_slice(body).ok()?;
    let records = value.get_mut("records")?.as_array_mut()?;
    records.first()?.get("members")?;
    records.truncate(1);
    Some(value.to_string())
}

/// A state without one of its parts.
fn without(state: &str, part: &str) -> String {
    let mut value: serde_json::Value = serde_json::from_str(state).unwrap_or_default();
    if let Some(fields) = value.as_object_mut() {
        fields.remove(part);
    }
    value.to_string()
}
