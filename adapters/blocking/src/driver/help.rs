//! What can only block, on threads of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use ringcentral_ws_adapter::{client_is_silent, client_panicked, opening_panicked};
use ringcentral_ws_core::{AuthFailure, ConnId, HttpFailure, HttpId, HttpPurpose, OpenFailure, Phase, SecretUrl};

use super::{Done, Driver, Link};
use crate::abort::Abort;
use crate::https::abortable;
use crate::socket;

impl Driver {
    /// Has a thread of its own do what can only block. `failed` is the result when there is no thread to be had.
    pub(super) fn help(&self, failed: Done, work: impl FnOnce(&Abort) -> Done + Send + 'static) -> Abort {
        let abort = Abort::default();
        let (sender, waker, watched) = (self.completions.clone(), Arc::clone(&self.parts.waker), abort.clone());
        let span = self.parts.tracer.session();
        let run = move || {
            let _ = sender.send(span.within(|| work(&watched)));
            let _ = waker.wake();
        };
        if std::thread::Builder::new().name("ringcentral-call".to_owned()).spawn(run).is_err() {
            let _ = self.completions.send(failed);
        }
        abort
    }

    pub(super) fn call(&mut self, id: HttpId, purpose: HttpPurpose, mut request: http::Request<Bytes>) {
        let (https, sender) = (Arc::clone(&self.parts.https), Arc::clone(&self.parts.sender));
        let running = Arc::clone(&self.running);
        if Arc::strong_count(&running) > self.parts.max_calls.saturating_add(1) {
            let _ = self.completions.send(Done::Http(id, Err(client_is_silent())));
            self.calls.insert(id, Abort::default());
            return;
        }
        let streamed = match purpose {
            HttpPurpose::Request(of) => {
                self.requests.get(&of).and_then(|waiting| Some((of, waiting.streamed.clone()?)))
            }
            _ => None,
        };
        let abort = self.help(Done::Http(id, Err(no_thread_for_call())), move |abort| {
            let done = match streamed {
                None => Done::Http(id, abortable(abort, || unpanicked(|| sender.send(request)))),
                Some((of, streamed)) => {
                    streamed.readdress(&mut request);
                    let call = || https.download(&*sender, &request, abort);
                    match abortable(abort, || unpanicked(call)) {
                        Ok(answer) => Done::Download(id, of, Box::new(answer)),
                        Err(failure) => Done::Http(id, Err(failure)),
                    }
                }
            };
            drop(running);
            done
        });
        self.calls.insert(id, abort);
    }

    pub(super) fn open(&mut self, conn: ConnId, url: SecretUrl) {
        let (https, message) = (Arc::clone(&self.parts.https), self.parts.message);
        let failure = no_thread_for_call();
        let failed = OpenFailure { phase: failure.phase, status: None, retry_after: None, message: failure.message };
        let abort = self.help(Done::Opened(conn, Err(failed)), move |abort| {
            let opened =
                catch_unwind(AssertUnwindSafe(|| socket::open(&https.net, &url, message, abort).map(Box::new)));
            Done::Opened(conn, opened.unwrap_or_else(|_| Err(opening_panicked())))
        });
        self.link = Link::Opening(conn, abort);
    }
}

/// Makes a call. A panic in a client of the application's is a failure like others.
fn unpanicked<T>(call: impl FnOnce() -> Result<T, HttpFailure>) -> Result<T, HttpFailure> {
    // Nothing of the driver is touched by it, so no broken state can be seen.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(client_panicked()))
}

pub(super) fn no_thread_for_login() -> AuthFailure {
    AuthFailure::transient("the system gave no thread")
}

fn no_thread_for_call() -> HttpFailure {
    HttpFailure { phase: Phase::Dns, not_sent: true, message: "the system gave no thread".into() }
}

#[cfg(test)]
mod tests {
    use http::Response;

    use super::*;
    use crate::https::HttpsSender;

    struct Broken;

    impl HttpsSender for Broken {
        fn send(&self, _: http::Request<Bytes>) -> Result<Response<Bytes>, HttpFailure> {
            panic!("a bug of the program")
        }
    }

    #[test]
    fn a_panic_of_the_http_client_is_a_failure() {
        let failure = unpanicked(|| Broken.send(http::Request::default())).unwrap_err();
        assert!(!failure.not_sent && failure.message.contains("panicked"), "{failure:?}");
    }
}
