//! The subscriptions of a user as the server lists them.

use std::fmt;

use ringcentral_ws_core::ApiError;
use serde::Deserialize;

/// Where the server lists the subscriptions of a user and app.
pub const SUBSCRIPTIONS: &str = "/restapi/v1.0/subscription";

/// Most subscriptions that are read of one list. The server allows 20 or 30 for a user of an app; sources differ.
const MAX_LISTED: usize = 1000;

/// A subscription of this user and app, as the server lists it. Those of other programs with the same user and app are
/// among them, and those by webhook.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub struct ListedSubscription {
    /// The server's id.
    pub id: Box<str>,
    /// The server's word, such as `Active`.
    #[serde(default)]
    pub status: Option<Box<str>>,
    /// The filters, with ids in place of `~`.
    #[serde(default)]
    pub event_filters: Vec<Box<str>>,
    /// When it was made, as the server writes it.
    #[serde(default)]
    pub creation_time: Option<Box<str>>,
    /// When it ends by itself, as the server writes it.
    #[serde(default)]
    pub expiration_time: Option<Box<str>>,
    #[serde(default)]
    delivery_mode: Option<DeliveryMode>,
    /// It is that of the client which asked. All others that deliver over a WebSocket are orphans, unless another program
    /// of the same user and app is running.
    #[serde(skip)]
    pub is_current: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
struct DeliveryMode {
    #[serde(default)]
    transport_type: Option<Box<str>>,
}

impl ListedSubscription {
    /// How it delivers, such as `WebSocket`, `WebHook` or `PubNub`.
    #[must_use]
    pub fn transport(&self) -> Option<&str> {
        self.delivery_mode.as_ref()?.transport_type.as_deref()
    }

    /// Whether it delivers over a WebSocket and is not that of the client which asked.
    #[must_use]
    pub fn is_other_websocket(&self) -> bool {
        !self.is_current && self.transport() == Some("WebSocket")
    }

    /// Reads the server's answer to GET [`SUBSCRIPTIONS`]. `current`: the id of the client's own one.
    ///
    /// ```
    /// use ringcentral_ws_api::ListedSubscription;
    ///
    /// let answer = r#"{"records":[{"id":"a","deliveryMode":{"transportType":"WebSocket"}},{"id":"b"}]}"#;
    /// let all = ListedSubscription::read(answer.as_bytes(), Some("b"))?;
    /// assert!(all[0].is_other_websocket() && all[1].is_current);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    ///
    /// It is no such answer.
    pub fn read(body: &[u8], current: Option<&str>) -> Result<Vec<Self>, serde_json::Error> {
        #[derive(Deserialize)]
        struct List {
            records: Vec<ListedSubscription>,
        }
        let mut records = serde_json::from_slice::<List>(body)?.records;
        records.truncate(MAX_LISTED);
        for record in &mut records {
            record.is_current = current == Some(&*record.id);
        }
        Ok(records)
    }
}

/// Why subscriptions could not be listed, or one not deleted.
#[derive(Debug)]
#[non_exhaustive]
pub enum SubscriptionsError<E> {
    /// The request failed.
    Request(E),
    /// The server refused.
    Refused(Box<ApiError>),
    /// The answer cannot be read.
    Unreadable(serde_json::Error),
    /// It is that of this client: call `unsubscribe` and drop the listeners.
    Current,
}

impl<E: fmt::Display> fmt::Display for SubscriptionsError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Request(error) => error.fmt(f),
            Self::Refused(error) => error.fmt(f),
            Self::Unreadable(error) => write!(f, "the list of subscriptions cannot be read: {error}"),
            Self::Current => f.write_str(
                "this subscription is that of this client: call unsubscribe and drop the listeners to remove it",
            ),
        }
    }
}

impl<E: std::error::Error + 'static> std::error::Error for SubscriptionsError<E> {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Request(error) => Some(error),
            Self::Refused(error) => Some(&**error),
            Self::Unreadable(error) => Some(error),
            Self::Current => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_left_out_and_what_is_no_list_is_an_error() {
        let body = br#"{"uri":"/x","records":[{"id":"a","status":"Active","eventFilters":["/f"],"expiresIn":1,
            "creationTime":"2025-07-30T18:12:45Z","deliveryMode":{"transportType":"WebHook"}},{"id":"b"}]}"#;
        let all = ListedSubscription::read(body, Some("b")).unwrap();
        assert_eq!((all[0].transport(), &*all[0].event_filters[0], all[0].is_current), (Some("WebHook"), "/f", false));
        assert!(!all[0].is_other_websocket() && all[1].is_current && !all[1].is_other_websocket());
        for bad in ["", "{}", r#"{"records":[{}]}"#] {
            let error = SubscriptionsError::<std::fmt::Error>::Unreadable(
                ListedSubscription::read(bad.as_bytes(), None).unwrap_err(),
            );
            assert!(error.to_string().contains("cannot be read"));
        }
    }
}
