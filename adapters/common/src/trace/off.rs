//! Nothing, for programs that do not want it. Names and arguments are those of `on`.
#![allow(missing_docs, clippy::unused_self, reason = "the documented ones are those of `on`")]

use std::time::Duration;

use http::{Method, Request, StatusCode};
use ringcentral_ws_core::{Action, AuthFailure, Body, ConnId, Event, RequestId};
use url::Url;

use crate::Target;

#[must_use]
pub const fn wants_frames() -> bool {
    false
}

pub const fn frame(_: &str) {}

pub const fn http(_: &Method, _: &Target, _: &str, _: Result<StatusCode, &str>) {}

#[derive(Clone, Copy, Debug)]
pub struct SessionSpan;

impl SessionSpan {
    pub fn around<F: Future>(&self, work: F) -> impl Future<Output = F::Output> + use<F> {
        work
    }

    pub fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        work()
    }
}

#[derive(Clone, Copy, Debug)]
pub struct About;

#[derive(Clone, Copy, Debug)]
pub struct Tracer;

impl Tracer {
    #[must_use]
    pub const fn new(_: &Url, _: bool) -> Self {
        Self
    }

    #[must_use]
    pub const fn session(&self) -> SessionSpan {
        SessionSpan
    }

    pub const fn action(&mut self, _: &Action) {}

    pub const fn event(&mut self, _: &Event) {}

    pub const fn nothing_subscribed(&self, _: ConnId) {}

    pub const fn authorized(&self, _: Result<Option<Duration>, &AuthFailure>) {}

    #[must_use]
    pub const fn about(&self, _: &Request<Body>) -> About {
        About
    }

    pub const fn requested(&mut self, _: RequestId, _: About) {}
}
