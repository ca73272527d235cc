//! Answers for a WebSocket token that are good HTTP, and bad otherwise.

use std::io;

use ringcentral_ws_conformance::peer::Link;

use super::calls::good_body;
use super::{Behaviour, RETRY, Then, token};

const EITHER: &[&str] = &["connected", "retry "];

fn answer(link: &mut Link<'_>, status: u16, headers: &str, body: &[u8]) -> io::Result<()> {
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\n{headers}Content-Length: {length}\r\n\r\n");
    link.send([head.as_bytes(), body].concat())
}

fn body(link: &mut Link<'_>, body: impl AsRef<[u8]>) -> io::Result<()> {
    answer(link, 200, "", body.as_ref())
}

/// Another address. The answer expires soon: an address that cannot be reached is tried for as long as that, or a minute.
fn uri(link: &mut Link<'_>, uri: &str) -> io::Result<()> {
    let good = format!("ws://{}/ws", link.address());
    let text = good_body(link).replace(&good, uri).replace("600", "1");
    body(link, text)
}

/// A good answer in which this stands in place of that.
fn but(link: &mut Link<'_>, that: &str, this: &str) -> io::Result<()> {
    let good = good_body(link);
    assert!(good.contains(that), "{that}");
    body(link, good.replace(that, this))
}

fn expires(link: &mut Link<'_>, expires: &str) -> io::Result<()> {
    but(link, "600", expires)
}

const fn call(name: &'static str, attack: fn(&mut Link<'_>) -> io::Result<()>) -> Behaviour {
    token(name, RETRY, attack)
}

const fn strange(name: &'static str, attack: fn(&mut Link<'_>) -> io::Result<()>) -> Behaviour {
    token(name, EITHER, attack)
}

/// The settings say which addresses are good; nothing is sent to any other.
const fn forbidden(name: &'static str, attack: fn(&mut Link<'_>) -> io::Result<()>) -> Behaviour {
    token(name, &["retry foreign_uri", "retry insecure_uri"], attack)
}

pub(super) fn all() -> Vec<Behaviour> {
    [values(), addresses(), lives(), tokens(), refusals()].into_iter().flatten().collect()
}

fn values() -> Vec<Behaviour> {
    vec![
        call("a page in place of JSON", |link| body(link, "<html>Sign in to the hotel</html>")),
        call("an empty body", |link| body(link, "")),
        call("an array in place of an object", |link| body(link, "[]")),
        call("null in place of an object", |link| body(link, "null")),
        call("an object that is cut", |link| body(link, r#"{"uri":"ws://"#)),
        call("100,000 brackets", |link| body(link, [b'['; 100_000])),
        call("100,000 objects in each other", |link| body(link, r#"{"a":"#.repeat(100_000))),
        call("bytes that are not UTF-8", |link| body(link, b"{\"uri\":\"\xff\xfe\"}")),
        call("UTF-16", |link| {
            let text: Vec<u8> = good_body(link).bytes().flat_map(|byte| [0, byte]).collect();
            body(link, text)
        }),
        strange("a member twice", |link| but(link, "{", r#"{"ws_access_token":"v","#)),
        strange("a byte order mark before the JSON", |link| {
            let text = good_body(link);
            body(link, format!("\u{feff}{text}"))
        }),
        strange("100,000 members that nobody knows", |link| {
            let members: String = (0..100_000).map(|n| format!("\"m{n}\":{n},")).collect();
            but(link, "{", &format!("{{{members}"))
        }),
    ]
}

fn addresses() -> Vec<Behaviour> {
    vec![
        forbidden("an address with the scheme of files", |link| uri(link, "file:///etc/passwd")),
        forbidden("an address with the scheme of scripts", |link| uri(link, "javascript:alert(1)")),
        forbidden("an address without a host", |link| uri(link, "ws:///ws")),
        call("an empty address", |link| uri(link, "")),
        call("an address with a line feed", |link| uri(link, "ws://127.0.0.1:1/a\\r\\nX: y")),
        call("an address at port 0", |link| uri(link, "ws://127.0.0.1:0/ws")),
        call("an address at port 99999", |link| uri(link, "ws://127.0.0.1:99999/ws")),
        call("an address of 1 MB", |link| {
            let long = format!("ws://{}/{}", link.address(), "a".repeat(1_000_000));
            uri(link, &long)
        }),
        // Hosts that may be named are a matter of the settings; here the name cannot be looked up.
        forbidden("an address at a host that is none", |link| uri(link, "ws://no-such-host.invalid/ws")),
        forbidden("plain ws to another host", |link| uri(link, "ws://192.0.2.1/ws")),
        forbidden("wss to another host", |link| uri(link, "wss://192.0.2.1/ws")),
        forbidden("wss to a host whose name ends like the service's", |link| uri(link, "wss://xringcentral.com/ws")),
        forbidden("wss to a host whose name begins like the service's", |link| {
            uri(link, "wss://ringcentral.com.example/ws")
        }),
        forbidden("wss to another host, with the service's as a user", |link| {
            uri(link, "wss://ringcentral.com@192.0.2.1/ws")
        }),
        strange("an address with a user and a password", |link| {
            let uri_ = format!("ws://user:password@{}/ws", link.address());
            uri(link, &uri_)
        }),
        strange("an address with a fragment and a query", |link| {
            let uri_ = format!("ws://{}/ws?a=b#fragment", link.address());
            uri(link, &uri_)
        }),
    ]
}

fn lives() -> Vec<Behaviour> {
    vec![
        strange("expires_in is 0", |link| expires(link, "0")),
        strange("expires_in is negative", |link| expires(link, "-600")),
        strange("expires_in is 2^64", |link| expires(link, "18446744073709551616")),
        strange("expires_in is 1e308", |link| expires(link, "1e308")),
        strange("expires_in is 1e999999", |link| expires(link, "1e999999")),
        strange("expires_in has 100,000 digits", |link| {
            let digits = "9".repeat(100_000);
            expires(link, &digits)
        }),
        strange("expires_in is a float", |link| expires(link, "600.5")),
        strange("expires_in is a string", |link| expires(link, "\"600\"")),
        strange("expires_in is null", |link| expires(link, "null")),
    ]
}

fn tokens() -> Vec<Behaviour> {
    fn token(link: &mut Link<'_>, token: &str) -> io::Result<()> {
        but(link, "\"w\"", token)
    }
    vec![
        strange("an empty token", |link| token(link, "\"\"")),
        strange("a token that is a number", |link| token(link, "12")),
        call("a token of 1 MB", |link| {
            let text = good_body(link).replace("\"w\"", &format!("\"{}\"", "t".repeat(1_000_000)));
            body(link, text.replace("600", "1"))
        }),
        strange("a token with line feeds, & and #", |link| token(link, r#""a\r\nX: y&wsc=b#c""#)),
    ]
}

fn refusals() -> Vec<Behaviour> {
    fn limited(link: &mut Link<'_>, status: u16, after: &str) -> io::Result<()> {
        answer(link, status, &format!("Retry-After: {after}\r\n"), b"{}")
    }
    vec![
        token("401 for ever", &["retry ", "waiting ", "closed "], |link| {
            answer(link, 401, "", br#"{"errorCode":"TokenInvalid"}"#)
        })
        .then(Then::Waits),
        token("403", &["closed "], |link| answer(link, 403, "", br#"{"errorCode":"CMN-401"}"#)).then(Then::Ends),
        call("404", |link| answer(link, 404, "", b"{}")),
        call("500 with a page of 1 MB", |link| {
            let page = "<p>".repeat(350_000);
            answer(link, 500, "", page.as_bytes())
        }),
        token("Retry-After is 2^64", &["retry "], |link| limited(link, 429, "18446744073709551616")).then(Then::Waits),
        token("Retry-After is 1000 years", &["retry "], |link| limited(link, 503, "31536000000")).then(Then::Waits),
        token("Retry-After is a date in the year 9999", &["retry "], |link| {
            limited(link, 429, "Fri, 31 Dec 9999 23:59:59 GMT")
        })
        .then(Then::Waits),
        call("Retry-After is negative", |link| limited(link, 429, "-5")),
        call("Retry-After is a date that has passed", |link| limited(link, 503, "Thu, 01 Jan 1970 00:00:00 GMT")),
        call("Retry-After is no date", |link| limited(link, 429, "Fri, 99 Foo 2099 99:99:99 GMT")),
        call("rate limits that make no sense", |link| {
            let headers = "X-Rate-Limit-Limit: -1\r\nX-Rate-Limit-Remaining: 1e9\r\nX-Rate-Limit-Window: NaN\r\n";
            answer(link, 500, headers, b"{}")
        }),
        strange("a good answer with a limit of 0 calls a minute", |link| {
            let text = good_body(link);
            let headers = "X-Rate-Limit-Group: auth\r\nX-Rate-Limit-Limit: 0\r\nX-Rate-Limit-Remaining: 0\r\n\
                           X-Rate-Limit-Window: 60\r\n";
            answer(link, 200, headers, text.as_bytes())
        })
        .then(Then::Waits),
    ]
}
