//! The web server of the page: its files, its backend, and buttons that make things happen at the stand-in. As small as
//! it can be; a real page has a web server already.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use ringcentral_ws_gateway::Server;
use serde_json::json;

use crate::Result;
use crate::backend::Backend;

/// Longest head of a request, in bytes.
const MAX_HEAD: u64 = 16 * 1024;
/// How long a browser may take for its request.
const DEADLINE: Duration = Duration::from_secs(10);
const SENDER: &str = "+16505550100";

pub(crate) struct Pages {
    address: SocketAddr,
}

/// What all requests share.
struct Site {
    module: Vec<u8>,
    gateway: Arc<Server>,
    backend: Mutex<Backend>,
    /// Messages that have arrived by the page's buttons.
    messages: Mutex<u32>,
    policy: String,
}

struct Reply {
    status: &'static str,
    kind: &'static str,
    body: Vec<u8>,
}

impl Pages {
    /// Serves until the process ends.
    pub(crate) fn start(port: u16, module: Vec<u8>, gateway: Arc<Server>) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
        let address = listener.local_addr()?;
        // All that the page needs: its own files, WebAssembly, and the service.
        let host = gateway.address();
        let policy = format!(
            "default-src 'none'; style-src 'self'; img-src data:; script-src 'self' 'wasm-unsafe-eval'; \
             connect-src 'self' http://{host} ws://{host}"
        );
        let backend = Mutex::new(Backend::new(Arc::clone(&gateway))?);
        let site = Arc::new(Site { module, gateway, backend, messages: Mutex::new(0), policy });
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let site = Arc::clone(&site);
                // What a browser breaks off is its own affair.
                thread::spawn(move || {
                    let _ = site.serve(&stream);
                });
            }
        });
        Ok(Self { address })
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/", self.address)
    }
}

impl Site {
    fn serve(&self, mut stream: &TcpStream) -> std::io::Result<()> {
        stream.set_read_timeout(Some(DEADLINE))?;
        let mut lines = BufReader::new(stream.take(MAX_HEAD)).lines();
        let first = lines.next().unwrap_or_else(|| Ok(String::new()))?;
        // The headers say nothing that matters here, and the bodies are empty.
        for line in lines {
            if line?.is_empty() {
                break;
            }
        }
        let mut words = first.split(' ');
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let Reply { status, kind, body } = self.answer(method, path, query);
        write!(
            stream,
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nCache-Control: no-store\r\n\
             Content-Security-Policy: {}\r\nConnection: close\r\n\r\n",
            body.len(),
            self.policy
        )?;
        stream.write_all(&body)
    }

    fn answer(&self, method: &str, path: &str, query: &str) -> Reply {
        let ok = |kind, body: &[u8]| Reply { status: "200 OK", kind, body: body.to_vec() };
        match (method, path) {
            ("GET", "/") => ok("text/html", include_bytes!("../../web/index.html")),
            ("GET", "/demo.css") => ok("text/css", include_bytes!("../../web/demo.css")),
            ("GET", "/demo.js") => ok("text/javascript", include_bytes!("../../web/demo.js")),
            ("GET", "/ringcentral-ws.js") => ok("text/javascript", include_bytes!("../../web/ringcentral-ws.js")),
            ("GET", "/ringcentral_ws_port_browser.wasm") => ok("application/wasm", &self.module),
            ("GET", "/demo/config") => {
                ok("application/json", json!({ "server": self.gateway.http_url() }).to_string().as_bytes())
            }
            ("GET", "/demo/token") => {
                let mut backend = self.backend.lock().unwrap_or_else(PoisonError::into_inner);
                match backend.token(query == "refused=true") {
                    Ok(token) => ok("application/json", token.to_string().as_bytes()),
                    Err(error) => Reply {
                        status: "502 Bad Gateway",
                        kind: "text/plain; charset=utf-8",
                        body: error.to_string().into_bytes(),
                    },
                }
            }
            ("POST", "/demo/sms") => self.did(|| self.receive(1)),
            ("POST", "/demo/restart") => self.did(|| self.gateway.restart()),
            ("POST", "/demo/cut") => self.did(|| {
                self.gateway.drop_connections();
                let count = query.strip_prefix("sms=").and_then(|count| count.parse().ok()).unwrap_or(0);
                self.receive(count);
            }),
            _ => Reply { status: "404 Not Found", kind: "text/plain", body: b"no such page".to_vec() },
        }
    }

    fn did(&self, work: impl FnOnce()) -> Reply {
        work();
        Reply { status: "200 OK", kind: "text/plain", body: Vec::new() }
    }

    fn receive(&self, count: u32) {
        let mut messages = self.messages.lock().unwrap_or_else(PoisonError::into_inner);
        for _ in 0..count.min(50) {
            *messages += 1;
            self.gateway.receive_sms(0, SENDER, &format!("Message {messages}"));
        }
    }
}
