//! The session of a client, with the flight recorder of [`ringcentral_ws_core::recorder`] if there is one.
//!
//! Without the feature `recorder` there is none: what stands for it here has no values, so what holds one holds nothing.

#[cfg(feature = "recorder")]
pub use ringcentral_ws_core::recorder::{FlightRecorder, Options as RecorderOptions, Recorded};

#[cfg(not(feature = "recorder"))]
pub use self::off::{FlightRecorder, Recorded, RecorderOptions};

#[cfg(not(feature = "recorder"))]
mod off {
    use std::ops::{Deref, DerefMut};

    use ringcentral_ws_core::Session;

    /// There is none.
    #[derive(Clone, Debug)]
    pub enum RecorderOptions {}

    /// There is none.
    #[derive(Clone, Debug)]
    pub enum FlightRecorder {}

    impl FlightRecorder {
        /// Nothing calls it.
        #[must_use]
        pub const fn dump(&self) -> String {
            match *self {}
        }
    }

    /// A session that is not recorded.
    #[derive(Debug)]
    pub struct Recorded(Session);

    impl Recorded {
        /// The session alone.
        #[must_use]
        pub const fn maybe(session: Session, _: Option<RecorderOptions>) -> Self {
            Self(session)
        }

        /// None.
        #[must_use]
        pub const fn recorder(&self) -> Option<&FlightRecorder> {
            None
        }

        /// The session.
        #[must_use]
        pub const fn session(&self) -> &Session {
            &self.0
        }
    }

    impl Deref for Recorded {
        type Target = Session;

        fn deref(&self) -> &Session {
            &self.0
        }
    }

    impl DerefMut for Recorded {
        fn deref_mut(&mut self) -> &mut Session {
            &mut self.0
        }
    }
}
