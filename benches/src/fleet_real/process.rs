//! Processes: the stand-ins as their parent sees them, and what this process uses.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::time::{ClockId, clock_gettime};

use super::Failure;
use super::arrivals::Arrivals;
use super::stand_in::STAND_IN;

/// How long a stand-in may take for anything.
const ANSWER: Duration = Duration::from_secs(60);

/// A stand-in in a process of its own. It ends with this value, and by itself if this process dies.
#[derive(Debug)]
pub struct StandIn {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Receiver<io::Result<String>>,
    /// Where it listens.
    pub address: SocketAddr,
    /// How many users it has.
    pub users: usize,
}

impl StandIn {
    /// Starts one. Each has an address of its own, so that the ports of one do not run out for another.
    ///
    /// # Errors
    ///
    /// The process cannot be started, or does not serve within a minute.
    pub fn start(number: usize, users: usize, seed: u64) -> Result<Self, Failure> {
        let last = u8::try_from(number + 1)?;
        Self::start_at(SocketAddr::new(IpAddr::V4(Ipv4Addr::new(127, 0, 0, last)), 0), users, seed)
    }

    fn start_at(address: SocketAddr, users: usize, seed: u64) -> Result<Self, Failure> {
        // Not `current_exe`, which names valgrind if that runs the program.
        let program = std::env::args_os().next().ok_or("the program has no name")?;
        let mut child = Command::new(program)
            .args([STAND_IN, &address.to_string(), &users.to_string(), &seed.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take().ok_or("it is piped")?);
        let (sender, lines) = channel();
        std::thread::spawn(move || BufReader::new(stdout).lines().try_for_each(|line| sender.send(line)));
        let mut this = Self { child, stdin, lines, address, users };
        this.address = this.answer()?.parse()?;
        Ok(this)
    }

    /// Kills it at once.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// The one that follows a killed one, at the same address. It knows nothing of what was.
    ///
    /// # Errors
    ///
    /// As [`start`](Self::start).
    pub fn start_again(&self, seed: u64) -> Result<Self, Failure> {
        Self::start_at(self.address, self.users, seed)
    }

    fn answer(&self) -> Result<String, Failure> {
        let line = self.lines.recv_timeout(ANSWER);
        Ok(line.map_err(|error| format!("the stand-in on {} does not answer: {error}", self.address))??)
    }

    /// Asks it for something; [`done`](Self::done) waits for the answer.
    ///
    /// # Errors
    ///
    /// It has ended.
    pub fn ask(&mut self, command: &str) -> Result<(), Failure> {
        let stdin = self.stdin.as_mut().ok_or("it is piped")?;
        Ok(writeln!(stdin, "{command}")?)
    }

    /// Waits until what it was asked for is done.
    ///
    /// # Errors
    ///
    /// It has ended, or takes more than a minute.
    pub fn done(&self) -> Result<(), Failure> {
        self.answer().map(drop)
    }

    /// What arrived since the last time.
    ///
    /// # Errors
    ///
    /// It has ended, or takes more than a minute.
    pub fn arrivals(&mut self) -> Result<Arrivals, Failure> {
        self.ask("arrivals")?;
        Ok(serde_json::from_str(&self.answer()?)?)
    }

    /// The number of its process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Lets this process and its children open so many files, or says what to do.
///
/// # Errors
///
/// The system does not allow it.
pub fn allow_descriptors(needed: u64) -> Result<(), Failure> {
    let limit = getrlimit(Resource::Nofile);
    let (current, maximum) = (limit.current.unwrap_or(u64::MAX), limit.maximum.unwrap_or(u64::MAX));
    if current >= needed {
        return Ok(());
    }
    // Who may raise the maximum raises it.
    let raised = Rlimit { current: Some(needed), maximum: Some(maximum.max(needed)) };
    setrlimit(Resource::Nofile, raised).map_err(|_| {
        format!(
            "so many sessions need {needed} file descriptors, and this process may have {maximum}: \
             raise the limit with `ulimit -n {needed}` as a user who may, or measure fewer sessions"
        )
        .into()
    })
}

/// What a process uses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Usage {
    /// Bytes on the heap, as the allocator counts them.
    pub heap: usize,
    /// Bytes of memory that it has.
    pub rss: usize,
    /// Open files.
    pub descriptors: usize,
}

impl Usage {
    /// Of this process; `heap` counts.
    ///
    /// # Errors
    ///
    /// The system does not say.
    pub fn now(heap: fn() -> usize) -> Result<Self, Failure> {
        let heap = heap();
        let status = fs::read_to_string("/proc/self/status")?;
        let rss = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
        let kib: usize = rss.trim().trim_end_matches("kB").trim().parse()?;
        Ok(Self { heap, rss: kib << 10, descriptors: fs::read_dir("/proc/self/fd")?.count() })
    }
}

/// The time of the processor that this process has used, of the kernel too.
#[must_use]
pub fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}
