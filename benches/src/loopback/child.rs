//! The process of the server, as its parent sees it.

use std::io::{self, BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use ringcentral_ws_tokio::rustls::ClientConfig;
use ringcentral_ws_tokio::{Config, TlsSettings};

use super::serve::serve;

/// A program calls this first: in the process of the server it never returns.
pub fn serve_if_asked() {
    let mut args = std::env::args().skip(1);
    if args.next().as_deref() == Some("serve") {
        let done = serve(args.next().as_deref() == Some("tls"));
        eprintln!("the server ended: {done:?}");
        std::process::exit(1);
    }
}

/// A running server. It ends with this value.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens, on loopback.
    pub port: u16,
    /// The settings of its clients, if it speaks TLS. They share them, as the clients of a program do.
    tls: Option<Arc<ClientConfig>>,
}

impl Server {
    /// Starts one: this program once more, which must call [`serve_if_asked`] first.
    ///
    /// # Errors
    ///
    /// The process cannot be started, or ended at once.
    pub fn start(tls: bool) -> io::Result<Self> {
        // Not `current_exe`, which names valgrind if that runs the program.
        let program = std::env::args_os().next().ok_or_else(|| io::Error::other("the program has no name"))?;
        let mut child = Command::new(program)
            .args(["serve", if tls { "tls" } else { "plain" }])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("it is piped")).read_line(&mut line)?;
        let mut words = line.split_whitespace();
        let port = words.next().and_then(|port| port.parse().ok());
        let port = port.ok_or_else(|| io::Error::other("the server did not start"))?;
        let certificate = words.next().map(|hex| data_encoding::HEXLOWER.decode(hex.as_bytes()));
        let certificate = certificate.transpose().map_err(io::Error::other)?;
        let settings = certificate.map(|certificate| TlsSettings::new().trust(certificate).build());
        Ok(Self { child, port, tls: settings.transpose().map_err(io::Error::other)? })
    }

    /// The settings of a client of it.
    ///
    /// # Panics
    ///
    /// Never: the address is a good one.
    #[must_use]
    pub fn config(&self) -> Config {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        let server = format!("{scheme}://127.0.0.1:{}", self.port).parse().expect("a good address");
        Config { server, ..Config::default() }
    }

    /// The TLS settings of a client of it.
    #[must_use]
    pub fn tls(&self) -> Option<Arc<ClientConfig>> {
        self.tls.clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
