//! The way of debug lines, and what strangers wrote: frames, reasons and failures come masked (SEC-1, SEC-6).

use std::borrow::Cow;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ringcentral_ws_core::{
    AccessToken, AuthFailure, CloseInfo, ConnId, HttpFailure, Masker, OpenFailure, Secret, SecretUrl,
};

use crate::terminal::{escape, escape_json};
use crate::trace;

/// Where debug lines go, beside `tracing` (target `ringcentral_ws::frames`, level trace).
pub type DebugSink = Arc<dyn Fn(&str) + Send + Sync>;

/// Writes debug lines; does nothing when nobody listens. A sink that panics, as `println` does when nobody reads any
/// more, is not called again.
///
/// It knows the secrets of the session by their values, from the tokens and addresses that it is shown, and masks them in
/// all that is written here, and in the failures before the Session gets them.
#[derive(Default)]
pub struct Debug {
    sink: Option<DebugSink>,
    broken: AtomicBool,
    known: Mutex<Known>,
}

/// The secrets of the session.
#[derive(Default)]
struct Known {
    masker: Masker,
    /// The access token, which outlives many connections with tokens of their own.
    access: Option<Secret>,
}

impl Debug {
    /// Writes to `sink`, if there is one.
    #[must_use]
    pub const fn new(sink: Option<DebugSink>) -> Self {
        Self { sink, broken: AtomicBool::new(false), known: Mutex::new(Known { masker: Masker::new(), access: None }) }
    }

    /// One frame, masked. `direction` is an arrow.
    pub fn frame(&self, direction: &str, text: &str) {
        if self.is_heard() {
            let line = format!("{direction} {}", escape_json(&self.known().masker.frame(text)));
            self.write(&line);
        }
    }

    /// One line about the connection. It is escaped (SEC-5).
    pub fn note(&self, line: impl FnOnce() -> String) {
        if self.is_heard() {
            let line = line();
            // Not while the sink is called, which may take its time.
            let line = self.known().masker.mask(&line).into_owned();
            self.write(&escape(&line));
        }
    }

    /// A connection is being opened: what its address holds is secret from now on.
    pub fn opening(&self, conn: ConnId, url: &SecretUrl) {
        let mut known = self.known();
        let Known { masker, access } = &mut *known;
        masker.learn_url(url.expose());
        access.iter().for_each(|access| masker.learn(access.expose()));
        drop(known);
        self.note(|| format!("open {conn}: {url}"));
    }

    /// It could not be opened.
    #[must_use]
    pub fn not_opened(&self, conn: ConnId, mut failure: OpenFailure) -> OpenFailure {
        self.clean(&mut failure.message);
        self.note(|| format!("open {conn} failed: {}", failure.message));
        failure
    }

    /// It has ended.
    #[must_use]
    pub fn closed(&self, conn: ConnId, mut close: CloseInfo) -> CloseInfo {
        self.clean(&mut close.reason);
        self.note(|| format!("closed {conn}: {:?} {}", close.code, close.reason));
        close
    }

    /// How a question for an access token came out. The token is secret from now on.
    ///
    /// # Errors
    ///
    /// The failure that it was given, masked.
    pub fn authorized(&self, result: Result<AccessToken, AuthFailure>) -> Result<AccessToken, AuthFailure> {
        match result {
            Ok(token) => {
                let mut known = self.known();
                known.masker.learn(token.secret.expose());
                known.access = Some(token.secret.clone());
                drop(known);
                Ok(token)
            }
            Err(mut failure) => {
                self.clean(&mut failure.message);
                failure.code.iter_mut().for_each(|code| self.clean(code));
                Err(failure)
            }
        }
    }

    /// A call got no answer.
    #[must_use]
    pub fn unanswered(&self, mut failure: HttpFailure) -> HttpFailure {
        self.clean(&mut failure.message);
        failure
    }

    fn clean(&self, text: &mut Box<str>) {
        if let Cow::Owned(masked) = self.known().masker.mask(text) {
            *text = masked.into();
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn sink(&self) -> Option<&DebugSink> {
        self.sink.as_ref().filter(|_| !self.broken.load(Ordering::Relaxed))
    }

    fn is_heard(&self) -> bool {
        self.sink().is_some() || trace::wants_frames()
    }

    fn write(&self, line: &str) {
        trace::frame(line);
        // Nothing of the driver is touched by the sink, so no broken state can be seen.
        if self.sink().is_some_and(|sink| catch_unwind(AssertUnwindSafe(|| sink(line))).is_err()) {
            self.broken.store(true, Ordering::Relaxed);
        }
    }
}

impl fmt::Debug for Debug {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Debug").field("sink", &self.sink.is_some()).finish()
    }
}

#[cfg(test)]
mod tests {
    use ringcentral_ws_core::Phase;

    use super::*;

    // CLAUSE SEC-6
    #[test]
    fn the_access_token_stays_known_over_many_connections() {
        let debug = Debug::default();
        let token = AccessToken { secret: "bearer-value".into(), expires_in: None, cached: false };
        assert!(debug.authorized(Ok(token)).is_ok());
        for n in 0..50 {
            let url = format!("wss://h/ws?access_token=token-{n:04}&wsc=handle-{n:04}");
            debug.opening(ConnId::from(n), &SecretUrl::new(url.parse().unwrap()));
        }
        let said = "handle-0049 bearer-value";
        assert_eq!(&*debug.closed(ConnId::from(49), CloseInfo { code: None, reason: said.into() }).reason, "*** ***");
    }

    // CLAUSE SEC-6
    #[test]
    fn what_strangers_write_is_masked_by_value() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&lines);
        let debug = Debug::new(Some(Arc::new(move |line: &str| kept.lock().unwrap().push(line.to_owned()))));
        let conn = ConnId::from(1);
        let token = AccessToken { secret: "bearer+value".into(), expires_in: None, cached: false };
        assert!(debug.authorized(Ok(token)).is_ok());
        debug.opening(conn, &SecretUrl::new("wss://h/ws?access_token=ws%2Ftoken&wsc=handle-1".parse().unwrap()));
        debug.frame("<-", r#"[{"wsc":{"token":"handle-2"}},"you are handle-1"]"#);
        let said = "GET /ws?access_token=ws%2Ftoken&wsc=handle-1 handle-2 bearer%2Bvalue";
        let mut shown = vec![
            debug.closed(conn, CloseInfo { code: Some(4000), reason: said.into() }).reason,
            debug.unanswered(HttpFailure { phase: Phase::Tcp, not_sent: false, message: said.into() }).message,
        ];
        let refused = OpenFailure { phase: Phase::Request, status: None, retry_after: None, message: said.into() };
        shown.push(debug.not_opened(conn, refused).message);
        let failure = AuthFailure { code: Some(said.into()), ..AuthFailure::permanent(said) };
        let failure = debug.authorized(Err(failure)).unwrap_err();
        shown.extend([failure.message, failure.code.unwrap()]);
        debug.note(|| said.to_owned());
        for line in shown.iter().map(|text| &**text) {
            assert_eq!(line, "GET /ws?access_token=***&wsc=*** *** ***");
        }
        let lines = lines.lock().unwrap();
        assert_eq!(lines.len(), 5, "{lines:#?}");
        for line in &*lines {
            assert!(!["bearer", "ws%2F", "handle"].iter().any(|secret| line.contains(secret)), "{line}");
        }
    }
}
