//! A gateway with one client, in virtual time.
#![allow(dead_code, unreachable_pub, reason = "each test program uses its own part")]

use ringcentral_ws_gateway::{Gateway, GatewayConfig, GatewayEvent, GatewayOutput, HttpRequest, HttpResponse, Upgrade};
use serde_json::{Value, json};

/// Microseconds in a second.
pub const S: u64 = 1_000_000;
/// The path of the default user's extension.
pub const EXT: &str = "/restapi/v1.0/account/809646016/extension/62264425016";
pub const SUBSCRIPTION: &str = "/restapi/v1.0/subscription";

pub struct Bench {
    pub g: Gateway,
    pub now: u64,
    pub access: String,
    next_conn: u64,
    next_id: u64,
}

impl Bench {
    pub fn new(change: impl FnOnce(&mut GatewayConfig)) -> Self {
        let mut config = GatewayConfig::default();
        config.oauth.access_token_lifetime = std::time::Duration::from_secs(400_000);
        change(&mut config);
        let mut g = Gateway::new(config);
        let access = g.login(0, 0).unwrap().access_token;
        Self { g, now: 0, access, next_conn: 0, next_id: 0 }
    }

    pub fn post(&mut self, path: &str, body: &str) -> HttpResponse {
        let request = HttpRequest { body: body.into(), ..HttpRequest::new("POST", path) };
        self.g.http(&request.bearer(&self.access), self.now)
    }

    pub fn get(&mut self, path: &str) -> HttpResponse {
        self.g.http(&HttpRequest::new("GET", path).bearer(&self.access), self.now)
    }

    /// A token call of the default application.
    pub fn token(&mut self, form: &str) -> HttpResponse {
        let request = HttpRequest::new("POST", "/restapi/oauth/token")
            .header("Authorization", "Basic Z2F0ZXdheS1jbGllbnQtaWQ6Z2F0ZXdheS1jbGllbnQtc2VjcmV0")
            .with_body(form);
        self.g.http(&request, self.now)
    }

    pub fn ws_token(&mut self) -> String {
        let response = self.post("/restapi/oauth/wstoken", "");
        assert_eq!(response.status, 200, "{}", response.text());
        json(&response)["ws_access_token"].as_str().unwrap().to_owned()
    }

    /// Opens a connection with a new token.
    pub fn open(&mut self, wsc: Option<&str>) -> u64 {
        let token = self.ws_token();
        self.open_with(&token, wsc)
    }

    pub fn open_with(&mut self, token: &str, wsc: Option<&str>) -> u64 {
        self.next_conn += 1;
        let wsc = wsc.map_or(String::new(), |wsc| format!("&wsc={wsc}"));
        let target = format!("/ws?access_token={token}{wsc}");
        assert_eq!(self.g.ws_open(self.next_conn, &target, None, self.now), Upgrade::Accepted);
        self.next_conn
    }

    /// A connection that has subscribed to these filters; the last value is its `wsc`.
    pub fn subscribed(&mut self, filters: &[&str]) -> (u64, String, String) {
        let conn = self.open(None);
        let wsc = wsc_of(&self.frames(conn)[0]);
        let reply = self.call(conn, "POST", SUBSCRIPTION, Some(subscribe_body(filters)));
        assert_eq!(status(&reply), 200, "{reply}");
        (conn, wsc, reply[1]["id"].as_str().unwrap().to_owned())
    }

    /// Sends a request and returns the last frame that came back.
    pub fn call(&mut self, conn: u64, method: &str, path: &str, body: Option<Value>) -> Value {
        self.send_request(conn, method, path, body);
        self.frames(conn).pop().expect("a reply")
    }

    pub fn send_request(&mut self, conn: u64, method: &str, path: &str, body: Option<Value>) -> String {
        self.next_id += 1;
        let id = format!("id-{}", self.next_id);
        let meta = json!({"type": "ClientRequest", "messageId": id, "method": method, "path": path});
        let frame = Value::Array([Some(meta), body].into_iter().flatten().collect());
        self.g.ws_text(conn, frame.to_string(), self.now);
        id
    }

    /// Everything ordered since the last look.
    pub fn outputs(&mut self) -> Vec<GatewayOutput> {
        std::iter::from_fn(|| self.g.poll()).collect()
    }

    /// The texts ordered since the last look, for a connection.
    pub fn texts(&mut self, wanted: u64) -> Vec<String> {
        let texts = self.outputs().into_iter().filter_map(|output| match output {
            GatewayOutput::Send { conn, text, .. } if conn == wanted => Some(text),
            _ => None,
        });
        texts.collect()
    }

    pub fn frames(&mut self, conn: u64) -> Vec<Value> {
        self.texts(conn).iter().map(|text| serde_json::from_str(text).unwrap()).collect()
    }

    pub fn events(&mut self) -> Vec<GatewayEvent> {
        std::iter::from_fn(|| self.g.poll_event()).collect()
    }

    pub fn at(&mut self, now: u64) {
        self.now = now;
        self.g.handle_timeout(now);
    }

    pub fn notify(&mut self, event: &str, n: u64) {
        self.g.notify(event, &format!("{{\"n\":{n}}}"), self.now);
    }
}

pub fn subscribe_body(filters: &[&str]) -> Value {
    json!({"eventFilters": filters, "deliveryMode": {"transportType": "WebSocket"}})
}

pub fn json(response: &HttpResponse) -> Value {
    serde_json::from_str(response.text()).unwrap()
}

pub fn status(frame: &Value) -> u64 {
    frame[0]["status"].as_u64().unwrap()
}

pub fn wsc_of(frame: &Value) -> String {
    frame[0]["wsc"]["token"].as_str().unwrap().to_owned()
}

/// The `n` of each notification, in order.
pub fn numbers(frames: &[Value]) -> Vec<u64> {
    let notifications = frames.iter().filter(|frame| frame[0]["type"] == "ServerNotification");
    notifications.map(|frame| frame[1]["body"]["n"].as_u64().unwrap()).collect()
}

/// The close order for a connection.
pub fn close_of(outputs: &[GatewayOutput], wanted: u64) -> Option<(u16, String)> {
    outputs.iter().find_map(|output| match output {
        GatewayOutput::Close { conn, code, reason } if *conn == wanted => Some((*code, reason.clone())),
        _ => None,
    })
}
