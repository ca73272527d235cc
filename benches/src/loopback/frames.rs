//! Notifications of any size, and floods of them.

use std::fmt::Write;

/// A notification of `size` bytes as the service sends it; somewhat more if it cannot be as small. Small ones have a
/// short path and body, the others records in the body.
#[must_use]
pub fn notification(uuid: u64, size: usize) -> String {
    notification_of("sub-1", uuid, size)
}

/// The same, of this subscription.
#[must_use]
pub fn notification_of(subscription: &str, uuid: u64, size: usize) -> String {
    let mut text = String::with_capacity(size);
    let _ = write!(text, r#"[{{"type":"ServerNotification","messageId":"{uuid:019}","status":200}},"#);
    if size < 400 {
        let _ =
            write!(text, r#"{{"uuid":"{uuid:019}","event":"/a/b","subscriptionId":"{subscription}","body":{{"text":""#);
    } else {
        let path = "/restapi/v1.0/account/233676004/extension/233676004/message-store";
        let time = "2023-04-18T20:25:24.611Z";
        let _ = write!(
            text,
            r#"{{"uuid":"{uuid:019}","event":"{path}","timestamp":"{time}","subscriptionId":"{subscription}","ownerId":"233676004","body":{{"changes":["#
        );
        let record = r#"{"type":"Pager","newCount":2,"updatedCount":0,"newMessageIds":[12756735005,12756737005]},"#;
        while text.len() + 2 * record.len() < size {
            text.push_str(record);
        }
        text.push_str(r#"{"type":"Pager","newCount":1}],"text":""#);
    }
    let end = r#""}}]"#;
    while text.len() + end.len() < size {
        text.push('x');
    }
    text.push_str(end);
    text
}

/// So many of them as frames of a server.
#[must_use]
pub fn flood(count: usize, size: usize) -> Vec<u8> {
    let mut all = Vec::with_capacity(count * (size + 10));
    for n in 0..count {
        let text = notification(1_000_000_000_000_000_000 + n as u64, size);
        all.push(0x81);
        match u16::try_from(text.len()) {
            Ok(length) if length > 125 => {
                all.push(126);
                all.extend_from_slice(&length.to_be_bytes());
            }
            Ok(length) => all.extend_from_slice(&length.to_be_bytes()[1..]),
            Err(_) => {
                all.push(127);
                all.extend_from_slice(&(text.len() as u64).to_be_bytes());
            }
        }
        all.extend_from_slice(text.as_bytes());
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn notifications_have_their_size_and_can_be_read() {
        for size in [200, 399, 600, 6_000, 60_000] {
            let text = notification(7, size);
            assert_eq!(text.len(), size);
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(value[1]["uuid"], "0000000000000000007");
        }
        // With an id as the stand-in has them.
        assert_eq!(notification_of("7e4a7486-8df9-4195-8aef-b8d81d3345f6", 7, 200).len(), 200);
        assert_eq!(flood(3, 100_000).len(), 3 * 100_010);
        assert_eq!(flood(3, 200).len(), 3 * 204);
    }
}
