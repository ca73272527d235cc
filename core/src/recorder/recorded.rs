//! A Session that records.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::options::{MAX_LIMIT, MIN_LIMIT, Options, TITLE};
use super::ring::Ring;
use super::{print, refused};
use crate::body::Body;
use crate::config::Config;
use crate::error::{CommandError, NotDrained};
use crate::filters::Filters;
use crate::ids::{RequestId, SubscriptionId};
use crate::input::Input;
use crate::mask::Names;
use crate::output::Output;
use crate::serde_forms::MAX_EXACT;
use crate::session::{Checkpoint, Close, Session, SessionState, SubscriptionState};
use crate::snapshot::Snapshot;
use crate::stats::Stats;
use crate::time::Timestamp;

/// Bytes of a key of a notification in a checkpoint, and its comma.
const KEY_BYTES: usize = 40;
/// Lines between two tries of a checkpoint, after one was too large.
const LINES_UNTIL_RETRY: u32 = 64;

/// A [`Session`] with a flight recorder, or without one.
pub struct Recorded {
    session: Session,
    recorder: Option<FlightRecorder>,
}

/// What a [`Recorded`] recorded so far. Clones are the same recorder; it outlives the Session.
#[derive(Clone)]
pub struct FlightRecorder(Arc<Mutex<Recorder>>);

struct Recorder {
    header: String,
    ring: Ring,
    names: Names,
    keys: usize,
    /// So many lines pass before the next try of a checkpoint.
    until_retry: u32,
    /// The wait that follows the last call was recorded.
    waits: bool,
}

impl fmt::Debug for Recorded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let recorded = self.recorder.as_ref().map(|recorder| recorder.lock().ring.len());
        f.debug_struct("Recorded").field("session", &self.session).field("recorded_bytes", &recorded).finish()
    }
}

impl fmt::Debug for FlightRecorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FlightRecorder").field("bytes", &self.lock().ring.len()).finish_non_exhaustive()
    }
}

impl FlightRecorder {
    /// What was recorded, at most [`Options::limit`] bytes.
    #[must_use]
    pub fn dump(&self) -> String {
        let recorder = self.lock();
        let mut text = String::with_capacity(recorder.header.len() + recorder.ring.len());
        text.push_str(&recorder.header);
        recorder.ring.segments().for_each(|segment| text.push_str(segment));
        text
    }

    fn lock(&self) -> MutexGuard<'_, Recorder> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<Session> for Recorded {
    /// Without a recorder.
    fn from(session: Session) -> Self {
        Self { session, recorder: None }
    }
}

impl Recorder {
    fn new(config: &Config, options: Options) -> Self {
        let limit = options.limit.clamp(MIN_LIMIT, MAX_LIMIT);
        let keys = limit / 16 / KEY_BYTES;
        let bodies = if options.keep_bodies { "bodies\n" } else { "" };
        let version = env!("CARGO_PKG_VERSION");
        let mut names = Names::of(config);
        let config = settings(config);
        let header = format!("{TITLE} 1\nmade-by {version}\nkeys {keys}\n{bodies}config {config}\n");
        names.keep_bodies = options.keep_bodies;
        Self { ring: Ring::new(limit.saturating_sub(header.len())), header, names, keys, until_retry: 0, waits: false }
    }

    fn checkpoint(&mut self, session: &Session) {
        if self.until_retry == 0
            && self.ring.wants_segment()
            && let Some(checkpoint) = Checkpoint::of(session, &mut self.names, self.keys)
            && let Ok(json) = serde_json::to_string(&checkpoint)
        {
            // One that is too large will still be so for a while.
            self.until_retry = if self.ring.begin(&format!("checkpoint {json}")) { 0 } else { LINES_UNTIL_RETRY };
        }
    }

    fn push(&mut self, line: &str) {
        self.until_retry = self.until_retry.saturating_sub(1);
        // A line is a line: JSON has its line ends escaped, and nothing else should hold one.
        match line.contains(['\n', '\r']) {
            true => self.ring.push(&line.replace(['\n', '\r'], " ")),
            false => self.ring.push(line),
        }
    }

    /// A call that was not refused because the session was not drained, and what it returned.
    fn called(&mut self, now: Timestamp, line: &str, returned: Option<String>) {
        if returned.as_deref() == Some(refused::NOT_DRAINED) {
            return;
        }
        self.waits = false;
        self.push(&format!("{} {line}", print::time(now)));
        if let Some(returned) = returned {
            self.push(&format!("  {returned}"));
        }
    }

    fn polled(&mut self, output: &Output) {
        if matches!(output, Output::Wait(_)) && std::mem::replace(&mut self.waits, true) {
            return;
        }
        let line = print::output(output, &mut self.names);
        self.push(&format!("  {line}"));
    }
}

/// The settings that are not the usual ones.
fn settings(config: &Config) -> String {
    fn differing(value: &mut serde_json::Value, usual: &serde_json::Value) {
        if let (Some(fields), Some(usual)) = (value.as_object_mut(), usual.as_object()) {
            fields.retain(|key, field| {
                let usual = usual.get(key).unwrap_or(&serde_json::Value::Null);
                let duration = field.get("secs").is_some();
                if !duration && usual.is_object() {
                    differing(field, usual);
                }
                field != usual && field.as_object().is_none_or(|fields| !fields.is_empty())
            });
        }
    }
    let all = |config: &Config| serde_json::to_value(config).unwrap_or_default();
    let mut own = config.clone();
    // Whose program it is matters to nothing that is recorded.
    own.user_agent = Config::default().user_agent;
    let _ = own.server.set_password(None);
    let _ = own.server.set_username("");
    let mut value = all(&own);
    differing(&mut value, &all(&Config::default()));
    bound(&mut value);
    value.to_string()
}

/// Limits and times beyond what every reader of JSON sees exactly mean "without an end" all the same.
fn bound(value: &mut serde_json::Value) {
    match value {
        serde_json::Value::Object(fields) => fields.values_mut().for_each(bound),
        value if value.as_u64().is_some_and(|number| number > MAX_EXACT) => *value = MAX_EXACT.into(),
        _ => {}
    }
}

impl Recorded {
    /// With a recorder, if there are options for one.
    #[must_use]
    pub fn maybe(session: Session, options: Option<Options>) -> Self {
        match options {
            Some(options) => Self::new(session, options),
            None => Self::from(session),
        }
    }

    /// Records from here on. The Session should be drained, as a new or restored one is.
    #[must_use]
    pub fn new(session: Session, options: Options) -> Self {
        let mut recorder = Recorder::new(session.config(), options);
        recorder.checkpoint(&session);
        Self { session, recorder: Some(FlightRecorder(Arc::new(Mutex::new(recorder)))) }
    }

    /// The recorder, if there is one.
    #[must_use]
    pub const fn recorder(&self) -> Option<&FlightRecorder> {
        self.recorder.as_ref()
    }

    /// The Session.
    #[must_use]
    pub const fn session(&self) -> &Session {
        &self.session
    }

    /// As [`Session::rest`]. Nothing comes of it, so nothing is recorded.
    pub fn rest(&mut self) {
        self.session.rest();
    }

    /// As [`Session::handle_input`].
    ///
    /// # Errors
    ///
    /// As [`Session::handle_input`].
    pub fn handle_input(&mut self, input: Input<'_>, now: Timestamp) -> Result<(), NotDrained> {
        let Some(recorder) = &self.recorder else { return self.session.handle_input(input, now) };
        let mut recorder = recorder.lock();
        recorder.checkpoint(&self.session);
        let line = print::input(&input, &mut recorder.names, &self.session.config().limits);
        let result = self.session.handle_input(input, now);
        recorder.called(now, &line, refused::plain(&result));
        result
    }

    /// Records one call: its line is made before it, because it takes its arguments.
    fn record<T>(
        &mut self,
        now: Timestamp,
        line: impl FnOnce(&mut Names) -> String,
        call: impl FnOnce(&mut Session) -> T,
        returned: impl FnOnce(&T) -> Option<String>,
    ) -> T {
        let Some(recorder) = &self.recorder else { return call(&mut self.session) };
        let mut recorder = recorder.lock();
        recorder.checkpoint(&self.session);
        let line = line(&mut recorder.names);
        let result = call(&mut self.session);
        recorder.called(now, &line, returned(&result));
        result
    }

    /// As [`Session::connect`].
    ///
    /// # Errors
    ///
    /// As [`Session::connect`].
    pub fn connect(&mut self, now: Timestamp) -> Result<(), NotDrained> {
        self.record(now, |_| "connect".to_owned(), |session| session.connect(now), refused::plain)
    }

    /// As [`Session::subscribe`].
    ///
    /// # Errors
    ///
    /// As [`Session::subscribe`].
    pub fn subscribe(&mut self, filters: Filters, now: Timestamp) -> Result<SubscriptionId, CommandError<Filters>> {
        let wanted = filters.clone();
        let line = |names: &mut Names| {
            let masked = names.filters(&wanted).ok().and_then(|filters| serde_json::to_string(&filters).ok());
            format!("subscribe {}", masked.unwrap_or_default())
        };
        self.record(now, line, |session| session.subscribe(filters, now), refused::with_id)
    }

    /// As [`Session::unsubscribe`].
    ///
    /// # Errors
    ///
    /// As [`Session::unsubscribe`].
    pub fn unsubscribe(&mut self, now: Timestamp) -> Result<(), CommandError<()>> {
        self.record(now, |_| "unsubscribe".to_owned(), |session| session.unsubscribe(now), refused::command)
    }

    /// As [`Session::request`].
    ///
    /// # Errors
    ///
    /// As [`Session::request`].
    #[expect(clippy::result_large_err, reason = "the request is handed back")]
    pub fn request(
        &mut self,
        request: http::Request<Body>,
        now: Timestamp,
    ) -> Result<RequestId, CommandError<http::Request<Body>>> {
        let Some(recorder) = &self.recorder else { return self.session.request(request, now) };
        let mut recorder = recorder.lock();
        recorder.checkpoint(&self.session);
        let line = print::request(&request, &mut recorder.names);
        let result = self.session.request(request, now);
        recorder.called(now, &line, refused::with_id(&result));
        result
    }

    /// As [`Session::cancel`].
    ///
    /// # Errors
    ///
    /// As [`Session::cancel`].
    pub fn cancel(&mut self, id: RequestId, now: Timestamp) -> Result<(), NotDrained> {
        self.record(now, |_| format!("cancel {id}"), |session| session.cancel(id, now), refused::plain)
    }

    /// As [`Session::recover`].
    ///
    /// # Errors
    ///
    /// As [`Session::recover`].
    pub fn recover(&mut self, now: Timestamp) -> Result<(), CommandError<()>> {
        self.record(now, |_| "recover".to_owned(), |session| session.recover(now), refused::command)
    }

    /// As [`Session::snapshot_stored`].
    ///
    /// # Errors
    ///
    /// As [`Session::snapshot_stored`].
    pub fn snapshot_stored(&mut self, now: Timestamp) -> Result<(), NotDrained> {
        self.record(now, |_| "snapshot-stored".to_owned(), |session| session.snapshot_stored(now), refused::plain)
    }

    /// As [`Session::close`].
    ///
    /// # Errors
    ///
    /// As [`Session::close`].
    pub fn close(&mut self, mode: Close, now: Timestamp) -> Result<(), NotDrained> {
        let word = match mode {
            Close::Revoke => "revoke",
            Close::Detach => "detach",
        };
        self.record(now, |_| format!("close {word}"), |session| session.close(mode, now), refused::plain)
    }

    /// As [`Session::poll_output`].
    pub fn poll_output(&mut self) -> Output {
        let output = self.session.poll_output();
        if let Some(recorder) = &self.recorder {
            recorder.lock().polled(&output);
        }
        output
    }

    /// As [`Session::snapshot`].
    #[must_use]
    pub fn snapshot(&self) -> Option<Snapshot> {
        self.session.snapshot()
    }

    /// As [`Session::state`].
    #[must_use]
    pub fn state(&self) -> SessionState {
        self.session.state()
    }

    /// As [`Session::subscription`].
    #[must_use]
    pub const fn subscription(&self) -> SubscriptionState {
        self.session.subscription()
    }

    /// As [`Session::is_subscribed`].
    #[must_use]
    pub const fn is_subscribed(&self) -> bool {
        self.session.is_subscribed()
    }

    /// As [`Session::stats`].
    #[must_use]
    pub const fn stats(&self) -> Stats {
        self.session.stats()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{ClockReading, UnixMillis};

    #[test]
    fn without_a_recorder_it_is_a_session_and_a_pointer() {
        let clock = ClockReading { now: Timestamp::ZERO, unix: UnixMillis(0) };
        let recorded = Recorded::maybe(Session::new(Config::default(), 1, clock), None);
        assert!(recorded.recorder().is_none());
        let pointer = size_of::<usize>().next_multiple_of(align_of::<Session>());
        assert_eq!(size_of::<Recorded>(), size_of::<Session>() + pointer);
    }
}
