//! How to write programs with this crate. The same chapters are in the repository, in `docs/guide`.
//!
//! | chapter | what it is about |
//! |---|---|
//! | [`first`] | from nothing to the first SMS, without an account or with one |
//! | [`restarts`] | a program that is stopped, killed and started again, and misses nothing in silence |
//! | [`gaps`] | a program that answers each SMS once; what a `Gap` says, and how to fetch what is missing |
//! | [`backfill`] | what was missed, fetched by the client |
//! | [`calls`] | REST calls, also without a WebSocket, downloads, logins, TLS and proxies |
//! | [`listeners`] | several streams with filters of their own on one connection |
//! | [`many`] | one process with many clients: logins, limits, memory |
//! | [`operations`] | logs, metrics, health, shutdown, rate limits |
//! | [`codes`] | every code of the server, and what to do about it |
//! | [`testing`] | the test of a program with faults on command, against the stand-in |
//! | [`from_rc_ex_ws`] | each feature of the JavaScript extension `@rc-ex/ws`, and its name here |
//! | [`fuzzing`] | your own event loop against simulated servers and faults |

/// Chapters link to each other as files, which are modules here, and to files of the repository: the first definition of
/// a link counts.
macro_rules! chapters {
    ($($name:ident $file:literal)*) => {
        chapters! { $($name $file)*; concat!(
            $("[", stringify!($name), "]: ", stringify!($name), "\n",)*
            "[states-picture]: ", env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/pictures/states.svg\n",
            "[gateway-readme]: ", env!("CARGO_PKG_REPOSITORY"), "/blob/main/gateway/README.md\n",
            "[ops]: ", env!("CARGO_PKG_REPOSITORY"), "/blob/main/docs/ops/README.md\n",
            "[fuzz-readme]: ", env!("CARGO_PKG_REPOSITORY"), "/blob/main/fuzz/README.md\n\n",
        ) }
    };
    ($($name:ident $file:literal)*; $links:expr) => {
        $(chapters! { @ $name $file $links })*
    };
    (@ $name:ident $file:literal $links:expr) => {
        #[doc = $links]
        #[doc = include_str!(concat!("../guide/", $file))]
        pub mod $name {}
    };
}
chapters! {
    first "first.md"
    restarts "restarts.md"
    gaps "gaps.md"
    backfill "backfill.md"
    calls "calls.md"
    listeners "listeners.md"
    many "many.md"
    operations "operations.md"
    codes "codes.md"
    testing "testing.md"
    from_rc_ex_ws "from_rc_ex_ws.md"
    fuzzing "fuzzing.md"
}
