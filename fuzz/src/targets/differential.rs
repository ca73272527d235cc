//! The session against a model of it: after every operation both must have put out the same, and wait for the
//! same moment.

mod words;

use std::collections::VecDeque;
use std::time::Duration;

use arbitrary::{Arbitrary, Unstructured};
use ringcentral_ws_core::{
    AuthId, ClockReading, Config, ConnId, HttpId, Output, SessionState, Timestamp, UnixMillis, Wait,
};

use crate::model::{self, Cost, In, Model, Out, Phase, Time, Timer};
use crate::subject::{Maker, Plain, Subject};

/// One operation; what it is for is picked from what is open at the moment.
#[derive(Clone, Copy, Debug, Arbitrary)]
enum Op {
    /// The next step of connecting succeeds.
    Well,
    Badly {
        how: u8,
    },
    /// ConnectionDetails.
    Details {
        how: u8,
    },
    Malformed,
    Idle,
    Notify {
        number: u8,
        whose: u8,
    },
    Echo {
        number: u8,
    },
    Answer {
        how: u8,
    },
    Reply {
        number: u8,
    },
    Garbage,
    Gone,
    /// Up to the next timer, in quarters.
    Sleep {
        quarters: u8,
    },
    Subscribe,
    Unsubscribe,
    Request,
    Cancel {
        number: u8,
    },
    Recover,
    Close {
        how: u8,
    },
}

/// Bytes as operations, at most 300.
pub fn differential(data: &[u8]) {
    if let Err(why) = differ(&Plain, data) {
        panic!("{why}");
    }
}

/// The same for any session. Returns all that was done; `Err` says what differed.
///
/// # Errors
///
/// The first difference, with all that was done before.
pub fn differ<M: Maker>(maker: &M, data: &[u8]) -> Result<Vec<String>, String> {
    let mut world = World::new(maker);
    let mut bytes = Unstructured::new(data);
    world.give(In::Connect)?;
    for _ in 0..300 {
        if bytes.is_empty() || world.model.phase == Phase::Closed {
            break;
        }
        let Ok(op) = Op::arbitrary(&mut bytes) else { break };
        world.play(op)?;
    }
    if world.model.ending.is_none() {
        world.give(In::Close(true))?;
    }
    while let Some(at) = world.model.next() {
        world.sleep_until(at)?;
    }
    Ok(world.trace)
}

struct World<S> {
    session: S,
    model: Model,
    now: Time,
    login: AuthId,
    call: HttpId,
    conn: ConnId,
    tokens: u64,
    /// Messages the server has not answered: heartbeats with their numbers, the subscription call, requests.
    heartbeats: VecDeque<(u64, String)>,
    sent_heartbeats: u64,
    subscription: String,
    requests: Vec<(u64, String)>,
    trace: Vec<String>,
    /// What the model expects besides, because chance had it that a retry waits for nothing.
    at_once: Vec<Out>,
    /// Until when it waits, and what was said about that since the last input (REC-8).
    waits: Option<Time>,
    announced: Vec<Time>,
    /// It said that its snapshot is another since the last input.
    snapshot_changed: bool,
}

impl<S: Subject> World<S> {
    fn new<M: Maker<Subject = S>>(maker: &M) -> Self {
        let mut config = Config { rest_over_websocket: true, ..Config::default() };
        config.recovery_timeout = Duration::from_micros(model::RECOVERY_WINDOW);
        config.recovery_buffer_size = model::BUFFER;
        config.limits.bad_frames = model::BAD_FRAMES;
        // The budgets are another matter: the simulator watches them.
        config.retry.auth_calls_per_minute = 100_000;
        config.retry.attempts_per_minute = 100_000;
        let now = 1_000_000;
        let clock = ClockReading { now: Timestamp::from_micros(now), unix: UnixMillis(1_800_000_000_000) };
        Self {
            session: maker.create(config, 1, clock),
            model: Model::new(now),
            now,
            login: AuthId::from(0),
            call: HttpId::from(0),
            conn: ConnId::from(0),
            tokens: 0,
            heartbeats: VecDeque::new(),
            sent_heartbeats: 0,
            subscription: String::new(),
            requests: Vec::new(),
            trace: Vec::new(),
            at_once: Vec::new(),
            waits: None,
            announced: Vec::new(),
            snapshot_changed: false,
        }
    }

    fn play(&mut self, op: Op) -> Result<(), String> {
        let connected = matches!(self.model.phase, Phase::Ready | Phase::Closing);
        let at_frames = connected || matches!(self.model.phase, Phase::Handshaking(_));
        let free = self.model.ending.is_none();
        match op {
            Op::Well => self.step_well(),
            Op::Badly { how } => self.step_badly(how),
            Op::Details { how } if matches!(self.model.phase, Phase::Handshaking(_)) => self.details(how),
            Op::Malformed if matches!(self.model.phase, Phase::Handshaking(_)) => self.give(In::Malformed),
            Op::Idle if self.model.phase == Phase::Ready => self.give(In::Idle),
            Op::Notify { number, whose } if at_frames => {
                let of = [Some("sub-1"), Some("sub-1"), Some("sub-2"), None][usize::from(whose % 4)];
                self.give(In::Notification(number % 32, of.map(str::to_owned)))
            }
            Op::Echo { number } if connected && !self.heartbeats.is_empty() => {
                let number = usize::from(number) % self.heartbeats.len();
                self.give(In::Echo(self.heartbeats[number].0))
            }
            Op::Answer { how } if connected && self.model.subs.is_calling() => self.answer(how),
            Op::Reply { number } if connected => match pick(&self.model.open_requests(), number) {
                Some(request) => self.give(In::Reply(request)),
                None => Ok(()),
            },
            Op::Garbage if at_frames => self.give(In::Garbage),
            Op::Gone if at_frames || matches!(self.model.phase, Phase::Opening(_)) => self.give(In::Gone(None)),
            Op::Sleep { quarters } => self.sleep(quarters),
            Op::Subscribe if free => self.give(In::Subscribe),
            Op::Unsubscribe if free && self.model.subs.desired.is_some() => self.give(In::Unsubscribe),
            Op::Request if free && self.model.phase == Phase::Ready && self.model.open_requests().len() < 3 => {
                self.give(In::Request)
            }
            Op::Cancel { number } if free => self.give(In::Cancel(u64::from(number % 8))),
            Op::Recover if free => self.give(In::Recover),
            // Rarely: it ends everything.
            Op::Close { how } if free && how < 16 => self.give(In::Close(how.is_multiple_of(2))),
            _ => Ok(()),
        }
    }

    fn step_well(&mut self) -> Result<(), String> {
        match self.model.phase {
            Phase::Login => self.give(In::Authorized),
            Phase::Fetching => {
                self.tokens += 1;
                self.give(In::Token(format!("token-{}", self.tokens)))
            }
            Phase::Opening(_) => self.give(In::Opened),
            Phase::Handshaking(_) => self.details(0),
            Phase::Ready if self.model.subs.is_calling() => self.answer(0),
            Phase::Waiting => self.sleep(4),
            Phase::Closing => self.give(In::Gone(Some(1000))),
            Phase::Idle | Phase::Ready | Phase::Closed => Ok(()),
        }
    }

    fn step_badly(&mut self, how: u8) -> Result<(), String> {
        let cost = if how % 4 == 3 { Cost::Local } else { Cost::Call };
        let code = [1001, 4000, 4400, 1012, 1000, 4000, 4000, 1013][usize::from(how % 8)];
        match self.model.phase {
            Phase::Login => self.give(In::LoginFailed(cost)),
            Phase::Fetching if how % 4 == 2 => self.give(In::TokenRefused),
            Phase::Fetching => self.give(In::TokenFailed(cost)),
            Phase::Opening(_) => self.give(In::OpenFailed([Some(401), None, Some(503), None][usize::from(how % 4)])),
            Phase::Handshaking(_) | Phase::Ready | Phase::Closing => self.give(In::Gone(Some(code))),
            _ => Ok(()),
        }
    }

    fn details(&mut self, how: u8) -> Result<(), String> {
        let state = [Some(true), Some(false), None][usize::from(how % 4 / 2 + how / 128)];
        let handle = (how % 16 < 12).then(|| format!("wsc-{}", how % 16));
        self.give(In::Details(state, handle))
    }

    fn answer(&mut self, how: u8) -> Result<(), String> {
        let deleting = self.model.subs.is_deleting();
        let id = if how % 32 < 16 { "sub-1" } else { "sub-2" };
        self.give(In::Answer(match how % 8 {
            0..=4 if deleting => Ok(None),
            0..=4 => Ok(Some(id.to_owned())),
            5 if self.model.subs.has_target() => Err(404),
            6 => Err(403),
            _ => Err(503),
        }))
    }

    fn sleep(&mut self, quarters: u8) -> Result<(), String> {
        let Some(at) = self.model.next() else { return Ok(()) };
        let left = at - self.now;
        self.sleep_until(match quarters % 5 {
            4 => at,
            some => self.now + left / 4 * u64::from(some),
        })
    }

    fn sleep_until(&mut self, at: Time) -> Result<(), String> {
        self.now = at;
        self.give(In::Tick)
    }

    /// Gives it to both, and compares.
    fn give(&mut self, input: In) -> Result<(), String> {
        self.trace.push(format!("{:>12} {input:?}", self.now));
        self.announced.clear();
        self.snapshot_changed = false;
        let mut expected = self.model.apply(self.now, input.clone());
        self.apply(&input);
        let mut actual = Vec::new();
        let wait = loop {
            match self.session.poll_output() {
                Output::Wait(wait) => break wait,
                output => actual.extend(self.read(output)?),
            }
        };
        expected.append(&mut self.at_once);
        if let (SessionState::Waiting { until, reason, .. }, true) =
            (self.session.state(), self.model.chance.contains_key(&Timer::Retry))
        {
            let chosen = self.model.chosen(Timer::Retry, until.as_micros(), reason.as_str());
            chosen.map_err(|why| self.report(&why))?;
        }
        self.trace.extend(actual.iter().map(|out| format!("{:>16} {out:?}", "")));
        if actual != expected {
            return Err(self.report(&format!("the model says {expected:?}")));
        }
        let at = if let Wait::Until { at, .. } = wait { Some(at.as_micros()) } else { None };
        if at != self.model.next() {
            return Err(self.report(&format!("it waits until {at:?}, the model until {:?}", self.model.next())));
        }
        self.check_waits()?;
        let calls = actual.iter().any(|out| matches!(out, Out::Login | Out::TokenCall));
        if calls && !self.snapshot_changed {
            return Err(self.report("a call of the budget is not in the snapshot (TOK-2)"));
        }
        if self.session.snapshot().is_none() != self.model.is_detaching() {
            return Err(self.report("there is no snapshot exactly while close(Detach) waits for the end (PST-5)"));
        }
        self.compare_states(wait)
    }

    /// REC-8: a wait of more than two seconds was announced, with its end, and no other wait was.
    fn check_waits(&mut self) -> Result<(), String> {
        let before = self.waits;
        self.waits = match self.session.state() {
            SessionState::Waiting { until, .. } => Some(until.as_micros()),
            _ => None,
        };
        let announced = self.announced.last().copied();
        match self.waits.filter(|until| Some(*until) != before) {
            Some(until) if until > self.now + 2_000_000 && announced != Some(until) => {
                Err(self.report(&format!("no event says that it waits until {until}")))
            }
            _ => Ok(()),
        }
    }

    fn compare_states(&self, wait: Wait) -> Result<(), String> {
        let phase = self.model.phase;
        let same = match self.session.state() {
            SessionState::Closed => phase == Phase::Closed && wait == Wait::Finished,
            SessionState::Closing => self.model.ending.is_some() && phase != Phase::Closed,
            SessionState::Idle => phase == Phase::Idle,
            SessionState::Waiting { attempt, .. } => phase == Phase::Waiting && attempt == self.model.attempt,
            SessionState::Ready { .. } => phase == Phase::Ready,
            SessionState::Connecting => {
                matches!(phase, Phase::Login | Phase::Fetching | Phase::Opening(_) | Phase::Handshaking(_))
            }
            _ => false,
        };
        let state = self.session.state();
        if same {
            Ok(())
        } else {
            Err(self.report(&format!("it is {state:?}, the model {phase:?} after {} attempts", self.model.attempt)))
        }
    }

    fn report(&self, why: &str) -> String {
        let from = self.trace.len().saturating_sub(60);
        format!("{why}, after\n{}", self.trace[from..].join("\n"))
    }
}

fn pick(of: &[u64], number: u8) -> Option<u64> {
    of.get(usize::from(number) % of.len().max(1)).copied()
}
