//! What was delivered after a state was made, kept beside it.

use data_encoding::BASE64;
use ringcentral_ws_core::{Notification, RecordKind, UnixMillis};

use super::known::Key;
use super::record::{Head, kind_of};

/// The record of a notification: its key, and the time of its last change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Noted {
    pub(super) kind: RecordKind,
    pub(super) time: Option<UnixMillis>,
    pub(super) key: Key,
}

/// A kind, a time and a key.
const BYTES: usize = 17;

impl Noted {
    pub(super) fn of(notification: &Notification) -> Option<Self> {
        let kind = kind_of(notification)?;
        let head = Head::of(notification.body());
        head.id.as_ref()?;
        Some(Self { kind, time: head.time(), key: head.key(kind, "") })
    }

    pub(super) fn to_line(self) -> String {
        let mut bytes = Vec::with_capacity(BYTES);
        bytes.push(u8::from(self.kind == RecordKind::Post));
        bytes.extend(self.time.map_or(u64::MAX, |at| at.0).to_be_bytes());
        bytes.extend(self.key.0.to_be_bytes());
        BASE64.encode(&bytes)
    }

    pub(super) fn read(line: &str) -> Option<Self> {
        let bytes: [u8; BYTES] = BASE64.decode(line.as_bytes()).ok()?.try_into().ok()?;
        let number = |from: usize| {
            let mut eight = [0; 8];
            eight.copy_from_slice(&bytes[from..from + 8]);
            u64::from_be_bytes(eight)
        };
        let kind = if bytes[0] == 1 { RecordKind::Post } else { RecordKind::Message };
        let time = Some(number(1)).filter(|at| *at != u64::MAX).map(UnixMillis);
        Some(Self { kind, time, key: Key(number(9)) })
    }
}

#[cfg(test)]
mod tests {
    use super::super::BackfillState;
    use super::*;

    #[test]
    fn what_was_delivered_since_is_kept_beside_the_state() {
        let event = |event: &str, body: &str| {
            Notification::from_json(&format!(r#"{{"uuid":"u","event":"{event}","body":{body}}}"#)).unwrap()
        };
        let of_time = event("/a/message-store/instant", r#"{"id":7,"creationTime":"1970-01-01T00:00:01Z"}"#);
        let post = event("/team-messaging/v1/posts", r#"{"id":"p"}"#);
        let lines = [&of_time, &post].map(|n| BackfillState::delivered(n).unwrap());
        assert_eq!(Noted::read(&lines[0]), Noted::of(&of_time));
        assert_eq!(Noted::of(&of_time).unwrap().time, Some(UnixMillis(1000)));
        for other in [event("/a/presence", r#"{"id":7}"#), event("/a/fax", "{}")] {
            assert_eq!(BackfillState::delivered(&other), None);
        }
        let text = format!("{}\n{}\n{}\nodd", BackfillState::default().to_json(), lines[0], lines[1]);
        let state = BackfillState::from_json(&text).unwrap();
        assert_eq!(state.noted, [Noted::of(&of_time).unwrap(), Noted::of(&post).unwrap()]);
        assert_eq!(BackfillState::from_json(&state.to_json()), Some(state));
    }
}
