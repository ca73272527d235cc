//! The subscriptions of the user, those of other programs too.

use ringcentral_ws_adapter::{RequestError, deleted, listed, subscription_path};
use ringcentral_ws_api::{ListedSubscription, SUBSCRIPTIONS, SubscriptionsError};

use super::Client;
use crate::command::Command;

impl Client {
    /// Lists the subscriptions of this user and app, of other programs and by webhook too: GET
    /// `/restapi/v1.0/subscription`, group Light. [`ListedSubscription::is_current`](crate::ListedSubscription::is_current)
    /// marks the one of this client.
    ///
    /// A session that was lost, and a program that ended without `close(Revoke)`, leave a subscription behind until it
    /// expires. With 20 or 30 of them the server refuses new ones (`SUB-505`). What is left over can be deleted:
    ///
    /// ```no_run
    /// # use ringcentral_ws_blocking::Client;
    /// # fn run(client: &Client) -> Result<(), Box<dyn std::error::Error>> {
    /// for subscription in client.subscriptions()? {
    ///     // Only if no other client, here or elsewhere, runs with the same user and app.
    ///     if subscription.is_other_websocket() {
    ///         client.delete_subscription(&subscription.id)?;
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// OAuth sessions, of which a user of an app may have five, cannot be listed: the server tells about the current one
    /// only (GET `/restapi/oauth/session-info`), and a sixth login ends the oldest.
    ///
    /// # Errors
    ///
    /// [`SubscriptionsError`].
    pub fn subscriptions(&self) -> Result<Vec<ListedSubscription>, SubscriptionsError<RequestError>> {
        let answer = self.get(SUBSCRIPTIONS);
        listed(answer, self.remote.ask(Command::ServerSubscription).flatten().as_deref())
    }

    /// Deletes a subscription of this user and app by the server's id. One that is gone already counts as deleted. A
    /// running program whose subscription is deleted gets no notifications until it subscribes again.
    ///
    /// # Errors
    ///
    /// [`SubscriptionsError`]; it is `Current` for the one of this client.
    pub fn delete_subscription(&self, id: &str) -> Result<(), SubscriptionsError<RequestError>> {
        if self.remote.ask(Command::ServerSubscription).flatten().as_deref() == Some(id) {
            return Err(SubscriptionsError::Current);
        }
        deleted(self.delete(&subscription_path(id)))
    }
}
