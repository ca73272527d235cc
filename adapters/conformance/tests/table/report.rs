//! The table: measured in a process for each adapter, and written for people.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime};

use super::Behaviour;
use super::run::{self, Row};
use crate::harness;

/// The environment variable that names the adapter to a process.
pub(crate) const ADAPTER: &str = "HOSTILE_ADAPTER";

/// Only behaviours whose name has this in it are played.
const ONLY: &str = "HOSTILE_ONLY";

pub(crate) const ADAPTERS: [&str; 4] = ["tokio", "smol", "async-std", "blocking"];

/// What stands before each row that a process prints.
const MARK: &str = "hostile-row";

/// All rows, by behaviour and adapter.
pub(crate) struct Table {
    groups: Vec<(&'static str, Vec<Behaviour>)>,
    rows: BTreeMap<(String, String), Row>,
    faults: Vec<String>,
}

/// Plays all on one adapter, and prints the rows.
pub(crate) fn play_on(name: &str) {
    std::panic::set_hook(Box::new(|info| {
        run::PANICS.fetch_add(1, Ordering::SeqCst);
        eprintln!("{info}");
    }));
    let harness = harness::all().into_iter().find(|harness| harness.name() == name).expect("an adapter");
    let only = std::env::var(ONLY).unwrap_or_default();
    for behaviour in super::all().into_iter().flat_map(|(_, behaviours)| behaviours) {
        if behaviour.name.contains(&only) {
            let behaviour: &'static Behaviour = Box::leak(Box::new(behaviour));
            // A name that has no row is the one that ended the process.
            println!("{MARK}\tbegun\t{}", behaviour.name);
            println!("{}", write(behaviour.name, &run::play(behaviour, &*harness)));
        }
    }
}

fn write(name: &str, row: &Row) -> String {
    let times = [row.cpu, row.react, row.close].map(|time| time.as_millis().to_string()).join("\t");
    let faults = row.faults.join(" | ").replace(['\t', '\n'], " ");
    format!("{MARK}\tdone\t{name}\t{}\t{times}\t{}\t{faults}", row.memory, row.reported)
}

fn read(line: &str) -> Option<(String, Row)> {
    let mut fields = line.split('\t');
    let name = fields.next()?.to_owned();
    let memory = fields.next()?.parse().ok()?;
    let mut time = || Some(Duration::from_millis(fields.next()?.parse().ok()?));
    let (cpu, react, close) = (time()?, time()?, time()?);
    let reported = fields.next()?.to_owned();
    let faults = fields.next().filter(|faults| !faults.is_empty()).map(str::to_owned).into_iter().collect();
    Some((name, Row { memory, cpu, react, close, reported, faults }))
}

/// Plays all on these adapters, beside each other.
pub(crate) fn measure(adapters: &[&str]) -> Table {
    let mut table = Table { groups: super::all(), rows: BTreeMap::new(), faults: Vec::new() };
    let processes: Vec<_> = adapters.iter().map(|name| std::thread::spawn(process((*name).to_owned()))).collect();
    for (adapter, process) in adapters.iter().zip(processes) {
        let (rows, fault) = process.join().expect("the rows are read");
        table.faults.extend(fault.map(|fault| format!("{adapter}: {fault}")));
        table.rows.extend(rows.into_iter().map(|(name, row)| ((name, (*adapter).to_owned()), row)));
    }
    table
}

/// Reads the rows of a process; the text says what ended it too early.
fn process(adapter: String) -> impl FnOnce() -> (Vec<(String, Row)>, Option<String>) {
    move || {
        let mut command = Command::new(std::env::current_exe().expect("this program"));
        command.args(["--exact", "one_adapter", "--ignored", "--nocapture"]).env(ADAPTER, &adapter);
        let mut child = command.stdout(Stdio::piped()).stdin(Stdio::null()).spawn().expect("it starts again");
        let (mut rows, mut begun) = (Vec::new(), String::new());
        for line in BufReader::new(child.stdout.take().expect("its lines")).lines().map_while(Result::ok) {
            // The harness of tests writes before the first one.
            match line.split_once(MARK).map(|(_, rest)| rest) {
                Some(rest) if rest.starts_with("\tdone\t") => rows.extend(read(&rest[6..])),
                Some(rest) => rest.trim_start_matches("\tbegun\t").clone_into(&mut begun),
                None if std::env::var_os("SHOW_LINES").is_some() => println!("{line}"),
                None => {}
            }
        }
        let status = child.wait().expect("its end");
        let fault = (!status.success()).then(|| format!("the process ended with {status} at `{begun}`"));
        (rows, fault)
    }
}

fn mib(bytes: usize) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

impl Table {
    pub(crate) fn behaviours(&self) -> usize {
        self.groups.iter().map(|(_, behaviours)| behaviours.len()).sum()
    }

    /// What went wrong.
    pub(crate) fn faults(&self) -> Vec<String> {
        let rows = self.rows.iter().flat_map(|((name, adapter), row)| {
            row.faults.iter().map(move |fault| format!("{adapter}: {name}: {fault}"))
        });
        let mut faults: Vec<String> = rows.chain(self.faults.iter().cloned()).collect();
        if std::env::var_os(ONLY).is_none() && self.rows.len() != self.behaviours() * ADAPTERS.len() {
            faults.push(format!("{} rows of {}", self.rows.len(), self.behaviours() * ADAPTERS.len()));
        }
        faults
    }

    fn lines(&self, line: impl Fn(&Behaviour, &str, &Row) -> String) -> Vec<(&'static str, String)> {
        let mut lines = Vec::new();
        for (group, behaviours) in &self.groups {
            for behaviour in behaviours {
                for adapter in ADAPTERS {
                    if let Some(row) = self.rows.get(&(behaviour.name.to_owned(), adapter.to_owned())) {
                        lines.push((*group, line(behaviour, adapter, row)));
                    }
                }
            }
        }
        lines
    }

    /// A line for each behaviour on each adapter.
    pub(crate) fn text(&self) -> String {
        let lines = self.lines(|behaviour, adapter, row| {
            let times = [row.cpu, row.react, row.close].map(|time| format!("{:6.2}", time.as_secs_f64())).join(" ");
            format!("{:54} {adapter:9} {:7.2} {times}  {}", behaviour.name, mib(row.memory), row.reported)
        });
        let head = format!("{:54} {:9} {:>7} {:>6} {:>6} {:>6}  reported", "", "", "MiB", "CPU s", "react", "close");
        std::iter::once(head).chain(lines.into_iter().map(|(_, line)| line)).collect::<Vec<_>>().join("\n")
    }

    /// The worst of an adapter: memory, time of the processor, time to react, time to close.
    fn worst(&self, adapter: &str) -> Row {
        let mut worst = Row::default();
        for row in self.rows.iter().filter(|((_, of), _)| of == adapter).map(|(_, row)| row) {
            worst.memory = worst.memory.max(row.memory);
            worst.cpu = worst.cpu.max(row.cpu);
            worst.react = worst.react.max(row.react);
            worst.close = worst.close.max(row.close);
        }
        worst
    }

    /// The table for the repository.
    pub(crate) fn markdown(&self) -> String {
        let text = include_str!("head.md").replace("{date}", &today());
        let mut text = text.replace("{count}", &self.behaviours().to_string());
        for adapter in ADAPTERS {
            let Row { memory, cpu, react, close, .. } = self.worst(adapter);
            let [cpu, react, close] = [cpu, react, close].map(|time| time.as_secs_f64());
            let _ = writeln!(text, "| {adapter} | {:.1} | {cpu:.2} | {react:.2} | {close:.2} |", mib(memory));
        }
        for (group, behaviours) in &self.groups {
            let _ = write!(text, "\n## {group}\n\n| The server | {} | Reported as |\n", ADAPTERS.join(" | "));
            let _ = writeln!(text, "|---|{}---|", "---|".repeat(ADAPTERS.len()));
            for behaviour in behaviours {
                let _ = write!(text, "| {} |", behaviour.name);
                let mut reported: Vec<&str> = Vec::new();
                for adapter in ADAPTERS {
                    let Some(row) = self.rows.get(&(behaviour.name.to_owned(), adapter.to_owned())) else { continue };
                    let [cpu, react] = [row.cpu, row.react].map(|time| time.as_secs_f64());
                    let _ = write!(text, " {:.1} / {cpu:.2} / {react:.2} |", mib(row.memory));
                    if !reported.contains(&row.reported.as_str()) {
                        reported.push(&row.reported);
                    }
                }
                let _ = writeln!(text, " {} |", reported.join("; "));
            }
        }
        text
    }
}

/// The day, as in "21 Oct 2015".
fn today() -> String {
    httpdate::fmt_http_date(SystemTime::now())[5..16].to_owned()
}
