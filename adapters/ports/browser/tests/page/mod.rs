//! What `ringcentral-ws.js` does, in plain code.

use std::collections::VecDeque;

use ringcentral_ws_gateway::{Gateway, GatewayConfig, GatewayOutput, HttpRequest};
use ringcentral_ws_port_browser::Port;
use serde_json::{Value, json};

pub(crate) const SMS: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";

pub(crate) enum Network {
    Up,
    /// The browser knows that there is none.
    Offline,
    /// There is none, and nobody knows.
    Broken,
}

pub(crate) struct Page {
    pub(crate) port: Port,
    pub(crate) gateway: Gateway,
    /// `localStorage`.
    pub(crate) stored: Option<String>,
    pub(crate) network: Network,
    /// No WebSocket opens.
    pub(crate) shut: bool,
    /// The backend has no token, for good or for now.
    pub(crate) no_token: Option<bool>,
    /// Events since the last `load` or `subscribed`, in short, and as they came.
    pub(crate) received: Vec<String>,
    pub(crate) events: Vec<Value>,
    /// Who is logged in, if the page says it.
    pub(crate) user: Option<&'static str>,
    /// The last answer of the module.
    pub(crate) answer: Value,
    pub(crate) restored: Value,
    /// Milliseconds.
    now: f64,
    loaded: bool,
    /// The page has stored nothing yet.
    unstored: bool,
    access: String,
    /// The module's number of the socket, and the gateway's, which goes on over loads.
    socket: Option<(u64, u64)>,
    sockets: u64,
    /// Things that have happened and are to be given to the module.
    inputs: VecDeque<Value>,
    /// Calls that wait for the network.
    waiting: Vec<Value>,
}

impl Page {
    pub(crate) fn new() -> Self {
        let mut gateway = Gateway::new(GatewayConfig::default());
        let access = gateway.login(0, 0).unwrap().access_token;
        Self {
            port: Port::default(),
            gateway,
            stored: None,
            network: Network::Up,
            shut: false,
            no_token: None,
            received: Vec::new(),
            events: Vec::new(),
            user: None,
            answer: Value::Null,
            restored: Value::Null,
            now: 0.0,
            loaded: false,
            unstored: false,
            access,
            socket: None,
            sockets: 0,
            inputs: VecDeque::new(),
            waiting: Vec::new(),
        }
    }

    /// A page that has received one message.
    pub(crate) fn subscribed() -> Self {
        let mut page = Self::new();
        page.load();
        page.call(json!({ "do": "subscribe", "filters": [SMS] }));
        page.sms("one");
        page.received.clear();
        page
    }

    pub(crate) fn load(&mut self) {
        (self.port, self.loaded, self.unstored) = (Port::default(), true, true);
        let unix = 1_755_728_635_169 + self.now as u64;
        self.call(json!({
            "do": "start", "user": self.user,
            "server": "https://platform.ringcentral.com",
            "seed": 7,
            "unix": unix,
            "snapshot": self.stored,
            "rest_over_websocket": true,
        }));
    }

    /// The page is gone, and with it its socket.
    pub(crate) fn unload(&mut self) {
        self.loaded = false;
        if let Some((_, ours)) = self.socket.take() {
            self.gateway.ws_closed(ours, self.micros());
        }
        self.inputs.clear();
        self.settle();
    }

    /// The connection is cut.
    pub(crate) fn cut(&mut self) {
        if let Some((conn, ours)) = self.socket.take() {
            self.gateway.ws_closed(ours, self.micros());
            self.inputs.push_back(json!({ "do": "closed", "conn": conn, "code": null, "reason": "" }));
        }
        self.settle();
    }

    pub(crate) fn sms(&mut self, text: &str) {
        let now = self.micros();
        self.gateway.receive(0, ringcentral_ws_gateway::MessageKind::Sms, "+16505550100", text, now);
        self.settle();
    }

    /// Lets time pass, from timer to timer.
    pub(crate) fn wait(&mut self, ms: f64) {
        let end = self.now + ms;
        while let Some(at) = self.answer["at"].as_f64().filter(|at| self.loaded && *at <= end) {
            self.now = self.now.max(at);
            self.call(json!({ "do": "timeout" }));
        }
        self.now = end;
    }

    pub(crate) fn come_online(&mut self) {
        self.network = Network::Up;
        for call in std::mem::take(&mut self.waiting) {
            self.fetch(&call);
        }
        self.call(json!({ "do": "network", "online": true }));
    }

    pub(crate) fn snapshot(&mut self) -> Option<String> {
        let answer: Value = serde_json::from_str(&self.port.call("{\"now\":0,\"do\":\"snapshot\"}")).unwrap();
        answer["snapshot"].as_str().map(str::to_owned)
    }

    pub(crate) fn call(&mut self, call: Value) {
        self.inputs.push_back(call);
        self.settle();
    }

    fn micros(&self) -> u64 {
        (self.now * 1000.0) as u64
    }

    /// Everything that follows, until nothing does.
    fn settle(&mut self) {
        loop {
            while let Some(order) = self.gateway.poll() {
                self.arrive(order);
            }
            let Some(mut call) = self.inputs.pop_front().filter(|_| self.loaded) else { return };
            call["now"] = json!(self.now);
            self.answer = serde_json::from_str(&self.port.call(&call.to_string())).unwrap();
            assert_eq!(self.answer["error"], Value::Null, "{call}");
            if let Some(restored) = self.answer.get("restored") {
                self.restored = restored.clone();
            }
            let out = self.answer["out"].as_array().unwrap().clone();
            let changed = out.iter().any(|item| item["event"] == "snapshot_changed");
            for item in out {
                self.act(item);
            }
            if changed {
                self.stored = self.snapshot();
                // As the page does, after the first one.
                if std::mem::take(&mut self.unstored) {
                    self.inputs.push_back(json!({ "do": "snapshot_stored" }));
                }
            }
        }
    }

    /// From the gateway to the module.
    fn arrive(&mut self, order: GatewayOutput) {
        let live = |wanted| self.socket.filter(|(_, ours)| *ours == wanted).map(|(conn, _)| conn);
        match order {
            GatewayOutput::Send { conn, text, .. } => {
                if let Some(conn) = live(conn) {
                    self.inputs.push_back(json!({ "do": "text", "conn": conn, "text": text }));
                }
            }
            GatewayOutput::Close { conn, code, reason } => {
                if let Some(theirs) = live(conn) {
                    self.socket = None;
                    self.gateway.ws_closed(conn, self.micros());
                    let closed = json!({ "do": "closed", "conn": theirs, "code": code, "reason": reason });
                    self.inputs.push_back(closed);
                }
            }
            GatewayOutput::Ping { .. } | GatewayOutput::Reset { .. } => {}
        }
    }

    fn act(&mut self, item: Value) {
        match item["action"].as_str() {
            None => self.note(item),
            Some("authorize") => self.inputs.push_back(match self.no_token {
                None => json!({ "do": "authorized", "id": item["id"], "token": self.access, "expires_in": 3600 }),
                Some(permanent) => {
                    json!({ "do": "authorize_failed", "id": item["id"], "permanent": permanent, "message": "none" })
                }
            }),
            Some("fetch") => self.fetch(&item),
            Some("open") if self.shut => {
                let conn = &item["conn"];
                self.inputs.push_back(json!({ "do": "open_failed", "conn": conn, "not_sent": false, "message": "?" }));
            }
            Some("open") => {
                self.sockets += 1;
                let conn = item["conn"].as_u64().unwrap();
                let url = url::Url::parse(item["url"].as_str().unwrap()).unwrap();
                let target = format!("{}?{}", url.path(), url.query().unwrap());
                self.socket = Some((conn, self.sockets));
                self.inputs.push_back(json!({ "do": "opened", "conn": conn }));
                self.gateway.ws_open(self.sockets, &target, None, self.micros());
            }
            Some("send") => {
                if let Some((_, ours)) = self.socket.filter(|(conn, _)| item["conn"] == *conn) {
                    self.gateway.ws_text(ours, item["text"].as_str().unwrap(), self.micros());
                }
            }
            Some("close") => {
                if let Some((conn, ours)) = self.socket.take_if(|(conn, _)| item["conn"] == *conn) {
                    self.gateway.ws_closed(ours, self.micros());
                    self.inputs.push_back(json!({ "do": "closed", "conn": conn, "code": 1000, "reason": "" }));
                }
            }
            Some("drop") => {
                if let Some((_, ours)) = self.socket.take_if(|(conn, _)| item["conn"] == *conn) {
                    self.gateway.ws_closed(ours, self.micros());
                }
            }
            Some("abort") => self.waiting.retain(|call| call["id"] != item["id"]),
            Some(other) => panic!("no such action: {other}"),
        }
    }

    fn fetch(&mut self, item: &Value) {
        match self.network {
            Network::Up => {}
            Network::Offline => return self.waiting.push(item.clone()),
            Network::Broken => {
                let failed = json!({ "do": "http_failed", "id": item["id"], "not_sent": false, "message": "failed" });
                return self.inputs.push_back(failed);
            }
        }
        let url = url::Url::parse(item["url"].as_str().unwrap()).unwrap();
        let mut request = HttpRequest::new(item["method"].as_str().unwrap(), url.path());
        for pair in item["headers"].as_array().unwrap() {
            request = request.header(pair[0].as_str().unwrap(), pair[1].as_str().unwrap());
        }
        let answer = self.gateway.http(&request.with_body(item["body"].as_str().unwrap_or_default()), self.micros());
        self.inputs.push_back(json!({
            "do": "http_response",
            "id": item["id"],
            "status": answer.status,
            "headers": answer.headers,
            "body": answer.text(),
        }));
    }

    fn note(&mut self, event: Value) {
        let word = |key: &str| event[key].as_str().map(|word| format!(" {word}")).unwrap_or_default();
        let name = event["event"].as_str().unwrap();
        match name {
            "snapshot_changed" => return,
            "notification" => self.received.push(event["body"]["subject"].as_str().unwrap().to_owned()),
            "response" => self.received.push(format!("{}{}", event["status"], word("via"))),
            _ => self.received.push(format!("{name}{}{}{}", word("resumption"), word("cause"), word("reason"))),
        }
        self.events.push(event);
    }
}
