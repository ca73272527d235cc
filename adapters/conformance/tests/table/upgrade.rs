//! Answers to the request for a WebSocket.

use std::io;

use ringcentral_ws_conformance::peer::{Link, RawFrame, Recovery, opcode};

use super::{Behaviour, RETRY, SLOWLY, Then, upgrade_asked};

/// A good answer in which this stands in place of that.
fn but(link: &mut Link<'_>, that: &str, this: &str) -> io::Result<()> {
    let good = String::from_utf8(link.upgrade()).expect("it is text");
    assert!(good.contains(that), "{that}");
    link.send(good.replace(that, this))?;
    link.hold()
}

/// Further headers.
fn with(link: &mut Link<'_>, headers: &str) -> io::Result<()> {
    but(link, "Upgrade: websocket\r\n", &format!("Upgrade: websocket\r\n{headers}"))
}

fn refusal(link: &mut Link<'_>, status: &str, headers: &str, body: &str) -> io::Result<()> {
    link.send(format!("HTTP/1.1 {status}\r\n{headers}Content-Length: {}\r\n\r\n{body}", body.len()))
}

const fn asked(name: &'static str, attack: fn(&mut Link<'_>) -> io::Result<()>) -> Behaviour {
    upgrade_asked(name, RETRY, attack)
}

pub(super) fn all() -> Vec<Behaviour> {
    [heads(), forms(), refusals(), at_once()].into_iter().flatten().collect()
}

fn heads() -> Vec<Behaviour> {
    vec![
        asked("never answers the upgrade", |link| link.swallow()),
        asked("resets at the upgrade", |link| link.reset()),
        asked("half an answer to the upgrade, and silence", |link| {
            let answer = link.upgrade();
            link.send(&answer[..60])?;
            link.hold()
        }),
        asked("half an answer to the upgrade, and the end", |link| {
            let answer = link.upgrade();
            link.send(&answer[..60])
        }),
        asked("an answer to the upgrade a byte at a time, slowly", |link| {
            let answer = link.upgrade();
            link.drip(answer, SLOWLY)
        }),
        asked("headers of the upgrade without end", |link| {
            link.send("HTTP/1.1 101 Switching Protocols\r\n")?;
            link.flood("X-Header: value\r\n")
        }),
        asked("a header of the upgrade without end", |link| {
            link.send("HTTP/1.1 101 Switching Protocols\r\nX: ")?;
            link.flood("x")
        }),
        asked("bytes that are no HTTP without end", |link| link.flood([0xff, 0])),
        asked("provisional answers to the upgrade without end", |link| link.flood("HTTP/1.1 103 Early Hints\r\n\r\n")),
    ]
}

fn forms() -> Vec<Behaviour> {
    vec![
        asked("a wrong Sec-WebSocket-Accept", |link| but(link, "Accept: ", "Accept: x")),
        asked("no Sec-WebSocket-Accept", |link| but(link, "Sec-WebSocket-Accept", "X")),
        asked("no Connection header", |link| but(link, "Connection: Upgrade", "X: y")),
        asked("an upgrade to h2c", |link| but(link, "Upgrade: websocket", "Upgrade: h2c")),
        asked("101 in HTTP/1.0", |link| but(link, "HTTP/1.1", "HTTP/1.0")),
        asked("200 in place of 101", |link| but(link, "101", "200")),
        // It may be taken: then its compressed frames cannot be read, and ConnectionDetails never comes.
        asked("an extension that nobody offered", |link| {
            with(link, "Sec-WebSocket-Extensions: permessage-deflate\r\n")
        }),
        asked("a subprotocol that nobody offered", |link| with(link, "Sec-WebSocket-Protocol: mqtt\r\n")),
    ]
}

fn refusals() -> Vec<Behaviour> {
    vec![
        asked("200 with a page without end", |link| {
            link.send("HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n")?;
            link.flood("<p>")
        }),
        asked("a redirect of the upgrade to elsewhere", |link| {
            let to = format!("Location: http://{}/elsewhere\r\n", link.address());
            refusal(link, "302 Found", &to, "")
        }),
        asked("401 that quotes the query", |link| {
            let query = link.opening().query.clone();
            refusal(link, "401 Unauthorized", &format!("WWW-Authenticate: {query}\r\n"), &query)
        }),
        asked("403 of the upgrade", |link| refusal(link, "403 Forbidden", "", "")),
        asked("426 of the upgrade", |link| refusal(link, "426 Upgrade Required", "Upgrade: TLS/1.3\r\n", "")),
        asked("503 of the upgrade", |link| refusal(link, "503 Unavailable", "", "")),
        asked("429 of the upgrade, Retry-After is 2^64", |link| {
            refusal(link, "429 Many", "Retry-After: 18446744073709551616\r\n", "")
        })
        .then(Then::Waits),
    ]
}

/// What comes in one segment with the answer.
fn at_once() -> Vec<Behaviour> {
    vec![
        upgrade_asked("frames in the segment of the answer", &["connected fresh"], |link| {
            let ping = RawFrame::new(opcode::PING, "p").bytes();
            let bytes = [link.upgrade(), ping, link.good_details(Recovery::Fresh)].concat();
            link.send(bytes)?;
            link.serve()
        }),
        upgrade_asked("bytes that are no frames in the segment of the answer", &["protocol error Transport"], |link| {
            let bytes = [link.upgrade(), vec![0xff; 1000]].concat();
            link.send(bytes)?;
            link.hold()
        }),
        asked("an open WebSocket that ends at once", |link| {
            let bytes = link.upgrade();
            link.send(bytes)
        }),
        asked("an open WebSocket that is reset at once", |link| {
            let bytes = link.upgrade();
            link.send(bytes)?;
            link.reset()
        }),
        upgrade_asked("an answer, ConnectionDetails and the end in a segment", &["connected fresh"], |link| {
            let bytes = [link.upgrade(), link.good_details(Recovery::Fresh)].concat();
            link.send(bytes)
        }),
    ]
}
