//! Prints a line for each missed call: a call to the extension that ended without being answered.
//!
//!     cargo run -p ringcentral-ws-examples --bin missed-call
//!
//! It needs the credentials in the environment (see README.md) and the app permission Call Control. Ctrl-C ends it.
//!
//! Each missed call is one line, however many of its parties end. Whether a call that was ringing in a gap was answered
//! is unknown: it counts as missed only if the server itself says so.

use std::collections::VecDeque;
use std::error::Error;

use ringcentral_ws::payloads::{Id, TelephonySession};
use ringcentral_ws::{Client, Close, Event, Filter, NotificationExt, Payload};
use tokio::signal::ctrl_c;

/// Calls remembered at once; beyond it the oldest is forgotten.
const MAX_CALLS: usize = 1000;

/// What is known of a call to the extension.
#[derive(Clone, Copy, PartialEq)]
enum Call {
    /// It began before this program, or in a gap.
    Unsure,
    Ringing,
    /// It was answered, or its line is printed.
    Done,
}

#[derive(Default)]
struct Calls(VecDeque<(Id, Call)>);

impl Calls {
    /// Who called, if this is the moment at which a call is missed.
    fn missed(&mut self, session: &TelephonySession) -> Option<String> {
        let party = session.parties.iter().find(|party| party.direction.as_deref() == Some("Inbound"))?;
        let call = self.call(session.telephony_session_id.as_ref()?);
        let (next, missed) = match (party.status.as_ref()?.code.as_deref()?, *call) {
            ("Setup" | "Proceeding", Call::Unsure) => (Call::Ringing, false),
            ("Answered", _) => (Call::Done, false),
            ("VoiceMail", Call::Unsure) | ("VoiceMail" | "Disconnected", Call::Ringing) => (Call::Done, true),
            ("Disconnected", Call::Unsure) => (Call::Done, party.missed_call == Some(true)),
            (_, same) => (same, false),
        };
        *call = next;
        let from = party.from.as_ref().filter(|_| missed)?;
        Some(from.phone_number.clone().or(from.name.clone()).unwrap_or_else(|| "an unknown number".into()))
    }

    fn call(&mut self, id: &Id) -> &mut Call {
        let at = self.0.iter().position(|(known, _)| known == id).unwrap_or_else(|| {
            if self.0.len() == MAX_CALLS {
                self.0.pop_front();
            }
            self.0.push_back((id.clone(), Call::Unsure));
            self.0.len() - 1
        });
        &mut self.0[at].1
    }

    /// From now on it is not known which of them were answered.
    fn gap(&mut self) {
        self.0.retain(|(_, call)| *call == Call::Done);
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let (client, mut events) = Client::from_env()?.filters([Filter::telephony_sessions()]).start()?;
    client.close_when(ctrl_c(), Close::Revoke);
    let mut calls = Calls::default();
    while let Some(event) = events.next().await {
        match event {
            Event::Notification(n) => {
                if let Payload::TelephonySession(session) = n.payload()
                    && let Some(caller) = calls.missed(&session)
                {
                    println!("missed call from {caller:?} at {}", n.timestamp().unwrap_or("an unknown time"));
                }
            }
            Event::Gap(gap) => {
                eprintln!("{gap}");
                calls.gap();
            }
            Event::SnapshotChanged => {}
            Event::Closed { reason } => return Ok(reason.into_result()?),
            other => eprintln!("{other}"),
        }
    }
    Ok(())
}
