//! The answer to a subscription call.

use serde::Deserialize;

use super::{Id, count, list};

/// A subscription as the REST API shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct SubscriptionInfo {
    /// The subscription.
    pub id: Option<Id>,
    /// Its resource.
    pub uri: Option<String>,
    /// `Active`, `Suspended` or `Blacklisted`.
    pub status: Option<String>,
    /// When it was made.
    pub creation_time: Option<String>,
    /// When it ends unless it is renewed; over a WebSocket the server does that.
    pub expiration_time: Option<String>,
    /// The same in seconds from now.
    #[serde(deserialize_with = "count")]
    pub expires_in: Option<u64>,
    /// What it listens to, with `~` replaced by ids.
    #[serde(deserialize_with = "list")]
    pub event_filters: Vec<String>,
    /// What was refused.
    #[serde(deserialize_with = "list")]
    pub disabled_filters: Vec<DisabledFilter>,
    /// How it delivers.
    pub delivery_mode: Option<DeliveryMode>,
}

/// A filter that was refused while the others stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct DisabledFilter {
    /// The filter.
    pub filter: Option<String>,
    /// The code.
    pub reason: Option<String>,
    /// In words.
    pub message: Option<String>,
}

/// How notifications travel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct DeliveryMode {
    /// `WebSocket`, `WebHook` and others.
    pub transport_type: Option<String>,
    /// Whether they are encrypted.
    pub encryption: Option<bool>,
    /// The address of a web hook.
    pub address: Option<String>,
}
