//! What a program writes that logs everything: no record of any crate shows a secret, but for those of the targets that
//! the documentation says to switch off. One test, alone in its process, because the loggers are for all of it.

mod harness;

use std::collections::BTreeSet;

use data_encoding::{BASE64, BASE64URL};
use harness::records::{self, Forms, Search, is_loud};
use ringcentral_ws_api::{ClientApp, Filter};
use ringcentral_ws_conformance::scenarios::Scenario;
use ringcentral_ws_conformance::{Outcome, World, run, scenarios};
use ringcentral_ws_core::{Body, Close, Config, Event, Filters, OverHttps, RequestOutcome, Via};
use ringcentral_ws_driver::trace::LOUD_TARGETS;
use ringcentral_ws_gateway::{Server, ServerConfig, UserConfig};
use ringcentral_ws_port_mio::Port;

/// Between them every kind of call, of frame and of failure.
const SCENARIOS: [&str; 9] = [
    "nothing goes wrong, TLS",
    "REST over the socket",
    "TCP reset, TLS",
    "upgrade refused with 401",
    "token refused with 401",
    "wrong secret",
    "detached and continued",
    "unreadable frame",
    "server says good-bye",
];

/// How every token begins that the server hands out.
const TOKENS: &str = "U0pDMDFQM";
/// What a caller's own query and header say.
const CALLERS: [&str; 2] = ["query-of-the-caller", "header-of-the-caller"];

const FRAMES: &str = "ringcentral_ws::frames";

/// Everything is logged in TLS: calls over HTTPS and over the socket, with a query and a header of the caller's.
fn callers(w: &mut World<'_>) {
    for over_socket in [false, true] {
        w.setup.config.rest_over_websocket = over_socket;
        w.subscribe();
        let path = format!("/restapi/v1.0/account/~?key={}", CALLERS[0]);
        for https in [false, true] {
            let mut request = http::Request::get(&path).header("x-key", CALLERS[1]).body(Body::empty()).unwrap();
            if https {
                request.extensions_mut().insert(OverHttps);
            }
            let via = if over_socket && !https { Via::WebSocket } else { Via::Https };
            assert!(matches!(w.request(request), Outcome::Response(200, _, Some(way)) if way == via));
        }
        w.sms_arrives("one");
        w.close(Close::Revoke);
    }
}

/// The readiness loop of the porting guide: a session with everything in it, and a login that fails.
fn port() {
    let server = Server::start(ServerConfig::default()).unwrap();
    server.with_gateway(|g, _| g.config_mut().users = vec![UserConfig::numbered(1)]);
    let make = |jwt: &str| {
        let secret = server.with_gateway(|g, _| g.config().app.client_secret.clone());
        let app = ClientApp {
            server: server.http_url().parse().unwrap(),
            client_id: "gateway-client-id".to_owned(),
            client_secret: Some(secret.into()),
        };
        let config = Config { rest_over_websocket: true, ..Config::default() };
        let mut port = Port::new(app, jwt.into(), config, 7).unwrap();
        let now = port.now();
        port.session.subscribe(Filters::new([Filter::sms()]).unwrap(), now).unwrap();
        port.session.connect(now).unwrap();
        port
    };
    let mut recovered = false;
    let mut on_event = |port: &mut Port, event: Event| match event {
        Event::Subscribed(_) => drop(server.receive_sms(0, "+16505550100", "one")),
        Event::Notification(_) if !recovered => {
            for https in [false, true] {
                let path = format!("/restapi/v1.0/account/~?key={}", CALLERS[0]);
                let mut request = http::Request::get(path).header("x-key", CALLERS[1]).body(Body::empty()).unwrap();
                if https {
                    request.extensions_mut().insert(OverHttps);
                }
                port.session.request(request, port.now()).unwrap();
            }
        }
        Event::Notification(_) => drop(port.session.close(Close::Revoke, port.now())),
        Event::Response { outcome: RequestOutcome::Response { via: Via::Https, .. }, .. } => {
            server.drop_connections();
            server.receive_sms(0, "+16505550100", "two");
        }
        Event::Recovered { .. } => recovered = true,
        _ => {}
    };
    let mut client = make("gateway.user-1.jwt");
    while client.turn(&mut on_event).unwrap() {}
    assert!(recovered);
    let mut refused = make("wrong.user-1.jwt");
    while refused.turn(&mut |_, _| ()).unwrap() {}
}

/// No record since the last time shows what is searched for, but for those of targets that are to be switched off.
fn check(name: &str, written_by: &[&str], searches: &[Search], loud: &mut BTreeSet<&'static str>) {
    let seen = records::take();
    let targets: BTreeSet<_> = seen.keys().map(|(_, target)| target.split("::").next().unwrap()).collect();
    assert!(written_by.iter().all(|one| targets.contains(one)), "{name}: {targets:?}");
    for ((level, target), text) in &seen {
        let text = Forms::of(text);
        // What the application itself says is in its frames: their target is for looking at those.
        let is_said = |search: &Search| target == FRAMES && CALLERS.contains(&&*search.secret);
        let searches = searches.iter().filter(|search| !is_said(search));
        let found: Vec<_> = searches.filter(|search| search.finds(&text)).map(|s| &*s.secret).collect();
        if found.is_empty() {
            continue;
        }
        let known = is_loud(target).filter(|_| *level >= log::Level::Debug);
        assert!(known.is_some(), "{name} shows {found:?} by {target} at {level}");
        loud.extend(known);
    }
}

/// Where people read how to log, each target is named with the level that is safe.
fn documented() {
    for file in ["docs/guide/operations.md", "adapters/common/src/trace/mod.rs", "adapters/blocking/README.md"] {
        let text = std::fs::read_to_string(format!("{}/../../{file}", env!("CARGO_MANIFEST_DIR"))).unwrap();
        for target in LOUD_TARGETS {
            assert!(text.contains(&format!("{target}=info")), "{file} does not say {target}=info");
        }
    }
}

#[test]
fn the_search_finds_what_is_hidden() {
    let (secret, search) = ("s3cret/of+some?length", Search::new("s3cret/of+some?length"));
    let bytes = secret.as_bytes();
    let list = |of: fn(&u8) -> String, between: &str| bytes.iter().map(of).collect::<Vec<_>>().join(between);
    let hex = |b: &u8| format!("{b:02x}");
    let dump = bytes.chunks(8).map(|row| format!("{row:02x?} {:?}\n", String::from_utf8_lossy(row)));
    for written in [
        secret.to_owned(),
        format!("{}\n{}", &secret[..7], &secret[7..]),
        list(hex, ""),
        list(hex, " "),
        list(|b| format!("0x{b:02X}"), ", "),
        format!("{bytes:?}"),
        list(u8::to_string, "\n"),
        dump.collect(),
        secret.replace('/', "%2F").replace('+', "%2B"),
        format!("a{}b", BASE64.encode(format!("id:{secret}!").as_bytes())),
        BASE64URL.encode(secret.as_bytes()),
    ] {
        assert!(search.finds(&Forms::of(&format!("before\n{written}\nafter"))), "{written}");
    }
    assert!(!search.finds(&Forms::of("s3cret of some length 1, 2, 3 [0x01, 0x02]")));
}

// CLAUSE SEC-1 SEC-6
#[test]
fn no_record_of_any_crate_shows_a_secret_but_those_that_are_to_be_switched_off() {
    records::start();
    let pair = BASE64.encode(b"gateway-client-id:gateway-client-secret");
    let secrets = [TOKENS, "gateway-client-secret", ".user-1.jwt", &pair, CALLERS[0], CALLERS[1]];
    let searches: Vec<Search> = secrets.iter().map(|secret| Search::new(secret)).collect();
    let all = scenarios::all();
    let mut loud = BTreeSet::new();
    for harness in harness::all() {
        drop(records::take());
        for name in SCENARIOS {
            let _ = run(all.iter().find(|scenario| scenario.name == name).expect(name), &*harness);
        }
        let _ = run(&Scenario { name: "calls", tls: true, play: callers }, &*harness);
        check(harness.name(), &["rustls", "tungstenite", "ringcentral_ws"], &searches, &mut loud);
    }
    port();
    check("the port to mio", &["ureq", "tungstenite"], &searches, &mut loud);
    documented();
    let listed: BTreeSet<_> = LOUD_TARGETS.iter().copied().collect();
    assert_eq!(loud, listed, "what need not be switched off is not listed");
}
