//! Messages on a live connection that are good frames, and bad otherwise.

use std::io;

use ringcentral_ws_conformance::peer::{Asked, Link, RawFrame, notification};

use super::{App, Behaviour, GAP, HARMLESS, SLOWLY, filled, go_on, live};

/// Nobody knows what it was, and it was not a notification.
const EITHER: &[&str] = &["gap unreadable_frame", "notification uuid-after"];

/// This message, and then a good one.
fn one(link: &mut Link<'_>, text: impl Into<Vec<u8>>) -> io::Result<()> {
    link.frame(&RawFrame::text(text))?;
    go_on(link)
}

/// This message so many times, and then a good one.
fn many(link: &mut Link<'_>, text: &str, count: usize) -> io::Result<()> {
    let frames = RawFrame::text(text).bytes().repeat(100);
    (0..count / 100).try_for_each(|_| link.send(&frames))?;
    go_on(link)
}

/// The text of a good notification in which this stands in place of that.
fn but(link: &mut Link<'_>, that: &str, this: &str) -> io::Result<()> {
    let good = notification("subscription-1", "lost");
    assert!(good.contains(that), "{that}");
    one(link, good.replace(that, this))
}

/// A notification with a body of so many bytes, written in pieces.
fn large(link: &mut Link<'_>, subject: &str, size: usize) -> io::Result<()> {
    let good = notification("subscription-1", subject);
    let (start, end) = good.split_at(good.find("\"body\":{").expect("a body") + 8);
    filled(link, &format!("{start}\"filler\":\""), size, &format!("\",{end}"))
}

pub(super) fn all() -> Vec<Behaviour> {
    [shapes(), notifications(), floods(), heartbeats(), replies(), odd_replies()].into_iter().flatten().collect()
}

fn shapes() -> Vec<Behaviour> {
    vec![
        live("an empty message", GAP, |link| one(link, "")),
        live("an empty array", GAP, |link| one(link, "[]")),
        live("null", GAP, |link| one(link, "null")),
        live("an array of nulls", GAP, |link| one(link, "[null,null]")),
        live("an object in place of an array", GAP, |link| one(link, r#"{"type":"ServerNotification"}"#)),
        live("a number of a million digits", GAP, |link| one(link, vec![b'9'; 1_000_000])),
        live("a message of 100,000 brackets", GAP, |link| one(link, vec![b'['; 100_000])),
        live("JSON that is cut", GAP, |link| {
            let good = notification("subscription-1", "lost");
            one(link, &good[..good.len() - 9])
        }),
        live("text behind the JSON", GAP, |link| {
            let good = notification("subscription-1", "lost");
            one(link, format!("{good} {good}"))
        }),
        live("messages that are no JSON without end", GAP, |link| link.flood(RawFrame::text("x").bytes())),
        live("an unknown type of message", HARMLESS, |link| one(link, r#"[{"type":"Surprise"},{}]"#)),
        live("a message without a type", EITHER, |link| one(link, "[{},{}]")),
        live("a type that is a number", EITHER, |link| one(link, r#"[{"type":7},{}]"#)),
        live("an unknown type of 1 MB", HARMLESS, |link| {
            one(link, format!(r#"[{{"type":"{}"}},{{}}]"#, "T".repeat(1_000_000)))
        }),
        live("ConnectionDetails again", EITHER, |link| {
            let frame = link.good_details(ringcentral_ws_conformance::peer::Recovery::Fresh);
            link.send(frame)?;
            go_on(link)
        }),
        live("Error on a live connection", &["protocol error", "disconnected"], |link| {
            one(link, r#"[{"type":"Error","messageId":"e","status":500},{"errorCode":"WSG-901","message":"m"}]"#)
        }),
    ]
}

fn notifications() -> Vec<Behaviour> {
    vec![
        live("a notification without a body", EITHER, |link| one(link, r#"[{"type":"ServerNotification"}]"#)),
        live("a notification of three elements", EITHER, |link| {
            let good = notification("subscription-1", "lost");
            one(link, format!("{},{{}}]", &good[..good.len() - 1]))
        }),
        live("a notification with 100,000 brackets", GAP, |link| {
            let deep = format!("\"body\":{}", "[".repeat(100_000));
            but(link, "\"body\":", &deep)
        }),
        live("a notification with 100,000 arrays in each other", EITHER, |link| {
            let deep = format!("\"body\":{}{},\"b\":", "[".repeat(100_000), "]".repeat(100_000));
            but(link, "\"body\":", &deep)
        }),
        live("a uuid of 1 MB", EITHER, |link| {
            let uuid = "u".repeat(1_000_000);
            but(link, "uuid-lost", &uuid)
        }),
        live("a uuid that is a number", EITHER, |link| but(link, "\"uuid-lost\"", "12")),
        live("a uuid with the codes of a terminal", &["notification"], |link| {
            but(link, "uuid-lost", r"\u001b[2J\u202e\u0000")
        }),
        live("half a surrogate", EITHER, |link| but(link, "uuid-lost", r"\ud800")),
        live("a subscription id of 1 MB", HARMLESS, |link| {
            let id = "s".repeat(1_000_000);
            but(link, "\"subscription-1\"", &format!("\"{id}\""))
        }),
        live("the id of another subscription", HARMLESS, |link| but(link, "\"subscription-1\"", "\"other\"")),
        live("a timestamp that is none", &["notification"], |link| but(link, "2025-01-01T", "9999-99-99T")),
        live("a notification's handle of 1 MB", &["notification"], |link| {
            let wsc = format!(r#""wsc":{{"token":"{}","sequence":9}},"status":200"#, "h".repeat(1_000_000));
            but(link, "\"status\":200", &wsc)
        }),
        live("1,000,000 headers", &["notification", "gap unreadable_frame"], |link| {
            let good = notification("subscription-1", "lost");
            let (start, end) = good.split_at(good.find("\"RCRequestId").expect("a header"));
            let header = |n: usize| format!("\"h{n:07}\":\"\",");
            let length = start.len() + 1_000_000 * header(0).len() + end.len();
            link.send(RawFrame::text("").claiming(length as u64).bytes())?;
            link.send(start)?;
            for thousand in 0..1000 {
                link.send((0..1000).map(|n| header(1000 * thousand + n)).collect::<String>())?;
            }
            link.send(end)?;
            go_on(link)
        }),
    ]
}

fn floods() -> Vec<Behaviour> {
    vec![
        live("four notifications of 15 MiB, and nobody takes them", &["notification uuid-n3"], |link| {
            (0..4).try_for_each(|n| large(link, &format!("n{n}"), 15 << 20))?;
            link.serve()
        })
        .while_it(App::Sleeps(1500)),
        live("100,000 notifications, and nobody takes them", &["notification uuid-9999"], |link| {
            for n in 0..100_000 {
                let frame = link.notification(&n.to_string());
                link.send(frame)?;
            }
            link.serve()
        })
        .while_it(App::Sleeps(1000)),
        live("the same notification without end", &["notification uuid-same"], |link| {
            let frame = link.notification("same");
            link.flood(frame)
        }),
        // What means nothing is counted (`Stats`), and reported to nobody; what comes behind it comes through.
        live("20,000 notifications of another subscription", HARMLESS, |link| {
            many(link, &notification("other", "x"), 20_000)
        }),
        live("20,000 messages of an unknown type", HARMLESS, |link| many(link, r#"[{"type":"Surprise"},{}]"#, 20_000)),
    ]
}

fn heartbeats() -> Vec<Behaviour> {
    const fn beat(
        name: &'static str,
        expect: &'static [&'static str],
        attack: fn(&mut Link<'_>) -> io::Result<()>,
    ) -> Behaviour {
        live(name, expect, attack)
    }
    fn heartbeat(link: &mut Link<'_>) -> io::Result<Asked> {
        link.asked(|asked| asked.meta["type"] == "Heartbeat")
    }
    vec![
        beat("heartbeats that are never answered", &["disconnected"], |link| {
            loop {
                heartbeat(link)?;
            }
        }),
        beat("a heartbeat answered with another id", EITHER, |link| {
            heartbeat(link)?;
            one(link, r#"[{"type":"Heartbeat","messageId":"another"}]"#)
        }),
        beat("a heartbeat answered 10,000 times", HARMLESS, |link| {
            let asked = heartbeat(link)?;
            many(link, &asked.text, 10_000)
        }),
        beat("20,000 heartbeats of the server's own", HARMLESS, |link| {
            many(link, r#"[{"type":"Heartbeat","messageId":"s"}]"#, 20_000)
        }),
    ]
}

fn request(link: &mut Link<'_>) -> io::Result<Asked> {
    link.asked(|asked| asked.meta["type"] == "ClientRequest")
}
fn reply(link: &mut Link<'_>, meta: &str, body: &str) -> io::Result<()> {
    let id = request(link)?.meta["messageId"].clone();
    let meta = meta.replace("ID", &id.to_string());
    link.frame(&RawFrame::text(format!(r#"[{{"type":"ClientRequest",{meta}}},{body}]"#)))?;
    link.serve()
}
const ANSWER: &[&str] = &["answer ", "request "];

/// Replies to requests over the socket: too few, too many, too slow.
fn replies() -> Vec<Behaviour> {
    vec![
        live("a reply that nobody asked for", HARMLESS, |link| {
            one(link, r#"[{"type":"ClientRequest","messageId":"nobody","status":200},{}]"#)
        }),
        live("20,000 replies that nobody asked for", HARMLESS, |link| {
            many(link, r#"[{"type":"ClientRequest","messageId":"n","status":200},{}]"#, 20_000)
        }),
        live("a request that is never answered", &["request ", "answer 404"], |link| {
            loop {
                let asked = link.asked(|asked| asked.meta["type"] == "Heartbeat")?;
                link.frame(&RawFrame::text(asked.text))?;
            }
        })
        .while_it(App::Asks),
        live("a reply with another id", &["request ", "answer 404"], |link| {
            reply(link, r#""messageId":"x","status":200"#, "{}")
        })
        .while_it(App::Asks),
        live("a reply ten times", ANSWER, |link| {
            let asked = request(link)?;
            let frames = asked.reply(200, None).repeat(10);
            link.send(frames)?;
            link.serve()
        })
        .while_it(App::Asks),
        live("a reply a byte at a time, slowly", ANSWER, |link| {
            let asked = request(link)?;
            link.drip(asked.reply(200, None), SLOWLY)
        })
        .while_it(App::Asks),
    ]
}

/// Replies that make no sense.
fn odd_replies() -> Vec<Behaviour> {
    vec![
        live("a reply without a status", ANSWER, |link| reply(link, "\"messageId\":ID", "{}")).while_it(App::Asks),
        live("a reply of status -1", ANSWER, |link| reply(link, r#""messageId":ID,"status":-1"#, "{}"))
            .while_it(App::Asks),
        live("a reply of status 2^64", ANSWER, |link| {
            reply(link, r#""messageId":ID,"status":18446744073709551616"#, "{}")
        })
        .while_it(App::Asks),
        live("a reply with 100,000 headers", ANSWER, |link| {
            let headers: String = (0..100_000).map(|n| format!("\"h{n}\":\"v\",")).collect();
            reply(link, &format!(r#""messageId":ID,"status":200,"headers":{{{headers}"z":"z"}}"#), "{}")
        })
        .while_it(App::Asks),
        live("a reply whose headers have line feeds", ANSWER, |link| {
            reply(link, r#""messageId":ID,"status":200,"headers":{"a\r\nb":"c\r\nd","e":["f"]}"#, "{}")
        })
        .while_it(App::Asks),
        live("a reply of several parts without their end", ANSWER, |link| {
            let id = request(link)?.meta["messageId"].clone();
            let text = format!(r#"[{{"type":"ClientRequest","messageId":{id},"status":200}},--Boundary"#);
            link.frame(&RawFrame::text(text))?;
            link.serve()
        })
        .while_it(App::Asks),
    ]
}
