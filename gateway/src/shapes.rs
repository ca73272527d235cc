//! The JSON of resources and notifications as types, which are printed in a fraction of the time that values take.
//! Members stand in the order of their names.

use serde::Serialize;

use crate::config::UserConfig;
use crate::store::Party;

/// As it is printed.
pub(crate) fn print(shape: &impl Serialize) -> String {
    // Plain data: nothing in it can fail to be written.
    serde_json::to_string(shape).unwrap_or_default()
}

/// A list and what goes with it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ListShape<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) paging: Option<PagingShape>,
    pub(crate) records: &'a [T],
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sync_info: Option<SyncShape<'a>>,
    pub(crate) uri: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PagingShape {
    pub(crate) page: usize,
    pub(crate) per_page: usize,
    pub(crate) total_elements: usize,
    pub(crate) total_pages: usize,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SyncShape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) older_records_exist: Option<bool>,
    pub(crate) sync_time: String,
    pub(crate) sync_token: String,
    pub(crate) sync_type: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct MessageShape<'a> {
    pub(crate) attachments: Vec<AttachmentShape<'a>>,
    pub(crate) availability: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) conversation_id: Option<u64>,
    pub(crate) creation_time: String,
    pub(crate) direction: &'a str,
    pub(crate) event_type: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fax_page_count: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) fax_resolution: Option<&'a str>,
    pub(crate) from: &'a Party,
    pub(crate) id: u64,
    pub(crate) last_modified_time: String,
    pub(crate) message_status: &'a str,
    pub(crate) owner: OwnerShape<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pg_to_department: Option<bool>,
    pub(crate) priority: &'a str,
    pub(crate) read_status: &'a str,
    pub(crate) subject: &'a str,
    pub(crate) to: &'a [Party],
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct AttachmentShape<'a> {
    pub(crate) content_type: &'a str,
    pub(crate) id: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) uri: String,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OwnerShape<'a> {
    pub(crate) extension_id: String,
    pub(crate) extension_type: &'a str,
    pub(crate) name: &'a str,
}

/// One end of a call.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EndShape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    extension_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    phone_number: &'a str,
}

impl<'a> EndShape<'a> {
    pub(crate) fn own(user: &'a UserConfig) -> Self {
        let extension_id = Some(user.extension_id.to_string());
        Self { extension_id, name: Some(&user.name), phone_number: &user.phone_number }
    }

    pub(crate) fn other(phone_number: &'a str) -> Self {
        Self { extension_id: None, name: None, phone_number }
    }
}

/// A call of the log, or one leg of it, or a call that goes on.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CallShape<'a> {
    pub(crate) action: &'a str,
    pub(crate) direction: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duration: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) duration_ms: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extension: Option<ExtensionShape<'a>>,
    pub(crate) from: EndShape<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_modified_time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) leg_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) legs: Vec<Self>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) master: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<LinkShape<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recording: Option<LinkShape<'a>>,
    pub(crate) result: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) session_id: Option<String>,
    pub(crate) start_time: String,
    pub(crate) telephony_session_id: String,
    pub(crate) to: EndShape<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) transport: Option<&'a str>,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uri: Option<String>,
}

/// What a call left: a recording or a message.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct LinkShape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) content_uri: Option<String>,
    pub(crate) id: String,
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
    pub(crate) uri: String,
}

#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ExtensionShape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extension_number: Option<&'a str>,
    pub(crate) id: u64,
    pub(crate) uri: String,
}

/// The resource, or the body of the notification.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PresenceShape<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) active_calls: Option<Vec<ActiveCallShape<'a>>>,
    pub(crate) allow_see_my_presence: bool,
    pub(crate) dnd_status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extension: Option<ExtensionShape<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) extension_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) meeting_status: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) message: Option<&'a str>,
    pub(crate) pick_up_calls_on_hold: bool,
    pub(crate) presence_status: &'a str,
    pub(crate) ring_on_monitored_call: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sequence: Option<u64>,
    pub(crate) telephony_status: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) total_active_calls: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) uri: Option<String>,
    pub(crate) user_status: &'a str,
}

/// A call as presence shows it.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ActiveCallShape<'a> {
    pub(crate) direction: &'a str,
    pub(crate) from: &'a str,
    pub(crate) id: String,
    pub(crate) party_id: String,
    pub(crate) queue_call: bool,
    pub(crate) session_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) sip_data: Option<SipShape<'a>>,
    pub(crate) start_time: String,
    pub(crate) telephony_session_id: String,
    pub(crate) telephony_status: &'a str,
    pub(crate) to: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct SipShape<'a> {
    pub(crate) from_tag: String,
    pub(crate) local_uri: &'a str,
    pub(crate) remote_uri: &'a str,
    pub(crate) to_tag: &'a str,
}

/// The body of the notification of a telephony session.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TelephonyShape<'a> {
    pub(crate) account_id: String,
    pub(crate) event_time: String,
    pub(crate) origin: OriginShape<'a>,
    pub(crate) parties: [PartyShape<'a>; 1],
    pub(crate) sequence: u64,
    pub(crate) server_id: String,
    pub(crate) session_id: String,
    pub(crate) telephony_session_id: &'a str,
}

#[derive(Debug, Serialize)]
pub(crate) struct OriginShape<'a> {
    #[serde(rename = "type")]
    pub(crate) kind: &'a str,
}

#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PartyShape<'a> {
    pub(crate) account_id: String,
    pub(crate) direction: &'a str,
    pub(crate) extension_id: String,
    pub(crate) from: EndShape<'a>,
    pub(crate) id: String,
    pub(crate) missed_call: bool,
    pub(crate) muted: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) recordings: Option<[RecordingShape; 1]>,
    pub(crate) stand_alone: bool,
    pub(crate) status: StatusShape<'a>,
    pub(crate) to: EndShape<'a>,
}

#[derive(Debug, Serialize)]
pub(crate) struct RecordingShape {
    pub(crate) active: bool,
    pub(crate) id: String,
}

#[derive(Debug, Serialize)]
pub(crate) struct StatusShape<'a> {
    pub(crate) code: &'a str,
}
