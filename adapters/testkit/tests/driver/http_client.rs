//! An HTTP client or credential source of the application that misbehaves costs the calls it was made for, and nothing
//! else.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use ringcentral_ws_driver::bytes::Bytes;
use ringcentral_ws_driver::{AccessToken, AuthFailure, Body, HttpFailure, OverHttps};
use ringcentral_ws_driver::{BoxFuture, CredentialSource, HttpsSender, RequestErrorKind, TokenRequest, http, url::Url};
use ringcentral_ws_gateway::GatewayConfig;
use ringcentral_ws_testkit::{Call, Received, Watch, World};

/// Panics in each call, when it is made or when it is waited for.
struct Broken(AtomicUsize);

impl HttpsSender for Broken {
    fn send(&self, _: http::Request<Bytes>) -> BoxFuture<'_, Result<http::Response<Bytes>, HttpFailure>> {
        assert!(self.0.fetch_add(1, Ordering::SeqCst).is_multiple_of(2), "a bug of the program");
        Box::pin(async { panic!("another one") })
    }
}

/// Gives a token without a call.
struct Token;

impl CredentialSource for Token {
    fn access_token<'a>(&'a self, _: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
        Box::pin(async { Ok(AccessToken { secret: "token".into(), expires_in: None, cached: false }) })
    }

    fn server(&self) -> Option<&Url> {
        None
    }
}

fn get() -> http::Request<Body> {
    let mut request = http::Request::get("/restapi/v1.0/account/~").body(Body::empty()).unwrap();
    request.extensions_mut().insert(OverHttps);
    request
}

#[test]
fn a_panic_of_the_http_client_ends_a_call_and_not_the_session() {
    let mut world = World::new(3, GatewayConfig::default());
    let builder = world.builder_with(Token).http_client(Broken(AtomicUsize::new(0)));
    let (client, events) = builder.start().unwrap();
    let mut watch = Watch::new(events);
    world.settle();
    for streamed in [false, false, true, true] {
        let client = client.clone();
        let mut call = Call::new(async move {
            if streamed { client.download(get()).await.map(drop) } else { client.request(get()).await.map(drop) }
        });
        for _ in 0..2_000 {
            if call.poll() {
                break;
            }
            world.step();
        }
        let error = call.take().expect("it ended").unwrap_err();
        match error.kind() {
            RequestErrorKind::Unknown(cause) => assert!(cause.to_string().contains("panicked"), "{cause}"),
            _ => panic!("{error:?}"),
        }
    }
    watch.take();
    assert!(!watch.has_ended() && !watch.has_received(&Received::Closed), "the session goes on");
}

/// Never answers.
#[derive(Clone, Default)]
struct Deaf(Arc<AtomicUsize>);

impl CredentialSource for Deaf {
    fn access_token<'a>(&'a self, _: TokenRequest<'a>) -> BoxFuture<'a, Result<AccessToken, AuthFailure>> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Box::pin(pending())
    }
}

#[test]
fn questions_that_are_never_answered_do_not_pile_up() {
    let mut world = World::new(4, GatewayConfig::default());
    let source = Deaf::default();
    let (client, events) = world.builder_with(source.clone()).start().unwrap();
    let mut watch = Watch::new(events);
    for _ in 0..48 {
        world.pass(Duration::from_secs(1800));
        watch.take();
    }
    assert!(!watch.has_ended());
    let asked = source.0.load(Ordering::SeqCst);
    assert!((2..=8).contains(&asked), "{asked} questions wait");
    drop((client, watch));
    world.settle();
    assert_eq!(world.machine.held().tasks, 0);
}

#[test]
fn a_debug_sink_that_panics_is_left_alone() {
    let mut world = World::new(5, GatewayConfig::default());
    let lines = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&lines);
    let sink = move |_: &str| {
        assert!(counted.fetch_add(1, Ordering::SeqCst) < 2, "as println does when nobody reads any more");
    };
    let (_client, events) = world.builder().debug(sink).filters(["/restapi/v1.0/account/~/presence"]).start().unwrap();
    let mut watch = Watch::new(events);
    world.pass(Duration::from_secs(60));
    watch.take();
    assert!(!watch.has_ended() && watch.has_received(&Received::Subscribed), "the session goes on");
    assert_eq!(lines.load(Ordering::SeqCst), 3, "and the sink is not called again");
}
