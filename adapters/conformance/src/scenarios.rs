//! The scenarios.

mod binding;
mod hosts;

use std::time::Duration;

use ringcentral_ws_core::{Body, Close, RequestOptions, Via};

use crate::proxy::{Fault, Proxy};
use crate::world::World;
use crate::{DEADLINE, Outcome, until};

/// One scenario.
#[derive(Clone, Copy)]
pub struct Scenario {
    /// What happens.
    pub name: &'static str,
    /// Whether the server speaks TLS.
    pub tls: bool,
    /// The play.
    pub play: fn(&mut World<'_>),
}

const ACCOUNT: &str = "/restapi/v1.0/account/~";

/// All of them.
#[must_use]
pub fn all() -> Vec<Scenario> {
    let plain = |name, play| Scenario { name, tls: false, play };
    let tls = |name, play| Scenario { name, tls: true, play };
    vec![
        plain("nothing goes wrong", calm),
        tls("nothing goes wrong, TLS", calm),
        tls("the certificate is unknown", unknown_certificate),
        plain("the name cannot be found", unknown_name),
        plain("REST over the socket", rest_over_socket),
        plain("TCP reset", reset),
        tls("TCP reset, TLS", reset),
        plain("end of file", end_of_file),
        plain("end in the middle of the upgrade", end_in_upgrade),
        plain("end in the middle of the first message", end_in_details),
        plain("half-open", half_open),
        plain("stall in the middle of the upgrade", stall_in_upgrade),
        plain("stall after the upgrade", stall_after_upgrade),
        plain("slow", slow),
        plain("split at every byte", split),
        tls("split at every byte, TLS", split),
        plain("coalesced", coalesced),
        plain("connection refused", refused),
        plain("upgrade refused with 401", |w| upgrade_refused(w, 401)),
        plain("upgrade refused with 403", |w| upgrade_refused(w, 403)),
        plain("upgrade refused with 429", |w| upgrade_refused(w, 429)),
        plain("upgrade refused with 503", |w| upgrade_refused(w, 503)),
        plain("token refused with 401", |w| token_refused(w, 401)),
        plain("token refused with 429", |w| token_refused(w, 429)),
        plain("token refused with 503", |w| token_refused(w, 503)),
        plain("token forbidden", token_forbidden),
        plain("wrong secret", wrong_secret),
        plain("server restarts", restart),
        plain("server says good-bye", |w| server_closes(w, 1001)),
        plain("server ends the authorization", |w| server_closes(w, 4400)),
        plain("unreadable frame", unreadable),
        plain("slow application", slow_application),
        plain("close to a dead peer", close_to_dead_peer),
        plain("close while connecting", close_while_connecting),
        plain("detached and continued", detach),
        plain("credentials of another", binding::other_credentials),
        plain("JWT issued again", binding::jwt_issued_again),
        plain("snapshot of an earlier version", binding::older_snapshot),
        plain("led to a foreign host", hosts::foreign),
        tls("led to a plain socket, TLS", hosts::plain),
        plain("led to a host of another kind", hosts::of_another_kind),
        plain("request times out", request_times_out),
        plain("request cut off", request_cut_off),
        plain("large download", large_download),
        plain("streamed downloads", downloads),
        tls("streamed downloads, TLS", downloads),
        plain("every method, over HTTPS", |w| methods(w, false)),
        tls("every method, over HTTPS, TLS", |w| methods(w, false)),
        plain("every method, over the socket", |w| methods(w, true)),
        plain("large messages", large_messages),
        tls("large messages, TLS", large_messages),
        plain("pings", pings),
        plain("connection stalls under HTTPS", stalled_call),
        plain("handles dropped while connecting", dropped_while_connecting),
    ]
}

fn calm(w: &mut World<'_>) {
    w.subscribe();
    w.sms_arrives("one");
    assert!(matches!(w.get(ACCOUNT), Outcome::Response(200, 1.., Some(Via::Https))));
    assert!(matches!(w.get("/restapi/v1.0/no/such/thing"), Outcome::Response(404, ..)));
    w.sms_arrives("two");
    w.close(Close::Revoke);
}

fn unknown_certificate(w: &mut World<'_>) {
    w.setup.trust = None;
    w.start();
    w.until("retry");
    w.close(Close::Revoke);
}

fn unknown_name(w: &mut World<'_>) {
    // A label may have 63 letters: the system refuses this one without asking anybody.
    let name = format!("https://{}.invalid/", "x".repeat(64));
    w.setup.app.server = name.parse().expect("a URL");
    w.start();
    w.until("retry");
    w.close(Close::Detach);
}

fn rest_over_socket(w: &mut World<'_>) {
    w.setup.config.rest_over_websocket = true;
    w.subscribe();
    assert!(matches!(w.get(ACCOUNT), Outcome::Response(200, 1.., Some(Via::WebSocket))));
    let body = Body::from(r#"{"a":1}"#);
    let post = http::Request::post("/restapi/v1.0/_echo").header("content-type", "application/json").body(body);
    assert!(matches!(w.request(post.expect("a request")), Outcome::Response(200, 1.., _)));
    let binary = http::Request::put("/restapi/v1.0/_echo").header("content-type", "application/octet-stream");
    let sent = w.request(binary.body(Body::from(vec![0xff; 100])).expect("a request"));
    assert!(matches!(sent, Outcome::Response(_, _, Some(Via::Https))), "{sent:?}");
    let delete = http::Request::delete("/restapi/v1.0/_empty").body(Body::empty());
    assert!(matches!(w.request(delete.expect("a request")), Outcome::Response(..)));
    w.close(Close::Revoke);
}

/// The connection is cut, and nothing is lost. The server learns of the cut before it gets the message: a message that
/// a dead socket swallowed could not be replayed.
fn outage(w: &mut World<'_>, cut: fn(&Proxy)) {
    w.proxy.refuse(true);
    cut(&w.proxy);
    w.until("retry");
    w.until_server(|server| server.with_gateway(|gateway, _| gateway.connections().count()) == 0);
    w.sms("missed");
    w.proxy.refuse(false);
    w.until("recovered");
    w.until("notification missed");
    w.sms_arrives("after");
    w.close(Close::Revoke);
}

fn reset(w: &mut World<'_>) {
    w.subscribe();
    outage(w, Proxy::reset);
}

fn end_of_file(w: &mut World<'_>) {
    w.subscribe();
    outage(w, Proxy::end);
}

fn end_in_upgrade(w: &mut World<'_>) {
    w.proxy.fault(Fault::EndAfter(20));
    w.start();
    w.until("retry");
    w.proxy.fault(Fault::None);
    w.until("subscribed");
    w.close(Close::Revoke);
}

fn end_in_details(w: &mut World<'_>) {
    w.proxy.fault(Fault::EndAfter(400));
    w.start();
    w.until("retry");
    w.proxy.fault(Fault::None);
    w.until("subscribed");
    w.close(Close::Revoke);
}

fn half_open(w: &mut World<'_>) {
    w.setup.config.heartbeat_interval = Duration::from_millis(300);
    w.setup.config.heartbeat_timeout = Duration::from_millis(500);
    w.subscribe();
    w.proxy.fault(Fault::Frozen);
    w.proxy.refuse(true);
    w.until("disconnected heartbeat_timeout");
    w.proxy.fault(Fault::None);
    outage(w, Proxy::end);
}

fn stall_in_upgrade(w: &mut World<'_>) {
    w.setup.step_limit = Duration::from_millis(400);
    w.proxy.fault(Fault::StallAfter(20));
    w.start();
    w.until("retry");
    w.proxy.fault(Fault::None);
    w.until("subscribed");
    w.close(Close::Revoke);
}

fn stall_after_upgrade(w: &mut World<'_>) {
    w.setup.config.handshake_timeout = Duration::from_millis(600);
    w.proxy.fault(Fault::StallAfter(400));
    w.start();
    w.until("retry");
    w.proxy.fault(Fault::None);
    w.until("subscribed");
    w.close(Close::Revoke);
}

fn slow(w: &mut World<'_>) {
    w.proxy.fault(Fault::Slow(64, Duration::from_millis(5)));
    w.subscribe();
    w.sms_arrives("one");
    w.close(Close::Revoke);
}

fn split(w: &mut World<'_>) {
    w.proxy.fault(Fault::Split);
    w.subscribe();
    w.sms_arrives("one");
    w.close(Close::Revoke);
}

fn coalesced(w: &mut World<'_>) {
    w.proxy.fault(Fault::Coalesced(Duration::from_millis(100)));
    w.subscribe();
    for n in 0..20 {
        w.sms(&format!("{n};"));
    }
    w.until("notification 19;");
    w.close(Close::Revoke);
}

fn refused(w: &mut World<'_>) {
    w.proxy.refuse(true);
    w.start();
    w.until("retry");
    w.proxy.refuse(false);
    w.until("subscribed");
    w.close(Close::Revoke);
}

fn upgrade_refused(w: &mut World<'_>, status: u16) {
    w.server.next_http_fails("/ws", status, "", &[("Retry-After", "1")]);
    w.start();
    w.until("subscribed");
    w.close(Close::Revoke);
}

fn token_refused(w: &mut World<'_>, status: u16) {
    w.server.next_http_fails("/restapi/oauth/wstoken", status, "{}", &[("Retry-After", "1")]);
    w.start();
    w.until("subscribed");
    w.close(Close::Revoke);
}

fn token_forbidden(w: &mut World<'_>) {
    let body = r#"{"errorCode":"CMN-401","message":"In order to call this API endpoint, ..."}"#;
    w.server.next_http_fails("/restapi/oauth/wstoken", 403, body, &[]);
    w.start();
    w.until("closed");
    w.at_end();
}

fn wrong_secret(w: &mut World<'_>) {
    w.setup.app.client_secret = Some("wrong".into());
    w.start();
    w.until("closed");
    w.at_end();
    assert!(matches!(w.get(ACCOUNT), Outcome::Failed("not_sent", false)));
}

fn restart(w: &mut World<'_>) {
    w.subscribe();
    w.sms_arrives("one");
    w.server.restart();
    w.sms("lost");
    w.until("gap");
    w.sms_arrives("two");
    w.close(Close::Revoke);
}

fn server_closes(w: &mut World<'_>, code: u16) {
    w.subscribe();
    w.server.close_all(code, "bye");
    w.until("disconnected");
    w.until("connected");
    w.sms_arrives("after");
    w.close(Close::Revoke);
}

fn unreadable(w: &mut World<'_>) {
    w.subscribe();
    w.server.send_raw("{");
    w.until("protocol error");
    w.sms_arrives("one");
    w.close(Close::Revoke);
}

fn slow_application(w: &mut World<'_>) {
    w.setup.event_queue = 4;
    w.setup.config.heartbeat_interval = Duration::from_millis(100);
    w.setup.config.heartbeat_timeout = Duration::from_secs(1);
    w.subscribe();
    for n in 0..60 {
        w.sms(&format!("{n};"));
    }
    w.until_server(|server| server.observations().heartbeats >= 2);
    let read = w.client().stats();
    assert!(read.notifications < 60, "reading has stopped: {read:?}");
    w.until("notification 59;");
    assert_eq!(w.client().stats().connections, 1, "the connection was never given up");
    w.close(Close::Revoke);
}

fn close_to_dead_peer(w: &mut World<'_>) {
    w.setup.config.close_timeout = Duration::from_millis(300);
    w.subscribe();
    w.proxy.fault(Fault::Frozen);
    let began = std::time::Instant::now();
    w.close(Close::Revoke);
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    w.proxy.end();
}

fn close_while_connecting(w: &mut World<'_>) {
    w.setup.config.close_timeout = Duration::from_millis(300);
    w.proxy.fault(Fault::Frozen);
    w.start();
    w.until_server(|server| server.observations().ws_tokens_requested > 0);
    w.close(Close::Revoke);
    w.proxy.end();
}

fn detach(w: &mut World<'_>) {
    w.subscribe();
    w.sms_arrives("one");
    w.close(Close::Detach);
    (w.setup.snapshot, w.setup.refresh_token) = w.client().keep();
    assert!(w.setup.snapshot.as_ref().is_some_and(ringcentral_ws_core::Snapshot::is_detached));
    w.sms("two");
    w.setup.filters.clear();
    w.start();
    w.until("notification two");
    w.close(Close::Revoke);
}

fn request_times_out(w: &mut World<'_>) {
    for over_socket in [false, true] {
        w.setup.config.rest_over_websocket = over_socket;
        w.subscribe();
        let mut request = http::Request::get("/restapi/v1.0/_delay/20000").body(Body::empty()).expect("a request");
        let timeout = Some(Duration::from_millis(300));
        request.extensions_mut().insert(RequestOptions { timeout, ..RequestOptions::default() });
        assert_eq!(w.request(request), Outcome::Failed("timed_out", true));
        w.sms_arrives("after");
        w.close(Close::Revoke);
    }
}

fn request_cut_off(w: &mut World<'_>) {
    w.setup.config.rest_over_websocket = true;
    w.subscribe();
    std::thread::scope(|scope| {
        let before = w.server.observations().requests;
        let (server, proxy) = (&w.server, &w.proxy);
        scope.spawn(move || {
            until(DEADLINE, "a request arrives", || server.observations().requests > before);
            proxy.reset();
        });
        // The world is lent to the other thread, so this one uses its parts.
        let request = http::Request::get("/restapi/v1.0/_delay/20000").body(Body::empty()).expect("a request");
        let outcome = w.running.as_mut().expect("it runs").request(request);
        assert_eq!(outcome, Outcome::Failed("unknown", true));
    });
    w.until("recovered");
    w.sms_arrives("after");
    w.close(Close::Revoke);
}

fn large_download(w: &mut World<'_>) {
    w.subscribe();
    let outcome = w.get("/restapi/v1.0/_large/3000000");
    assert_eq!(outcome, Outcome::Response(200, 3_000_000, Some(Via::Https)));
    w.close(Close::Revoke);
}

fn downloads(w: &mut World<'_>) {
    w.setup.config.rest_over_websocket = true;
    w.subscribe();
    let large = "/restapi/v1.0/_large/20000000";
    let whole = Outcome::Response(200, 20_000_000, Some(Via::Https));
    assert_eq!(w.download(large), whole, "more than a response read whole may have");
    let here = w.server.http_url();
    let small = Outcome::Response(200, 100_000, Some(Via::Https));
    assert_eq!(w.download(&format!("{here}/restapi/v1.0/_large/100000")), small, "by its address");
    assert!(matches!(w.download("/restapi/v1.0/_error/404/CMN-102"), Outcome::Response(404, 1.., Some(Via::Https))));
    assert_eq!(w.download("https://media.h.example/x"), Outcome::Failed("not_sent", false));
    w.sms_arrives("after");
    w.close(Close::Revoke);
}

fn dropped_while_connecting(w: &mut World<'_>) {
    w.proxy.fault(Fault::Frozen);
    w.start();
    w.until_server(|server| server.observations().ws_tokens_requested > 0);
    w.stop();
    w.proxy.fault(Fault::None);
}

fn methods(w: &mut World<'_>, over_socket: bool) {
    w.setup.config.rest_over_websocket = over_socket;
    w.subscribe();
    for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"] {
        for body in ["", r#"{"a":1}"#] {
            if over_socket && method == "HEAD" {
                continue;
            }
            let request = http::Request::builder().method(method).uri("/restapi/v1.0/_echo");
            let request = request.header("content-type", "application/json").body(Body::from(body));
            w.request(request.expect("a request"));
        }
    }
    w.sms_arrives("after");
    w.close(Close::Revoke);
}

fn large_messages(w: &mut World<'_>) {
    w.setup.config.rest_over_websocket = true;
    w.subscribe();
    let large = "x".repeat(700_000);
    for n in 0..4 {
        w.sms(&format!("{n} {large}"));
    }
    let body = Body::from(format!("{{\"a\":\"{large}\"}}"));
    let post = http::Request::post("/restapi/v1.0/_echo").header("content-type", "application/json").body(body);
    let outcome = w.request(post.expect("a request"));
    assert!(matches!(outcome, Outcome::Response(200, 700_000.., Some(Via::WebSocket))), "{outcome:?}");
    w.until("notification 3 ");
    w.close(Close::Revoke);
}

fn pings(w: &mut World<'_>) {
    w.server.with_gateway(|gateway, _| {
        gateway.config_mut().ping_interval = Some(Duration::from_millis(50));
        gateway.config_mut().pong_timeout = Duration::from_secs(5);
    });
    w.subscribe();
    let before = w.client().stats().frames;
    until(DEADLINE, "pings come", || w.client().stats().frames >= before + 5);
    assert_eq!(w.server.observations().pongs_missed, 0);
    w.sms_arrives("one");
    assert_eq!(w.client().stats().connections, 1);
    w.close(Close::Revoke);
}

/// The server takes calls and answers none; closing does not wait for them.
fn stalled_call(w: &mut World<'_>) {
    w.setup.config.close_timeout = Duration::from_millis(300);
    w.setup.config.token_timeout = Duration::from_millis(400);
    w.server.stall_connections(true);
    w.start();
    w.until("retry");
    w.close(Close::Revoke);
    w.server.stall_connections(false);
}
