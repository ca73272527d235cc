//! The content of common notifications as types. [`Payload`] chooses the type by the event;
//! [`Notification::parse`](ringcentral_ws_core::Notification::parse) reads one that is known.
//!
//! They take what the service is known to send and do not insist: ids may be numbers or strings, a number where text is
//! due is that text, every field may be missing or `null`, unknown fields are skipped, and words are strings because the
//! service adds new ones. Half a surrogate pair in a text is U+FFFD. Times are text as the server wrote it (ISO 8601,
//! UTC). They are read by `serde_json` only, and not from within `#[serde(flatten)]` or an untagged enum.
//!
//! ```
//! # use ringcentral_ws_api::payloads::InstantMessage;
//! let body = r#"{"id":"3062","from":{"phoneNumber":"+16505550100"},"type":"SMS","subject":"Hello","new":1}"#;
//! let sms: InstantMessage = serde_json::from_str(body)?;
//! assert_eq!(sms.id.unwrap().as_str(), "3062");
//! assert_eq!(sms.subject.as_deref(), Some("Hello"));
//! # Ok::<(), serde_json::Error>(())
//! ```

mod any;
mod call;
pub(crate) mod field;
mod message;
mod payload;
mod presence;
mod sms;
mod subscription;
mod team;
mod telephony;

pub use self::any::Message;
pub use self::call::{CallRecord, CallRecording};
pub use self::field::Id;
pub use self::message::{
    Attachment, Conversation, Fax, InstantMessage, MessageChange, MessageStoreChange, Owner, Person, Voicemail,
};
pub use self::payload::{NotificationExt, Payload};
pub use self::presence::{ActiveCall, Dnd, Presence, SipData};
pub use self::sms::MessageList;
pub use self::subscription::{DeliveryMode, DisabledFilter, SubscriptionInfo};
pub use self::team::{Mention, TeamPost};
pub use self::telephony::{CallParty, Origin, Party, PartyStatus, Recording, TelephonySession};

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    /// The body of a recorded event, bare or as the second element of a frame.
    fn body(text: &str) -> String {
        let whole: Value = serde_json::from_str(text).unwrap();
        let event = if whole.is_array() { &whole[1] } else { &whole };
        let event = if event["body"].is_null() { &event["pn_apns"] } else { event };
        event["body"].to_string()
    }

    macro_rules! read {
        ($name:literal as $kind:ty) => {
            serde_json::from_str::<$kind>(&body(include_str!(concat!("../../tests/fixtures/", $name)))).unwrap()
        };
    }

    #[test]
    fn messages_are_read() {
        let sms = read!("event-instant-sms-2025.json" as InstantMessage);
        assert_eq!(sms.id.unwrap(), "3062991514017");
        assert_eq!(sms.from.unwrap().location.as_deref(), Some("Mountain View, CA"));
        assert_eq!((sms.to.len(), sms.to[0].target), (1, Some(true)));
        assert_eq!(sms.conversation.unwrap().id.unwrap(), "1638233798595111162");
        assert_eq!(sms.owner.unwrap().extension_type.as_deref(), Some("User"));
        let voicemail = read!("event-voicemail.json" as Voicemail);
        assert_eq!(voicemail.attachments[0].vm_duration, Some(3));
        assert_eq!(voicemail.vm_transcription_status.as_deref(), Some("Completed"));
        let fax = read!("event-fax.json" as Fax);
        assert_eq!((fax.fax_page_count, fax.fax_resolution.as_deref()), (Some(2), Some("High")));
        assert!(fax.attachments[0].uri.as_ref().unwrap().ends_with("/content/404068973008"));
        let change = read!("notification-message-store.json" as MessageStoreChange);
        assert_eq!(change.extension_id.unwrap(), "233676004");
        assert_eq!((change.changes[0].new_count, change.changes[0].updated_count), (Some(2), Some(0)));
        assert_eq!(change.changes[0].new_message_ids, [Id::from("12756735005"), Id::from("12756737005")]);
    }

    #[test]
    fn presence_is_read_plain_and_detailed() {
        let plain = read!("event-presence.json" as Presence);
        assert_eq!((plain.sequence, plain.presence_status.as_deref()), (Some(2698), Some("Busy")));
        assert!(plain.active_calls.is_empty());
        let detailed = read!("event-presence-detailed-sip.json" as Presence);
        assert_eq!((detailed.total_active_calls, detailed.active_calls.len()), (Some(2), 2));
        let call = &detailed.active_calls[0];
        assert_eq!((call.queue_call, call.to.as_deref()), (Some(true), Some("4591")));
        assert_eq!(call.sip_data.as_ref().unwrap().to_tag.as_deref(), Some("7lcee2ho88"));
        assert_eq!(read!("notification-presence-sip.json" as Presence).extension_id.unwrap(), "908199004");
        let dnd = read!("event-dnd.json" as Dnd);
        assert_eq!(dnd.dnd_status.as_deref(), Some("TakeAllCalls"));
    }

    #[test]
    fn telephony_and_posts_are_read() {
        for session in [
            read!("event-telephony-account-apns.json" as TelephonySession),
            read!("event-telephony-extension-apns.json" as TelephonySession),
        ] {
            assert_eq!((session.sequence, session.origin.unwrap().kind.as_deref()), (Some(5), Some("Call")));
            let party = &session.parties[0];
            assert_eq!(party.status.as_ref().unwrap().code.as_deref(), Some("Proceeding"));
            assert_eq!(party.from.as_ref().unwrap().name.as_deref(), Some("TheCat Jerry"));
        }
        let added = read!("event-post-added.json" as TeamPost);
        assert_eq!((added.text.as_deref(), added.event_type.as_deref()), (Some("Hello, World!"), Some("PostAdded")));
        assert!(added.attachments.is_empty() && added.mentions.is_empty());
        assert_eq!(read!("event-post-changed.json" as TeamPost).group_id.unwrap(), "995723345922");
        assert_eq!(read!("event-post-removed.json" as TeamPost).event_type.as_deref(), Some("PostRemoved"));
    }

    #[test]
    fn subscriptions_are_read() {
        let read = |text: &str| -> SubscriptionInfo {
            serde_json::from_value(serde_json::from_str::<Value>(text).unwrap()[1].clone()).unwrap()
        };
        let info = read(include_str!("../../tests/fixtures/subscribe-response-2021.json"));
        assert_eq!((info.event_filters.len(), info.expires_in), (5, Some(86_399)));
        assert_eq!(info.delivery_mode.unwrap().transport_type.as_deref(), Some("WebSocket"));
        let info = read(include_str!("../../tests/fixtures/subscribe-response-2025.json"));
        assert_eq!((info.status.as_deref(), info.disabled_filters.len()), (Some("Active"), 0));
    }

    #[test]
    fn half_an_emoji_spoils_nothing() {
        let post: TeamPost = serde_json::from_str(
            r#"{"text":"a\ud83d\ud83db\udc00\n😀","title":null,"mentions":[{"name":"\ud83d\ude00\ud83d"}],"x":"\ud83d"}"#,
        )
        .unwrap();
        assert_eq!(post.text.as_deref(), Some("a\u{fffd}\u{fffd}b\u{fffd}\n😀"));
        assert_eq!((post.mentions[0].name.as_deref(), post.title), (Some("😀\u{fffd}"), None));
        let sms: InstantMessage = serde_json::from_str(r#"{"id":7,"subject":"\ud83d"}"#).unwrap();
        assert_eq!(sms.subject.as_deref(), Some("\u{fffd}"));
        for bad in [r#"{"subject":true}"#, r#"{"subject":[104]}"#, r#"{"subject":{}}"#] {
            assert!(serde_json::from_str::<InstantMessage>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn nothing_is_insisted_on() {
        macro_rules! all {
            ($text:expr => $($kind:ty)*) => { $(assert!(serde_json::from_str::<$kind>($text).is_ok(), stringify!($kind));)* };
        }
        for text in [
            "{}",
            r#"{"unknown":[{}],"id":7,"to":null,"attachments":null,"parties":null,"changes":null}"#,
            r#"{"extensionId":"7","accountId":7,"sequence":"12","expiresIn":"60","faxPageCount":null}"#,
        ] {
            all!(text => InstantMessage Voicemail Fax MessageStoreChange Presence Dnd TelephonySession TeamPost SubscriptionInfo);
        }
        let presence: Presence = serde_json::from_str(r#"{"sequence":"12","extensionId":-7}"#).unwrap();
        assert_eq!((presence.sequence, presence.extension_id.unwrap()), (Some(12), Id::from("-7")));
        assert!(serde_json::from_str::<Presence>("[]").is_ok() || serde_json::from_str::<Presence>("7").is_err());
        assert_eq!(serde_json::to_string(&Id::from("7")).unwrap(), "\"7\"");
    }
}
