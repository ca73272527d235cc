//! The receiver gets everything in order, whatever it answers.

use crate::common;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use common::{DEADLINE, Program, server, subscribed};
use ringcentral_ws_gateway::Server;
use serde_json::Value;

/// A post that waits for its answer.
struct Post {
    key: String,
    body: Value,
    answer: Sender<u16>,
}

impl Post {
    fn text(&self) -> &str {
        self.body["body"]["subject"].as_str().unwrap_or_default()
    }
}

/// A receiver of webhooks that answers each post when the test says so; 0 hangs up without an answer.
fn receiver() -> (String, Receiver<Post>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/hook", listener.local_addr().expect("an address"));
    let (posts, received) = channel();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let mut reader = BufReader::new(stream);
            let (mut key, mut length) = (String::new(), 0);
            for line in reader.by_ref().lines().map_while(Result::ok).take_while(|line| !line.is_empty()) {
                match line.split_once(": ") {
                    Some((name, value)) if name.eq_ignore_ascii_case("idempotency-key") => value.clone_into(&mut key),
                    Some((name, value)) if name.eq_ignore_ascii_case("content-length") => {
                        length = value.parse().expect("a length");
                    }
                    _ => {}
                }
            }
            let mut body = vec![0; length];
            let Ok(()) = reader.read_exact(&mut body) else { continue };
            let (answer, status) = channel();
            let body = serde_json::from_slice(&body).expect("JSON");
            if posts.send(Post { key, body, answer }).is_err() {
                return;
            }
            if let Ok(status @ 1..) = status.recv() {
                let head = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
                let _ = reader.get_mut().write_all(head.as_bytes());
            }
        }
    });
    (url, received)
}

fn start(server: &Server) -> (Program, Receiver<Post>) {
    let (url, posts) = receiver();
    let program = Program::start(env!("CARGO_BIN_EXE_webhook-relay"), server, |command| {
        command.arg(url);
    });
    subscribed(server);
    (program, posts)
}

fn next(posts: &Receiver<Post>, status: u16) -> Post {
    let post = posts.recv_timeout(DEADLINE).expect("a post in time");
    post.answer.send(status).expect("the receiver waits");
    post
}

#[test]
fn it_posts_again_until_it_is_taken() {
    let server = server();
    let (mut program, posts) = start(&server);
    server.receive_sms(0, "+16505550100", "one");
    server.receive_sms(0, "+16505550100", "two");
    let first = next(&posts, 503);
    assert_eq!(first.text(), "one");
    for status in [0, 429, 200] {
        let again = next(&posts, status);
        assert_eq!((&again.key, &again.body), (&first.key, &first.body), "the same");
    }
    program.line(&format!("posted {}", first.key));
    let second = next(&posts, 204);
    assert!(second.text() == "two" && second.key != first.key);
    // What the receiver does not want is not posted for ever.
    server.receive_sms(0, "+16505550100", "three");
    server.receive_sms(0, "+16505550100", "four");
    let third = next(&posts, 400);
    assert!(program.line("refused with 400").contains(&third.key));
    assert_eq!(next(&posts, 200).text(), "four");
    // Gaps are posted too, in their place.
    server.restart();
    let gap = next(&posts, 200);
    assert!(gap.body["gap"].is_string() && gap.key.starts_with("gap-"), "{}", gap.body);
    server.receive_sms(0, "+16505550100", "five");
    assert_eq!(next(&posts, 200).text(), "five");
}

#[test]
fn a_slow_receiver_slows_reading_and_loses_nothing() {
    let server = server();
    let (mut program, posts) = start(&server);
    // 16 MB while nothing is taken: more than the program keeps.
    let text = "x".repeat(40_000);
    for n in 0..400 {
        server.receive_sms(0, "+16505550100", &format!("{n} {text}"));
    }
    for n in 0..400 {
        let post = next(&posts, 200);
        assert_eq!(post.text().split(' ').next(), Some(&*n.to_string()));
    }
    program.interrupt();
    assert!(program.end().success());
    let other = program.rest().into_iter().find(|line| line.contains("gap") || line.contains("disconnected"));
    assert_eq!(other, None);
}
