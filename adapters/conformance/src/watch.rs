//! A `watch` program from outside: the demonstration, and the line protocol.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};

use ringcentral_ws_adapter::terminal::escape;
use ringcentral_ws_gateway::{Server, ServerConfig};
use serde_json::{Value, json};

use crate::{DEADLINE, fake};

pub(crate) const FILTER: &str = "/restapi/v1.0/account/~/extension/~/message-store/instant?type=SMS";

/// The example of this name, built beside the test that asks.
///
/// # Panics
///
/// When it is not there.
#[must_use]
pub fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().expect("a test has a file");
    let program = tests.parent().and_then(Path::parent).expect("a folder").join("examples").join(name);
    assert!(program.exists(), "`cargo test --test` builds no examples: run `cargo build --example {name}` first");
    program
}

/// Runs the demonstration to its end.
///
/// # Panics
///
/// When it does not show what it should.
pub fn demonstration(program: &Path) {
    let output = command(program).arg("--debug").output().expect("it runs");
    let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.status.code(), Some(0), "{out}\n{error}");
    for part in ["subscribed", "notification", "recovered", "GAP", "not recovered", "closed"] {
        assert!(out.contains(part), "{part}: {out}");
    }
    for secret in ["gateway-client-secret", "gateway.user-0.jwt", "access_token=", "Bearer "] {
        assert!(!out.contains(secret) && !error.contains(secret), "{secret}");
    }
}

/// Speaks the line protocol with it, and has it keep its session in a file.
///
/// # Panics
///
/// When an answer is missing or wrong.
pub fn line_protocol(program: &Path) {
    let server = Server::start(ServerConfig::default()).expect("the loopback serves");
    let output = with_credentials(program, &server).arg("--jsn").output().expect("it runs");
    assert_eq!(output.status.code(), Some(2));
    let output = with_credentials(program, &server).env("RC_APP_CLIENT_SECRET", "wrong").arg(FILTER).output();
    assert_eq!(output.expect("it runs").status.code(), Some(1));
    server.refuse_connections(true);
    let output = with_credentials(program, &server).arg(FILTER).output().expect("it runs");
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.code() == Some(1) && error.contains("cannot be reached"), "{error}");
    server.refuse_connections(false);
    let file = std::env::temp_dir().join(format!("{}-{}.state", name(program), std::process::id()));
    let start = || Talk::start(with_credentials(program, &server).args(["--json", FILTER, "--state"]).arg(&file));
    let mut talk = start();
    assert_eq!(talk.next("connected")["resumption"], "fresh");
    let subscribed = talk.next("subscribed");
    server.receive_sms(0, "+16505550100", "Héllo \"x\"\n");
    let notification = talk.next("notification");
    assert_eq!(notification["subscription"], subscribed["id"]);
    assert_eq!(notification["body"]["subject"], "Héllo \"x\"\n");
    talk.say(&json!({ "cmd": "request", "id": "r1", "path": "/restapi/v1.0/account/~/extension/~" }));
    let response = talk.next("response");
    assert_eq!((&response["id"], &response["status"], &response["via"]), (&json!("r1"), &json!(200), &json!("https")));
    talk.say(&json!({ "cmd": "dance" }));
    assert!(talk.next("error")["message"].as_str().is_some_and(|message| message.contains("dance")));
    talk.say(&json!({ "cmd": "subscribe", "filters": [FILTER, "/restapi/v1.0/account/~/extension/~/presence"] }));
    assert_eq!(talk.next("subscribed")["filters"].as_array().map(Vec::len), Some(2));
    server.drop_connections();
    server.receive_sms(0, "+16505550100", "again");
    assert_eq!(talk.next("connected")["resumption"], "recovered");
    assert_eq!(talk.next("notification")["body"]["subject"], "again");
    talk.close("detach", "detached");
    server.receive_sms(0, "+16505550100", "while away");
    let mut talk = start();
    assert_eq!(talk.next("connected")["resumption"], "recovered");
    assert_eq!(talk.next("notification")["body"]["subject"], "while away");
    // A call under way is reported before the end.
    talk.say(&json!({ "cmd": "request", "id": 7, "path": "/restapi/v1.0/_delay/20000" }));
    talk.close("revoke", "revoked");
    let place_of = |event: &str| talk.all.rfind(&format!("{{\"event\":\"{event}\"")).expect("it was reported");
    assert!(place_of("response") < place_of("closed"), "{}", talk.all);
    std::fs::remove_file(&file).expect("the state was kept");
    let _ = std::fs::remove_file(file.with_extension("state.login"));
}

/// Has it show what a hostile server and a hostile stranger wrote.
///
/// # Panics
///
/// When something of it would act on a terminal, or does not come whole.
pub fn hostile_text(program: &Path) {
    let server = Server::start(ServerConfig::default()).expect("the loopback serves");
    let bad = "a\u{1b}]52;c;aGk=\u{7}\r\nclosed forged\u{85}\u{9b}2J\u{202e}\u{200b}\u{e0041}\u{7f}z";
    let send = || {
        let id = server.with_gateway(|g, _| g.subscriptions().next().map(|(id, _)| id.to_owned()));
        let (id, bad) = (json!(id.expect("it has subscribed")), json!(bad));
        // As a server may write it: with line breaks between the tokens, and nothing escaped that JSON allows.
        let head = r#"[{"type":"ServerNotification","messageId":"m"},"#;
        server.send_raw(&format!(
            "{head}{{\"uuid\":{bad},\"event\":{bad},\"subscriptionId\":{id},\r\n\"body\":{{\n\t\"text\":\n{bad},\r\n\"n\":1.50}}}}]"
        ));
    };
    let mut talk = Talk::start(with_credentials(program, &server).args(["--json", FILTER]));
    talk.next("subscribed");
    send();
    let shown = talk.next("notification");
    assert_eq!((&shown["uuid"], &shown["path"], &shown["body"]["text"]), (&json!(bad), &json!(bad), &json!(bad)));
    talk.close("revoke", "revoked");
    talk.all.lines().for_each(assert_shown);
    let mut child = with_credentials(program, &server).args(["--debug", FILTER]).spawn().expect("it runs");
    let (sender, lines) = channel();
    let out = BufReader::new(child.stdout.take().expect("piped"));
    let error = BufReader::new(child.stderr.take().expect("piped"));
    let errors = sender.clone();
    std::thread::spawn(move || error.lines().map_while(Result::ok).try_for_each(|line| errors.send(line)));
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let (mut shown, mut debugged) = (0, 0);
    while (shown, debugged) != (2, 1) {
        let line = lines.recv_timeout(DEADLINE).expect("it shows the notification");
        assert_shown(&line);
        assert!(!line.starts_with("closed"), "forged: {line}");
        if line.contains("subscribed     1 filter") {
            send();
        }
        let is_debug = line.starts_with("<-");
        let hostile = line.contains("closed forged");
        (shown, debugged) = (shown + i32::from(hostile && !is_debug), debugged + i32::from(hostile && is_debug));
    }
    child.kill().expect("it runs");
    let _ = child.wait();
}

/// Nothing in this line acts on a terminal.
fn assert_shown(line: &str) {
    assert_eq!(escape(line), line);
}

/// Has it wait for a login that is never answered: the line protocol and the lines for people say so, and how long that
/// may take.
///
/// # Panics
///
/// When nothing of it is said.
pub fn a_silent_login(program: &Path) {
    let server = Server::start(ServerConfig::default()).expect("the loopback serves");
    server.stall_connections(true);
    let mut talk = Talk::start(with_credentials(program, &server).args(["--json", FILTER]));
    let progress = talk.next("progress");
    assert!(progress["elapsed_ms"].as_u64().is_some_and(|elapsed| elapsed >= 1500), "{progress}");
    let message = progress["message"].as_str().unwrap_or_default();
    let expected = format!("the login to {} is not answered yet; this may take 30 s at most", server.http_url());
    assert_eq!(message, expected);
    assert_eq!(talk.all.lines().count(), 1, "nothing comes before it: {}", talk.all);
    drop(talk);
    let mut child = with_credentials(program, &server).arg(FILTER).spawn().expect("it runs");
    let (sender, lines) = channel();
    let out = BufReader::new(child.stdout.take().expect("piped"));
    std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
    let line = lines.recv_timeout(DEADLINE);
    child.kill().expect("it runs");
    let _ = child.wait();
    let line = line.expect("it says what it waits for");
    assert!(line.contains("waiting        the login to") && line.contains("of at most 30 s"), "{line}");
}

/// Ends its stdin while a subscription is refused for good: no command can come that asks for another one.
///
/// # Panics
///
/// When it does not end with the reason and status 1, or ends before stdin does.
pub fn a_refusal_for_good(program: &Path) {
    let mut config = ServerConfig::default();
    config.gateway.invalid_filters = vec!["presence".to_owned()];
    let server = Server::start(config).expect("the loopback serves");
    let refused = "/restapi/v1.0/account/~/extension/~/presence";
    let ends = |output: &std::process::Output| {
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(1), "{out}{error}");
        assert!(error.contains("SUB-508") && error.lines().count() == 1, "{error}");
        out.into_owned()
    };
    let output = with_credentials(program, &server).args(["--json", refused]).output().expect("it runs");
    let out = ends(&output);
    let end: Value = serde_json::from_str(out.lines().last().expect("a line")).expect("a line is JSON");
    let why = end["message"].as_str().unwrap_or_default();
    assert!(end["event"] == "closed" && end["reason"] == "revoked" && why.contains("SUB-508"), "{end}");
    let out = ends(&with_credentials(program, &server).arg(refused).output().expect("it runs"));
    assert!(out.contains("not subscribed") && out.contains("closed"), "{out}");
    // While commands may come they may ask for something else.
    let mut talk = Talk::start(with_credentials(program, &server).args(["--json", refused]));
    assert_eq!(talk.next("error")["permanent"], true);
    talk.say(&json!({ "cmd": "subscribe", "filters": [FILTER] }));
    talk.next("subscribed");
    talk.say(&json!({ "cmd": "subscribe", "filters": [refused] }));
    talk.next("error");
    talk.end_commands();
    assert!(talk.next("closed")["message"].as_str().is_some_and(|why| why.contains("SUB-508")), "{}", talk.all);
    assert_eq!(talk.child.wait().expect("it ends").code(), Some(1));
}

/// Ends its stdin while all is well: nothing changes.
///
/// # Panics
///
/// When it ends, or shows nothing more.
pub fn the_end_of_stdin(program: &Path) {
    let server = Server::start(ServerConfig::default()).expect("the loopback serves");
    let mut talk = Talk::start(with_credentials(program, &server).args(["--json", FILTER]));
    talk.next("subscribed");
    talk.end_commands();
    server.receive_sms(0, "+16505550100", "still here");
    assert_eq!(talk.next("notification")["body"]["subject"], "still here");
    assert!(talk.child.try_wait().expect("it is known").is_none(), "it goes on");
}

/// Has it fetch what came in while the session was lost.
///
/// # Panics
///
/// When that does not come once, behind its gap.
pub fn a_filled_gap(program: &Path) {
    let server = Server::start(ServerConfig::default()).expect("the loopback serves");
    let mut talk = Talk::start(with_credentials(program, &server).args(["--json", "--backfill", FILTER]));
    talk.next("subscribed");
    server.refuse_connections(true);
    server.restart();
    let id = server.receive_sms(0, "+16505550100", "missed").to_string();
    server.refuse_connections(false);
    let gap = talk.next("gap");
    let fetched = talk.next("backfill");
    assert_eq!((&fetched["since"], &fetched["until"]), (&gap["since"], &gap["until"]));
    assert_eq!((&fetched["complete"], &fetched["may_repeat"]), (&json!(true), &json!(false)), "{fetched}");
    let records = fetched["records"].as_array().expect("a list");
    let found: Vec<_> =
        records.iter().map(|record| (record["body"]["id"].to_string(), &record["body"]["subject"])).collect();
    assert_eq!(found, [(id, &json!("missed"))]);
    talk.close("revoke", "revoked");
    assert_eq!(talk.all.matches("missed").count(), 1, "{}", talk.all);
}

/// Has it go through the proxy that the environment names.
///
/// # Panics
///
/// When it goes another way, or does not say what is wrong.
pub fn proxy_of_the_environment(program: &Path) {
    let proxy = fake::refusing_proxy();
    // A label may have 63 letters: the system refuses this one without asking anybody.
    let host = format!("{}.invalid", "x".repeat(64));
    let failed = |proxy: &str, direct: &str, status: i32| {
        let mut command = command(program);
        command.env("RC_SERVER_URL", format!("https://{host}")).env("RC_APP_CLIENT_ID", "id");
        command.env("RC_APP_CLIENT_SECRET", "secret").env("RC_USER_JWT", "jwt");
        let output = command.env("HTTPS_PROXY", proxy).env("NO_PROXY", direct).arg(FILTER).output().expect("it runs");
        let (out, error) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(status), "{out}\n{error}");
        format!("{out}\n{error}")
    };
    let printed = failed(&format!("http://user:hunter2@{proxy}"), "h.example", 1);
    let refusal = format!("the proxy {proxy} refused {host}:443: HTTP/1.0 403 Forbidden");
    assert!(printed.contains(&refusal) && !printed.contains("hunter2"), "{printed}");
    assert!(failed(&proxy.to_string(), "invalid", 1).contains("was not found"));
    assert!(failed("socks5://127.0.0.1:1", "", 2).contains("must begin with http://"));
}

fn name(program: &Path) -> String {
    program.file_stem().unwrap_or_default().to_string_lossy().into_owned()
}

pub(crate) fn command(program: &Path) -> Command {
    let mut command = Command::new(program);
    for name in ["SERVER_URL", "APP_CLIENT_ID", "APP_CLIENT_SECRET", "USER_JWT"] {
        command.env_remove(format!("RC_{name}"));
    }
    for name in ["SERVER_URL", "CLIENT_ID", "CLIENT_SECRET", "JWT_TOKEN"] {
        command.env_remove(format!("RINGCENTRAL_{name}"));
    }
    for name in ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

pub(crate) fn with_credentials(program: &Path, server: &Server) -> Command {
    let mut command = command(program);
    let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
    command.env("RC_SERVER_URL", server.http_url()).env("RC_APP_CLIENT_ID", app.client_id);
    command.env("RC_APP_CLIENT_SECRET", app.client_secret).env("RC_USER_JWT", jwt);
    command
}

/// A conversation with a program, by lines.
pub(crate) struct Talk {
    pub(crate) child: Child,
    commands: Option<ChildStdin>,
    lines: Receiver<String>,
    /// All that it said.
    pub(crate) all: String,
}

impl Talk {
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_with_errors(command.stderr(Stdio::null()))
    }

    /// What it says on stderr is for the caller to read.
    pub(crate) fn start_with_errors(command: &mut Command) -> Self {
        let mut child = command.stdin(Stdio::piped()).spawn().expect("it runs");
        let commands = child.stdin.take();
        let (sender, lines) = channel();
        let out = BufReader::new(child.stdout.take().expect("piped"));
        std::thread::spawn(move || out.lines().map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, commands, lines, all: String::new() }
    }

    fn say(&mut self, command: &Value) {
        let commands = self.commands.as_mut().expect("stdin is open");
        writeln!(commands, "{command}").expect("it reads");
    }

    fn end_commands(&mut self) {
        self.commands = None;
    }

    /// The next line with this `event`; those before it are skipped.
    pub(crate) fn next(&mut self, event: &str) -> Value {
        loop {
            let line = self.lines.recv_timeout(DEADLINE).unwrap_or_else(|_| panic!("no {event} after\n{}", self.all));
            self.all.push_str(&line);
            self.all.push('\n');
            let line: Value = serde_json::from_str(&line).expect("a line is JSON");
            assert!(is_exact(&line), "a number that a double does not hold: {line}");
            if line["event"] == event {
                return line;
            }
        }
    }

    pub(crate) fn close(&mut self, mode: &str, reason: &str) {
        self.say(&json!({ "cmd": "close", "mode": mode }));
        assert_eq!(self.next("closed")["reason"], reason);
        assert_eq!(self.child.wait().expect("it ends").code(), Some(0));
    }
}

/// Whether programs that read numbers as doubles, exact up to 2^53 - 1, see each as it was written.
fn is_exact(json: &Value) -> bool {
    match json {
        Value::Number(number) => number.as_f64().is_some_and(|number| number.abs() < (1u64 << 53) as f64),
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(fields) => fields.values().all(is_exact),
        _ => true,
    }
}

impl Drop for Talk {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The tests of an adapter's `watch` program, by the name of the example.
#[macro_export]
macro_rules! watch_tests {
    ($program:literal) => {
        fn program() -> std::path::PathBuf {
            $crate::watch::example($program)
        }

        #[test]
        fn the_demonstration_ends_well() {
            $crate::watch::demonstration(&program());
        }

        #[test]
        fn the_line_protocol_works() {
            $crate::watch::line_protocol(&program());
        }

        #[test]
        fn the_environment_names_a_proxy() {
            $crate::watch::proxy_of_the_environment(&program());
        }

        #[test]
        fn a_login_that_is_never_answered_is_no_silence() {
            $crate::watch::a_silent_login(&program());
        }

        #[test]
        fn a_refusal_for_good_is_the_end_when_no_command_can_come() {
            $crate::watch::a_refusal_for_good(&program());
        }

        #[test]
        fn the_end_of_stdin_changes_nothing() {
            $crate::watch::the_end_of_stdin(&program());
        }

        #[test]
        fn what_was_missed_is_fetched_if_that_is_asked_for() {
            $crate::watch::a_filled_gap(&program());
        }

        // CLAUSE SEC-4
        #[cfg(unix)]
        #[test]
        fn its_files_are_its_alone() {
            $crate::files::private_files(&program());
        }

        // CLAUSE PST-3
        #[cfg(unix)]
        #[test]
        fn a_limit_of_file_sizes_stops_nothing() {
            $crate::files::full_files(&program());
        }

        // CLAUSE SEC-5
        #[test]
        fn hostile_text_does_nothing_to_a_terminal() {
            $crate::watch::hostile_text(&program());
        }

        #[cfg(unix)]
        #[test]
        fn streams_that_take_nothing_end_it_in_order_or_not_at_all() {
            $crate::streams::failing(&program());
        }

        #[cfg(unix)]
        #[test]
        fn a_stream_that_is_full_and_unread_does_not_keep_it() {
            $crate::streams::unread_and_full(&program());
        }

        // CLAUSE TOK-10
        #[test]
        fn the_state_file_of_another_user_is_not_used() {
            $crate::binding::bound_to_its_user(&program());
        }
    };
}
