//! A headless Chromium, driven by the DevTools protocol. The demo of the client in a browser
//! (adapters/ports/browser/examples/browser-demo) has this file too. Who has it names `ws`, a tungstenite, and `Result`.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Result;
use crate::ws::{self, Message, WebSocket};

/// How long Chromium may take to start, and to answer. Generous: the machine may be busy.
pub(crate) const DEADLINE: Duration = Duration::from_secs(60);
/// Between two looks at something.
const PAUSE: Duration = Duration::from_millis(50);

pub(crate) struct Chromium {
    // In the order of their end: the connection, the process, its folder.
    devtools: WebSocket<TcpStream>,
    _process: Process,
    _folder: Folder,
    next: u64,
    domains: &'static [&'static str],
    /// Errors that scripts of the pages did not catch and, of the domain `Log`, what their policy refused.
    pub(crate) complaints: Vec<String>,
}

/// A tab, by its DevTools session.
#[derive(Clone)]
pub(crate) struct Tab {
    target: String,
    session: String,
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
    /// Starts it with these arguments beside the usual ones. Each tab reports on these domains of the protocol.
    pub(crate) fn start(program: &Path, args: &[&str], domains: &'static [&'static str]) -> Result<Self> {
        let folder = Folder(std::env::temp_dir().join(format!("ringcentral-ws-chromium-{}", std::process::id())));
        let process = Command::new(program)
            .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
            .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
            .args(["--disable-dev-shm-usage", "--remote-debugging-port=0"])
            .args(args)
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
        stream.set_nodelay(true)?;
        let (devtools, _) = ws::client(format!("ws://127.0.0.1:{port}{path}"), stream)?;
        Ok(Self { devtools, _process: process, _folder: folder, next: 1, domains, complaints: Vec::new() })
    }

    pub(crate) fn open(&mut self, url: &str) -> Result<Tab> {
        let target = text(&self.call(None, "Target.createTarget", json!({ "url": "about:blank" }))?["targetId"]);
        let attach = json!({ "targetId": target, "flatten": true });
        let session = text(&self.call(None, "Target.attachToTarget", attach)?["sessionId"]);
        let tab = Tab { target, session };
        for domain in self.domains {
            self.command(&tab, &format!("{domain}.enable"), json!({}))?;
        }
        self.command(&tab, "Page.navigate", json!({ "url": url }))?;
        Ok(tab)
    }

    pub(crate) fn close(&mut self, tab: &Tab) -> Result<()> {
        self.call(None, "Target.closeTarget", json!({ "targetId": tab.target })).map(drop)
    }

    pub(crate) fn command(&mut self, tab: &Tab, method: &str, params: Value) -> Result<Value> {
        self.call(Some(&tab.session), method, params)
    }

    /// The value of an expression in the page, once it is settled.
    pub(crate) fn eval(&mut self, tab: &Tab, expression: &str) -> Result<Value> {
        let params = json!({ "expression": expression, "awaitPromise": true, "returnByValue": true });
        let mut answer = self.command(tab, "Runtime.evaluate", params)?;
        match answer.get("exceptionDetails") {
            Some(details) => Err(format!("{expression}: {}", text(&details["exception"]["description"])).into()),
            None => Ok(answer["result"]["value"].take()),
        }
    }

    /// Looks until `found` gives something.
    pub(crate) fn until<T>(&mut self, what: &str, mut found: impl FnMut(&mut Self) -> Result<Option<T>>) -> Result<T> {
        let deadline = Instant::now() + DEADLINE;
        loop {
            // While a page is being replaced there is nobody to answer; the last failure is reported.
            let failure = match found(self) {
                Ok(Some(it)) => return Ok(it),
                Ok(None) => String::new(),
                Err(error) => format!(" ({error})"),
            };
            if Instant::now() > deadline {
                return Err(format!("waited in vain for: {what}{failure}").into());
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Looks until an expression in the page is true.
    pub(crate) fn until_true(&mut self, tab: &Tab, expression: &str) -> Result<()> {
        self.until(expression, |browser| match browser.eval(tab, expression)? {
            Value::Bool(true) => Ok(Some(())),
            other => Err(other.to_string().into()),
        })
    }

    fn call(&mut self, session: Option<&str>, method: &str, params: Value) -> Result<Value> {
        let id = self.next;
        self.next += 1;
        let mut call = json!({ "id": id, "method": method, "params": params });
        if let Some(session) = session {
            call["sessionId"] = json!(session);
        }
        self.devtools.send(Message::text(call.to_string()))?;
        loop {
            let Message::Text(message) = self.devtools.read()? else { continue };
            let mut message: Value = serde_json::from_str(&message)?;
            let params = &message["params"];
            match message["method"].as_str() {
                Some("Runtime.exceptionThrown") => {
                    let details = &params["exceptionDetails"];
                    let what = [&details["text"], &details["exception"]["description"]].map(text);
                    self.complaints.push(what.join(" "));
                }
                // An answer that refuses is no complaint: the page shows it.
                Some("Log.entryAdded")
                    if params["entry"]["level"] == "error" && params["entry"]["source"] != "network" =>
                {
                    self.complaints.push(params["entry"].to_string());
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
