//! What a step found, and how it is shown.

use std::fmt::Display;
use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use ringcentral_ws_adapter::terminal::{escape, note};
use ringcentral_ws_adapter::watch::json::Line;

/// A step that takes longer than this says so, and again after each further one.
const SILENCE: Duration = Duration::from_millis(1500);

/// Something that is wrong.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Problem {
    /// The server's code, if it gave one.
    pub(super) code: Option<String>,
    /// What is wrong.
    pub(super) what: String,
    /// How to mend it.
    pub(super) mend: String,
    /// Whether it works all the same.
    pub(super) is_minor: bool,
}

impl Problem {
    pub(super) fn new(what: impl Display, mend: impl Display) -> Self {
        Self { code: None, what: what.to_string(), mend: mend.to_string(), is_minor: false }
    }

    pub(super) fn minor(self) -> Self {
        Self { is_minor: true, ..self }
    }

    pub(super) fn with_code(self, code: Option<&str>) -> Self {
        Self { code: code.map(str::to_owned), ..self }
    }
}

/// What a step found: what the next ones need of it, what is good, and what is not.
pub(super) struct Found<T> {
    pub(super) value: Option<T>,
    pub(super) good: String,
    pub(super) problems: Vec<Problem>,
}

impl<T> Found<T> {
    pub(super) fn good(value: T, good: impl Display) -> Self {
        Self { value: Some(value), good: good.to_string(), problems: Vec::new() }
    }

    pub(super) fn bad(problem: Problem) -> Self {
        Self { value: None, good: String::new(), problems: vec![problem] }
    }

    pub(super) fn but(mut self, problems: impl IntoIterator<Item = Problem>) -> Self {
        self.problems.extend(problems);
        self
    }
}

/// The report, as it grows.
pub(super) struct Report {
    json: bool,
    /// Steps that were walked.
    steps: Vec<String>,
    /// Those of them where something is wrong.
    wrong: u32,
    left_out: u32,
}

impl Report {
    pub(super) const fn new(json: bool) -> Self {
        Self { json, steps: Vec::new(), wrong: 0, left_out: 0 }
    }

    /// Walks a step. `doing` says what it does. Gives what later steps need, if there is something.
    pub(super) async fn step<T>(
        &mut self,
        name: &str,
        doing: impl Display,
        work: impl Future<Output = Found<T>>,
    ) -> Option<T> {
        let doing = doing.to_string();
        if !self.json {
            say(&format!("{name:<14} {doing}"));
        }
        let began = Instant::now();
        let mut work = std::pin::pin!(work);
        let found = loop {
            match tokio::time::timeout(SILENCE, &mut work).await {
                Ok(found) => break found,
                Err(_) => note(&format!("{:14} … after {:.0} s", "", began.elapsed().as_secs_f64())),
            }
        };
        self.steps.push(name.to_owned());
        let is_wrong = found.value.is_none() || found.problems.iter().any(|problem| !problem.is_minor);
        self.wrong += u32::from(is_wrong);
        self.show(name, &doing, began.elapsed(), is_wrong, &found);
        found.value
    }

    /// Those of the steps that were not walked need one that failed.
    pub(super) fn leave_out(&mut self, names: &[&str], why: &str) {
        for name in names.iter().filter(|name| !self.steps.iter().any(|walked| walked == *name)) {
            self.left_out += 1;
            if self.json {
                print(&Line::new("step").with("step", name).with("status", "left_out").with("message", why).end());
            } else {
                say(&format!("{name:<14} left out: {why}"));
            }
        }
    }

    fn show<T>(&self, name: &str, doing: &str, took: Duration, is_wrong: bool, found: &Found<T>) {
        let status = match (is_wrong, found.problems.is_empty()) {
            (true, _) => "wrong",
            (false, false) => "warning",
            (false, true) => "ok",
        };
        if self.json {
            let problems: Vec<_> = found
                .problems
                .iter()
                .map(
                    |p| serde_json::json!({ "code": p.code, "message": p.what, "remedy": p.mend, "minor": p.is_minor }),
                )
                .collect();
            let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
            let line = Line::new("step").with("step", name).with("status", status).with("elapsed_ms", millis);
            print(&line.with("doing", doing).with("message", &found.good).with("problems", problems).end());
            return;
        }
        let indent = "";
        if found.value.is_some() && !found.good.is_empty() {
            say(&format!("{indent:14} ok, {:.2} s: {}", took.as_secs_f64(), found.good));
        } else if found.problems.is_empty() {
            say(&format!("{indent:14} ok, {:.2} s", took.as_secs_f64()));
        }
        for problem in &found.problems {
            let word = if problem.is_minor { "BUT  " } else { "WRONG" };
            say(&format!("{indent:14} {word} {}", problem.what));
            say(&format!("{indent:14} mend  {}", problem.mend));
        }
    }

    /// The last line when somebody ended it; gives the exit status back.
    pub(super) fn interrupted(&self, status: u8, is_clean: bool) -> u8 {
        let left = if is_clean {
            "nothing is left on the server"
        } else {
            "not everything could be ended on the server, and what is left expires by itself"
        };
        let (steps, wrong, left_out) = (self.steps.len(), self.wrong, self.left_out);
        if self.json {
            let line = Line::new("closed").with("reason", "interrupted").with("message", left);
            print(&line.with("steps", steps).with("wrong", wrong).with("left_out", left_out).end());
        } else {
            say(&format!("\nInterrupted after {steps} steps: {left}."));
        }
        status
    }

    /// The last line, and the exit status.
    pub(super) fn end(&self) -> u8 {
        let (steps, wrong, left_out) = (self.steps.len(), self.wrong, self.left_out);
        if self.json {
            let line = Line::new("closed").with("reason", if wrong == 0 { "ok" } else { "wrong" });
            print(&line.with("steps", steps).with("wrong", wrong).with("left_out", left_out).end());
        } else if wrong == 0 {
            say(&format!("\nNothing is wrong: {steps} steps."));
        } else {
            let left_out = if left_out == 0 { String::new() } else { format!(", {left_out} were left out") };
            say(&format!("\n{wrong} of {steps} steps found something wrong{left_out}."));
        }
        u8::from(wrong > 0)
    }
}

/// A line for people, escaped (SEC-5).
fn say(line: &str) {
    match line.strip_prefix('\n') {
        Some(rest) => print(&format!("\n{}", escape(rest))),
        None => print(&escape(line)),
    }
}

/// That nobody reads stops nothing: the steps end by themselves.
fn print(line: &str) {
    let mut out = io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}
