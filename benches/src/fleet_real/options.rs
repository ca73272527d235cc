//! The command line of `fleet-real`.

use std::time::Duration;

use lexopt::prelude::*;

/// What `--help` prints.
pub const HELP: &str = "\
Many sessions of the tokio client in one process, the stand-ins of the server in others, all on loopback.

usage: fleet-real [OPTIONS] [SESSIONS]

  SESSIONS                how many (1000)
  --stand-ins N           processes of the server; the sessions are divided among them (2)
  --workers N             threads of the client's runtime (1)
  --heartbeat SECONDS     Config::heartbeat_interval (30)
  --longest-sleep SECONDS IoLimits::longest_sleep (60; a client's default is 10)
  --idle SECONDS          how long idle sessions are measured (60)
  --rounds N              notifications for each session in the burst (300)
  --size BYTES            size of their bodies (400)
  --down SECONDS          how long the stand-ins are away in their restart (3)
  --pause SECONDS         pause between faults, so that the budget of calls for tokens is whole again (61)
  --reconnects N          then cut all connections again and again, until there were so many reconnects (0); the clients'
                          budgets of attempts and calls are raised for it
  --alone                 each client has connections of its own for its calls, in place of shared ones
  --no-faults             start, idle, burst and end only
  --quick                 100 sessions, all of it within 15 s: short times, and retries that come soon
  --json                  print the figures as JSON in place of a table
  --check                 end with status 1 if a figure misses its limit
  --help                  this text

Progress goes to stderr, a line every 2 s. Every wait has an end. The stand-ins end with this program, however it ends.
";

/// What to measure.
#[derive(Clone, Debug)]
pub struct Options {
    /// Sessions.
    pub sessions: usize,
    /// Processes of the server.
    pub stand_ins: usize,
    /// Threads of the client's runtime.
    pub workers: usize,
    /// The silence after which a heartbeat is sent.
    pub heartbeat: Duration,
    /// The longest sleep of a client's task.
    pub longest_sleep: Duration,
    /// How long idle sessions are measured.
    pub idle: Duration,
    /// Notifications for each session in the burst.
    pub rounds: u64,
    /// Bytes of their bodies.
    pub size: usize,
    /// How long the stand-ins are away.
    pub down: Duration,
    /// Between faults.
    pub pause: Duration,
    /// How long sessions are left alone before their memory is measured.
    pub settle: Duration,
    /// Reconnects in all.
    pub reconnects: usize,
    /// Whether each client makes its calls over connections of its own.
    pub alone: bool,
    /// Whether connections are cut and servers start again.
    pub faults: bool,
    /// Short delays of retries, and budgets that do not count.
    pub is_quick: bool,
    /// As JSON.
    pub json: bool,
    /// Whether a missed limit is a failure.
    pub check: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            sessions: 1_000,
            stand_ins: 2,
            workers: 1,
            heartbeat: Duration::from_secs(30),
            longest_sleep: Duration::from_secs(60),
            idle: Duration::from_secs(60),
            rounds: 300,
            size: 400,
            down: Duration::from_secs(3),
            pause: Duration::from_secs(61),
            settle: Duration::from_secs(2),
            reconnects: 0,
            alone: false,
            faults: true,
            is_quick: false,
            json: false,
            check: false,
        }
    }
}

impl Options {
    /// Makes everything short.
    fn quick(&mut self) {
        self.is_quick = true;
        self.sessions = 100;
        self.heartbeat = Duration::from_millis(500);
        self.idle = Duration::from_secs(2);
        self.rounds = 300;
        self.down = Duration::from_millis(300);
        self.pause = Duration::ZERO;
        self.settle = Duration::from_millis(300);
        self.reconnects = 300;
    }

    /// Reads the arguments, which are without the name of the program; `None`: the help is asked for.
    ///
    /// # Errors
    ///
    /// Says what is wrong with them.
    pub fn parse(args: impl IntoIterator<Item = std::ffi::OsString>) -> Result<Option<Self>, lexopt::Error> {
        let mut options = Self::default();
        let mut parser = lexopt::Parser::from_args(args);
        while let Some(arg) = parser.next()? {
            match arg {
                Long("stand-ins") => options.stand_ins = parser.value()?.parse::<usize>()?.max(1),
                Long("workers") => options.workers = parser.value()?.parse::<usize>()?.max(1),
                Long("heartbeat") => options.heartbeat = seconds(&mut parser)?,
                Long("longest-sleep") => options.longest_sleep = seconds(&mut parser)?,
                Long("idle") => options.idle = seconds(&mut parser)?,
                Long("rounds") => options.rounds = parser.value()?.parse()?,
                Long("size") => options.size = parser.value()?.parse()?,
                Long("down") => options.down = seconds(&mut parser)?,
                Long("pause") => options.pause = seconds(&mut parser)?,
                Long("reconnects") => options.reconnects = parser.value()?.parse()?,
                Long("alone") => options.alone = true,
                Long("no-faults") => options.faults = false,
                Long("quick") => options.quick(),
                Long("json") => options.json = true,
                Long("check") => options.check = true,
                Long("help") | Short('h') => return Ok(None),
                Value(sessions) => options.sessions = sessions.parse::<usize>()?.max(1),
                other => return Err(other.unexpected()),
            }
        }
        options.stand_ins = options.stand_ins.min(options.sessions);
        if options.stand_ins > 200 {
            return Err("--stand-ins is at most 200".into());
        }
        Ok(Some(options))
    }
}

fn seconds(parser: &mut lexopt::Parser) -> Result<Duration, lexopt::Error> {
    let seconds: f64 = parser.value()?.parse()?;
    Duration::try_from_secs_f64(seconds).map_err(|_| "a time is a number of seconds, such as 0.5".into())
}
