//! The session: its token, the upgrade, the subscription, heartbeats, and a recovery.

use std::sync::Arc;
use std::time::Duration;

use ringcentral_ws_core::{Cause, CloseReason, Config, Event, Phase, Resumption, Snapshot, SubscriptionInfo};
use ringcentral_ws_driver::{Builder, Client, CredentialSource, Events};
use ringcentral_ws_tokio::Tokio;
use rustls::ClientConfig;
use tokio::time::timeout;

use super::made::Made;
use super::report::{Found, Problem};
use super::service::{later, refusal};

/// The longest time of each step: longer than each attempt of the client takes.
const LIMIT: Duration = Duration::from_secs(40);
/// So often the connection is looked after, so that this step is short.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// What sessions are made with.
pub(super) struct Maker {
    pub(super) source: Arc<dyn CredentialSource>,
    pub(super) tls: Option<Arc<ClientConfig>>,
    pub(super) server: url::Url,
    pub(super) made: Arc<Made>,
}

/// A session under examination.
pub(super) struct Patient {
    client: Client<Tokio>,
    events: Events,
    made: Arc<Made>,
}

impl Drop for Patient {
    /// Another handle would keep it alive.
    fn drop(&mut self) {
        self.made.forget_session();
    }
}

/// How the first attempt ended.
enum Attempt {
    Connected(Resumption),
    Failed(Cause),
    Late,
}

impl Maker {
    fn start(&self, filters: &[String], snapshot: Option<Snapshot>) -> Result<Patient, Problem> {
        let config = Config { server: self.server.clone(), heartbeat_interval: HEARTBEAT, ..Config::default() };
        let mut builder = Builder::new(Tokio, Arc::clone(&self.source)).config(config).filters(filters);
        if let Some(tls) = &self.tls {
            builder = builder.tls(Arc::clone(tls));
        }
        if let Some(snapshot) = snapshot {
            builder = builder.restore(snapshot);
        }
        let started = builder.start().map_err(|error| Problem::new(error, "correct that and try again"));
        started.map(|(client, events)| {
            self.made.session(&client);
            Patient { client, events, made: Arc::clone(&self.made) }
        })
    }

    /// Asks for the WebSocket token and connects. The second value is what is wrong with the upgrade.
    pub(super) async fn token(&self, filters: &[String]) -> Found<Result<Patient, Problem>> {
        let mut patient = match self.start(filters, None) {
            Ok(patient) => patient,
            Err(problem) => return Found::bad(problem),
        };
        match patient.attempt().await {
            Attempt::Connected(_) => Found::good(Ok(patient), "the server gave one"),
            Attempt::Failed(cause) if is_of_token(&cause) => Found::bad(mend(&cause)),
            Attempt::Failed(cause) => Found::good(Err(mend(&cause)), "the server gave one"),
            Attempt::Late => {
                let mend = "try again; `tail --debug` shows each message";
                Found::good(Err(Problem::new("the connection was not ready in time", mend)), "no answer in time")
            }
        }
    }

    /// Cuts the connection without a word, and connects again with the recovery token.
    pub(super) async fn recovery(&self, patient: Patient) -> Found<Patient> {
        let Some(snapshot) = patient.client.snapshot() else {
            return Found::bad(Problem::new("the session cannot be kept", "report this as an error of this program"));
        };
        drop(patient);
        let mut patient = match self.start(&[], Some(snapshot)) {
            Ok(patient) => patient,
            Err(problem) => return Found::bad(problem),
        };
        match patient.attempt().await {
            Attempt::Connected(Resumption::Recovered) => Found::good(patient, "Successful: the session went on"),
            Attempt::Connected(_) => {
                let code = patient.recovery_code().await;
                let what =
                    format!("the server did not continue the session ({})", code.as_deref().unwrap_or("no code"));
                let mend = "another login in between ends what can be recovered: keep the refresh token, and give each \
                            program an app or a user of its own";
                Found { value: Some(patient), ..Found::bad(Problem::new(what, mend).with_code(code.as_deref())) }
            }
            Attempt::Failed(cause) => Found::bad(mend(&cause)),
            Attempt::Late => Found::bad(Problem::new("the connection was not ready in time", "try again")),
        }
    }
}

impl Patient {
    /// Up to the first connection or the first failure.
    async fn attempt(&mut self) -> Attempt {
        let first = async {
            while let Some(event) = self.events.next().await {
                match event {
                    Event::Connected { resumption, .. } => return Attempt::Connected(resumption),
                    Event::Retry { cause, .. } | Event::Closed { reason: CloseReason::Permanent(cause) } => {
                        return Attempt::Failed(cause);
                    }
                    _ => {}
                }
            }
            Attempt::Failed(Cause::Closed)
        };
        timeout(LIMIT, first).await.unwrap_or(Attempt::Late)
    }

    async fn recovery_code(&mut self) -> Option<String> {
        let code = async {
            while let Some(event) = self.events.next().await {
                match event {
                    Event::RecoveryFailed { code, .. } => return code.map(String::from),
                    Event::Subscribed(_) | Event::Closed { .. } => return None,
                    _ => {}
                }
            }
            None
        };
        timeout(Duration::from_secs(5), code).await.ok().flatten()
    }

    /// Waits for the answer to the subscription.
    pub(super) async fn subscription(&mut self) -> Found<()> {
        let answer = async {
            while let Some(event) = self.events.next().await {
                match event {
                    Event::Subscribed(info) => return subscribed(&info),
                    Event::SubscriptionFailed { error, .. } => return Found::bad(refusal(&error)),
                    Event::Disconnected { cause, .. } | Event::Closed { reason: CloseReason::Permanent(cause) } => {
                        return Found::bad(mend(&cause));
                    }
                    _ => {}
                }
            }
            Found::bad(mend(&Cause::Closed))
        };
        let late = || Found::bad(Problem::new("no answer in time", "try again; `tail --debug` shows each message"));
        timeout(LIMIT, answer).await.unwrap_or_else(|_| late())
    }

    /// Waits until a heartbeat was sent and something came after it.
    pub(super) async fn heartbeat(&mut self) -> Found<()> {
        const LOOK: Duration = Duration::from_millis(20);
        let answered = async {
            let mut sent = None;
            loop {
                match timeout(LOOK, self.events.next()).await {
                    Ok(Some(Event::Disconnected { cause, .. })) => return Found::bad(mend(&cause)),
                    Ok(None) => return Found::bad(mend(&Cause::Closed)),
                    Ok(Some(_)) | Err(_) => {}
                }
                let stats = self.client.stats();
                match sent {
                    None if stats.heartbeats > 0 => sent = Some(stats.frames),
                    Some(frames) if stats.frames > frames => return Found::good((), "answered"),
                    _ => {}
                }
            }
        };
        let late = || Found::bad(mend(&Cause::HeartbeatTimeout));
        timeout(LIMIT, answered).await.unwrap_or_else(|_| late())
    }

    /// Ends the session on the server.
    pub(super) async fn end(self) {
        self.client.close(ringcentral_ws_core::Close::Revoke).await;
    }
}

fn subscribed(info: &SubscriptionInfo) -> Found<()> {
    let good: Vec<_> = info.filters.iter().map(ToString::to_string).collect();
    let refused = info.disabled.iter().map(|off| {
        let what = format!("the filter {} is refused: {} {}", off.filter, off.reason, off.message);
        let known = ringcentral_ws_core::classify::lookup(&off.reason).map(|row| row.remedy);
        let mend = known.unwrap_or("give the app or the user the permission that the message names, or leave it out");
        Problem::new(what, mend).with_code(Some(&off.reason))
    });
    let problems = info
        .problems()
        .into_iter()
        .map(|problem| Problem::new(&problem, "check what the app and the user may do, and the filters"));
    Found::good((), format!("{} filter(s): {}", good.len(), good.join(" "))).but(refused).but(problems)
}

/// Whether it failed before there was a token.
fn is_of_token(cause: &Cause) -> bool {
    matches!(
        cause,
        Cause::TokenCall(_)
            | Cause::TokenUnreadable
            | Cause::Network { .. }
            | Cause::Credentials { .. }
            | Cause::LoginLimit { .. }
            | Cause::Unauthorized
            | Cause::TokenRefused
            | Cause::Evicted
            | Cause::Forbidden(_)
            | Cause::RateLimited { .. }
            | Cause::Unavailable { .. }
    )
}

/// What a failure means, and how to mend it.
fn mend(cause: &Cause) -> Problem {
    const WAY: &str = "have firewalls and proxies let WebSockets (wss, port 443) through to that host; `tail --debug` shows \
                       each message";
    let mend = match cause {
        Cause::TokenCall(error) | Cause::Forbidden(error) => return refusal(error),
        Cause::RateLimited { retry_after } => format!(
            "wait {} s and try again; a user and app have 5 calls a minute, which all programs that log in share",
            retry_after.as_secs()
        ),
        Cause::Unavailable { retry_after } => later(*retry_after),
        Cause::ConnectFailed { phase: Phase::Dns, .. } => {
            "check DNS: the WebSocket is on a host of its own, which the server names".to_owned()
        }
        Cause::UpgradeRefused { .. } | Cause::ConnectFailed { .. } | Cause::HandshakeTimeout => WAY.to_owned(),
        Cause::HeartbeatTimeout | Cause::SocketLost | Cause::SocketTimeout => {
            "a firewall or proxy on the way may cut quiet or long connections: let WebSockets stay open".to_owned()
        }
        Cause::TokenUnreadable | Cause::InsecureUri | Cause::ForeignUri { .. } => "check RC_SERVER_URL".to_owned(),
        Cause::Credentials { .. } | Cause::Unauthorized | Cause::TokenRefused | Cause::NoAuthorization => {
            "check that the app and the user are active, and log in again".to_owned()
        }
        Cause::Evicted => "end other programs that log in as this user, or give this one an app of its own".to_owned(),
        _ => "try again; if it stays so, `tail --record FILE` keeps what happened".to_owned(),
    };
    let code = match cause {
        Cause::Credentials { code, .. } | Cause::ConnectionError { code } => code.as_deref(),
        _ => None,
    };
    Problem::new(cause, mend).with_code(code)
}
