//! Servers that never stop, never read and never finish: each client stays in its bounds and goes on. Alone in its process,
//! because it counts what is allocated.

mod harness;
mod hostile;

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hostile::memory::{Counting, Rise};
use hostile::{Client, Peer, all, listen, notification, setup};
use ringcentral_ws_conformance::peer::{RawFrame, opcode};
use ringcentral_ws_conformance::{DEADLINE, Harness, Outcome, Setup, until};
use ringcentral_ws_core::{Body, Close};

#[global_allocator]
static MEMORY: Counting = Counting;

/// Tests measure the process, so one runs at a time.
static ALONE: Mutex<()> = Mutex::new(());

fn on_each(play: impl Fn(&dyn Harness)) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let mut failed = Vec::new();
    for harness in all() {
        let (began, rise) = (Instant::now(), Rise::watch());
        if catch_unwind(AssertUnwindSafe(|| play(&*harness))).is_err() {
            failed.push(harness.name());
        }
        println!("{:>10}: {:.1?}, {} KiB at most", harness.name(), began.elapsed(), rise.most() >> 10);
    }
    assert!(failed.is_empty(), "on {failed:?}, see above");
}

/// The same on all at once, where memory is not looked at and there is more waiting than work.
fn on_all_at_once(play: impl Fn(&dyn Harness) + Sync) {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let (harnesses, play) = (all(), &play);
    std::thread::scope(|scope| {
        let runs = harnesses.iter().map(|harness| (harness.name(), scope.spawn(move || play(&**harness))));
        let runs: Vec<_> = runs.collect();
        let failed = runs.into_iter().filter_map(|(name, run)| run.join().is_err().then_some(name));
        let failed: Vec<_> = failed.collect();
        assert!(failed.is_empty(), "on {failed:?}, see above");
    });
}

/// The first connection is attacked, the second is good, and a notification shows it.
fn then_good(attack: impl Fn(&mut Peer) -> std::io::Result<()> + Send + Sync + 'static) -> std::net::SocketAddr {
    listen(move |number, peer| {
        if number == 0 {
            peer.subscribe()?;
            return attack(peer);
        }
        peer.text(&notification("after", 10))?;
        peer.behave()
    })
}

fn get() -> http::Request<Body> {
    http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap()
}

// CLAUSE FRM-4 SEC-3
#[test]
fn endless_fragments_end_the_connection_and_are_a_gap() {
    on_each(|harness| {
        let address = then_good(|peer| {
            peer.stream.write_all(&RawFrame::text("").unfinished().bytes())?;
            peer.flood(&RawFrame::new(opcode::CONTINUATION, "").unfinished().bytes().repeat(32_768))
        });
        let mut client = Client::start(harness, setup(address));
        client.until("gap unreadable");
        client.until("notification after");
        client.running.close(Close::Detach);
    });
}

// CLAUSE FRM-4 HB-3
#[test]
fn a_message_that_is_never_finished_ends_the_connection_and_is_a_gap() {
    on_all_at_once(|harness| {
        // Fragments with pings between, which count as life; a byte at a time, which do not.
        for pings in [true, false] {
            let address = then_good(move |peer| {
                peer.stream.set_nodelay(true)?;
                let begin = if pings {
                    RawFrame::text("").unfinished().bytes()
                } else {
                    vec![0x81, 127, 0, 0, 0, 0, 0, 1, 0, 0]
                };
                peer.stream.write_all(&begin)?;
                loop {
                    let more = if pings {
                        [
                            RawFrame::new(opcode::PING, "p").bytes(),
                            RawFrame::new(opcode::CONTINUATION, "x").unfinished().bytes(),
                        ]
                        .concat()
                    } else {
                        vec![b'x']
                    };
                    peer.stream.write_all(&more)?;
                    std::thread::sleep(Duration::from_millis(20));
                }
            });
            let mut client = Client::start(harness, setup(address));
            client.until("gap unreadable");
            client.until("notification after");
            client.running.close(Close::Detach);
        }
    });
}

// CLAUSE FRM-4 SEC-3
#[test]
fn pings_whose_answers_nobody_reads_cost_little() {
    on_each(|harness| {
        let address = then_good(|peer| peer.flood(&RawFrame::new(opcode::PING, [b'p'; 125]).bytes().repeat(512)));
        let rise = Rise::watch();
        let mut client = Client::start(harness, setup(address));
        client.until("disconnected");
        client.until("notification after");
        assert!(rise.most() < 4 << 20, "{}: {} bytes", harness.name(), rise.most());
        client.running.close(Close::Detach);
    });
}

// CLAUSE FRM-4 SEC-3
#[test]
fn large_notifications_that_nobody_takes_are_bounded_in_bytes() {
    const COUNT: usize = 14;
    const SIZE: usize = 15 << 20;
    on_each(|harness| {
        // Made while no other test measures.
        let sent = RawFrame::text(notification("n00", SIZE)).bytes();
        let written = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&written);
        let address = listen(move |_, peer| {
            peer.subscribe()?;
            // The names are at the beginning, behind the frame's header.
            let (names, filler) = (std::str::from_utf8(&sent[10..300]).unwrap(), &sent[300..]);
            for n in 0..COUNT {
                peer.stream.write_all(&sent[..10])?;
                peer.stream.write_all(names.replace("n00", &format!("n{n:02}")).as_bytes())?;
                for part in filler.chunks(64 << 10) {
                    peer.stream.write_all(part)?;
                    counted.fetch_add(part.len(), Ordering::Relaxed);
                }
            }
            peer.text(&notification("last", 1))?;
            peer.behave()
        });
        let rise = Rise::watch();
        // In the worked example the application is called, and cannot let events wait.
        if harness.name() == "mio" {
            return;
        }
        let mut setup = setup(address);
        // A busy machine reads one of these messages within it.
        setup.config.heartbeat_timeout = DEADLINE;
        let mut client = Client::start(harness, setup);
        client.until("subscribed");
        until(DEADLINE, "as much as may wait", || rise.now() > 60 << 20);
        let (mut before, mut since) = (0, Instant::now());
        until(DEADLINE, "a server that can send no more", || {
            let now = written.load(Ordering::Relaxed);
            if now != before {
                (before, since) = (now, Instant::now());
            }
            since.elapsed() > Duration::from_millis(300)
        });
        assert!(before < COUNT * SIZE - (1 << 20), "{}: all was read", harness.name());
        client.until("notification last");
        // What waits, one that does not fit, one that was read ahead, and the buffers it is in.
        assert!(rise.most() < 140 << 20, "{}: {} bytes", harness.name(), rise.most());
        assert!(!client.received.iter().any(|line| line.starts_with("gap") || line.starts_with("disconnected")));
        client.running.close(Close::Detach);
    });
}

/// Sends so many notifications before the client's first call over the socket, and as many before its answer.
fn behind_notifications(count: usize, size: usize, answered: bool) -> std::net::SocketAddr {
    listen(move |_, peer| {
        peer.subscribe()?;
        let send = |peer: &mut Peer, from: usize| {
            (from..from + count).try_for_each(|n| peer.text(&notification(&format!("n{n}"), size)))
        };
        send(peer, 0)?;
        let call = loop {
            let (_, text) = peer.read()?;
            if text.contains("ClientRequest") {
                break text;
            }
            if text.contains("Heartbeat") {
                peer.text(&text)?;
            }
        };
        send(peer, count)?;
        if answered {
            peer.reply(&call, "{}")?;
        }
        peer.text(&notification("last", 1))?;
        peer.behave()
    })
}

fn over_the_socket(address: std::net::SocketAddr) -> Setup {
    let mut setup = setup(address);
    (setup.config.rest_over_websocket, setup.config.request_timeout) = (true, Duration::from_secs(2));
    // Less than one burst.
    setup.event_queue = 4;
    setup
}

// CLAUSE REQ-10
#[test]
fn an_answer_over_the_socket_does_not_wait_behind_untaken_events() {
    on_each(|harness| {
        let address = behind_notifications(300, 10, true);
        let mut client = Client::start(harness, over_the_socket(address));
        client.until("subscribed");
        // As in the loop that takes events: none is taken meanwhile.
        assert!(matches!(client.running.request(get()), Outcome::Response(200, ..)), "{}", harness.name());
        client.until("notification last");
        let came = client.received.iter().filter(|line| line.starts_with("notification n"));
        assert!(came.eq(&(0..600).map(|n| format!("notification n{n}")).collect::<Vec<_>>()), "{:?}", client.received);
        assert!(!client.received.iter().any(|line| line.starts_with("gap") || line.starts_with("disconnected")));
        client.running.close(Close::Detach);
    });
}

// CLAUSE REQ-10 SEC-3
#[test]
fn an_answer_that_is_withheld_costs_no_more_than_the_limit_of_bytes() {
    on_each(|harness| {
        // In the worked example the application is called, and cannot let events wait.
        if harness.name() == "mio" {
            return;
        }
        let rise = Rise::watch();
        let address = behind_notifications(30, 1 << 20, false);
        let mut setup = over_the_socket(address);
        setup.event_bytes = 8 << 20;
        setup.config.heartbeat_timeout = DEADLINE;
        let mut client = Client::start(harness, setup);
        client.until("subscribed");
        assert_eq!(client.running.request(get()), Outcome::Failed("timed_out", true), "{}", harness.name());
        assert!(rise.most() < 20 << 20, "{}: {} bytes", harness.name(), rise.most());
        client.until("notification last");
        assert!(!client.received.iter().any(|line| line.starts_with("gap") || line.starts_with("disconnected")));
        client.running.close(Close::Detach);
    });
}

// CLAUSE SEC-3 FRM-4 SUB-3
#[test]
fn large_notifications_before_a_withheld_confirmation_are_bounded_in_bytes() {
    const COUNT: usize = 60;
    on_each(|harness| {
        let address = listen(|_, peer| {
            peer.subscribe_after(|peer| {
                (0..COUNT).try_for_each(|n| peer.text(&notification(&format!("n{n}"), 1 << 20)))
            })?;
            peer.text(&notification("last", 1))?;
            peer.behave()
        });
        let rise = Rise::watch();
        let mut setup = setup(address);
        setup.config.limits.held_bytes = 4 << 20;
        setup.config.heartbeat_timeout = DEADLINE;
        let mut client = Client::start(harness, setup);
        client.until("notification last");
        // What is held, the messages on their way on both sides, and the buffers they are in.
        assert!(rise.most() < 20 << 20, "{}: {} bytes", harness.name(), rise.most());
        let came = client.received.iter().filter(|line| line.starts_with("gap") || line.starts_with("notification"));
        let kept = COUNT - 3..COUNT;
        let due = std::iter::once("gap queue_overflow".to_owned()).chain(kept.map(|n| format!("notification n{n}")));
        assert!(came.eq(&due.chain(["notification last".to_owned()]).collect::<Vec<_>>()), "{:?}", client.received);
        assert!(!client.received.iter().any(|line| line.starts_with("disconnected")));
        client.running.close(Close::Detach);
    });
}

// CLAUSE SEC-3
#[test]
fn a_server_that_answers_provisionally_for_ever_keeps_nothing_busy() {
    on_each(|harness| {
        // The worked example has a thread for each call, and a deadline.
        if harness.name() == "mio" {
            return;
        }
        let address = listen(|_, peer| {
            peer.subscribe()?;
            peer.behave()
        });
        let mut client = Client::start(harness, setup(address));
        client.until("subscribed");
        let began = Instant::now();
        let flood = http::Request::get("/restapi/v1.0/provisional").body(Body::empty()).unwrap();
        assert_eq!(client.running.request(flood), Outcome::Failed("unknown", true));
        assert!(began.elapsed() < DEADLINE, "its deadline is 60 s");
        assert!(matches!(client.running.request(get()), Outcome::Response(200, ..)));
        client.running.close(Close::Detach);
        assert!(!client.received.iter().any(|line| line.starts_with("disconnected")));
    });
}

// CLAUSE FRM-4 HB-3
#[test]
fn a_peer_that_never_pauses_keeps_nothing_from_its_turn() {
    on_each(|harness| {
        let text = br#"[{"type":"Unheard"}]"#;
        for flood in [RawFrame::new(opcode::PING, ""), RawFrame::new(opcode::PONG, "x"), RawFrame::text(text)] {
            let flood = flood.bytes();
            let address = listen(move |_, peer| {
                peer.subscribe()?;
                // The client's frames are read, so that nothing but the reading keeps it busy.
                let mut reading = peer.stream.try_clone()?;
                std::thread::spawn(move || std::io::copy(&mut reading, &mut std::io::sink()));
                peer.flood(&flood.repeat(65_536 / flood.len()))
            });
            let mut client = Client::start(harness, setup(address));
            client.until("subscribed");
            // Over HTTPS: a call that something besides the socket brings back.
            let began = Instant::now();
            assert!(matches!(client.running.request(get()), Outcome::Response(200, ..)));
            client.running.close(Close::Detach);
            assert!(began.elapsed() < Duration::from_secs(10), "{}", harness.name());
        }
    });
}
