//! Presence, plain and detailed, and do-not-disturb.

use serde::Deserialize;

use super::field::{Id, count, list, text};

/// The presence of an extension: filter `presence`; with `?detailedTelephonyState=true` also its calls, with `&sipData=true` also their SIP data.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Presence {
    /// The extension.
    pub extension_id: Option<Id>,
    /// Grows with each change: drop what is older than the last one.
    #[serde(deserialize_with = "count")]
    pub sequence: Option<u64>,
    /// `NoCall`, `CallConnected`, `Ringing`, `OnHold` or `ParkedCall`.
    #[serde(deserialize_with = "text")]
    pub telephony_status: Option<String>,
    /// `Offline`, `Busy` or `Available`: all statuses in one.
    #[serde(deserialize_with = "text")]
    pub presence_status: Option<String>,
    /// What the user set.
    #[serde(deserialize_with = "text")]
    pub user_status: Option<String>,
    /// Such as `TakeAllCalls` or `DoNotAcceptAnyCalls`.
    #[serde(deserialize_with = "text")]
    pub dnd_status: Option<String>,
    /// `Connected` or `Disconnected`.
    #[serde(deserialize_with = "text")]
    pub meeting_status: Option<String>,
    /// The status message of the user.
    #[serde(deserialize_with = "text")]
    pub message: Option<String>,
    /// Whether others may see it.
    pub allow_see_my_presence: Option<bool>,
    /// Whether it rings for calls of monitored lines.
    pub ring_on_monitored_call: Option<bool>,
    /// Whether it may pick up calls on hold of monitored lines.
    pub pick_up_calls_on_hold: Option<bool>,
    /// The calls, if asked for by the filter.
    #[serde(deserialize_with = "list")]
    pub active_calls: Vec<ActiveCall>,
    /// How many there are.
    #[serde(deserialize_with = "count")]
    pub total_active_calls: Option<u64>,
}

/// A call of an extension.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct ActiveCall {
    /// The call.
    pub id: Option<Id>,
    /// `Inbound` or `Outbound`.
    #[serde(deserialize_with = "text")]
    pub direction: Option<String>,
    /// Whether it came through a call queue.
    pub queue_call: Option<bool>,
    /// The number that calls.
    #[serde(deserialize_with = "text")]
    pub from: Option<String>,
    /// Its name.
    #[serde(deserialize_with = "text")]
    pub from_name: Option<String>,
    /// The number that is called.
    #[serde(deserialize_with = "text")]
    pub to: Option<String>,
    /// Its name.
    #[serde(deserialize_with = "text")]
    pub to_name: Option<String>,
    /// As in [`Presence`].
    #[serde(deserialize_with = "text")]
    pub telephony_status: Option<String>,
    /// The session.
    pub session_id: Option<Id>,
    /// The session in the Call Control API.
    pub telephony_session_id: Option<Id>,
    /// The party in the Call Control API.
    pub party_id: Option<Id>,
    /// When it began.
    #[serde(deserialize_with = "text")]
    pub start_time: Option<String>,
    /// How it ended.
    #[serde(deserialize_with = "text")]
    pub termination_type: Option<String>,
    /// SIP data, if asked for by the filter.
    pub sip_data: Option<SipData>,
}

/// SIP data of a call.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct SipData {
    /// The SIP call id.
    pub call_id: Option<Id>,
    /// The tag of the called side.
    #[serde(deserialize_with = "text")]
    pub to_tag: Option<String>,
    /// The tag of the calling side.
    #[serde(deserialize_with = "text")]
    pub from_tag: Option<String>,
    /// The other side.
    #[serde(deserialize_with = "text")]
    pub remote_uri: Option<String>,
    /// This side.
    #[serde(deserialize_with = "text")]
    pub local_uri: Option<String>,
}

/// Do-not-disturb was changed: filter `presence/dnd`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct Dnd {
    /// The extension.
    pub extension_id: Option<Id>,
    /// Such as `TakeAllCalls` or `DoNotAcceptAnyCalls`.
    #[serde(deserialize_with = "text")]
    pub dnd_status: Option<String>,
}
