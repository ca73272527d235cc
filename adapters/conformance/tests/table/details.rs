//! An open WebSocket on which the connection is confirmed badly, or not at all.

use std::io;
use std::time::Duration;

use ringcentral_ws_conformance::peer::{Link, RawFrame, Recovery, notification, opcode};

use super::{Behaviour, RETRY, SLOWLY, connected, filled, open};

/// The failed attempt, or the connection as it is.
const EITHER: &[&str] = &["connected", "retry "];
const UNREADABLE: &[&str] = &["protocol error"];

/// ConnectionDetails with this body, and a good server from then on.
fn details(link: &mut Link<'_>, body: &str) -> io::Result<()> {
    let text = format!(
        r#"[{{"type":"ConnectionDetails","messageId":"c","status":200,"wsc":{{"token":"handle","sequence":1}}}},{body}]"#
    );
    link.frame(&RawFrame::text(text))?;
    link.serve()
}

/// All limits have this value.
fn limits(link: &mut Link<'_>, value: &str) -> io::Result<()> {
    let names = [
        "maxConnectionsPerSession",
        "recoveryBufferSize",
        "recoveryTimeout",
        "idleTimeout",
        "absoluteTimeout",
        "maxActiveRequests",
    ];
    let members = names.map(|name| format!("\"{name}\":{value}")).join(",");
    details(link, &format!("{{{members}}}"))
}

/// Instead of ConnectionDetails.
fn instead(link: &mut Link<'_>, text: &str) -> io::Result<()> {
    link.frame(&RawFrame::text(text))?;
    link.swallow()
}

pub(super) fn all() -> Vec<Behaviour> {
    [withheld(), wrong(), absurd(), subscriptions()].into_iter().flatten().collect()
}

fn withheld() -> Vec<Behaviour> {
    vec![
        open("silence in place of ConnectionDetails", RETRY, |link| link.hold()),
        open("pings in place of ConnectionDetails, slowly", RETRY, |link| {
            let ping = RawFrame::new(opcode::PING, "p").bytes();
            loop {
                link.send(&ping)?;
                link.idle(Duration::from_millis(20))?;
            }
        }),
        open("a flood of pings in place of ConnectionDetails", RETRY, |link| {
            link.flood(RawFrame::new(opcode::PING, [b'p'; 125]).bytes())
        }),
        open("ConnectionDetails a byte at a time, slowly", RETRY, |link| {
            let frame = link.good_details(Recovery::Fresh);
            link.drip(frame, SLOWLY)
        }),
        open("a frame of 2^63 bytes in place of ConnectionDetails", UNREADABLE, |link| {
            link.send([0x81, 127, 0x80, 0, 0, 0, 0, 0, 0, 0])?;
            link.flood("x")
        }),
        open("a close frame in place of ConnectionDetails", RETRY, |link| link.frame(&RawFrame::close(1013, "later"))),
        open("close code 4400 in place of ConnectionDetails", RETRY, |link| link.frame(&RawFrame::close(4400, ""))),
    ]
}

fn wrong() -> Vec<Behaviour> {
    vec![
        open("a notification in place of ConnectionDetails", RETRY, |link| {
            instead(link, &notification("subscription-1", "early"))
        }),
        open("a reply in place of ConnectionDetails", RETRY, |link| {
            instead(link, r#"[{"type":"ClientRequest","messageId":"1","status":200},{}]"#)
        }),
        open("text that is no JSON in place of ConnectionDetails", UNREADABLE, |link| instead(link, "hello")),
        open("Error WSG-400 for ever", RETRY, |link| {
            instead(link, r#"[{"type":"Error","messageId":"e","status":400},{"errorCode":"WSG-400"}]"#)
        }),
        open("Error without a code", RETRY, |link| instead(link, r#"[{"type":"Error"}]"#)),
        open("Error with a text of 1 MB", RETRY, |link| {
            let long = "x".repeat(1_000_000);
            instead(link, &format!(r#"[{{"type":"Error","status":500}},{{"errorCode":"{long}","message":"{long}"}}]"#))
        }),
        open("ConnectionDetails twice", &["connected"], |link| {
            let frames = [link.good_details(Recovery::Fresh), link.good_details(Recovery::Fresh)].concat();
            link.send(frames)?;
            link.serve()
        }),
        open("ConnectionDetails with status 500", EITHER, |link| {
            link.frame(&RawFrame::text(r#"[{"type":"ConnectionDetails","messageId":"c","status":500},{}]"#))?;
            link.serve()
        }),
        open("ConnectionDetails that claims a recovery nobody asked for", EITHER, |link| {
            let frame = link.good_details(Recovery::Successful);
            link.send(frame)?;
            link.serve()
        }),
    ]
}

fn absurd() -> Vec<Behaviour> {
    vec![
        open("ConnectionDetails without a body", EITHER, |link| {
            link.frame(&RawFrame::text(r#"[{"type":"ConnectionDetails"}]"#))?;
            link.serve()
        }),
        open("ConnectionDetails whose body is null", EITHER, |link| details(link, "null")),
        open("ConnectionDetails whose body is a number", EITHER, |link| details(link, "12")),
        open("all limits are 0", EITHER, |link| limits(link, "0")),
        open("all limits are negative", EITHER, |link| limits(link, "-1")),
        open("all limits are 2^63", EITHER, |link| limits(link, "9223372036854775808")),
        open("all limits are 1e308", EITHER, |link| limits(link, "1e308")),
        open("all limits are NaN, which is no JSON", UNREADABLE, |link| limits(link, "NaN")),
        open("all limits are strings", EITHER, |link| limits(link, "\"many\"")),
        open("all limits are 1, the life of the connection too", EITHER, |link| limits(link, "1")),
        open("a handle of 1 MB", EITHER, |link| {
            let token = "h".repeat(1_000_000);
            let text = format!(
                r#"[{{"type":"ConnectionDetails","messageId":"c","wsc":{{"token":"{token}","sequence":1}}}},{{}}]"#
            );
            link.frame(&RawFrame::text(text))?;
            link.serve()
        }),
        open("a handle whose sequence is negative", EITHER, |link| {
            let text = r#"[{"type":"ConnectionDetails","wsc":{"token":"h","sequence":-9223372036854775808}},{}]"#;
            link.frame(&RawFrame::text(text))?;
            link.serve()
        }),
        open("ConnectionDetails with a member of 8 MB", EITHER, |link| {
            filled(link, r#"[{"type":"ConnectionDetails","messageId":"c"},{"unknown":""#, 8 << 20, r#""}]"#)?;
            link.serve()
        }),
    ]
}

/// What becomes of a subscription that is asked for.
fn subscriptions() -> Vec<Behaviour> {
    fn answered(link: &mut Link<'_>, status: u16, body: &str) -> io::Result<()> {
        let asked = link.asked(|asked| asked.text.contains("/subscription"))?;
        let id = asked.meta["messageId"].clone();
        link.frame(&RawFrame::text(format!(
            r#"[{{"type":"ClientRequest","messageId":{id},"status":{status}}},{body}]"#
        )))?;
        link.serve()
    }
    const SAID: &[&str] = &["subscribed", "subscription failed", "disconnected", "protocol error", "retry"];
    vec![
        connected("the answer to the subscription never comes", SAID, |link| {
            // Heartbeats are answered, so that the connection lives.
            loop {
                let asked = link.asked(|asked| asked.meta["type"] == "Heartbeat")?;
                link.frame(&RawFrame::text(asked.text))?;
            }
        }),
        // They are held for it, up to `SessionLimits::held_bytes`.
        connected("the answer to the subscription never comes, 60 notifications of 1 MB do", SAID, |link| {
            for n in 0..60 {
                let frame = link.notification(&format!("early {n} {}", "x".repeat(1_000_000)));
                link.send(frame)?;
            }
            link.swallow()
        }),
        connected("the answer to the subscription never ends", SAID, |link| {
            let asked = link.asked(|asked| asked.text.contains("/subscription"))?;
            link.send([0x01, 127, 0, 0, 0, 0, 0x00, 0xf0, 0, 0])?;
            link.send(format!(r#"[{{"type":"ClientRequest","messageId":{},"#, asked.meta["messageId"]))?;
            link.drip([b' '; 1000], SLOWLY)
        }),
        connected("the subscription has no id", SAID, |link| answered(link, 200, "{}")),
        connected("the subscription's id is a number", SAID, |link| answered(link, 200, r#"{"id":7}"#)),
        connected("the subscription's id has 1 MB", SAID, |link| {
            let id = "s".repeat(1_000_000);
            answered(link, 200, &format!(r#"{{"id":"{id}","expiresIn":600}}"#))
        }),
        connected("the subscription expires before it began", SAID, |link| {
            answered(link, 200, r#"{"id":"s","expiresIn":-600,"expirationTime":"1970-01-01T00:00:00.000Z"}"#)
        }),
        connected("the subscription's answer has no body", SAID, |link| answered(link, 204, "null")),
        connected("the subscription is refused with status 0", SAID, |link| answered(link, 0, "{}")),
        connected("the subscription is refused with status 65535", SAID, |link| answered(link, 65_535, "{}")),
    ]
}
