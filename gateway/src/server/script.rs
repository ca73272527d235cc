//! Scripts: what happens when, one line each.

use std::error::Error;
use std::fmt;
use std::iter::Peekable;
use std::str::{Chars, FromStr};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value};
use tokio::time::Instant;

use crate::server::command::{self, Command, Kind};
use crate::server::refusals::Refusals;
use crate::server::shared::Shared;

/// Lines of a script at most.
const MAX_LINES: usize = 10_000;
/// The shortest interval of what is repeated.
const MIN_INTERVAL: Duration = Duration::from_millis(1);
/// The longest time, a week: nobody means more.
const MAX_TIME: Duration = Duration::from_secs(604_800);

/// What happens when: a script for [`Server::run_script`](crate::Server::run_script), checked as a whole.
///
/// One line each, of a time, a command and its members:
///
/// ```
/// let script = "
///     every 10s sms   # at first all is well
///     after 3s drop
///     after 500ms call from=+16505550111 ring_ms=2s recorded=true
///     at 00:30 overload 503 5s
///     at 1m close {\"code\": 1012, \"reason\": \"service restart\"}
///     every 20s 3 times duplicate 2
/// ";
/// assert!(script.parse::<ringcentral_ws_gateway::Script>().is_ok());
/// ```
///
/// | Time | |
/// |---|---|
/// | `at T` | so long after the start of the script |
/// | `after T` | so long after the line before that begins with `at` or `after`, or after the start |
/// | `every T`, `every T N times` | again and again from the start on, the first time after T |
///
/// A time is a number with a unit, `500ms`, `3s`, `2m` or `1h`, or `mm:ss`, or `hh:mm:ss`; at most a week. The commands
/// are the control resources, and their members are given as the README lists them: by name (`status=503`), in the order
/// of the table there, or as a JSON object. A member in milliseconds takes a time with its unit, a text with spaces stands
/// in double quotes, with `\"` and `\\` for these two. What follows a `#` at the beginning of a word is a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Script {
    steps: Vec<Step>,
}

/// What is wrong with a script: each bad line with its number, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScriptError {
    lines: Vec<(usize, String)>,
}

impl ScriptError {
    /// The bad lines: number, and what to mend.
    #[must_use]
    pub fn lines(&self) -> &[(usize, String)] {
        &self.lines
    }
}

impl fmt::Display for ScriptError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, (number, message)) in self.lines.iter().enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}line {number}: {message}")?;
        }
        Ok(())
    }
}

impl Error for ScriptError {}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Step {
    /// When it comes next, after the start.
    at: Duration,
    again: Option<Again>,
    command: Command,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Again {
    interval: Duration,
    /// How often after the next time; `None` without end.
    times: Option<u64>,
}

impl FromStr for Script {
    type Err = ScriptError;

    fn from_str(text: &str) -> Result<Self, ScriptError> {
        let (mut steps, mut bad) = (Vec::new(), Vec::new());
        let mut last = Duration::ZERO;
        for (number, line) in (1..).zip(text.lines()) {
            if number > MAX_LINES {
                bad.push((number, format!("a script has at most {MAX_LINES} lines")));
                break;
            }
            match step(line, &mut last) {
                Ok(step) => steps.extend(step),
                Err(message) => bad.push((number, message)),
            }
        }
        if bad.is_empty() { Ok(Self { steps }) } else { Err(ScriptError { lines: bad }) }
    }
}

impl Script {
    /// What comes next and when; `None` at the end. What comes at the same time comes in the order of its lines.
    fn next(&mut self) -> Option<(Duration, Command)> {
        let index = (0..self.steps.len()).min_by_key(|index| self.steps[*index].at)?;
        let step = &mut self.steps[index];
        let next = (step.at, step.command.clone());
        match &mut step.again {
            Some(Again { times: Some(0), .. }) | None => {
                self.steps.remove(index);
            }
            Some(again) => {
                step.at = step.at.saturating_add(again.interval);
                again.times = again.times.map(|times| times - 1);
            }
        }
        Some(next)
    }
}

/// Does what the script says, to its end. To be run within the server's runtime.
pub(super) async fn run(mut script: Script, refuse: Refusals, shared: Arc<Shared>) {
    let start = Instant::now();
    while let Some((at, command)) = script.next() {
        tokio::time::sleep_until(start + at).await;
        // A user who does not exist is called in vain.
        let _ = command.carry_out(&refuse, &shared);
    }
}

/// A line; `None` if it is empty or a comment.
fn step(line: &str, last: &mut Duration) -> Result<Option<Step>, String> {
    let mut words = Words(line.chars().peekable());
    let Some(when) = words.next_word()? else { return Ok(None) };
    let when = when.text;
    if !["at", "after", "every"].contains(&&*when) {
        return Err(format!("a line begins with at, after or every, not with {when}"));
    }
    let word = words.next_word()?.ok_or_else(|| format!("{when} needs a time, such as 3s or 00:30"))?;
    let time = time(&word.text)?;
    let mut name = words.next_word()?;
    let (at, again) = match &*when {
        "every" if time < MIN_INTERVAL => return Err("every needs at least 1ms".to_owned()),
        "every" => {
            let times = name.as_ref().map(|word| word.text.parse::<u64>());
            let times = match times {
                Some(Ok(0)) => return Err("0 times is never".to_owned()),
                Some(Ok(times)) => {
                    if words.next_word()?.is_none_or(|word| word.text != "times") {
                        return Err(format!("after every and {times} comes times"));
                    }
                    name = words.next_word()?;
                    Some(times - 1)
                }
                _ => None,
            };
            (time, Some(Again { interval: time, times }))
        }
        "after" => (last.saturating_add(time), None),
        _ => (time, None),
    };
    let name = name.ok_or("the command is missing")?.text;
    let command = Command::new(&name, &members(&name, words)?)?;
    if again.is_none() {
        *last = at;
    }
    Ok(Some(Step { at, again, command }))
}

/// The members of a command: an object, or words in order or by name.
fn members(name: &str, mut words: Words<'_>) -> Result<Map<String, Value>, String> {
    let known = command::members_of(name).ok_or_else(|| format!("there is no command {name}"))?;
    if let Some(object) = words.object()? {
        return Ok(object);
    }
    let mut members = Map::new();
    let mut in_order = known.iter();
    while let Some(word) = words.next_word()? {
        let names = || known.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(", ");
        let (member, kind) = match &word.key {
            Some(key) => known.iter().find(|(known, _)| known == key).ok_or_else(|| {
                format!("{name} has no member {key}, it has: {} (a text with = stands in quotes)", names())
            })?,
            None => in_order
                .next()
                .ok_or_else(|| format!("{name} does not know what {} is, its members: {}", word.text, names()))?,
        };
        let (member, kind, text) = (*member, *kind, word.text);
        if members.insert(member.to_owned(), value(member, kind, text)?).is_some() {
            return Err(format!("{member} is there twice"));
        }
    }
    Ok(members)
}

fn value(member: &str, kind: Kind, text: String) -> Result<Value, String> {
    let not = |expected: &str| format!("{member} must be {expected}, not {text}");
    Ok(match kind {
        Kind::Text => Value::from(text),
        Kind::Number => Value::from(text.parse::<u64>().map_err(|_| not("a whole number"))?),
        Kind::Ms => Value::from(u64::try_from(time(&text)?.as_millis()).unwrap_or(u64::MAX)),
        Kind::Flag => Value::from(text.parse::<bool>().map_err(|_| not("true or false"))?),
        Kind::Json => serde_json::from_str(&text).unwrap_or_else(|_| Value::from(text)),
    })
}

fn time(text: &str) -> Result<Duration, String> {
    let parsed = match text.split(':').collect::<Vec<_>>().as_slice() {
        [number] => {
            let end = number.find(|c: char| !c.is_ascii_digit()).unwrap_or(number.len());
            let (number, unit) = number.split_at(end);
            let ms = match unit {
                "ms" => Some(1),
                "s" => Some(1000),
                "m" => Some(60_000),
                "h" => Some(3_600_000),
                _ => None,
            };
            ms.and_then(|ms: u64| number.parse::<u64>().ok()?.checked_mul(ms)).map(Duration::from_millis)
        }
        [minutes, seconds] => clock("0", minutes, seconds),
        [hours, minutes, seconds] => clock(hours, minutes, seconds),
        _ => None,
    };
    match parsed {
        Some(time) if time <= MAX_TIME => Ok(time),
        Some(_) => Err(format!("{text} is more than a week")),
        None => Err(format!("{text} is no time: write 500ms, 3s, 2m, 1h, mm:ss or hh:mm:ss")),
    }
}

fn clock(hours: &str, minutes: &str, seconds: &str) -> Option<Duration> {
    let number = |text: &str, end: u64| -> Option<u64> {
        let digits = (1..=3).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| digits && *number < end)
    };
    let whole = number(hours, 1000)? * 3600 + number(minutes, 60)? * 60 + number(seconds, 60)?;
    Some(Duration::from_secs(whole))
}

/// Whether a word can be the name of a member: a path or a number cannot.
fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// A word of a line: what stands before a `=`, if anything does, and the rest.
struct Word {
    key: Option<String>,
    text: String,
}

struct Words<'a>(Peekable<Chars<'a>>);

impl Words<'_> {
    fn next_word(&mut self) -> Result<Option<Word>, String> {
        self.skip_spaces();
        if self.0.peek().is_none_or(|c| *c == '#') {
            return Ok(None);
        }
        let (mut key, mut text) = (None, String::new());
        while let Some(c) = self.0.next_if(|c| !c.is_whitespace()) {
            match c {
                '=' if key.is_none() && is_name(&text) => key = Some(std::mem::take(&mut text)),
                '"' if text.is_empty() => {
                    text = self.quoted()?;
                    break;
                }
                c => text.push(c),
            }
        }
        Ok(Some(Word { key, text }))
    }

    /// The text up to the closing quote.
    fn quoted(&mut self) -> Result<String, String> {
        let mut text = String::new();
        loop {
            match self.0.next() {
                Some('"') if self.0.peek().is_none_or(|c| c.is_whitespace()) => return Ok(text),
                Some('"') => return Err("a closing quote is followed by a space or the end of the line".to_owned()),
                Some('\\') => text.push(self.0.next().ok_or("a quote is missing")?),
                Some(c) => text.push(c),
                None => return Err("a quote is missing".to_owned()),
            }
        }
    }

    /// All the rest as an object, if it begins like one.
    fn object(&mut self) -> Result<Option<Map<String, Value>>, String> {
        self.skip_spaces();
        if self.0.peek() != Some(&'{') {
            return Ok(None);
        }
        let rest: String = self.0.by_ref().collect();
        match serde_json::from_str(&rest) {
            Ok(object) => Ok(Some(object)),
            Err(error) => Err(format!("the members are no JSON object: {error}")),
        }
    }

    fn skip_spaces(&mut self) {
        while self.0.next_if(|c| c.is_whitespace()).is_some() {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first steps, in milliseconds and as they are debugged.
    fn first(script: &str, count: usize) -> Vec<(u128, Command)> {
        let mut script: Script = script.parse().unwrap();
        let steps = std::iter::from_fn(|| script.next()).take(count);
        steps.map(|(at, command)| (at.as_millis(), command)).collect()
    }

    fn command(name: &str, members: &str) -> Command {
        Command::new(name, serde_json::from_str::<Value>(members).unwrap().as_object().unwrap()).unwrap()
    }

    #[test]
    fn lines_come_in_their_time() {
        let script = "# all is well at first\n\nafter 3s drop\nevery 2s 2 times duplicate\nafter 500ms restart # again\n\
                      at 1:00 halfopen\nafter 1m expire-tokens\n";
        let expected = [
            (2000, command("duplicate", "{}")),
            (3000, Command::Drop),
            (3500, Command::Restart),
            (4000, command("duplicate", "{}")),
            (60_000, Command::HalfOpen),
            (120_000, Command::ExpireTokens),
        ];
        assert_eq!(first(script, 10), expected);
        let times: Vec<u128> = first("every 1h drop", 3).iter().map(|(at, _)| *at).collect();
        assert_eq!(times, [3_600_000, 7_200_000, 10_800_000]);
        assert_eq!(first("  # nothing\n", 1), []);
    }

    #[test]
    fn what_comes_at_the_same_time_comes_in_order_of_lines() {
        let script = "every 1s drop\nat 2s restart\nevery 2s halfopen\nat 0s expire-tokens";
        let commands: Vec<Command> = first(script, 5).into_iter().map(|(_, command)| command).collect();
        assert_eq!(
            commands,
            [Command::ExpireTokens, Command::Drop, Command::Drop, Command::Restart, Command::HalfOpen]
        );
    }

    #[test]
    fn members_are_given_in_order_by_name_or_as_an_object() {
        for (line, name, members) in [
            ("overload 503 5s", "overload", r#"{"status": 503, "ms": 5000}"#),
            (
                "overload ms=1m retry_after=false 429",
                "overload",
                r#"{"status": 429, "ms": 60000, "retry_after": false}"#,
            ),
            ("sms", "sms", "{}"),
            (
                "sms \"Hi there, \\\"you\\\" # 1\" from=+1650",
                "sms",
                r##"{"text": "Hi there, \"you\" # 1", "from": "+1650"}"##,
            ),
            ("sms text=\"a b\"", "sms", r#"{"text": "a b"}"#),
            ("sms 42", "sms", r#"{"text": "42"}"#),
            ("close { \"code\": 1012 }", "close", r#"{"code": 1012}"#),
            ("notify /a?type=SMS {\"n\":1}", "notify", r#"{"event": "/a?type=SMS", "body": {"n": 1}}"#),
            ("fail /restapi/oauth 401 body=no", "fail", r#"{"path": "/restapi/oauth", "status": 401, "body": "no"}"#),
            ("call from=+1 ring_ms=2s talk_ms=00:10", "call", r#"{"from": "+1", "ring_ms": 2000, "talk_ms": 10000}"#),
        ] {
            let expected = vec![(1000, command(name, members))];
            assert_eq!(first(&format!("after 1s {line}"), 1), expected, "{line}");
        }
    }

    #[test]
    fn the_script_of_the_readme_is_good() {
        let script =
            include_str!("../../README.md").split("```text\n").find(|block| block.starts_with("# All is well"));
        let (script, _) = script.unwrap().split_once("```").unwrap();
        assert_eq!(script.parse::<Script>().unwrap().steps.len(), 6);
    }

    #[test]
    fn bad_lines_are_named_all_of_them() {
        let error = "at 1s drop\ndrop\n\nat 5 drop\n".parse::<Script>().unwrap_err();
        let expected = "line 2: a line begins with at, after or every, not with drop\n\
                        line 4: 5 is no time: write 500ms, 3s, 2m, 1h, mm:ss or hh:mm:ss";
        assert_eq!(error.to_string(), expected);
        assert_eq!(error.lines().len(), 2);
        for bad in [
            "at",
            "at 1s",
            "after x drop",
            "at 1:60 drop",
            "at -1s drop",
            "at 8d drop",
            "at 169h drop",
            "every 0s drop",
            "every 1s 0 times drop",
            "every 1s 2 drop",
            "every 1s 2",
            "at 1s explode",
            "at 1s drop now",
            "at 1s script",
            "at 1s overload stauts=503",
            "at 1s overload 503 503",
            "at 1s overload 503 status=503",
            "at 1s overload lots",
            "at 1s sms \"open",
            "at 1s sms \"a\"b",
            "at 1s close {\"code\": 1}",
            "at 1s close {",
            "at 1s raw",
            "at 1s call recorded=yes",
            "at 99999999999999999999h drop",
        ] {
            let error = bad.parse::<Script>().unwrap_err();
            assert!(error.to_string().starts_with("line 1: "), "{bad}: {error}");
        }
        let long = "at 1s drop\n".repeat(MAX_LINES + 5).parse::<Script>().unwrap_err();
        assert_eq!(long.lines().len(), 1);
    }
}
