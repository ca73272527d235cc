//! Telephony sessions.

use serde::Deserialize;

use super::field::{Id, count, list, text};
use super::presence::SipData;

/// A call and its parties: filter `telephony/sessions`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct TelephonySession {
    /// The session in the Call Control API.
    pub telephony_session_id: Option<Id>,
    /// The session in the call log.
    pub session_id: Option<Id>,
    /// The account.
    pub account_id: Option<Id>,
    /// The extension the filter names.
    pub extension_id: Option<Id>,
    /// The server the call is on.
    #[serde(deserialize_with = "text")]
    pub server_id: Option<String>,
    /// Grows with each event of the session; events may overtake each other.
    #[serde(deserialize_with = "count")]
    pub sequence: Option<u64>,
    /// When it happened.
    #[serde(deserialize_with = "text")]
    pub event_time: Option<String>,
    /// What began it.
    pub origin: Option<Origin>,
    /// The parties that changed.
    #[serde(deserialize_with = "list")]
    pub parties: Vec<Party>,
}

/// What began a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Origin {
    /// Such as `Call` or `RingOut`.
    #[serde(rename = "type")]
    #[serde(deserialize_with = "text")]
    pub kind: Option<String>,
}

/// A party of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Party {
    /// The party.
    pub id: Option<Id>,
    /// Its account.
    pub account_id: Option<Id>,
    /// Its extension.
    pub extension_id: Option<Id>,
    /// `Inbound` or `Outbound`.
    #[serde(deserialize_with = "text")]
    pub direction: Option<String>,
    /// The calling side.
    pub from: Option<CallParty>,
    /// The called side.
    pub to: Option<CallParty>,
    /// Where it stands.
    pub status: Option<PartyStatus>,
    /// Whether it came through a call queue.
    pub queue_call: Option<bool>,
    /// Whether it was missed.
    pub missed_call: Option<bool>,
    /// Whether it is alone in the session.
    pub stand_alone: Option<bool>,
    /// Whether it is muted.
    pub muted: Option<bool>,
    /// SIP data.
    pub sip_data: Option<SipData>,
    /// What is or was recorded, if the filter asks for it
    /// ([`Filter::with_recordings`](crate::Filter::with_recordings)).
    #[serde(deserialize_with = "list")]
    pub recordings: Vec<Recording>,
}

/// A recording of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Recording {
    /// The recording: its content is at `/restapi/v1.0/account/~/recording/{id}/content` when the call is over.
    pub id: Option<Id>,
    /// Whether it is going on.
    pub active: Option<bool>,
}

/// One side of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct CallParty {
    /// The number.
    #[serde(deserialize_with = "text")]
    pub phone_number: Option<String>,
    /// The name.
    #[serde(deserialize_with = "text")]
    pub name: Option<String>,
    /// The extension, if it is one of the account.
    pub extension_id: Option<Id>,
    /// The device.
    pub device_id: Option<Id>,
}

/// Where a party stands.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct PartyStatus {
    /// Such as `Setup`, `Proceeding`, `Answered`, `Disconnected`, `Hold`, `Parked` or `VoiceMail`.
    #[serde(deserialize_with = "text")]
    pub code: Option<String>,
    /// Why, such as `CallTransfer`.
    #[serde(deserialize_with = "text")]
    pub reason: Option<String>,
    /// In words.
    #[serde(deserialize_with = "text")]
    pub description: Option<String>,
    /// Whether remote call control did it.
    pub rcc: Option<bool>,
    /// Where it is parked.
    #[serde(deserialize_with = "text")]
    pub park_data: Option<String>,
}
