//! What can only block, on threads of its own.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use bytes::Bytes;
use http::Response;
use ringcentral_ws_adapter::{Sender, SessionSpan, client_panicked};
use ringcentral_ws_core::{
    AccessToken, AuthFailure, AuthId, ConnId, HttpFailure, HttpId, OpenFailure, Phase, RequestId,
};

use crate::abort::Abort;
use crate::download::Download;
use crate::socket::WebSocket;

/// What a helping thread brings back.
pub(crate) enum Done {
    Auth(AuthId, Result<AccessToken, AuthFailure>),
    Http(HttpId, Result<Box<Response<Bytes>>, HttpFailure>),
    /// The head of an answer whose body the application reads, and the request it is for.
    Download(HttpId, RequestId, Box<Response<Bytes>>, Option<Download>),
    Opened(ConnId, Result<Box<WebSocket>, OpenFailure>),
}

/// Starts threads that help.
pub(crate) struct Helper {
    pub(crate) completions: Sender<Done>,
    pub(crate) waker: Arc<mio::Waker>,
    /// Of the session.
    pub(crate) span: SessionSpan,
}

impl Helper {
    /// Has a thread of its own do what can only block. `failed` is the result when there is no thread to be had.
    pub(crate) fn help(&self, failed: Done, work: impl FnOnce(&Abort) -> Done + Send + 'static) -> Abort {
        let abort = Abort::default();
        let (sender, waker, watched) = (self.completions.clone(), Arc::clone(&self.waker), abort.clone());
        let span = self.span.clone();
        let run = move || {
            let _ = sender.send(span.within(|| work(&watched)));
            let _ = waker.wake();
        };
        if std::thread::Builder::new().name("ringcentral-call".to_owned()).spawn(run).is_err() {
            let _ = self.completions.send(failed);
        }
        abort
    }
}

/// Makes a call. A panic in a client of the application's is a failure like others.
pub(crate) fn unpanicked<T>(call: impl FnOnce() -> Result<T, HttpFailure>) -> Result<T, HttpFailure> {
    // Nothing of the driver is touched by it, so no broken state can be seen.
    catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(client_panicked()))
}

pub(crate) fn no_thread_for_login() -> AuthFailure {
    AuthFailure::transient("the system did not start a thread; look at the limits on its threads and memory")
}

pub(crate) fn no_thread_for_call() -> HttpFailure {
    HttpFailure {
        phase: Phase::Dns,
        not_sent: true,
        message: "the system did not start a thread; look at the limits on its threads and memory".into(),
    }
}

#[cfg(test)]
mod tests {
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
