//! The health of a client, for readiness probes.

use ringcentral_ws_adapter::Health;

use super::Client;

impl<R> Client<R> {
    /// The health of the client now, for readiness probes: whether it is connected and subscribed as wanted, when the
    /// server was last heard, when the next attempt begins, and why it is not ready.
    ///
    /// It asks nobody and never waits, so it is right also while the driver is stuck, and after its end.
    #[must_use]
    pub fn health(&self) -> Health {
        self.view.health()
    }
}
