//! The `watch` program, from outside.

use crate::common;

use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use common::{DEADLINE, server};
use ringcentral_ws_gateway::Server;
use serde_json::{Value, json};

const FILTER: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";

fn program() -> Command {
    let tests = std::env::current_exe().unwrap();
    let program = tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples/watch");
    assert!(program.exists(), "`cargo test --test` builds no examples: run `cargo build --example watch` first");
    let mut command = Command::new(program);
    for name in ["SERVER_URL", "APP_CLIENT_ID", "APP_CLIENT_SECRET", "USER_JWT"] {
        command.env_remove(format!("RC_{name}"));
    }
    for name in ["SERVER_URL", "CLIENT_ID", "CLIENT_SECRET", "JWT_TOKEN"] {
        command.env_remove(format!("RINGCENTRAL_{name}"));
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn program_for(server: &Server) -> Command {
    let mut command = program();
    let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
    command.env("RC_SERVER_URL", server.http_url()).env("RC_APP_CLIENT_ID", app.client_id);
    command.env("RC_APP_CLIENT_SECRET", app.client_secret).env("RC_USER_JWT", jwt);
    command
}

/// Runs to the end; status, stdout, stderr.
fn finish(command: &mut Command) -> (i32, String, String) {
    let output = command.output().unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

struct Watch {
    child: Child,
    commands: ChildStdin,
    lines: Receiver<String>,
    all: String,
}

impl Watch {
    fn start(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).spawn().unwrap();
        let commands = child.stdin.take().unwrap();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().unwrap());
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, commands, lines, all: String::new() }
    }

    fn say(&mut self, command: &Value) {
        writeln!(self.commands, "{command}").unwrap();
    }

    /// The next line with this `event`; those before it are skipped.
    fn next(&mut self, event: &str) -> Value {
        let end = Instant::now() + DEADLINE;
        loop {
            let line = match self.lines.recv_timeout(end.saturating_duration_since(Instant::now())) {
                Ok(line) => line,
                Err(RecvTimeoutError::Timeout) => panic!("no {event} after\n{}", self.all),
                Err(RecvTimeoutError::Disconnected) => panic!("ended without {event} after\n{}", self.all),
            };
            self.all.push_str(&line);
            self.all.push('\n');
            let line: Value = serde_json::from_str(&line).expect(&line);
            if line["event"] == event {
                return line;
            }
        }
    }

    fn end(mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let _ = self.child.kill();
    }
}

#[test]
fn mistakes_have_their_status() {
    let (status, out, _) = finish(program().arg("--help"));
    assert!(status == 0 && out.contains("--rest-over-websocket") && out.contains("Exit status"), "{out}");
    let server = server();
    for (arguments, part) in
        [(&["--jsn"][..], "--jsn"), (&["smss"], "begin with '/'"), (&["--state"], "--state"), (&[], "filter")]
    {
        let (status, out, error) = finish(program_for(&server).args(arguments));
        assert!(status == 2 && out.is_empty() && error.contains(part), "{arguments:?}: {status} {error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
    let (status, _, error) = finish(program().env("RC_USER_JWT", "hunter2").arg(FILTER));
    assert!(status == 2 && error.contains("RC_APP_CLIENT_ID") && !error.contains("hunter2"), "{error}");
    let (status, _, error) = finish(program_for(&server).env("RC_SERVER_URL", "http://h.example").arg(FILTER));
    assert!(status == 2 && error.contains("https"), "{error}");
}

// CLAUSE SEC-1
#[test]
fn a_wrong_secret_is_a_permanent_error() {
    let server = server();
    for flags in [&["--json", "--debug"][..], &["--debug"]] {
        let (status, out, error) =
            finish(program_for(&server).env("RC_APP_CLIENT_SECRET", "hunter2").args(flags).arg(FILTER));
        assert!(status == 1 && error.contains("RC_APP_CLIENT_SECRET"), "{status} {error}");
        assert!(!error.contains("hunter2") && !out.contains("hunter2"));
    }
}

#[test]
fn the_line_protocol_works() {
    let server = server();
    for over_websocket in [false, true] {
        let mut command = program_for(&server);
        command.args(["--json", FILTER]);
        if over_websocket {
            command.arg("--rest-over-websocket");
        }
        let mut watch = Watch::start(&mut command);
        assert_eq!(watch.next("connected")["resumption"], "fresh");
        let subscribed = watch.next("subscribed");
        assert_eq!(subscribed["filters"].as_array().unwrap().len(), 1, "{subscribed}");
        server.receive_sms(0, "+16505550100", "Héllo \"x\"\n");
        let notification = watch.next("notification");
        assert_eq!(notification["subscription"], subscribed["id"]);
        assert_eq!(notification["body"]["subject"], "Héllo \"x\"\n");
        watch.say(&json!({ "cmd": "request", "id": "r1", "path": "/restapi/v1.0/account/~/extension/~" }));
        let response = watch.next("response");
        assert_eq!((&response["id"], &response["status"]), (&json!("r1"), &json!(200)));
        assert_eq!(response["via"], if over_websocket { "websocket" } else { "https" });
        watch.say(&json!({ "cmd": "dance" }));
        assert!(watch.next("error")["message"].as_str().unwrap().contains("dance"));
        watch.say(&json!({ "cmd": "subscribe", "filters": [FILTER, "/restapi/v1.0/account/~/extension/~/presence"] }));
        assert_eq!(watch.next("subscribed")["filters"].as_array().unwrap().len(), 2);
        server.drop_connections();
        server.receive_sms(0, "+16505550100", "again");
        assert_eq!(watch.next("connected")["resumption"], "recovered");
        assert_eq!(watch.next("notification")["body"]["subject"], "again");
        watch.say(&json!({ "cmd": "unsubscribe" }));
        watch.next("unsubscribed");
        watch.say(&json!({ "cmd": "close", "mode": "revoke" }));
        assert_eq!(watch.next("closed")["reason"], "revoked");
        assert_eq!(watch.end().code(), Some(0));
    }
}

fn state_file() -> PathBuf {
    std::env::temp_dir().join(format!("ringcentral-ws-watch-{}.state", std::process::id()))
}

// CLAUSE PST-3
#[test]
fn state_is_kept_and_a_torn_file_is_survived() {
    let server = server();
    let file = state_file();
    let start = || Watch::start(program_for(&server).args(["--json", "--state", file.to_str().unwrap(), FILTER]));
    let detach = |mut watch: Watch| {
        watch.say(&json!({ "cmd": "close", "mode": "detach" }));
        assert_eq!(watch.next("closed")["reason"], "detached");
        assert_eq!(watch.end().code(), Some(0));
    };
    let mut watch = start();
    watch.next("subscribed");
    detach(watch);
    server.receive_sms(0, "+16505550100", "while away");
    let whole = std::fs::read(&file).unwrap();
    let mut watch = start();
    assert_eq!(watch.next("connected")["resumption"], "recovered");
    watch.next("recovered");
    assert_eq!(watch.next("notification")["body"]["subject"], "while away");
    assert!(!watch.all.contains("\"gap\""), "{}", watch.all);
    detach(watch);
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let mut watch = start();
    assert_eq!(watch.next("connected")["resumption"], "fresh");
    let gap = watch.next("gap");
    assert!(gap["cause"] == "restored" && gap["after"].is_null() && gap["since"] == 0, "{gap}");
    watch.next("subscribed");
    detach(watch);
    assert!(serde_json::from_slice::<Value>(&std::fs::read(&file).unwrap()).is_ok());
    std::fs::remove_file(&file).unwrap();
    std::fs::remove_file(file.with_extension("state.login")).unwrap();
}

#[test]
fn an_unreachable_server_is_retried_until_it_is_there() {
    let server = server();
    server.refuse_connections(true);
    let mut watch = Watch::start(program_for(&server).args(["--json", FILTER]));
    let retry = watch.next("retry");
    assert!(retry["attempt"] == 1 && retry["delay_ms"].is_u64(), "{retry}");
    assert!(retry["message"].as_str().unwrap().contains("refused"), "{retry}");
    server.refuse_connections(false);
    watch.next("subscribed");
    watch.say(&json!({ "cmd": "close", "mode": "revoke" }));
    watch.next("closed");
    assert_eq!(watch.end().code(), Some(0));
}

#[test]
fn a_server_that_was_never_reached_ends_the_program() {
    let server = server();
    server.refuse_connections(true);
    for flags in [&[][..], &["--json"]] {
        let began = Instant::now();
        let (status, _, error) = finish(program_for(&server).args(flags).arg(FILTER));
        assert_eq!((status, error.lines().count()), (1, 1), "{error}");
        for part in [server.http_url().as_str(), "refused", "RC_SERVER_URL", "network"] {
            assert!(error.contains(part), "{part}: {error}");
        }
        assert!(began.elapsed() < DEADLINE);
    }
}

#[test]
fn the_demonstration_ends_well_and_in_time() {
    let began = Instant::now();
    let (status, out, error) = finish(program().arg("--debug"));
    assert_eq!(status, 0, "{out}\n{error}");
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    for part in ["subscribed", "notification", "recovered", "GAP", "not recovered", "closed"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    for secret in ["gateway-client-secret", "gateway.user-0.jwt", "access_token=", "Bearer "] {
        assert!(!out.contains(secret) && !error.contains(secret), "{secret}");
    }
    assert!(error.contains("\"token\":\"***\""), "the recovery token is masked: {error}");
}

// CLAUSE PST-3
#[test]
fn files_that_cannot_be_written_get_one_line_and_stop_nothing() {
    let server = server();
    let folder = std::env::temp_dir().join(format!("ringcentral-ws-way-{}", std::process::id()));
    let (file, login) = (folder.join("state"), folder.join("state.login"));
    std::fs::create_dir_all(login.join("in the way")).unwrap();
    let mut watch = Watch::start(program_for(&server).args(["--json", "--state", file.to_str().unwrap(), FILTER]));
    let mut complaints = watch.child.stderr.take().unwrap();
    watch.next("subscribed");
    server.receive_sms(0, "+16505550100", "kept");
    watch.next("notification");
    // The state cannot be written from here on.
    let began = Instant::now();
    while std::fs::remove_file(&file).is_err() || std::fs::create_dir_all(file.join("in the way")).is_err() {
        assert!(began.elapsed() < DEADLINE);
    }
    for text in ["one", "two", "three"] {
        server.receive_sms(0, "+16505550100", text);
        assert_eq!(watch.next("notification")["body"]["subject"], text);
    }
    watch.say(&json!({ "cmd": "close", "mode": "detach" }));
    assert_eq!(watch.next("closed")["reason"], "detached");
    assert_eq!(watch.end().code(), Some(0));
    let mut said = String::new();
    std::io::Read::read_to_string(&mut complaints, &mut said).unwrap();
    let lines: Vec<_> = said.lines().collect();
    assert!(lines.len() == 2, "{said}");
    assert!(lines[0].contains("login cannot be kept") && lines[1].contains("session cannot be kept"), "{said}");
    // A name that is a folder's is a mistake, reported at once.
    let (status, _, error) = finish(program_for(&server).args(["--state", file.to_str().unwrap(), FILTER]));
    assert!(status == 2 && error.contains("is a folder") && error.lines().count() == 1, "{status} {error}");
    std::fs::remove_dir_all(&folder).unwrap();
}

/// What every adapter's program is tested for.
mod shared {
    ringcentral_ws_conformance::watch_tests!("watch");

    #[cfg(unix)]
    #[test]
    fn too_few_descriptors_are_said_in_one_line() {
        ringcentral_ws_conformance::files::too_few_descriptors(&program());
    }
}
