//! The program, run as such.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// Ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ringcentral-ws-gateway"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// A file of its own for each test, gone at its end.
struct Script(std::path::PathBuf);

impl Script {
    fn new(name: &str, text: &str) -> Self {
        let path = std::env::temp_dir().join(format!("{}-{name}.script", std::process::id()));
        std::fs::write(&path, text).unwrap();
        Self(path)
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.0);
    }
}

#[test]
fn a_script_with_bad_lines_stops_the_program_before_it_listens() {
    let script = Script::new("bad", "at 1s drop\nat 1s explode\nsometimes drop\n");
    let output = program().arg("--script").arg(&script.0).output().unwrap();
    let (said, path) = (String::from_utf8(output.stderr).unwrap(), script.0.display().to_string());
    assert_eq!((output.status.code(), &*output.stdout), (Some(1), &b""[..]));
    assert!(said.contains(&format!("{path}:2: there is no command explode")), "{said}");
    assert!(said.contains(&format!("{path}:3: a line begins with at, after or every, not with sometimes")), "{said}");
    let output = program().args(["--script", "/nowhere/at.all"]).output().unwrap();
    assert!(String::from_utf8(output.stderr).unwrap().contains("/nowhere/at.all cannot be read"));
}

#[test]
fn a_script_is_run() {
    let script = Script::new("good", "at 0s fail /restapi 500\nat 0s call from=+16505550111 # and its voicemail\n");
    let mut running = Running(program().arg("--script").arg(&script.0).spawn().unwrap());
    let mut lines = BufReader::new(running.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut after =
        |name: &str| lines.find_map(|line| line.strip_prefix(name).map(|rest| rest.trim().to_owned())).unwrap();
    let url = after("HTTP");
    assert!(url.starts_with("http://127.0.0.1:"));
    assert_eq!(after("Status page"), format!("{url}/_gateway/"));
    assert_eq!(after("export RC_SERVER_URL="), url);
    assert_eq!(after("export RC_APP_CLIENT_ID="), "gateway-client-id");
    assert!(!after("export RC_APP_CLIENT_SECRET=").is_empty());
    assert_eq!(after("export RC_USER_JWT="), "gateway.user-0.jwt");
    assert!(running.0.try_wait().unwrap().is_none(), "it goes on");
}

#[test]
fn an_address_in_use_is_named_with_what_to_do() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let output = program().args(["--listen", &address]).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(
        said.contains(&format!("cannot listen on {address} (")) && said.contains("give --listen another"),
        "{said}"
    );
}
