//! The worked example on mio as an adapter, on a thread of its own.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringcentral_ws_conformance::{Harness, Outcome, Running, Setup};
use ringcentral_ws_core::{Body, Close, Event, Filters, RequestOutcome, Snapshot, Stats};
use ringcentral_ws_port_mio::Port;

pub(crate) struct Mio;

enum Command {
    Request(Box<http::Request<Body>>),
    Close(Close),
}

struct MioRunning {
    events: Receiver<Event>,
    answers: Receiver<Outcome>,
    commands: Sender<Command>,
    stats: Arc<Mutex<Stats>>,
    gone: Arc<AtomicBool>,
}

impl Harness for Mio {
    fn name(&self) -> &'static str {
        "mio"
    }

    fn try_start(&self, setup: Setup) -> Result<Box<dyn Running>, String> {
        let ((sender, events), (answer, answers), (commands, inbox)) = (channel(), channel(), channel());
        let (stats, gone) = (Arc::<Mutex<Stats>>::default(), Arc::<AtomicBool>::default());
        let (shared, leave) = (Arc::clone(&stats), Arc::clone(&gone));
        std::thread::spawn(move || {
            let mut port = Port::new(setup.app, setup.jwt.into(), setup.config, 7).unwrap();
            let now = port.now();
            port.session.subscribe(Filters::new(&setup.filters).unwrap(), now).unwrap();
            port.session.connect(now).unwrap();
            let mut on_event = |_: &mut Port, event| match event {
                Event::Response { outcome, .. } => drop(answer.send(ended(&outcome))),
                event => drop(sender.send(event)),
            };
            while port.turn(&mut on_event).unwrap() && !leave.load(Ordering::SeqCst) {
                // A turn ends at the next heartbeat at the latest.
                let now = port.now();
                match inbox.try_recv() {
                    Ok(Command::Request(request)) => drop(port.session.request(*request, now)),
                    Ok(Command::Close(mode)) => drop(port.session.close(mode, now)),
                    Err(_) => {}
                }
                *shared.lock().unwrap() = port.session.stats();
            }
        });
        Ok(Box::new(MioRunning { events, answers, commands, stats, gone }))
    }
}

fn ended(outcome: &RequestOutcome) -> Outcome {
    match outcome {
        RequestOutcome::Response { response, .. } => {
            Outcome::Response(response.status().as_u16(), response.body().len(), None)
        }
        _ => Outcome::Failed("no response", true),
    }
}

impl Running for MioRunning {
    fn next_event(&mut self, limit: Duration) -> Option<Option<Event>> {
        self.events.recv_timeout(limit).ok().map(Some)
    }

    fn request(&mut self, request: http::Request<Body>) -> Outcome {
        self.commands.send(Command::Request(Box::new(request))).unwrap();
        self.answers.recv_timeout(ringcentral_ws_conformance::DEADLINE).expect("an end of the call")
    }

    fn download(&mut self, _: http::Request<Body>) -> Outcome {
        Outcome::Failed("the worked example has none", false)
    }

    fn close(&mut self, mode: Close) {
        self.commands.send(Command::Close(mode)).unwrap();
        while let Ok(event) = self.events.recv_timeout(ringcentral_ws_conformance::DEADLINE) {
            if matches!(event, Event::Closed { .. }) {
                return;
            }
        }
        panic!("it does not close");
    }

    fn keep(&self) -> (Option<Snapshot>, Option<String>) {
        (None, None)
    }

    fn stats(&self) -> Stats {
        *self.stats.lock().unwrap()
    }
}

impl Drop for MioRunning {
    fn drop(&mut self) {
        self.gone.store(true, Ordering::SeqCst);
    }
}
