//! Settings that tests of several adapters use, and the failures they expect.

use std::fmt::Debug;
use std::time::Duration;

use ringcentral_ws_adapter::{IoLimits, RequestError, RequestErrorKind};
use ringcentral_ws_core::{Cause, Config, Phase, RetryPolicy};

/// Retries at once, so that no test waits for jitter.
#[must_use]
pub fn quick() -> Config {
    let short = Duration::from_millis(20);
    let retry = RetryPolicy {
        socket_lost: short,
        server_closed: short,
        base: short,
        max: short,
        auth_calls_per_minute: 1000,
        attempts_per_minute: 1000,
        ..RetryPolicy::default()
    };
    Config { retry, ..Config::default() }
}

/// No step of input and output ever takes too long.
#[must_use]
pub fn endless() -> IoLimits {
    let end = Duration::MAX;
    IoLimits {
        dns: end,
        tcp: end,
        tls: end,
        upgrade: end,
        response_head: end,
        response_body: end,
        download_read: end,
        idle_time: end,
        clock_slack: end,
        longest_sleep: end,
        ..IoLimits::default()
    }
}

/// Little time, and room for 1 MiB: for [`bad_server`](crate::fake::bad_server).
#[must_use]
pub fn strict() -> IoLimits {
    IoLimits {
        response_bytes: 1 << 20,
        download_read: Duration::from_millis(200),
        response_head: Duration::from_millis(500),
        response_body: Duration::from_millis(500),
        ..IoLimits::default()
    }
}

/// The failure of a call on its way: whether the call may have run, the step that failed, and the message.
///
/// # Panics
///
/// When the call did not fail so.
pub fn network<T: Debug>(result: Result<T, RequestError>) -> (bool, Phase, String) {
    match result {
        Err(error) => {
            let may_have_run = error.may_have_run();
            let (RequestErrorKind::NotSent(cause) | RequestErrorKind::Unknown(cause)) = error.into_kind() else {
                panic!("it is no failure of the network");
            };
            let Cause::Network { phase, message } = cause else { panic!("{cause:?}") };
            (may_have_run, phase, message.into())
        }
        other => panic!("{other:?}"),
    }
}
