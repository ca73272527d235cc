//! A headless Chromium with one page, driven by the DevTools protocol.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message, WebSocket};

use crate::Result;

/// How long Chromium may take to start, and to answer. Generous: the machine may be busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks at something.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Chromium {
    // In the order of their end: the connection, the process, its folder.
    devtools: WebSocket<TcpStream>,
    _process: Process,
    _folder: Folder,
    session: String,
    next: u64,
    /// What scripts of the page did not catch, and what its policy refused.
    pub(crate) complaints: Vec<String>,
}

struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        // Helpers of the browser may write a moment longer.
        for _ in 0..40 {
            match std::fs::remove_dir_all(&self.0) {
                Err(error) if error.kind() != ErrorKind::NotFound => std::thread::sleep(PAUSE),
                _ => return,
            }
        }
    }
}

impl Chromium {
    pub(crate) fn start(program: &Path, url: &str) -> Result<Self> {
        let folder = Folder(std::env::temp_dir().join(format!("status-page-{}", std::process::id())));
        let process = Command::new(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--hide-scrollbars", "--remote-debugging-port=0"])
            .arg(format!("--user-data-dir={}", folder.0.display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("{} does not start: {error}", program.display()))?;
        let process = Process(process);
        let (port, path) = address(&folder.0)?;
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(DEADLINE))?;
        let (devtools, _) = tungstenite::client(format!("ws://127.0.0.1:{port}{path}"), stream)?;
        let (session, complaints) = (String::new(), Vec::new());
        let mut browser = Self { devtools, _process: process, _folder: folder, session, next: 1, complaints };
        let target = text(&browser.call("Target.createTarget", json!({"url": "about:blank"}))?["targetId"]);
        let attach = json!({"targetId": target, "flatten": true});
        browser.session = text(&browser.call("Target.attachToTarget", attach)?["sessionId"]);
        for domain in ["Page.enable", "Runtime.enable", "Log.enable"] {
            browser.call(domain, json!({}))?;
        }
        browser.call("Page.navigate", json!({"url": url}))?;
        Ok(browser)
    }

    /// The value of an expression in the page, once it is settled.
    pub(crate) fn eval(&mut self, expression: &str) -> Result<Value> {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let mut answer = self.call("Runtime.evaluate", params)?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(format!("{expression}: {}", text(&details["exception"]["description"])).into()),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// Looks until an expression in the page is true.
    pub(crate) fn until(&mut self, expression: &str) -> Result<()> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            // While a page is being loaded there may be nobody to answer; the last failure is reported.
            let failure = match self.eval(expression) {
                Ok(Value::Bool(true)) => return Ok(()),
                Ok(other) => other.to_string(),
                Err(error) => error.to_string(),
            };
            if Instant::now() > deadline {
                return Err(format!("waited in vain for {expression}: {failure}").into());
            }
            std::thread::sleep(PAUSE);
        }
    }

    pub(crate) fn call(&mut self, method: &str, params: Value) -> Result<Value> {
        let id = self.next;
        self.next += 1;
        let mut call = json!({"id": id, "method": method, "params": params});
        if !self.session.is_empty() {
            call["sessionId"] = json!(self.session);
        }
        self.devtools.send(Message::text(call.to_string()))?;
        loop {
            let Message::Text(message) = self.devtools.read()? else { continue };
            let mut message: Value = serde_json::from_str(&message)?;
            match message["method"].as_str() {
                Some("Runtime.exceptionThrown") => {
                    self.complaints.push(message["params"]["exceptionDetails"].to_string());
                }
                // An answer that refuses is no complaint: the page shows it.
                Some("Log.entryAdded")
                    if message["params"]["entry"]["level"] == "error"
                        && message["params"]["entry"]["source"] != "network" =>
                {
                    self.complaints.push(message["params"]["entry"].to_string());
                }
                _ => {}
            }
            if message["id"] == id {
                return match message.get("error") {
                    Some(error) => Err(format!("{method}: {}", text(&error["message"])).into()),
                    None => Ok(message["result"].take()),
                };
            }
        }
    }
}

/// Where the DevTools listen: Chromium writes it into a file of its folder.
fn address(folder: &Path) -> Result<(u16, String)> {
    let deadline = Instant::now() + DEADLINE;
    while Instant::now() < deadline {
        let written = std::fs::read_to_string(folder.join("DevToolsActivePort")).unwrap_or_default();
        // The second line is there when all of it is.
        if let Some((port, path)) = written.split_once('\n')
            && path.starts_with('/')
        {
            return Ok((port.parse()?, path.trim().to_owned()));
        }
        std::thread::sleep(PAUSE);
    }
    Err("Chromium does not start".into())
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
