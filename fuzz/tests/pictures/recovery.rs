//! The time line of a recovery: a Session and the stand-in, in virtual time, with a network between them.

use std::collections::BTreeMap;

use bytes::Bytes;
use ringcentral_ws_core::{
    AccessToken, Action, ClockReading, CloseInfo, Config, ConnId, Event, Filters, Frame, HttpId, Input, Output,
    Purpose, Session, SessionState, Timestamp, UnixMillis, Wait,
};
use ringcentral_ws_gateway::{FrameKind, Gateway, GatewayConfig, GatewayOutput, HttpRequest, HttpResponse, Upgrade};

use crate::check;
use crate::svg::Svg;

const MS: u64 = 1000;
/// One way through the network.
const WAY: u64 = 40 * MS;
/// TCP, TLS and the way of the first request.
const CONNECTING: u64 = 5 * WAY;
const CUT: u64 = 10_000 * MS;
const END: u64 = 15_000 * MS;
/// From here on the picture shows what happens.
const SHOWN: u64 = CUT - 1_500 * MS;
const FILTER: &str = "/restapi/v1.0/account/~/extension/~/message-store";

/// What is on its way, or will happen.
enum Packet {
    Call(HttpId, HttpRequest),
    Answer(HttpId, HttpResponse),
    Upgrade(ConnId, String),
    Opened(ConnId),
    ToServer(ConnId, String),
    ToClient(ConnId, String, FrameKind),
    Notify,
    Cut,
}

/// A row of the picture.
#[derive(Debug, PartialEq)]
enum Row {
    ToServer(String),
    ToClient(String),
    /// Something that the application gets.
    Event(String),
    /// Something that only the client or the server knows.
    Client(String),
    Server(String),
    Cut,
}

struct Run {
    now: u64,
    session: Session,
    gateway: Gateway,
    wake: Option<u64>,
    live: u64,
    packets: BTreeMap<(u64, usize), Packet>,
    count: usize,
    /// The notifications by their uuids, numbered from 1.
    numbers: Vec<u64>,
    rows: Vec<(u64, Row)>,
}

impl Run {
    fn new() -> Self {
        let server = "http://127.0.0.1:8080";
        let mut config = GatewayConfig::default();
        server.clone_into(&mut config.base_url);
        "ws://127.0.0.1:8080/ws".clone_into(&mut config.ws_url);
        let clock = ClockReading { now: Timestamp::ZERO, unix: UnixMillis(1_700_000_000_000) };
        let settings = Config { server: server.parse().unwrap(), ..Config::default() };
        Self {
            now: 0,
            session: Session::new(settings, 3, clock),
            gateway: Gateway::new(config),
            wake: None,
            live: 0,
            packets: BTreeMap::new(),
            count: 0,
            numbers: Vec::new(),
            rows: Vec::new(),
        }
    }

    fn at(&mut self, time: u64, packet: Packet) {
        self.count += 1;
        self.packets.insert((time, self.count), packet);
    }

    fn row(&mut self, row: Row) {
        if self.now >= SHOWN {
            self.rows.push((self.now, row));
        }
    }

    /// From the start to `END`.
    fn run(&mut self) {
        let time = Timestamp::ZERO;
        self.session.subscribe(Filters::new([FILTER]).unwrap(), time).unwrap();
        self.drain();
        self.session.connect(time).unwrap();
        self.drain();
        for at in [CUT - 1_000 * MS, CUT + 700 * MS, CUT + 1_600 * MS] {
            self.at(at, Packet::Notify);
        }
        self.at(CUT, Packet::Cut);
        loop {
            let packet = self.packets.first_key_value().map(|((at, _), _)| *at);
            let next = [packet, self.wake, self.gateway.next_deadline()].into_iter().flatten().min();
            self.now = next.filter(|at| *at <= END).unwrap_or(END);
            if self.now == END {
                return;
            }
            if packet == Some(self.now) {
                let (_, packet) = self.packets.pop_first().unwrap();
                self.arrive(packet);
            } else if self.wake == Some(self.now) {
                self.give(Input::Timeout);
            } else {
                self.gateway.handle_timeout(self.now);
            }
            self.serve();
        }
    }

    fn give(&mut self, input: Input<'_>) {
        self.session.handle_input(input, Timestamp::from_micros(self.now)).unwrap();
        self.drain();
    }

    fn arrive(&mut self, packet: Packet) {
        match packet {
            Packet::Call(id, request) => {
                let answer = self.gateway.http(&request, self.now);
                self.at(self.now + WAY, Packet::Answer(id, answer));
            }
            Packet::Answer(id, answer) => {
                self.row(Row::ToClient("WebSocket token".to_owned()));
                let response = http::Response::builder().status(answer.status).body(Bytes::from(answer.body));
                self.give(Input::HttpResponse { id, response: Box::new(response.unwrap()) });
            }
            Packet::Upgrade(conn, target) => {
                assert_eq!(self.gateway.ws_open(conn.get(), &target, None, self.now), Upgrade::Accepted);
                self.live = conn.get();
                self.at(self.now + WAY, Packet::Opened(conn));
            }
            Packet::Opened(conn) => self.give(Input::Opened { conn }),
            Packet::ToServer(conn, text) => self.gateway.ws_text(conn.get(), text, self.now),
            Packet::ToClient(conn, text, kind) => {
                let label = self.label(&text, kind);
                self.row(Row::ToClient(label));
                self.give(Input::Frame { conn, frame: Frame::Text(&text) });
            }
            Packet::Notify => {
                let receipts = self.gateway.notify(FILTER, "{}", self.now);
                self.numbers.push(receipts[0].uuid);
                if receipts[0].conn.is_none() {
                    self.row(Row::Server(format!("keeps notification {}", self.numbers.len())));
                }
            }
            Packet::Cut => {
                self.row(Row::Cut);
                let conn = ConnId::from(self.live);
                self.gateway.ws_lost(self.live, &[], self.now);
                self.give(Input::Closed { conn, close: CloseInfo { code: None, reason: "".into() } });
            }
        }
    }

    /// The server's outputs go through the network.
    fn serve(&mut self) {
        while let Some(output) = self.gateway.poll() {
            let GatewayOutput::Send { conn, text, kind } = output else { panic!("{output:?}") };
            self.at(self.now + WAY, Packet::ToClient(ConnId::from(conn), text, kind));
        }
    }

    fn label(&self, text: &str, kind: FrameKind) -> String {
        match kind {
            FrameKind::ConnectionDetails => {
                let json: serde_json::Value = serde_json::from_str(text).unwrap();
                format!("ConnectionDetails: {}", json[1]["recoveryState"].as_str().unwrap_or("new session"))
            }
            FrameKind::Notification { uuid } => format!("notification {}", self.number(uuid)),
            FrameKind::Heartbeat => "heartbeat answered".to_owned(),
            other => format!("{other:?}"),
        }
    }

    fn number(&self, uuid: u64) -> usize {
        self.numbers.iter().position(|it| *it == uuid).unwrap() + 1
    }

    fn drain(&mut self) {
        loop {
            match self.session.poll_output() {
                Output::Action(action) => self.act(action),
                Output::Event(event) => self.on(event),
                Output::Wait(wait) => {
                    self.wake = if let Wait::Until { at, .. } = wait { Some(at.as_micros()) } else { None };
                    break;
                }
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Authorize { id, .. } => {
                let login = self.gateway.login(0, self.now).unwrap();
                let token = AccessToken { secret: login.access_token.as_str().into(), expires_in: None, cached: false };
                self.session.handle_input(Input::Authorized { id, token }, Timestamp::from_micros(self.now)).unwrap();
            }
            Action::Http { id, request, .. } => {
                self.row(Row::ToServer("POST /restapi/oauth/wstoken".to_owned()));
                let target = request.uri().path();
                let bearer = request.headers()["authorization"].to_str().unwrap();
                let call = HttpRequest::new("POST", target).header("authorization", bearer);
                self.at(self.now + CONNECTING, Packet::Call(id, call));
            }
            Action::Open { conn, url } => {
                let query = url.expose().query().unwrap_or_default();
                let with = if query.contains("wsc=") { ", with the recovery token" } else { "" };
                self.row(Row::ToServer(format!("WebSocket{with}")));
                self.at(self.now + CONNECTING, Packet::Upgrade(conn, format!("{}?{query}", url.expose().path())));
            }
            Action::Send { conn, text, purpose } => {
                if purpose == Purpose::Heartbeat {
                    self.row(Row::ToServer("heartbeat".to_owned()));
                }
                self.at(self.now + WAY, Packet::ToServer(conn, text));
            }
            other => panic!("{other:?}"),
        }
    }

    fn on(&mut self, event: Event) {
        match event {
            Event::Notification(it) => {
                let number = self.number(it.uuid().parse().unwrap());
                self.row(Row::Event(format!("Notification {number}")));
            }
            Event::Disconnected { .. } => {
                self.row(Row::Event("Disconnected".to_owned()));
                let SessionState::Waiting { until, .. } = self.session.state() else { panic!("it does not wait") };
                let seconds = (until.as_micros() - self.now) as f64 / 1e6;
                self.row(Row::Client(format!("waits {seconds:.2} s (by chance)")));
            }
            Event::Recovered { .. } => self.row(Row::Event("Recovered".to_owned())),
            Event::Connected { .. } => self.row(Row::Event("Connected".to_owned())),
            Event::SnapshotChanged | Event::Subscribed(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

const LEFT: u32 = 96;
const RIGHT: u32 = 576;
const TOP: u32 = 72;
const ROW: u32 = 34;

fn picture(rows: &[(u64, Row)]) -> String {
    let end = TOP + ROW * rows.len() as u32;
    let mut svg = Svg::new("The time line of a recovery", end + 40);
    svg.text((LEFT, 34), "middle", "b", "client");
    svg.text((RIGHT, 34), "end", "b", "server");
    for x in [LEFT, RIGHT - 10] {
        svg.line(&format!("M{x} 46V{}", end - 10), "life");
    }
    let mut last = None;
    for (i, (at, row)) in rows.iter().enumerate() {
        let y = TOP + ROW * i as u32 + 10;
        let time = format!("{:.2} s", (*at as f64 - CUT as f64) / 1e6).replace('-', "\u{2212}");
        if last.as_ref() != Some(&time) {
            svg.text((LEFT - 12, y), "end", "dim", &time);
        }
        last = Some(time);
        draw(&mut svg, row, y);
    }
    svg.text((300, end + 20), "middle", "dim", "Nothing is missing, nothing comes twice, and there is no Gap.");
    svg.finish()
}

fn draw(svg: &mut Svg, row: &Row, y: u32) {
    let (from, to) = (LEFT + 4, RIGHT - 14);
    let middle = (from + to) / 2;
    match row {
        Row::ToServer(label) => {
            svg.arrow(&format!("M{from} {y}H{to}"), "");
            svg.text((middle, y - 6), "middle", "", label);
        }
        Row::ToClient(label) => {
            svg.arrow(&format!("M{to} {y}H{from}"), "");
            svg.text((middle, y - 6), "middle", "", label);
        }
        Row::Event(label) => svg.text((LEFT + 12, y), "start", "b good", format!("Event::{label}")),
        Row::Client(label) => svg.text((LEFT + 12, y), "start", "dim", label),
        Row::Server(label) => svg.text((RIGHT - 22, y), "end", "dim", label),
        Row::Cut => {
            svg.line(&format!("M{from} {y}H{}M{} {y}H{to}", middle - 12, middle + 12), "line bad");
            svg.text((middle, y + 6), "middle", "b bad", "×");
            svg.text((middle, y - 8), "middle", "bad", "the connection is cut");
        }
    }
}

#[test]
fn the_picture_of_a_recovery_is_a_run_of_the_session() {
    let mut run = Run::new();
    run.run();
    let events: Vec<_> = run.rows.iter().filter_map(|(_, row)| matches!(row, Row::Event(_)).then_some(row)).collect();
    let names = ["Notification 1", "Disconnected", "Connected", "Recovered", "Notification 2", "Notification 3"];
    assert!(events.into_iter().eq(&names.map(|name| Row::Event(name.to_owned()))), "{:#?}", run.rows);
    check("recovery.svg", &picture(&run.rows));
}
