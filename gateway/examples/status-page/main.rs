//! The status page in a headless Chromium: every button is pressed, and what came of it is looked for on the page, in the
//! gateway and on a WebSocket. `browser/run.sh` runs it where there is a Chromium.

#[allow(dead_code, reason = "the demo of the client in a browser has its part")]
mod chromium;

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use chromium::{Chromium, DEADLINE, Tab};
use ringcentral_ws_gateway::{Gateway, GatewayEvent, Server, ServerConfig};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite as ws;
use ws::{Message, WebSocket};

/// What is reported: one line for people.
type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

const HELP: &str = "Usage: status-page [--chromium PROGRAM] [--shots FOLDER]";
/// Secrets must not be on the page, whatever is looked at.
const MASKED: &str = "!/U0pDMDFQ/.test(document.body.innerText)";

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1);
    let (mut chromium, mut shots) = (PathBuf::from("chromium"), None);
    while let Some(arg) = args.next() {
        match (arg.as_str(), args.next()) {
            ("--chromium", Some(program)) => chromium = program.into(),
            ("--shots", Some(folder)) => shots = Some(PathBuf::from(folder)),
            _ => {
                eprintln!("{HELP}");
                return ExitCode::from(2);
            }
        }
    }
    match check(&chromium, shots.as_deref()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("status-page: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The page, the only tab of its browser.
struct Page {
    chromium: Chromium,
    tab: Tab,
}

impl Page {
    fn open(program: &Path, url: &str) -> Result<Self> {
        let mut chromium = Chromium::start(program, &["--hide-scrollbars"], &["Page", "Runtime", "Log"])?;
        let tab = chromium.open(url)?;
        Ok(Self { chromium, tab })
    }

    fn eval(&mut self, expression: &str) -> Result<Value> {
        self.chromium.eval(&self.tab, expression)
    }

    fn until(&mut self, expression: &str) -> Result<()> {
        self.chromium.until_true(&self.tab, expression)
    }

    fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        self.chromium.command(&self.tab, method, params)
    }
}

fn check(chromium: &Path, shots: Option<&Path>) -> Result<()> {
    let mut config = ServerConfig::default().users(2);
    config.gateway.ws_token.rate_limit = None;
    let server = Server::start(config)?;
    let browser = Page::open(chromium, &format!("{}/_gateway/", server.http_url()))?;
    let client = Client::connect(&server)?;
    let mut check = Check { server, browser, client };
    check.shows_the_session()?;
    check.users_get_what_is_sent()?;
    check.what_is_sent_goes_wrong()?;
    check.connections_go_wrong()?;
    check.calls_go_wrong()?;
    if let Some(folder) = shots {
        check.shoot(folder)?;
    }
    check.logins_go_wrong()?;
    check.fits_all_widths()?;
    check.listening_goes_wrong()?;
    match check.browser.chromium.complaints.as_slice() {
        [] => {
            println!("the status page: every form did what it says");
            Ok(())
        }
        some => Err(format!("the browser complains: {some:?}").into()),
    }
}

struct Check {
    server: Server,
    browser: Page,
    client: Client,
}

impl Check {
    fn shows_the_session(&mut self) -> Result<()> {
        self.browser.until("document.getElementById('live').textContent === 'live'")?;
        self.browser.until("document.getElementById('sessions').innerText.includes('connection 1')")?;
        self.browser.until("document.getElementById('frames').childElementCount >= 3")?;
        self.browser.until("document.getElementById('frames').textContent.includes('\"token\":\"•\"')")?;
        self.browser.until(MASKED)
    }

    fn users_get_what_is_sent(&mut self) -> Result<()> {
        for (name, kind) in [("sms", "SMS"), ("voicemail", "VoiceMail"), ("fax", "Fax"), ("pager", "Pager")] {
            self.press(name, "done")?;
            self.gateway(name, |gateway| gateway.messages(0).any(|message| message["type"] == kind))?;
        }
        self.press("post", "done")?;
        self.set("call", "ring_ms", "0")?;
        self.set("call", "talk_ms", "0")?;
        self.set("call", "voicemail", "From the page")?;
        self.press("call", "done")?;
        self.gateway("call", |gateway| gateway.messages(0).any(|message| message["subject"] == "From the page"))?;
        self.press("notify", "done, 1 notifications")?;
        self.client.until("\"sequence\":1")?;
        self.set("script", "script", "at 0s sms scripted\nat once drop")?;
        self.press("script", "line 2: once is no time")?;
        self.set("script", "script", "at 0s sms scripted")?;
        self.press("script", "done")?;
        self.client.until("scripted")
    }

    fn what_is_sent_goes_wrong(&mut self) -> Result<()> {
        self.press("raw", "done")?;
        self.client.until("no JSON")?;
        self.press("duplicate", "done")?;
        self.shows_fault("1 notifications to duplicate")?;
        self.press("notify", "done")?;
        let (first, second) = (self.client.next()?, self.client.next()?);
        let uuid = |frame: &str| Ok::<_, serde_json::Error>(serde_json::from_str::<Value>(frame)?[1]["uuid"].clone());
        if uuid(&first)? != uuid(&second)? {
            return Err("the notification did not come twice".into());
        }
        for (name, member, on, shown) in
            [("delay", "ms", "300", "everything 300 ms late"), ("split", "bytes", "1", "writes of 1 bytes")]
        {
            self.set(name, member, on)?;
            self.press(name, "done")?;
            self.shows_fault(shown)?;
            self.set(name, member, "0")?;
            self.press(name, "done")?;
            self.shows_fault("none")?;
        }
        Ok(())
    }

    /// Each ends the connection; the client comes back with a new one.
    fn connections_go_wrong(&mut self) -> Result<()> {
        for (name, code) in
            [("drop", Some(1006)), ("close", Some(1001)), ("timeout", Some(1000)), ("restart", Some(1006))]
        {
            let before = self.server.with_gateway(|gateway, _| gateway.events_since(0).count());
            self.press(name, "done")?;
            self.gateway(name, |gateway| {
                let events = gateway.events_since(before as u64);
                events
                    .into_iter()
                    .any(|(_, event)| matches!(event, GatewayEvent::Disconnected { code: ended, .. } if *ended == code))
            })?;
            self.client.ended()?;
            self.client = Client::connect(&self.server)?;
        }
        self.press("halfopen", "done")?;
        self.shows_fault("1 half-open")?;
        self.press("drop", "done")?;
        self.client.ended()?;
        self.client = Client::connect(&self.server)?;
        self.browser.until("document.getElementById('sessions').innerText.includes('to recover')")
    }

    fn calls_go_wrong(&mut self) -> Result<()> {
        self.press("fail", "done")?;
        self.shows_fault("1 calls to fail")?;
        if Client::connect(&self.server).is_ok() {
            return Err("the next call did not fail".into());
        }
        self.shows_fault("none")?;
        self.set("overload", "ms", "60000")?;
        self.press("overload", "done")?;
        self.shows_fault("overload 503")
    }

    fn logins_go_wrong(&mut self) -> Result<()> {
        self.set("overload", "ms", "0")?;
        self.press("overload", "done")?;
        self.shows_fault("none")?;
        self.press("expire-tokens", "done")?;
        self.client.ended()?;
        self.press("logout", "done")?;
        self.gateway("logout", |gateway| gateway.oauth_session_count() == 0)
    }

    /// Nothing is wider than the window, at any width, in both colour schemes.
    fn fits_all_widths(&mut self) -> Result<()> {
        for width in [320, 360, 700, 1000, 1400] {
            self.resize(width, "light")?;
            self.browser.until("document.documentElement.scrollWidth <= window.innerWidth")?;
            // Whatever is cut off could not be read: only logs and their lines scroll or end in dots.
            let wide = self.browser.eval(
                "[...document.querySelectorAll('main *')].filter((one) => !one.closest('.log') \
                 && one.getBoundingClientRect().right > window.innerWidth + 1).map((one) => one.outerHTML.slice(0, 80))",
            )?;
            if wide != json!([]) {
                return Err(format!("at a width of {width}: {wide}").into());
            }
        }
        Ok(())
    }

    /// The last: the browser itself may need a new connection while nobody listens.
    fn listening_goes_wrong(&mut self) -> Result<()> {
        for (name, shown) in [("stall", "new connections stalled"), ("refuse", "new connections refused")] {
            self.set(name, "ms", "1500")?;
            self.press(name, "done")?;
            self.shows_fault(shown)?;
            self.shows_fault("none")?;
        }
        Ok(())
    }

    /// Pictures of the page, for people to look at.
    fn shoot(&mut self, folder: &Path) -> Result<()> {
        std::fs::create_dir_all(folder)?;
        for (width, scheme) in [(360, "light"), (1400, "light"), (360, "dark"), (1400, "dark")] {
            self.resize(width, scheme)?;
            let height = self.browser.eval("document.documentElement.scrollHeight")?.as_u64().unwrap_or(0);
            for (part, y) in (0..height).step_by(1300).enumerate() {
                let clip = json!({"x": 0, "y": y, "width": width, "height": (height - y).min(1300), "scale": 1});
                let params = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
                let shot = self.browser.call("Page.captureScreenshot", params)?;
                let bytes = data_encoding::BASE64.decode(shot["data"].as_str().unwrap_or_default().as_bytes())?;
                std::fs::write(folder.join(format!("{width}-{scheme}-{part}.png")), bytes)?;
            }
        }
        Ok(())
    }

    fn resize(&mut self, width: u32, scheme: &str) -> Result<()> {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.browser.call("Emulation.setDeviceMetricsOverride", size)?;
        let scheme = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        self.browser.call("Emulation.setEmulatedMedia", scheme)?;
        self.browser.until(&format!("window.innerWidth === {width}"))
    }

    fn set(&mut self, name: &str, member: &str, value: &str) -> Result<()> {
        let field = format!("document.querySelector('form[data-command={name}]').elements[{}]", json!(member));
        self.browser.eval(&format!("{field}.value = {}", json!(value))).map(drop)
    }

    /// Clicks a button and waits for what its command answers.
    fn press(&mut self, name: &str, answer: &str) -> Result<()> {
        self.browser.eval("document.getElementById('answer').textContent = ''")?;
        self.browser.eval(&format!("document.querySelector('form[data-command={name}] button').click()"))?;
        let said = json!(format!("{name}: {answer}"));
        self.browser.until(&format!("document.getElementById('answer').textContent.startsWith({said})"))
    }

    fn shows_fault(&mut self, text: &str) -> Result<()> {
        self.browser.until(&format!("document.getElementById('faults').textContent.includes({})", json!(text)))
    }

    fn gateway(&self, what: &str, holds: impl FnMut(&Gateway) -> bool) -> Result<()> {
        if self.server.wait_until(DEADLINE, holds) { Ok(()) } else { Err(format!("{what} did nothing").into()) }
    }
}

/// A client of the gateway, as small as can be.
struct Client(WebSocket<TcpStream>);

impl Client {
    fn connect(server: &Server) -> Result<Self> {
        let target = server.with_gateway(|gateway, now| {
            let login = gateway.login(0, now)?;
            let request = ringcentral_ws_gateway::HttpRequest::new("POST", "/restapi/oauth/wstoken");
            let answer = gateway.http(&request.bearer(&login.access_token), now);
            let answer: Value = serde_json::from_str(answer.text()).ok()?;
            answer["ws_access_token"].as_str().map(str::to_owned)
        });
        let token = target.ok_or("no WebSocket token")?;
        let tcp = TcpStream::connect(server.address())?;
        tcp.set_read_timeout(Some(Duration::from_secs(30)))?;
        let (socket, _) = ws::client(format!("{}?access_token={token}", server.ws_url()), tcp)?;
        let mut client = Self(socket);
        client.next()?;
        let meta =
            json!({"type": "ClientRequest", "messageId": "s", "method": "POST", "path": "/restapi/v1.0/subscription"});
        let filters =
            ["message-store/instant?type=SMS", "presence"].map(|f| format!("/restapi/v1.0/account/~/extension/~/{f}"));
        let body = json!({"eventFilters": filters, "deliveryMode": {"transportType": "WebSocket"}});
        client.0.send(Message::text(json!([meta, body]).to_string()))?;
        client.next()?;
        Ok(client)
    }

    fn next(&mut self) -> Result<String> {
        loop {
            match self.0.read()? {
                Message::Text(text) => return Ok(text.to_string()),
                Message::Close(_) => return Err("the socket was closed".into()),
                _ => {}
            }
        }
    }

    /// Reads until a frame has this in it.
    fn until(&mut self, part: &str) -> Result<()> {
        while !self.next()?.contains(part) {}
        Ok(())
    }

    /// Reads until the connection is over.
    fn ended(&mut self) -> Result<()> {
        loop {
            match self.0.read() {
                Err(ws::Error::Io(error)) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    return Err("the connection goes on".into());
                }
                Err(_) => return Ok(()),
                Ok(_) => {}
            }
        }
    }
}
