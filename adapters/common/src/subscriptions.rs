//! What the calls for the list of subscriptions come to.

use ringcentral_ws_api::{ListedSubscription, SUBSCRIPTIONS, SubscriptionsError};
use url::form_urlencoded::byte_serialize;

use crate::request::RequestError;
use crate::response::Response;

/// The path of one subscription, whatever its id is.
#[must_use]
pub fn subscription_path(id: &str) -> String {
    format!("{SUBSCRIPTIONS}/{}", byte_serialize(id.as_bytes()).collect::<String>())
}

/// The list in the answer. `current`: the id of the client's own subscription.
///
/// # Errors
///
/// [`SubscriptionsError`].
pub fn listed(
    answer: Result<Response, RequestError>,
    current: Option<&str>,
) -> Result<Vec<ListedSubscription>, SubscriptionsError<RequestError>> {
    let answer = answer.map_err(SubscriptionsError::Request)?;
    let answer = answer.error_for_status().map_err(|error| SubscriptionsError::Refused(Box::new(error)))?;
    ListedSubscription::read(answer.body().as_ref(), current).map_err(SubscriptionsError::Unreadable)
}

/// Whether it is deleted. What is not there is.
///
/// # Errors
///
/// [`SubscriptionsError`].
pub fn deleted(answer: Result<Response, RequestError>) -> Result<(), SubscriptionsError<RequestError>> {
    match answer.map_err(SubscriptionsError::Request)?.error_for_status() {
        Err(error) if error.status != 404 => Err(SubscriptionsError::Refused(Box::new(error))),
        _ => Ok(()),
    }
}
