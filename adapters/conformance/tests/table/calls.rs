//! Answers to a call that are no good HTTP.

use std::io;

use ringcentral_ws_conformance::peer::Link;

use super::{App, Behaviour, RETRY, SLOWLY, token};

const HEAD: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

/// An answer with these further headers and this body.
fn answer(link: &mut Link<'_>, headers: &str, body: &[u8]) -> io::Result<()> {
    link.send([HEAD, headers.as_bytes(), b"\r\n", body].concat())
}

/// A good answer, but for these headers.
fn good(link: &mut Link<'_>, headers: &str) -> io::Result<()> {
    let body = good_body(link);
    answer(link, headers, body.as_bytes())
}

pub(super) fn good_body(link: &Link<'_>) -> String {
    format!(r#"{{"uri":"ws://{}/ws","ws_access_token":"w","expires_in":600}}"#, link.address())
}

const fn call(name: &'static str, attack: fn(&mut Link<'_>) -> io::Result<()>) -> Behaviour {
    token(name, RETRY, attack)
}

/// The same, with a good body in a strange dress: whether it is taken or refused, it is said.
const fn strange(name: &'static str, attack: fn(&mut Link<'_>) -> io::Result<()>) -> Behaviour {
    token(name, &["connected", "retry "], attack)
}

/// A gzip member, without its end, whose text is `x` for ever: the compressed form repeats after 13 bytes.
fn bomb() -> (Vec<u8>, Vec<u8>) {
    // A block with fixed codes, the letter, and then copies of 258 bytes from one byte back: `11000101` and `00000`.
    let letter = [false, true, false, true, false, true, false, true, false, false, false];
    let copy = [true, true, false, false, false, true, false, true, false, false, false, false, false];
    let bits = letter.into_iter().chain(copy.into_iter().cycle());
    let pack = |bits: &[bool]| bits.iter().enumerate().fold(0, |byte, (at, bit)| byte | u8::from(*bit) << at);
    let bits: Vec<bool> = bits.take(8 * (13 + 13)).collect();
    let bytes: Vec<u8> = bits.chunks(8).map(pack).collect();
    let head = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    ([&head, &bytes[..13]].concat(), bytes[13..].to_vec())
}

/// An empty gzip member.
const EMPTY_MEMBER: [u8; 20] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0];

pub(super) fn all() -> Vec<Behaviour> {
    [slow(), endless(), lengths(), chunks(), packed(), redirects(), odd()].into_iter().flatten().collect()
}

fn slow() -> Vec<Behaviour> {
    vec![
        call("resets the connection", |link| link.reset()),
        call("ends the connection without an answer", |_| Ok(())),
        call("reads all and never answers", |link| link.swallow()),
        call("does not even read", |link| link.hold()),
        call("answers a byte at a time, slowly", |link| {
            let text = [HEAD, b"Content-Length: 1000\r\n\r\n", &[b' '; 1000]].concat();
            link.drip(text, SLOWLY)
        }),
        call("sends the head, and never the body", |link| {
            answer(link, "Content-Length: 1000\r\n", b"")?;
            link.hold()
        }),
        call("sends the body a byte at a time, slowly", |link| {
            answer(link, "Content-Length: 1000\r\n", b"")?;
            link.drip([b' '; 1000], SLOWLY)
        }),
    ]
}

fn endless() -> Vec<Behaviour> {
    vec![
        call("a status line without end", |link| {
            link.send("HTTP/1.1 200 ")?;
            link.flood("O")
        }),
        call("a header without end", |link| {
            link.send([HEAD, b"X: "].concat())?;
            link.flood("x")
        }),
        call("headers without end", |link| {
            link.send(HEAD)?;
            link.flood("X-Header: value\r\n")
        }),
        call("empty lines without end", |link| link.flood("\r\n")),
        call("provisional answers without end", |link| link.flood("HTTP/1.1 103 Early Hints\r\n\r\n")),
        call("a body without end and without a length", |link| {
            answer(link, "Connection: close\r\n", b"{")?;
            link.flood(" ")
        }),
        call("a body of 100 GB, as its length says", |link| {
            answer(link, "Content-Length: 100000000000\r\n", b"{")?;
            link.flood(" ")
        }),
        call("a body of 16 MiB of blanks", |link| {
            answer(link, "Content-Length: 16777216\r\n", b"")?;
            link.fill(b' ', 16 << 20)
        }),
    ]
}

fn lengths() -> Vec<Behaviour> {
    vec![
        call("Content-Length is too long", |link| good(link, "Content-Length: 4000\r\n")),
        call("Content-Length is too short", |link| good(link, "Content-Length: 10\r\n")),
        call("two Content-Lengths that differ", |link| good(link, "Content-Length: 10\r\nContent-Length: 4000\r\n")),
        call("Content-Length is negative", |link| good(link, "Content-Length: -1\r\n")),
        call("Content-Length is 2^64", |link| good(link, "Content-Length: 18446744073709551616\r\n")),
        call("Content-Length is 2^64 - 1", |link| {
            good(link, "Content-Length: 18446744073709551615\r\n")?;
            link.hold()
        }),
        call("Content-Length is no number", |link| good(link, "Content-Length: ten\r\n")),
        strange("Content-Length and chunks", |link| {
            let body = good_body(link);
            let chunks = format!("{:x}\r\n{body}\r\n0\r\n\r\n", body.len());
            answer(link, "Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", chunks.as_bytes())
        }),
    ]
}

fn chunks() -> Vec<Behaviour> {
    const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
    vec![
        call("a chunk of 2^64 - 1 bytes", |link| {
            answer(link, CHUNKED, b"FFFFFFFFFFFFFFFF\r\n")?;
            link.flood(" ")
        }),
        call("a chunk size of more than 64 bits", |link| {
            answer(link, CHUNKED, b"FFFFFFFFFFFFFFFFFFFFFFFF\r\n{")?;
            link.hold()
        }),
        call("a chunk size without end", |link| {
            answer(link, CHUNKED, b"")?;
            link.flood("0")
        }),
        call("a chunk size that is no number", |link| answer(link, CHUNKED, b"zz\r\n{}\r\n0\r\n\r\n")),
        call("a negative chunk size", |link| answer(link, CHUNKED, b"-2\r\n{}\r\n0\r\n\r\n")),
        call("chunks of a byte without end", |link| {
            answer(link, CHUNKED, b"1\r\n{\r\n")?;
            link.flood("1\r\n \r\n")
        }),
        call("a chunk extension without end", |link| {
            answer(link, CHUNKED, b"2;a=")?;
            link.flood("x")
        }),
        call("trailers without end", |link| {
            let body = good_body(link);
            answer(link, CHUNKED, format!("{:x}\r\n{body}\r\n0\r\n", body.len()).as_bytes())?;
            link.flood("X-Trailer: value\r\n")
        }),
        call("a last chunk that never comes", |link| {
            let body = good_body(link);
            answer(link, CHUNKED, format!("{:x}\r\n{body}\r\n", body.len()).as_bytes())?;
            link.hold()
        }),
        call("an unknown transfer encoding", |link| {
            good(link, "Transfer-Encoding: rot13\r\n")?;
            link.hold()
        }),
    ]
}

fn packed() -> Vec<Behaviour> {
    vec![
        call("a gzip bomb without end", |link| {
            let (start, rest) = bomb();
            answer(link, "Content-Encoding: gzip\r\nConnection: close\r\n", &start)?;
            link.flood(rest)
        }),
        call("a gzip bomb of 300 MiB in 1 MiB", |link| {
            let (start, rest) = bomb();
            answer(link, "Content-Encoding: gzip\r\nConnection: close\r\n", &start)?;
            // 2064 bytes in each 13.
            let some = rest.repeat(1000);
            (0..152).try_for_each(|_| link.send(&some))
        }),
        call("gzip of 500,000 members", |link| {
            answer(link, "Content-Encoding: gzip\r\nConnection: close\r\n", b"")?;
            let some = EMPTY_MEMBER.repeat(5000);
            (0..100).try_for_each(|_| link.send(&some))
        }),
        call("gzip that is none", |link| good(link, "Content-Encoding: gzip\r\nConnection: close\r\n")),
        call("gzip that is cut", |link| answer(link, "Content-Encoding: gzip\r\nConnection: close\r\n", &bomb().0)),
        call("an encoding that was not asked for", |link| {
            answer(link, "Content-Encoding: br\r\nConnection: close\r\n", &[0x8b, 0x02, 0x80, 0x7b, 0x7d, 0x03])
        }),
    ]
}

fn redirects() -> Vec<Behaviour> {
    fn redirect(link: &mut Link<'_>, status: &str, to: &str) -> io::Result<()> {
        link.send(format!("HTTP/1.1 {status} Moved\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n"))
    }
    vec![
        call("301 to elsewhere", |link| redirect(link, "301", "/elsewhere")),
        call("302 to itself", |link| redirect(link, "302", "/restapi/oauth/wstoken")),
        call("307 to elsewhere, which would carry the token", |link| {
            let to = format!("http://{}/elsewhere", link.address());
            redirect(link, "307", &to)
        }),
        call("308 to a file", |link| redirect(link, "308", "file:///etc/passwd")),
    ]
}

fn odd() -> Vec<Behaviour> {
    vec![
        call("no HTTP but text", |link| link.send("SSH-2.0-OpenSSH_9.6\r\n")),
        call("HTTP/0.9: a body and nothing else", |link| {
            let body = good_body(link);
            link.send(body)
        }),
        call("HTTP/2's preface", |link| {
            link.send(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\xff")
        }),
        call("status 99", |link| link.send("HTTP/1.1 99 X\r\nContent-Length: 0\r\n\r\n")),
        call("status 999", |link| link.send("HTTP/1.1 999 X\r\nContent-Length: 0\r\n\r\n")),
        call("101 to a call", |link| {
            link.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")?;
            link.hold()
        }),
        call("204 with a body", |link| {
            let body = good_body(link);
            link.send(format!("HTTP/1.1 204 No Content\r\nContent-Length: {}\r\n\r\n{body}", body.len()))
        }),
        call("a NUL in a header", |link| good(link, "X: a\0b\r\nConnection: close\r\n")),
        call("a header without a colon", |link| good(link, "nonsense\r\nConnection: close\r\n")),
        strange("a carriage return in a header", |link| good(link, "X: a\rSet-Cookie: b\r\nConnection: close\r\n")),
        strange("lines that end in a line feed alone", |link| {
            let body = good_body(link);
            link.send(format!("HTTP/1.1 200 OK\nContent-Length: {}\n\n{body}", body.len()))
        }),
        strange("a folded header", |link| good(link, "X: a\r\n b\r\nConnection: close\r\n")),
        strange("a second answer behind the first", |link| {
            let body = good_body(link);
            let one = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len());
            link.send(one.repeat(2))?;
            link.swallow()
        }),
        strange("an answer before the request was read, and an end", |link| good(link, "Connection: close\r\n")),
        strange("200 headers, each of 300 bytes", |link| {
            let headers: String = (0..200).map(|n| format!("X-{n}: {}\r\n", "x".repeat(290))).collect();
            good(link, &format!("{headers}Connection: close\r\n"))
        }),
    ]
    .into_iter()
    .map(|behaviour| behaviour.while_it(App::Listens))
    .collect()
}
