//! The event filters that RingCentral has, as its documentation and its own programs name them.

/// Below a user: `/restapi/v1.0/account/{id}/extension/{id}/`.
const OF_USER: [&str; 16] = [
    "message-store",
    "message-store/instant",
    "voicemail",
    "fax",
    "presence",
    "presence/dnd",
    "presence/line",
    "presence/line/presence",
    "telephony",
    "telephony/sessions",
    "missed-calls",
    "start-ring",
    "stop-ring",
    "favorite",
    "grant",
    "phone-number",
];

/// Below an account: `/restapi/v1.0/account/{id}/`.
const OF_ACCOUNT: [&str; 10] = [
    "presence",
    "telephony/sessions",
    "directory/entries",
    "directory/contacts",
    "extension",
    "phone-number",
    "a2p-sms/batches",
    "a2p-sms/messages",
    "a2p-sms/opt-outs",
    "message-threads",
];

/// Those of other services, with everything below them.
const OTHERS: [&str; 7] = [
    "/restapi/v1.0/subscription/",
    "/restapi/v1.0/glip/",
    "/team-messaging/v1/posts",
    "/team-messaging/v1/groups",
    "/team-messaging/v1/chats",
    "/ai/ringsense/",
    "/webinar/",
];

/// Whether RingCentral has this event filter. Its query is not looked at, and whose account and extension it is neither.
pub(crate) fn is_known(filter: &str) -> bool {
    let path = filter.split_once('?').map_or(filter, |(path, _)| path);
    let Some(rest) = path.strip_prefix("/restapi/v1.0/account/") else {
        return OTHERS.iter().any(|known| path.starts_with(known));
    };
    let Some((_, of_account)) = id_first(rest) else { return false };
    if OF_ACCOUNT.contains(&of_account) {
        return true;
    }
    if let Some((_, of_user)) = of_account.strip_prefix("extension/").and_then(id_first) {
        return OF_USER.contains(&of_user);
    }
    if let Some(rest) = of_account.strip_prefix("extension/").or_else(|| of_account.strip_prefix("a2p-sms/batches/")) {
        return is_id(rest);
    }
    if let Some((_, of_device)) = of_account.strip_prefix("device/").and_then(id_first) {
        return of_device == "emergency-address";
    }
    of_account.starts_with("message-threads/")
}

/// The id that a path begins with, and the rest of the path.
fn id_first(path: &str) -> Option<(&str, &str)> {
    path.split_once('/').filter(|(id, _)| is_id(id))
}

fn is_id(text: &str) -> bool {
    text == "~" || (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documented_filters_are_known_and_invented_ones_are_not() {
        let user = "/restapi/v1.0/account/~/extension/~";
        for known in ["message-store/instant?type=SMS", "voicemail", "presence?sipData=true", "telephony/sessions"] {
            assert!(is_known(&format!("{user}/{known}")), "{known}");
        }
        for known in [
            "/restapi/v1.0/account/~/presence",
            "/restapi/v1.0/account/809646016/extension/62264425016/fax?direction=Inbound",
            "/restapi/v1.0/account/~/extension/7",
            "/restapi/v1.0/account/~/device/7/emergency-address",
            "/restapi/v1.0/account/~/message-threads/entries/sync",
            "/restapi/v1.0/account/~/a2p-sms/batches/7",
            "/restapi/v1.0/subscription/~?threshold=60&interval=15",
            "/team-messaging/v1/posts",
        ] {
            assert!(is_known(known), "{known}");
        }
        for invented in [
            "/a",
            "/restapi/v1.0/account/~",
            "/restapi/v1.0/account/~/extension/~/sms",
            "/restapi/v1.0/account/~/extension/~/message-stor",
            "/restapi/v1.0/account/me/presence",
            "/restapi/v1.0/account/~/device/7",
            "/restapi/v2/account/~/presence",
        ] {
            assert!(!is_known(invented), "{invented}");
        }
    }
}
