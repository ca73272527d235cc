//! A login that is under way when the client closes: the server has replaced the refresh token, so the new one must
//! still reach the application's store. And one that is answered too late.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use ringcentral_ws_driver::ClientApp;
use ringcentral_ws_driver::{AccessToken, AuthFailure, Body, Close, CommandError, Filter, Filters, Secret};
use ringcentral_ws_driver::{BoxFuture, Client, CredentialSource, Jwt, RefreshToken, Runtime, TokenRequest, http};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, Held, Machine, Received, Watch, World};

const CLOSE_TIMEOUT: Duration = Duration::from_secs(5);

struct Stage {
    world: World,
    client: Client<Machine>,
    watch: Watch,
    /// Refresh tokens that the application was given.
    kept: Arc<Mutex<Vec<String>>>,
}

/// A client whose first login the server has answered, and which has not read the answer.
fn stage() -> Stage {
    let mut world = World::new(5, GatewayConfig::default());
    let (gateway, now) = world.server.gateway();
    let app = gateway.config().app.clone();
    let token = gateway.login(0, now).unwrap().refresh_token.unwrap();
    let server = "http://127.0.0.1:8080".parse().unwrap();
    let app = ClientApp { server, client_id: app.client_id, client_secret: Some(app.client_secret.into()) };
    let kept = Arc::new(Mutex::new(Vec::new()));
    let store = Arc::clone(&kept);
    let source = RefreshToken::new(app, token.as_str()).on_tokens(move |tokens| {
        store.lock().unwrap().extend(tokens.refresh_token.as_ref().map(|token| token.expose().to_owned()));
    });
    let (client, events) = world.builder_with(source).filters([Filter::sms()]).start().unwrap();
    while world.server.gateway().0.observations().token_calls == 0 {
        world.work().expect("it logs in");
    }
    assert!(kept.lock().unwrap().is_empty(), "the answer is on its way");
    Stage { world, client, watch: Watch::new(events), kept }
}

impl Stage {
    fn close(&self, mode: Close) -> Call<'static, ()> {
        let client = self.client.clone();
        Call::new(async move { client.close(mode).await })
    }

    /// Does all there is to do now; the end is reported only when the store has its token, if it gets one.
    fn settle(&mut self, close: &mut Call<'_, ()>) -> bool {
        loop {
            self.watch.take();
            if self.watch.has_received(&Received::Closed) || close.poll() {
                assert_eq!(self.kept.lock().unwrap().len(), 1, "the end was reported before the token");
            }
            if self.world.work().is_none() {
                return close.poll();
            }
        }
    }

    fn leave(self) {
        let Self { mut world, client, watch, .. } = self;
        drop((client, watch));
        world.settle();
        assert_eq!((world.machine.held(), world.server.streams()), (Held::default(), 0));
    }
}

// CLAUSE CLS-1
#[test]
fn an_answer_on_its_way_is_waited_for_and_kept() {
    for mode in [Close::Revoke, Close::Detach] {
        let mut stage = stage();
        let mut close = stage.close(mode);
        close.poll();
        let began = stage.world.machine.now();
        assert!(stage.settle(&mut close));
        stage.watch.take();
        assert!(stage.watch.has_ended() && stage.watch.has_received(&Received::Closed));
        assert_eq!(stage.world.machine.now(), began, "no time is lost");
        stage.leave();
    }
}

// CLAUSE CLS-1
#[test]
fn a_slow_answer_is_waited_for_while_commands_are_refused() {
    let mut stage = stage();
    stage.world.server.silence(true);
    let mut close = stage.close(Close::Detach);
    close.poll();
    let began = stage.world.machine.now();
    for _ in 0..4 {
        assert!(!stage.settle(&mut close));
        stage.world.wait(Duration::from_secs(1));
    }
    assert_eq!(stage.world.machine.now() - began, Duration::from_secs(4));
    let client = stage.client.clone();
    let request = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap();
    let mut late = Call::new(async move {
        (
            client.request(request).await.map(drop),
            client.subscribe(Filters::new([Filter::sms()]).unwrap()).await.map(drop),
        )
    });
    let mut again = stage.close(Close::Revoke);
    while !late.poll() {
        stage.world.work().expect("it is refused at once");
    }
    let late = late.take();
    let Some((Err(call), Err(CommandError::Closed(_)))) = late else { panic!("{late:?}") };
    assert!(call.is_closing(), "{call}");
    assert!(!again.poll());
    stage.world.server.silence(false);
    assert!(stage.settle(&mut close) && stage.settle(&mut again));
    assert_eq!(stage.world.machine.now() - began, Duration::from_secs(4));
    stage.leave();
}

// CLAUSE CLS-1
#[test]
fn an_answer_that_never_comes_is_waited_for_no_longer_than_a_close_may_take() {
    let mut stage = stage();
    stage.world.server.silence(true);
    let mut close = stage.close(Close::Detach);
    close.poll();
    let began = stage.world.machine.now();
    while !close.poll() {
        stage.world.step();
    }
    assert_eq!(stage.world.machine.now() - began, CLOSE_TIMEOUT);
    stage.watch.take();
    assert!(stage.watch.has_ended() && stage.kept.lock().unwrap().is_empty());
    stage.leave();
}

#[test]
fn without_a_handle_nothing_is_waited_for() {
    let mut stage = stage();
    stage.world.server.silence(true);
    let mut close = stage.close(Close::Detach);
    close.poll();
    stage.world.settle();
    drop(close);
    stage.leave();
}

/// Its new tokens arrive only after this.
struct Slow(Jwt, Machine, Duration, Mutex<Option<Secret>>);

impl CredentialSource for Slow {
    fn access_token<'a>(&'a self, request: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
        Box::pin(async {
            let token = self.0.access_token(request).await?;
            let last = self.3.lock().unwrap().replace(token.secret.clone());
            if last.as_ref() != Some(&token.secret) {
                self.1.sleep(self.2).await;
            }
            Ok(token)
        })
    }
}

// CLAUSE C14
#[test]
fn a_token_that_came_too_late_is_used_by_the_next_try() {
    for seed in 0..8 {
        let mut world = World::new(seed, GatewayConfig::default());
        // A moment longer than the session waits.
        let source = Slow(world.login(), world.machine.clone(), Duration::from_millis(30_001), Mutex::default());
        let (_client, events) = world.builder_with(source).filters([Filter::sms()]).start().unwrap();
        let mut watch = Watch::new(events);
        world.pass(Duration::from_secs(50));
        watch.take();
        assert!(watch.has_received(&Received::Subscribed), "{seed}: {:?}", watch.received());
        assert_eq!(world.server.gateway().0.observations().token_calls, 1, "{seed}");
    }
}
