//! The answer to a subscription call.

use ringcentral_ws_core::SubscriptionProblem;
use serde::Deserialize;

use super::field::{Id, count, list, text, texts};

/// A subscription as the REST API shows it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct SubscriptionInfo {
    /// The subscription.
    pub id: Option<Id>,
    /// Its resource.
    #[serde(deserialize_with = "text")]
    pub uri: Option<String>,
    /// `Active`, `Suspended` or `Blacklisted`.
    #[serde(deserialize_with = "text")]
    pub status: Option<String>,
    /// When it was made.
    #[serde(deserialize_with = "text")]
    pub creation_time: Option<String>,
    /// When it ends unless it is renewed; over a WebSocket the server does that.
    #[serde(deserialize_with = "text")]
    pub expiration_time: Option<String>,
    /// The same in seconds from now.
    #[serde(deserialize_with = "count")]
    pub expires_in: Option<u64>,
    /// What it listens to, with `~` replaced by ids.
    #[serde(deserialize_with = "texts")]
    pub event_filters: Vec<String>,
    /// What was refused.
    #[serde(deserialize_with = "list")]
    pub disabled_filters: Vec<DisabledFilter>,
    /// How it delivers.
    pub delivery_mode: Option<DeliveryMode>,
}

impl SubscriptionInfo {
    /// Why it delivers nothing to a WebSocket although it exists: it is not active, has no filters, or is one of
    /// another transport. Empty for one that is as it should be.
    #[must_use]
    pub fn problems(&self) -> Vec<SubscriptionProblem> {
        let transport = self.delivery_mode.as_ref().and_then(|mode| mode.transport_type.as_deref());
        SubscriptionProblem::find(self.status.as_deref(), self.event_filters.len(), transport)
    }

    /// Whether its status is `Active`; one that the server did not say is not.
    #[must_use]
    pub fn is_active(&self) -> bool {
        self.status.as_deref().is_some_and(|status| status.eq_ignore_ascii_case("Active"))
    }
}

/// A filter that was refused while the others stand.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct DisabledFilter {
    /// The filter.
    #[serde(deserialize_with = "text")]
    pub filter: Option<String>,
    /// The code.
    #[serde(deserialize_with = "text")]
    pub reason: Option<String>,
    /// In words.
    #[serde(deserialize_with = "text")]
    pub message: Option<String>,
}

/// How notifications travel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct DeliveryMode {
    /// `WebSocket`, `WebHook` and others.
    #[serde(deserialize_with = "text")]
    pub transport_type: Option<String>,
    /// Whether they are encrypted.
    pub encryption: Option<bool>,
    /// The address of a web hook.
    #[serde(deserialize_with = "text")]
    pub address: Option<String>,
}
