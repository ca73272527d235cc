//! Event filters that most applications need. `~` stands for the account or extension of the login.

/// Incoming SMS, with the text, as they arrive.
pub const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";
/// Every change in the message store: SMS, faxes, voicemail, pager messages.
pub const MESSAGE_STORE: &str = "/restapi/v1.0/account/~/extension/~/message-store";
/// New voicemail.
pub const VOICEMAIL: &str = "/restapi/v1.0/account/~/extension/~/voicemail";
/// Incoming faxes.
pub const FAX: &str = "/restapi/v1.0/account/~/extension/~/fax?direction=Inbound";
/// Presence of the extension.
pub const PRESENCE: &str = "/restapi/v1.0/account/~/extension/~/presence";
/// Presence with the calls behind it.
pub const PRESENCE_WITH_CALLS: &str = "/restapi/v1.0/account/~/extension/~/presence?detailedTelephonyState=true";
/// Calls of the extension.
pub const TELEPHONY_SESSIONS: &str = "/restapi/v1.0/account/~/extension/~/telephony/sessions";
/// Calls of the whole account.
pub const ACCOUNT_TELEPHONY_SESSIONS: &str = "/restapi/v1.0/account/~/telephony/sessions";
/// Team messages.
pub const TEAM_POSTS: &str = "/team-messaging/v1/posts";
