//! Browsers see events live; one that does not read is cut.

use crate::common;

use std::io::{BufRead, BufReader};
use std::net::TcpStream;

use common::{Program, begin_get, get, server, subscribed};
use ringcentral_ws_gateway::Server;

struct Browser(BufReader<TcpStream>);

impl Browser {
    /// It is listening when this returns.
    fn new(site: &str) -> Self {
        let mut browser = Self(BufReader::new(begin_get(&format!("{site}events"), "")));
        assert!(browser.line("content-type").contains("text/event-stream"));
        while !browser.next().is_empty() {}
        browser
    }

    fn next(&mut self) -> String {
        let mut line = String::new();
        assert!(self.0.read_line(&mut line).expect("a line in time") > 0, "the stream ended");
        line.trim_end().to_owned()
    }

    fn line(&mut self, part: &str) -> String {
        loop {
            let line = self.next();
            if line.contains(part) {
                return line;
            }
        }
    }
}

fn start(server: &Server) -> (Program, String) {
    let mut program = Program::start(env!("CARGO_BIN_EXE_sse"), server, |command| {
        command.arg("127.0.0.1:0");
    });
    let site = program.line("open http://").strip_prefix("open ").expect("an address").to_owned();
    subscribed(server);
    (program, site)
}

#[test]
fn browsers_see_events_as_they_come() {
    let server = server();
    let (program, site) = start(&server);
    assert!(get(&site, "").body.contains("EventSource"));
    let mut browsers = [Browser::new(&site), Browser::new(&site)];
    server.receive_sms(0, "+16505550100", "Hello\r\nWorld");
    for browser in &mut browsers {
        let line = browser.line("data: ");
        assert!(line.contains(r"Hello\r\nWorld"), "{line}");
    }
    server.restart();
    for browser in &mut browsers {
        browser.line("event: gap");
        assert!(browser.line("data: ").contains("lost"));
    }
    program.interrupt();
}

#[test]
fn one_that_does_not_read_is_cut_and_the_others_go_on() {
    let server = server();
    let (mut program, site) = start(&server);
    let (mut slow, mut fast) = (Browser::new(&site), Browser::new(&site));
    let text = "x".repeat(100_000);
    let mut sent = 0;
    // More than the sockets hold between them: 256 events, and what is on the way.
    for _ in 0..10 {
        for _ in 0..50 {
            server.receive_sms(0, "+16505550100", &text);
            sent += 1;
        }
        for _ in 0..50 {
            fast.line("data: ");
        }
    }
    assert_eq!(sent, 500);
    slow.line("event: cut");
    assert!(slow.line("data: ").contains("events are missing"));
    program.line("a listener is cut");
    server.receive_sms(0, "+16505550100", "the last");
    assert!(fast.line("data: ").contains("the last"));
}
