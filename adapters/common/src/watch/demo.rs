//! The demonstration: scenes played on a server in the same process.

use std::time::Duration;

use ringcentral_ws_api::{Backfill, ClientApp, Filter};
use ringcentral_ws_core::{Config, Event, RetryPolicy, Secret};
use url::Url;

/// Everything must be over by then.
pub const TIME_LIMIT: Duration = Duration::from_secs(19);
/// A moment to read the screen.
const PAUSE: Duration = Duration::from_millis(700);

/// What the server does in the demonstration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// Receive an SMS with this text.
    Sms(&'static str),
    /// Cut all connections, without a word.
    Cut,
    /// Forget all sessions, as in a restart, and so cut all connections.
    Restart,
}

/// Makes the server do something.
pub type Perform = Box<dyn FnMut(Step) + Send>;

/// A server that plays RingCentral.
pub struct DemoServer {
    /// The app that logs in to it.
    pub app: ClientApp,
    /// Whose JWT this is.
    pub jwt: Secret,
    /// Makes it do something.
    pub perform: Perform,
}

/// Starts a [`DemoServer`]; the error is one line.
pub type StartDemo = Box<dyn FnOnce() -> Result<DemoServer, String> + Send>;

/// The filter of the demonstration.
pub const FILTER: Filter = Filter::sms();

/// Settings that make the demonstration short.
#[must_use]
pub fn config(server: &Url) -> Config {
    let retry = RetryPolicy {
        socket_lost: Duration::from_millis(400),
        server_closed: Duration::from_millis(400),
        base: Duration::from_millis(300),
        auth_calls_per_minute: 12,
        ..RetryPolicy::default()
    };
    Config { server: server.clone(), retry, ..Config::default() }
}

/// Fills gaps before the demonstration is over.
pub(super) fn backfill() -> Backfill {
    Backfill::new().settle(PAUSE / 2).spread(Duration::ZERO)
}

/// What comes next in the demonstration.
#[derive(Debug, PartialEq, Eq)]
pub enum Cue {
    /// Say this.
    Say(&'static str),
    /// Make the server do this.
    Do(Step),
    /// Pause.
    Wait(Duration),
    /// Close the session; the demonstration is over.
    Close,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Scene {
    #[default]
    Start,
    FirstMessages,
    Cut,
    Replay,
    Restarted,
    LastMessage,
    End,
}

/// Follows the events and says what comes next.
#[derive(Debug, Default)]
pub struct Director {
    scene: Scene,
    /// Notifications seen in this scene.
    seen: usize,
}

impl Director {
    /// At the beginning.
    #[must_use]
    pub const fn new() -> Self {
        Self { scene: Scene::Start, seen: 0 }
    }

    /// What this event brings on.
    pub fn on(&mut self, event: &Event) -> Vec<Cue> {
        if matches!(event, Event::Notification(_)) {
            self.seen += 1;
        }
        let (scene, cues) = match (self.scene, event) {
            (Scene::Start, Event::Subscribed(_)) => (
                Scene::FirstMessages,
                vec![
                    Cue::Say("Two text messages arrive."),
                    Cue::Wait(PAUSE),
                    Cue::Do(Step::Sms("Hello")),
                    Cue::Do(Step::Sms("How are you?")),
                ],
            ),
            (Scene::FirstMessages, Event::Notification(_)) if self.seen == 2 => (
                Scene::Cut,
                vec![
                    Cue::Wait(PAUSE),
                    Cue::Say("The connection is cut, and two more messages arrive while nobody is connected."),
                    Cue::Do(Step::Cut),
                    Cue::Do(Step::Sms("Are you there?")),
                    Cue::Do(Step::Sms("I can wait.")),
                ],
            ),
            (Scene::Cut, Event::Recovered { .. }) => {
                (Scene::Replay, vec![Cue::Say("The session is recovered: both messages are replayed.")])
            }
            (Scene::Replay, Event::Notification(_)) if self.seen == 2 => (
                Scene::Restarted,
                vec![
                    Cue::Wait(PAUSE),
                    Cue::Say("The server restarts and forgets the session. A message meanwhile is lost."),
                    Cue::Do(Step::Restart),
                    Cue::Do(Step::Sms("Nobody will read this.")),
                ],
            ),
            (Scene::Restarted, Event::Subscribed(_)) => (
                Scene::LastMessage,
                vec![
                    Cue::Say("The loss is reported, and the subscription stands again. One more message:"),
                    Cue::Wait(PAUSE),
                    Cue::Do(Step::Sms("There you are.")),
                ],
            ),
            (Scene::LastMessage, Event::Notification(_)) => (
                Scene::End,
                vec![
                    Cue::Wait(PAUSE),
                    Cue::Say("That was all: the subscription is deleted, the session closed."),
                    Cue::Close,
                ],
            ),
            _ => return Vec::new(),
        };
        *self = Self { scene, seen: 0 };
        cues
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_it_says_fits_a_terminal_of_80_columns() {
        let source = include_str!("demo.rs");
        let said: Vec<&str> = source.split("Cue::Say(\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
        assert!(said.len() > 5 && said.iter().all(|text| text.chars().count() < 80), "{said:?}");
    }
}
