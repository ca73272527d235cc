//! What is under test: a plain Session, one with the contract checker or a flight recorder around it, or one with a
//! defect.

use ringcentral_ws_core::contract::Checked;
use ringcentral_ws_core::recorder::Recorded;
use ringcentral_ws_core::{
    ClockReading, Config, Input, NotDrained, Output, RestoreError, Session, SessionState, Snapshot, Timestamp,
};

/// The commands of a Session, listed once. `commands!(with!(…))` calls the macro `with` with its own arguments and the
/// list; each command takes the time besides.
#[doc(hidden)]
#[macro_export]
macro_rules! commands {
    ($with:ident!($($own:tt)*)) => {
        $with! { [$($own)*]
            connect() -> Result<(), ::ringcentral_ws_core::NotDrained>;
            subscribe(filters: ::ringcentral_ws_core::Filters) -> Result<
                ::ringcentral_ws_core::SubscriptionId,
                ::ringcentral_ws_core::CommandError<::ringcentral_ws_core::Filters>,
            >;
            unsubscribe() -> Result<(), ::ringcentral_ws_core::CommandError<()>>;
            request(request: ::http::Request<::ringcentral_ws_core::Body>) -> Result<
                ::ringcentral_ws_core::RequestId,
                ::ringcentral_ws_core::CommandError<::http::Request<::ringcentral_ws_core::Body>>,
            >;
            cancel(id: ::ringcentral_ws_core::RequestId) -> Result<(), ::ringcentral_ws_core::NotDrained>;
            recover() -> Result<(), ::ringcentral_ws_core::CommandError<()>>;
            snapshot_stored() -> Result<(), ::ringcentral_ws_core::NotDrained>;
            close(mode: ::ringcentral_ws_core::Close) -> Result<(), ::ringcentral_ws_core::NotDrained>;
        }
    };
}

macro_rules! declare {
    ([] $($name:ident($($arg:ident: $type:ty)?) -> $result:ty;)*) => {
        /// The calls of a Session that a driver makes.
        pub trait Subject: Sized {
            /// As [`Session::handle_input`].
            ///
            /// # Errors
            ///
            /// As there.
            fn handle_input(&mut self, input: Input<'_>, now: Timestamp) -> Result<(), NotDrained>;
            /// As [`Session::poll_output`].
            fn poll_output(&mut self) -> Output;
            /// As [`Session::snapshot`].
            fn snapshot(&self) -> Option<Snapshot>;
            /// As [`Session::state`].
            fn state(&self) -> SessionState;
            $(
                #[doc = concat!("As [`Session::", stringify!($name), "`].")]
                ///
                /// # Errors
                ///
                /// As there.
                #[allow(clippy::result_large_err, reason = "the argument is handed back")]
                fn $name(&mut self, $($arg: $type,)? now: Timestamp) -> $result;
            )*
        }
    };
}
commands!(declare!());

/// The commands of a [`Subject`] are those of its field: inside of an `impl`.
macro_rules! delegate {
    ([$field:ident] $($name:ident($($arg:ident: $type:ty)?) -> $result:ty;)*) => {
        $(
            fn $name(&mut self, $($arg: $type,)? now: Timestamp) -> $result {
                self.$field.$name($($arg,)? now)
            }
        )*
    };
}
pub(crate) use delegate;

/// A type with the same calls is a [`Subject`]: `commands!(implement!(Type))`.
#[doc(hidden)]
#[macro_export]
macro_rules! implement {
    ([$of:ident] $($name:ident($($arg:ident: $type:ty)?) -> $result:ty;)*) => {
        impl $crate::Subject for $of {
            #[inline(always)]
            fn handle_input(
                &mut self,
                input: ::ringcentral_ws_core::Input<'_>,
                now: ::ringcentral_ws_core::Timestamp,
            ) -> Result<(), ::ringcentral_ws_core::NotDrained> {
                self.handle_input(input, now)
            }

            fn poll_output(&mut self) -> ::ringcentral_ws_core::Output {
                self.poll_output()
            }

            fn snapshot(&self) -> Option<::ringcentral_ws_core::Snapshot> {
                self.snapshot()
            }

            fn state(&self) -> ::ringcentral_ws_core::SessionState {
                self.state()
            }

            $(
                fn $name(&mut self, $($arg: $type,)? now: ::ringcentral_ws_core::Timestamp) -> $result {
                    self.$name($($arg,)? now)
                }
            )*
        }
    };
}
commands!(implement!(Session));
commands!(implement!(Checked));
commands!(implement!(Recorded));

/// Makes subjects: what a process does when it starts.
pub trait Maker {
    /// What it makes.
    type Subject: Subject;
    /// As [`Session::new`].
    fn create(&self, config: Config, seed: u64, clock: ClockReading) -> Self::Subject;
    /// As [`Session::restore`].
    ///
    /// # Errors
    ///
    /// As there.
    fn restore(&self, c: Config, s: Snapshot, seed: u64, clock: ClockReading) -> Result<Self::Subject, RestoreError>;
}

/// Makes plain Sessions: the fast way.
#[derive(Clone, Copy, Debug, Default)]
pub struct Plain;

impl Maker for Plain {
    type Subject = Session;

    fn create(&self, config: Config, seed: u64, clock: ClockReading) -> Session {
        Session::new(config, seed, clock)
    }

    fn restore(&self, c: Config, s: Snapshot, seed: u64, clock: ClockReading) -> Result<Session, RestoreError> {
        Session::restore(c, s, seed, clock)
    }
}

/// Makes Sessions with the contract checker and a twin around them.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithContract;

impl Maker for WithContract {
    type Subject = Checked;

    fn create(&self, config: Config, seed: u64, clock: ClockReading) -> Checked {
        Checked::new(config, seed, clock)
    }

    fn restore(&self, c: Config, s: Snapshot, seed: u64, clock: ClockReading) -> Result<Checked, RestoreError> {
        Checked::restore(c, s, seed, clock)
    }
}
