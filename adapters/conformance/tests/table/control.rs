//! Control frames on a live connection.

use std::io;
use std::time::Duration;

use ringcentral_ws_conformance::peer::{Link, RawFrame, opcode};

use super::{Behaviour, GAP, GONE, HARMLESS, go_on, live, only};

const EITHER: &[&str] = &["disconnected", "gap unreadable_frame"];

pub(super) fn all() -> Vec<Behaviour> {
    [pings(), closes()].into_iter().flatten().collect()
}

fn pings() -> Vec<Behaviour> {
    vec![
        live("a ping of 126 bytes", GAP, |link| only(link, &RawFrame::new(opcode::PING, [b'p'; 126]))),
        live("a ping of 2^62 bytes", GAP, |link| only(link, &RawFrame::new(opcode::PING, "p").claiming(1 << 62))),
        live("a fragmented ping", GAP, |link| only(link, &RawFrame::new(opcode::PING, "p").unfinished())),
        live("a pong of 1 MB", GAP, |link| only(link, &RawFrame::new(opcode::PONG, vec![b'p'; 1_000_000]))),
        live("a pong with reserved bits", GAP, |link| only(link, &RawFrame::new(opcode::PONG, "p").rsv(1))),
        live("a flood of pings, whose answers nobody reads", GONE, |link| {
            link.flood(RawFrame::new(opcode::PING, [b'p'; 125]).bytes())
        }),
        live("10,000 pings, whose answers are read", HARMLESS, |link| {
            let pings = RawFrame::new(opcode::PING, "p").bytes().repeat(500);
            for _ in 0..20 {
                link.send(&pings)?;
                link.serve_for(Duration::from_millis(2))?;
            }
            go_on(link)
        }),
        live("100,000 empty pings, whose answers nobody reads", &["notification uuid-after", "disconnected"], |link| {
            let pings = RawFrame::new(opcode::PING, "").bytes().repeat(1000);
            (0..100).try_for_each(|_| link.send(&pings))?;
            let after = link.notification("after");
            link.send(after)?;
            link.hold()
        }),
        live("100,000 pongs that nobody asked for", HARMLESS, |link| {
            let pongs = RawFrame::new(opcode::PONG, "p").bytes().repeat(1000);
            (0..100).try_for_each(|_| link.send(&pongs))?;
            go_on(link)
        }),
    ]
}

fn closes() -> Vec<Behaviour> {
    fn close(link: &mut Link<'_>, payload: &[u8]) -> io::Result<()> {
        only(link, &RawFrame::new(opcode::CLOSE, payload))
    }
    vec![
        live("a close frame of 1 byte", EITHER, |link| close(link, &[3])),
        live("a close frame without a code", GONE, |link| close(link, &[])),
        live("a close reason that is not UTF-8", EITHER, |link| close(link, &[3, 0xe8, 0xff, 0xfe])),
        live("close code 0", EITHER, |link| close(link, &[0, 0])),
        live("close code 999", EITHER, |link| close(link, &999_u16.to_be_bytes())),
        live("close code 1005, which nobody may send", EITHER, |link| close(link, &1005_u16.to_be_bytes())),
        live("close code 5000", EITHER, |link| close(link, &5000_u16.to_be_bytes())),
        live("close code 65535", EITHER, |link| close(link, &[0xff, 0xff])),
        live("a fragmented close frame", EITHER, |link| {
            only(link, &RawFrame::new(opcode::CLOSE, [3, 0xe8]).unfinished())
        }),
        live("a close frame of 126 bytes", EITHER, |link| close(link, &[b'x'; 126])),
        live("a close reason with the codes of a terminal", GONE, |link| {
            close(link, b"\x03\xe8\x1b]0;title\x07\x1b[2J\xe2\x80\xae")
        }),
        live("a close frame, and the socket stays open for ever", GONE, |link| {
            link.frame(&RawFrame::close(1001, "going"))?;
            link.swallow()
        }),
        live("a close frame, and a flood behind it", GONE, |link| {
            link.frame(&RawFrame::close(1001, "going"))?;
            let text = link.notification("behind");
            link.flood(text)
        }),
        live("a close frame for each close frame", GONE, |link| link.flood(RawFrame::close(1000, "").bytes())),
    ]
}
