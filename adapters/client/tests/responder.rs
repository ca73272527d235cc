//! The program of the guide's chapter on gaps: each SMS is answered once, whatever happens during the answer.

use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use ringcentral_ws_gateway::{Server, ServerConfig, eventually};

/// Nothing here takes this long; it only turns a hang into a failure.
const DEADLINE: Duration = Duration::from_secs(60);
const SMS: &str = "/restapi/v1.0/account/~/extension/~/sms";

/// A folder with the program's files, and what it wrote.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("ringcentral-ws-responder-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// The notes of what was handled, once there are any.
    fn handled(&self) -> Option<String> {
        std::fs::read_to_string(self.0.join("responder.state.handled")).ok()
    }

    /// What all runs wrote.
    fn written(&self) -> String {
        std::fs::read_to_string(self.0.join("stderr")).unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The example, which is killed when this is dropped.
struct Program(Child);

impl Program {
    fn start(server: &Server, folder: &Folder) -> Self {
        let tests = std::env::current_exe().unwrap();
        let program = tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples/responder");
        assert!(program.exists(), "`cargo test --test` builds no examples: run `cargo build --examples` before");
        let stderr = std::fs::OpenOptions::new().create(true).append(true).open(folder.0.join("stderr")).unwrap();
        let mut command = Command::new(program);
        command.current_dir(&folder.0).envs(server.env()).stdin(Stdio::null()).stdout(Stdio::null()).stderr(stderr);
        Self(command.spawn().unwrap())
    }

    fn kill(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    fn end(&mut self) -> ExitStatus {
        let end = Instant::now() + DEADLINE;
        loop {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < end, "it does not end");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    #[cfg(unix)]
    fn interrupt(&self) {
        assert!(Command::new("kill").args(["-INT", &self.0.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

fn server() -> Server {
    Server::start(ServerConfig::default()).unwrap()
}

/// Who was answered.
fn answered(server: &Server) -> Vec<String> {
    server.sent_sms(0).into_iter().map(|sms| sms.to).collect()
}

/// Starts it, lets its answer fail by `fault`, and starts it again once that is over. Then the SMS is answered, and so is
/// the one after it, each once.
fn answered_after(name: &str, fault: impl FnOnce(&Server), over: impl FnOnce(&Server)) {
    let (server, folder) = (server(), Folder::new(name));
    let mut program = Program::start(&server, &folder);
    server.wait_for_subscription();
    fault(&server);
    server.receive_sms(0, "+16505550101", "Are you open?");
    assert_eq!(program.end().code(), Some(1), "{}", folder.written());
    assert!(answered(&server).is_empty());
    over(&server);
    let _program = Program::start(&server, &folder);
    server.wait_for_sent_sms(0, 1);
    server.receive_sms(0, "+16505550102", "Are you open?");
    server.wait_for_sent_sms(0, 2);
    assert_eq!(answered(&server), ["+16505550101", "+16505550102"], "{}", folder.written());
}

#[test]
fn an_answer_that_cannot_be_sent_waits_until_the_network_is_back() {
    let (server, folder) = (server(), Folder::new("refused"));
    let _program = Program::start(&server, &folder);
    server.wait_for_subscription();
    server.refuse_connections(true);
    let id = server.receive_sms(0, "+16505550101", "Are you open?").to_string();
    // The note of the answer was made and taken back: it could not be sent, and waits.
    eventually("a first try", || folder.handled().is_some_and(|noted| !noted.contains(&id)));
    assert!(answered(&server).is_empty());
    server.refuse_connections(false);
    server.receive_sms(0, "+16505550102", "Are you open?");
    server.wait_for_sent_sms(0, 2);
    assert_eq!(answered(&server), ["+16505550101", "+16505550102"], "{}", folder.written());
    assert!(!folder.written().contains("the answer to"), "{}", folder.written());
}

#[test]
fn an_answer_that_an_overload_refused_is_sent_after_a_restart() {
    answered_after("503", |server| server.next_http_fails(SMS, 503, "", &[]), |_| {});
    // A wait beyond its limit. A shorter one it waits out.
    answered_after("429", |server| server.next_http_fails(SMS, 429, "", &[("Retry-After", "61")]), |_| {});
}

/// Lets an answer fail by `fault`, and sends another SMS. The program goes on, and says this of the first one. What is
/// `sent` are all answers.
fn goes_on_after(name: &str, fault: impl FnOnce(&Server), said: &str, sent: &[&str]) {
    let (server, folder) = (server(), Folder::new(name));
    let mut program = Program::start(&server, &folder);
    server.wait_for_subscription();
    fault(&server);
    server.receive_sms(0, "+16505550101", "Are you open?");
    server.receive_sms(0, "+16505550102", "Are you open?");
    server.wait_for_sent_sms(0, sent.len());
    assert_eq!(answered(&server), sent, "{}", folder.written());
    // The next run begins with a gap: nothing more is sent, and nothing more is said, but of the call that the kill broke
    // off perhaps.
    program.kill();
    server.restart();
    let _program = Program::start(&server, &folder);
    server.wait_for_subscription();
    server.receive_sms(0, "+16505550103", "Are you open?");
    server.wait_for_sent_sms(0, sent.len() + 1);
    assert_eq!(answered(&server)[..sent.len()], *sent, "{}", folder.written());
    let written = folder.written();
    let lines = written.lines().filter(|line| line.contains("the answer to") && !line.contains("was stopped during"));
    let lines: Vec<_> = lines.collect();
    assert_eq!(lines.len(), usize::from(!said.is_empty()), "{written}");
    assert!(lines.iter().all(|line| line.contains("the answer to +16505550101") && line.contains(said)), "{written}");
}

const BOTH: [&str; 2] = ["+16505550101", "+16505550102"];

#[test]
fn an_answer_that_waits_out_a_429_is_sent_once() {
    goes_on_after("waits", |server| server.next_http_fails(SMS, 429, "", &[("Retry-After", "1")]), "", &BOTH);
}

#[test]
fn what_is_refused_for_good_ends_nothing() {
    let refuse = |server: &Server| server.next_http_fails(SMS, 400, r#"{"errorCode":"MSG-246"}"#, &[]);
    goes_on_after(
        "refused-for-good",
        refuse,
        "it was refused, and is not tried again: POST /restapi/v1.0/account/~/extension/~/sms: HTTP 400 MSG-246",
        &BOTH[1..],
    );
}

#[test]
fn what_may_have_been_sent_is_a_line_and_not_sent_again() {
    let fail = |server: &Server| server.next_http_fails(SMS, 500, "", &[]);
    goes_on_after(
        "500",
        fail,
        "it may have been done, and is not tried again: POST /restapi/v1.0/account/~/extension/~/sms: HTTP 500",
        &BOTH[1..],
    );
    goes_on_after("cut", |server| server.lose_answer(SMS), "it may have been done, and is not tried again", &BOTH);
}

#[test]
fn a_kill_during_an_answer_is_a_line_of_the_next_run() {
    let (server, folder) = (server(), Folder::new("killed"));
    let mut program = Program::start(&server, &folder);
    server.wait_for_subscription();
    server.receive_sms(0, "+16505550101", "Are you open?");
    server.wait_for_sent_sms(0, 1);
    // What the server says comes late, so the program is killed while the answer is under way.
    server.delay(Duration::from_secs(2));
    server.receive_sms(0, "+16505550102", "Are you open?");
    server.wait_for_sent_sms(0, 2);
    program.kill();
    server.delay(Duration::ZERO);
    let _program = Program::start(&server, &folder);
    server.receive_sms(0, "+16505550103", "Are you open?");
    server.wait_for_sent_sms(0, 3);
    assert_eq!(answered(&server), ["+16505550101", "+16505550102", "+16505550103"], "{}", folder.written());
    let lines = folder.written();
    let lines: Vec<_> = lines.lines().filter(|line| line.contains("the program was stopped during the call")).collect();
    assert_eq!(lines.len(), 1, "{}", folder.written());
}

/// The program waits for the next try of an answer that was refused.
fn waits_for_its_next_try(server: &Server, folder: &Folder) -> Program {
    let program = Program::start(server, folder);
    server.wait_for_subscription();
    server.next_http_fails(SMS, 429, "", &[("Retry-After", "60")]);
    server.receive_sms(0, "+16505550101", "Are you open?");
    // The refusal is out; it waits when the note of the call is taken back.
    let handled = || std::fs::read_to_string(folder.0.join("responder.state.handled")).unwrap_or_default();
    let end = Instant::now() + DEADLINE;
    while handled() != r#"{"handled":[]}"# {
        assert!(Instant::now() < end, "{} {}", handled(), folder.written());
        std::thread::sleep(Duration::from_millis(10));
    }
    program
}

#[test]
fn a_kill_while_an_answer_waits_for_its_next_try_loses_nothing() {
    let (server, folder) = (server(), Folder::new("killed-waiting"));
    waits_for_its_next_try(&server, &folder).kill();
    let _program = Program::start(&server, &folder);
    server.wait_for_sent_sms(0, 1);
    server.receive_sms(0, "+16505550102", "Are you open?");
    server.wait_for_sent_sms(0, 2);
    assert_eq!(answered(&server), ["+16505550101", "+16505550102"], "{}", folder.written());
    assert!(!folder.written().contains("may have been done"), "{}", folder.written());
}

// CLAUSE PST-4 CLS-1
#[cfg(unix)]
#[test]
fn ctrl_c_while_an_answer_waits_for_its_next_try_is_an_end_in_order_and_loses_nothing() {
    let (server, folder) = (server(), Folder::new("ctrl-c-waiting"));
    let mut program = waits_for_its_next_try(&server, &folder);
    program.interrupt();
    assert_eq!(program.end().code(), Some(0), "{}", folder.written());
    let _program = Program::start(&server, &folder);
    server.wait_for_sent_sms(0, 1);
    assert_eq!(answered(&server), ["+16505550101"], "{}", folder.written());
}

#[test]
fn each_is_answered_once_over_doubles_replays_gaps_and_kills() {
    let (server, folder) = (server(), Folder::new("once"));
    let mut program = Program::start(&server, &folder);
    server.wait_for_subscription();
    let sms = |n: u32| server.receive_sms(0, &format!("+1650555010{n}"), "Are you open?");
    server.duplicate_next(3);
    sms(0);
    server.receive_sms(0, &server.phone_number(0), "A note to myself");
    sms(1);
    server.wait_for_sent_sms(0, 2);
    // Replayed, and what was sent before is sent again.
    server.with_gateway(|gateway, _| gateway.config_mut().replay_sent_tail = 10);
    server.drop_connections();
    sms(2);
    server.wait_for_sent_sms(0, 3);
    // The session is forgotten: this one is only in the message store.
    server.restart();
    sms(3);
    server.wait_for_sent_sms(0, 4);
    // Killed: the gap of the next run lists what this one has answered.
    program.kill();
    server.restart();
    sms(4);
    let _program = Program::start(&server, &folder);
    server.wait_for_sent_sms(0, 5);
    server.wait_for_subscription();
    sms(5);
    server.wait_for_sent_sms(0, 6);
    let all: Vec<String> = (0..=5).map(|n| format!("+1650555010{n}")).collect();
    assert_eq!(answered(&server), all, "{}", folder.written());
}

// CLAUSE PST-2 CLS-1
#[cfg(unix)]
#[test]
fn ctrl_c_during_an_answer_ends_it_in_order_and_without_a_gap() {
    let (server, folder) = (server(), Folder::new("ctrl-c"));
    let mut program = Program::start(&server, &folder);
    server.wait_for_subscription();
    // What the server says comes late, so the answer is under way when it has the SMS.
    server.delay(Duration::from_secs(1));
    server.receive_sms(0, "+16505550101", "Are you open?");
    server.wait_for_sent_sms(0, 1);
    program.interrupt();
    assert_eq!(program.end().code(), Some(0), "{}", folder.written());
    server.delay(Duration::ZERO);
    server.receive_sms(0, "+16505550102", "Are you open?");
    let mut program = Program::start(&server, &folder);
    server.wait_for_sent_sms(0, 2);
    program.interrupt();
    assert_eq!(program.end().code(), Some(0), "{}", folder.written());
    assert_eq!(answered(&server), ["+16505550101", "+16505550102"], "{}", folder.written());
    assert!(!folder.written().contains("gap"), "{}", folder.written());
}
