//! What is under test: a plain Session, one with the contract checker around it, or one with a defect.

use http::Request;
use ringcentral_ws_core::contract::Checked;
use ringcentral_ws_core::{
    Body, ClockReading, Close, CommandError, Config, Filters, Input, NotDrained, Output, RequestId, RestoreError,
    Session, SessionState, Snapshot, SubscriptionId, Timestamp,
};

/// The calls of a Session that the simulator makes.
pub trait Subject: Sized {
    /// As [`Session::handle_input`].
    ///
    /// # Errors
    ///
    /// As there.
    fn handle_input(&mut self, input: Input<'_>, now: Timestamp) -> Result<(), NotDrained>;
    /// As [`Session::connect`].
    ///
    /// # Errors
    ///
    /// As there.
    fn connect(&mut self, now: Timestamp) -> Result<(), NotDrained>;
    /// As [`Session::subscribe`].
    ///
    /// # Errors
    ///
    /// As there.
    fn subscribe(&mut self, filters: Filters, now: Timestamp) -> Result<SubscriptionId, CommandError<Filters>>;
    /// As [`Session::unsubscribe`].
    ///
    /// # Errors
    ///
    /// As there.
    fn unsubscribe(&mut self, now: Timestamp) -> Result<(), CommandError<()>>;
    /// As [`Session::request`].
    ///
    /// # Errors
    ///
    /// As there.
    #[expect(clippy::result_large_err, reason = "the request is handed back")]
    fn request(&mut self, request: Request<Body>, now: Timestamp) -> Result<RequestId, CommandError<Request<Body>>>;
    /// As [`Session::cancel`].
    ///
    /// # Errors
    ///
    /// As there.
    fn cancel(&mut self, id: RequestId, now: Timestamp) -> Result<(), NotDrained>;
    /// As [`Session::recover`].
    ///
    /// # Errors
    ///
    /// As there.
    fn recover(&mut self, now: Timestamp) -> Result<(), CommandError<()>>;
    /// As [`Session::snapshot_stored`].
    ///
    /// # Errors
    ///
    /// As there.
    fn snapshot_stored(&mut self, now: Timestamp) -> Result<(), NotDrained>;
    /// As [`Session::close`].
    ///
    /// # Errors
    ///
    /// As there.
    fn close(&mut self, mode: Close, now: Timestamp) -> Result<(), NotDrained>;
    /// As [`Session::poll_output`].
    fn poll_output(&mut self) -> Output;
    /// As [`Session::snapshot`].
    fn snapshot(&self) -> Option<Snapshot>;
    /// As [`Session::state`].
    fn state(&self) -> SessionState;
}

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

macro_rules! subject {
    ($type:ident, $maker:ident, $doc:literal) => {
        #[doc = $doc]
        #[derive(Clone, Copy, Debug, Default)]
        pub struct $maker;

        impl Maker for $maker {
            type Subject = $type;

            fn create(&self, config: Config, seed: u64, clock: ClockReading) -> $type {
                $type::new(config, seed, clock)
            }

            fn restore(&self, c: Config, s: Snapshot, seed: u64, clock: ClockReading) -> Result<$type, RestoreError> {
                $type::restore(c, s, seed, clock)
            }
        }

        impl Subject for $type {
            #[inline(always)]
            fn handle_input(&mut self, input: Input<'_>, now: Timestamp) -> Result<(), NotDrained> {
                self.handle_input(input, now)
            }

            fn connect(&mut self, now: Timestamp) -> Result<(), NotDrained> {
                self.connect(now)
            }

            fn subscribe(&mut self, f: Filters, now: Timestamp) -> Result<SubscriptionId, CommandError<Filters>> {
                self.subscribe(f, now)
            }

            fn unsubscribe(&mut self, now: Timestamp) -> Result<(), CommandError<()>> {
                self.unsubscribe(now)
            }

            fn request(&mut self, r: Request<Body>, now: Timestamp) -> Result<RequestId, CommandError<Request<Body>>> {
                self.request(r, now)
            }

            fn cancel(&mut self, id: RequestId, now: Timestamp) -> Result<(), NotDrained> {
                self.cancel(id, now)
            }

            fn recover(&mut self, now: Timestamp) -> Result<(), CommandError<()>> {
                self.recover(now)
            }

            fn snapshot_stored(&mut self, now: Timestamp) -> Result<(), NotDrained> {
                self.snapshot_stored(now)
            }

            fn close(&mut self, mode: Close, now: Timestamp) -> Result<(), NotDrained> {
                self.close(mode, now)
            }

            fn poll_output(&mut self) -> Output {
                self.poll_output()
            }

            fn snapshot(&self) -> Option<Snapshot> {
                self.snapshot()
            }

            fn state(&self) -> SessionState {
                self.state()
            }
        }
    };
}

subject!(Session, Plain, "Makes plain Sessions: the fast way.");
subject!(Checked, WithContract, "Makes Sessions with the contract checker and a twin around them.");
