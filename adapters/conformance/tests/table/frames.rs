//! Frames of messages on a live connection, and TCP below them.

use std::time::Duration;

use ringcentral_ws_conformance::peer::{Link, RawFrame, Width, opcode};

use super::{App, Behaviour, GAP, GONE, HARMLESS, SLOWLY, go_on, live, only};

/// A text message that is a notification.
fn text(link: &Link<'_>) -> Vec<u8> {
    // Behind the header, which has the length in two bytes.
    link.notification("lost")[4..].to_vec()
}

pub(super) fn all() -> Vec<Behaviour> {
    [unreadable(), unfinished(), sizes(), ends(), requests()].into_iter().flatten().collect()
}

fn unreadable() -> Vec<Behaviour> {
    vec![
        live("a masked frame", GAP, |link| {
            let frame = RawFrame::text(text(link)).masked([1, 2, 3, 4]);
            only(link, &frame)
        }),
        live("a compressed frame, though nobody agreed", GAP, |link| {
            let frame = RawFrame::text(text(link)).rsv(4);
            only(link, &frame)
        }),
        live("a reserved opcode", GAP, |link| only(link, &RawFrame::new(3, "x"))),
        live("a reserved control opcode", GAP, |link| only(link, &RawFrame::new(0xf, "x"))),
        live("text that is not UTF-8", GAP, |link| only(link, &RawFrame::text(b"\xc3\x28".repeat(100)))),
        live("a binary message", GAP, |link| only(link, &RawFrame::new(opcode::BINARY, [0; 100]))),
        live("binary messages without end", GAP, |link| link.flood(RawFrame::new(opcode::BINARY, "x").bytes())),
        live("a continuation of nothing", GAP, |link| only(link, &RawFrame::new(opcode::CONTINUATION, "x"))),
        live("a message within a message", GAP, |link| {
            link.frame(&RawFrame::text("[").unfinished())?;
            only(link, &RawFrame::text("[]"))
        }),
        live("random bytes", GAP, |link| {
            let mut random = fastrand::Rng::with_seed(1);
            loop {
                let mut bytes = vec![0; 4096];
                random.fill(&mut bytes);
                link.send(bytes)?;
            }
        }),
    ]
}

fn unfinished() -> Vec<Behaviour> {
    vec![
        live("empty fragments without end", GAP, |link| {
            link.frame(&RawFrame::text("").unfinished())?;
            link.flood(RawFrame::new(opcode::CONTINUATION, "").unfinished().bytes())
        }),
        live("fragments of a byte without end", GAP, |link| {
            link.frame(&RawFrame::text("[").unfinished())?;
            link.flood(RawFrame::new(opcode::CONTINUATION, " ").unfinished().bytes())
        }),
        live("fragments of 64 KiB without end", GAP, |link| {
            link.frame(&RawFrame::text("[").unfinished())?;
            let header = RawFrame::new(opcode::CONTINUATION, "").unfinished().claiming(65_535).bytes();
            loop {
                link.send(&header)?;
                link.fill(b' ', 65_535)?;
            }
        }),
        live("fragments with pings between them, slowly", GAP, |link| {
            link.frame(&RawFrame::text("[").unfinished())?;
            loop {
                link.frame(&RawFrame::new(opcode::PING, "p"))?;
                link.frame(&RawFrame::new(opcode::CONTINUATION, " ").unfinished())?;
                link.idle(Duration::from_millis(20))?;
            }
        }),
        live("a message a byte at a time, slowly", GAP, |link| {
            link.send([0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0])?;
            link.drip([b' '; 65_536], SLOWLY)
        }),
        live("a message of 15 MiB of which the last byte never comes", GAP, |link| {
            link.send(RawFrame::text("").claiming(15 << 20).bytes())?;
            link.fill(b' ', (15 << 20) - 1)?;
            link.hold()
        }),
        live("half a frame header, and silence", GAP, |link| {
            link.send([0x81])?;
            link.hold()
        }),
    ]
}

fn sizes() -> Vec<Behaviour> {
    vec![
        live("a frame of 2^64 - 1 bytes", GAP, |link| {
            link.send(RawFrame::text("").claiming(u64::MAX).bytes())?;
            link.flood(" ")
        }),
        live("a frame of 2^63 - 1 bytes", GAP, |link| {
            link.send(RawFrame::text("").claiming(u64::MAX >> 1).bytes())?;
            link.flood(" ")
        }),
        live("a frame of 4 GiB", GAP, |link| {
            link.send(RawFrame::text("").claiming(4 << 30).bytes())?;
            link.flood(" ")
        }),
        live("a message of 16 MiB and a byte", GAP, |link| {
            link.send(RawFrame::text("").claiming((16 << 20) + 1).bytes())?;
            link.fill(b' ', (16 << 20) + 1)?;
            link.hold()
        }),
        live("a message of 16 MiB of blanks", GAP, |link| {
            link.send(RawFrame::text("").claiming(16 << 20).bytes())?;
            link.fill(b' ', 16 << 20)?;
            link.hold()
        }),
        live("lengths in more bytes than they need", HARMLESS, |link| {
            let long = RawFrame::text(link.notification("long")[4..].to_vec()).width(Width::Eight);
            link.frame(&long)?;
            go_on(link)
        }),
        live("a good message cut at every byte", HARMLESS, |link| {
            let frame = link.notification("cut");
            link.drip(frame, Duration::from_micros(50))?;
            go_on(link)
        }),
    ]
}

fn ends() -> Vec<Behaviour> {
    vec![
        live("silence", GONE, |link| link.hold()),
        live("the end of what is written; it reads on", GONE, |link| {
            link.finish()?;
            link.swallow()
        }),
        live("the end in a frame", GAP, |link| {
            let frame = link.notification("lost");
            link.send(&frame[..frame.len() - 5])
        }),
        live("a reset", GONE, |link| link.reset()),
        // A reset may take what came before it along, so the frame may never have been seen.
        live("a reset in a frame", &["gap unreadable_frame", "disconnected"], |link| {
            let frame = link.notification("lost");
            link.send(&frame[..frame.len() - 5])?;
            link.reset()
        }),
        // Its first letters are the header of a control frame that never ends.
        live("HTTP in place of frames", GONE, |link| {
            link.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")?;
            link.hold()
        }),
    ]
}

/// What becomes of a request over the socket.
fn requests() -> Vec<Behaviour> {
    // One that finds no connection goes over HTTPS, where there is no such resource.
    const ENDED: &[&str] = &["request ", "answer 404"];
    vec![
        live("it never reads, while a request of 100 bytes goes out", ENDED, |link| link.hold())
            .while_it(App::Sends(100)),
        live("it never reads, while a request of 8 MiB goes out", ENDED, |link| link.hold())
            .while_it(App::Sends(8 << 20)),
        live("it never reads, and floods, while a request of 8 MiB goes out", ENDED, |link| {
            let text = RawFrame::text(r#"[{"type":"Unheard"}]"#).bytes();
            link.flood(text)
        })
        .while_it(App::Sends(8 << 20)),
        live("it reads a byte at a time, while a request of 1 MiB goes out", ENDED, |link| {
            link.sip(Duration::from_millis(5))
        })
        .while_it(App::Sends(1 << 20)),
        live("it ends when a request comes", ENDED, |link| {
            link.asked(|asked| asked.meta["type"] == "ClientRequest")?;
            Ok(())
        })
        .while_it(App::Asks),
    ]
}
