//! Every future of the client, dropped at every point, loses nothing: notifications still come once and in order, other
//! calls end, and no place in a queue or in flight stays taken.

use std::time::Duration;

use futures_util::AsyncReadExt;
use ringcentral_ws_driver::{Body, Close, Config, Filter, Filters, OverHttps, SessionState};
use ringcentral_ws_driver::{Client, IoLimits, http};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, Held, Link, Machine, Received, Watch, World};

/// No call here takes so many steps.
const ENDLESS: usize = 2_000;

/// A client, the world around it, and its application.
struct Stage {
    world: World,
    client: Client<Machine>,
    watch: Watch,
    sent: u64,
}

/// A subscribed client. One place for commands and one for requests in flight, so that a leaked one would show.
fn stage(rest_over_websocket: bool) -> Stage {
    let mut gateway = GatewayConfig::default();
    gateway.recording_size = 3_000;
    let mut world = World::new(7, gateway);
    world.machine.set_link(Link { piece: 700, ..Link::default() });
    let mut config = Config { rest_over_websocket, ..Config::default() };
    config.limits.active_requests = 1;
    let limits = IoLimits { command_queue: 1, ..IoLimits::default() };
    let (client, events) = world.builder().filters([Filter::sms()]).config(config).limits(limits).start().unwrap();
    let mut watch = Watch::new(events);
    world.settle();
    watch.take();
    assert_eq!(watch.received(), [Received::Connected, Received::Subscribed]);
    Stage { world, client, watch, sent: 0 }
}

fn get(path: &str, over_https: bool) -> http::Request<Body> {
    let mut request = http::Request::get(path).body(Body::empty()).unwrap();
    if over_https {
        request.extensions_mut().insert(OverHttps);
    }
    request
}

impl Stage {
    fn notify(&mut self) {
        let (_, receipts) = self.world.server.notify();
        assert_eq!(receipts.len(), 1, "one session receives it");
        self.sent += 1;
    }

    /// Runs a call to its end.
    fn finish<T>(&mut self, mut call: Call<'_, T>) -> T {
        for _ in 0..ENDLESS {
            if call.poll() {
                break;
            }
            self.world.step();
        }
        call.take().expect("it ends")
    }

    /// As good as new: what was sent has come, calls work, and the end leaves nothing.
    fn check(mut self, subscribed: bool) {
        if !subscribed {
            let client = self.client.clone();
            self.finish(Call::new(async move { client.subscribe(Filters::new([Filter::sms()]).unwrap()).await }))
                .unwrap();
            self.world.settle();
        }
        self.notify();
        for over_https in [false, true] {
            let client = self.client.clone();
            let call = Call::new(async move { client.request(get("/restapi/v1.0/account/~", over_https)).await });
            assert_eq!(self.finish(call).unwrap().status(), 200);
        }
        self.world.settle();
        self.watch.take();
        self.watch.check(1, self.sent);
        assert!(
            !self.watch.received().iter().any(|event| matches!(event, Received::Gap(_))),
            "{:?}",
            self.watch.received()
        );
        assert_eq!(self.client.stats().connections, 1);
        let (requests, kept) = (self.client.stats().requests, self.world.machine.held().streams);
        assert!(kept <= 3, "one socket and two kept connections, not {kept}");
        let observed = self.world.server.gateway().0.observations();
        assert!(observed.requests <= requests + 9, "{observed:?}");
        self.leave();
    }

    fn leave(self) {
        let Self { mut world, client, watch, .. } = self;
        drop((client, watch));
        world.settle();
        assert_eq!((world.machine.held(), world.server.streams()), (Held::default(), 0));
    }
}

/// Plays the call again and again, and drops it one step later each time, until it ends by itself. A step is a poll of
/// the call, or whatever the world does next, with notifications in between.
fn at_every_point<T>(
    name: &str,
    begin: impl Fn() -> Stage,
    call: impl Fn(&mut Stage) -> Call<'static, T>,
    after: impl Fn(Stage, Option<T>),
) -> usize {
    for point in 0..ENDLESS {
        let mut stage = begin();
        let mut call = call(&mut stage);
        let mut ended = false;
        for step in 0..point {
            if step % 2 == 0 {
                ended = call.poll();
            } else {
                stage.world.step();
            }
            if step % 5 == 4 && stage.client.state() != SessionState::Closed {
                stage.sent += u64::from(!stage.world.server.notify().1.is_empty());
            }
            if step % 3 == 0 {
                stage.watch.take_one();
            }
        }
        let came = call.take();
        drop(call);
        after(stage, came);
        if ended {
            println!("{name}: dropped at {point} points");
            return point;
        }
    }
    panic!("it does not end");
}

#[test]
fn requests() {
    for (by_socket, over_https) in [(true, false), (true, true), (false, false)] {
        let call = |stage: &mut Stage| {
            let client = stage.client.clone();
            Call::new(async move { client.request(get("/restapi/v1.0/account/~", over_https)).await })
        };
        let points = at_every_point("request", || stage(by_socket), call, |stage, _| stage.check(true));
        assert!(points > 6, "{points}");
    }
}

/// The first call holds the only place, in the queue or in flight; the second waits for it.
#[test]
fn requests_behind_others() {
    for by_socket in [true, false] {
        let call = |stage: &mut Stage| {
            let clients = [(); 3].map(|()| stage.client.clone());
            Call::new(futures_util::future::join_all(
                clients.map(|client| async move { client.request(get("/restapi/v1.0/account/~", false)).await }),
            ))
        };
        at_every_point("three requests", || stage(by_socket), call, |stage, _| stage.check(true));
    }
}

#[test]
fn commands() {
    let begin = || stage(true);
    let subscribe = |stage: &mut Stage| {
        let client = stage.client.clone();
        Call::new(async move { client.subscribe(Filters::new([Filter::sms(), Filter::presence()]).unwrap()).await })
    };
    at_every_point("subscribe", begin, subscribe, |stage, _| stage.check(true));
    let recover = |stage: &mut Stage| {
        let client = stage.client.clone();
        Call::new(async move { client.recover().await })
    };
    at_every_point("recover", begin, recover, |stage, _| stage.check(true));
    let network = |stage: &mut Stage| {
        let client = stage.client.clone();
        Call::new(async move { client.network_changed(true).await })
    };
    at_every_point("network", begin, network, |stage, _| stage.check(true));
}

/// A server that does not answer holds nothing of a call that nobody waits for.
#[test]
fn dropped_calls_let_go_at_once() {
    let mut stage = stage(false);
    stage.world.server.mute(true);
    for download in [false, true] {
        let client = stage.client.clone();
        let mut calls: Vec<_> = (0..9)
            .map(|_| {
                let (client, request) = (client.clone(), get("/restapi/v1.0/account/~", true));
                Call::new(async move {
                    if download { drop(client.download(request).await) } else { drop(client.request(request).await) }
                })
            })
            .collect();
        for _ in 0..9 {
            calls.iter_mut().for_each(|call| assert!(!call.poll()));
            stage.world.settle();
        }
        assert_eq!(stage.world.machine.held().streams, 2, "the socket, and one call at a time");
        calls.clear();
        stage.world.settle();
        assert_eq!(stage.world.machine.held().streams, 1, "the socket");
    }
    stage.world.server.mute(false);
    stage.check(true);
}

/// Nobody learns what became of it, so it is asked for anew.
#[test]
fn unsubscribe() {
    let call = |stage: &mut Stage| {
        let client = stage.client.clone();
        Call::new(async move { client.unsubscribe().await })
    };
    at_every_point(
        "unsubscribe",
        || stage(true),
        call,
        |mut stage, _| {
            stage.world.settle();
            stage.watch.take();
            let numbers = stage.watch.numbers();
            assert!(numbers.is_sorted_by(|a, b| a < b), "{numbers:?}");
            let client = stage.client.clone();
            stage
                .finish(Call::new(async move { client.subscribe(Filters::new([Filter::sms()]).unwrap()).await }))
                .unwrap();
            stage.world.settle();
            stage.notify();
            stage.world.settle();
            stage.watch.take();
            let last = stage.watch.numbers().into_iter().last();
            assert!(last.is_some_and(|last| last > numbers.len() as u64), "{:?}", stage.watch.received());
            stage.leave();
        },
    );
}

#[test]
fn recover_while_the_server_is_away() {
    let begin = || {
        let mut stage = stage(true);
        stage.world.machine.refuse(true);
        stage.world.server.reset();
        stage.world.settle();
        assert!(matches!(stage.client.state(), SessionState::Waiting { .. }), "{:?}", stage.client.state());
        stage
    };
    let call = |stage: &mut Stage| {
        stage.notify();
        let client = stage.client.clone();
        Call::new(async move { client.recover().await })
    };
    at_every_point("recover while away", begin, call, |mut stage, _| {
        stage.world.machine.refuse(false);
        stage.world.pass(Duration::from_secs(60));
        stage.watch.take();
        stage.watch.check(1, stage.sent);
        assert_eq!(stage.client.stats().recoveries, 1);
        stage.leave();
    });
}

/// Either it was never asked for, or it goes on without its asker.
#[test]
fn close() {
    for mode in [Close::Revoke, Close::Detach] {
        let call = |stage: &mut Stage| {
            let client = stage.client.clone();
            Call::new(async move { client.close(mode).await })
        };
        at_every_point(
            "close",
            || stage(true),
            call,
            |mut stage, _| {
                stage.world.pass(Config::default().close_timeout);
                stage.watch.take();
                if stage.client.state() == SessionState::Closed {
                    stage.world.settle();
                    stage.watch.take();
                    assert!(stage.watch.has_ended() && stage.watch.has_received(&Received::Closed));
                    assert_eq!(stage.world.machine.held(), Held::default(), "with the handles still there");
                    return;
                }
                stage.check(true);
            },
        );
    }
}

/// `next` is dropped at every poll by every test here; here one is kept over many steps.
#[test]
fn next_event() {
    for point in 0..60 {
        let mut stage = stage(true);
        let mut events = stage.watch.into_events().unwrap();
        let mut first = Call::new(events.next());
        let mut came = false;
        for step in 0..point {
            if step % 4 == 1 {
                stage.world.server.notify();
                stage.sent += 1;
            }
            stage.world.work();
            came = step % 3 == 0 && first.poll() || came;
        }
        let missing = usize::from(
            first.take().is_some_and(|event| matches!(event, Some(ringcentral_ws_driver::Event::Notification(_)))),
        );
        assert!(came || missing == 0);
        drop(first);
        stage.world.settle();
        let mut watch = Watch::new(events);
        watch.take();
        let want: Vec<u64> = (1 + missing as u64..=stage.sent).collect();
        assert_eq!(watch.numbers(), want, "at {point}");
    }
}

#[test]
fn downloads_and_their_reads() {
    let begin = || {
        let mut stage = stage(true);
        let (gateway, now) = stage.world.server.gateway();
        gateway.receive(0, ringcentral_ws_gateway::MessageKind::VoiceMail, "+1", "", now);
        stage
    };
    let mut stage = begin();
    let client = stage.client.clone();
    let list = get("/restapi/v1.0/account/~/extension/~/message-store", false);
    let listed = stage.finish(Call::new(async move { client.request(list).await })).unwrap();
    let listed = String::from_utf8_lossy(listed.body().as_bytes()).into_owned();
    stage.leave();
    let uri = listed.split('"').find(|text| text.contains("/content/")).expect("it has content").to_owned();
    let path = uri.trim_start_matches("http://127.0.0.1:8080").to_owned();
    let call = |stage: &mut Stage| {
        let (client, path) = (stage.client.clone(), path.clone());
        Call::new(async move {
            let mut body = client.download(get(&path, true)).await.unwrap().into_body();
            let mut all = vec![0; 100];
            body.read_exact(&mut all).await.unwrap();
            while let Some(chunk) = body.chunk().await {
                all.extend_from_slice(&chunk.unwrap());
            }
            all
        })
    };
    at_every_point("download", begin, call, |stage, came| {
        if let Some(all) = came {
            assert_eq!(all.len(), 3_000);
        }
        stage.check(true);
    });
}
