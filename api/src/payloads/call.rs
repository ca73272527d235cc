//! Calls of the call log.

use serde::Deserialize;

use super::field::{Id, count, text};
use super::telephony::CallParty;

/// A call of the call log, or one that goes on: what `…/call-log`, `…/call-log-sync` and `…/active-calls` list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct CallRecord {
    /// The record.
    pub id: Option<Id>,
    /// The session in the call log.
    pub session_id: Option<Id>,
    /// The session in the Call Control API.
    pub telephony_session_id: Option<Id>,
    /// When it began.
    #[serde(deserialize_with = "text")]
    pub start_time: Option<String>,
    /// How long it lasted, in seconds.
    #[serde(deserialize_with = "count")]
    pub duration: Option<u64>,
    /// `Voice` or `Fax`.
    #[serde(rename = "type")]
    #[serde(deserialize_with = "text")]
    pub kind: Option<String>,
    /// `Inbound` or `Outbound`.
    #[serde(deserialize_with = "text")]
    pub direction: Option<String>,
    /// Such as `Phone Call` or `VoIP Call`.
    #[serde(deserialize_with = "text")]
    pub action: Option<String>,
    /// Such as `Accepted`, `Missed`, `Voicemail` or `Call connected`.
    #[serde(deserialize_with = "text")]
    pub result: Option<String>,
    /// The calling side.
    pub from: Option<CallParty>,
    /// The called side.
    pub to: Option<CallParty>,
    /// Its recording.
    pub recording: Option<CallRecording>,
    /// When the record was changed last.
    #[serde(deserialize_with = "text")]
    pub last_modified_time: Option<String>,
}

/// The recording of a call that is over.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
#[non_exhaustive]
pub struct CallRecording {
    /// The recording.
    pub id: Option<Id>,
    /// Where its content is.
    #[serde(deserialize_with = "text")]
    pub content_uri: Option<String>,
}
