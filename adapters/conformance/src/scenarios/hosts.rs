//! Where the token service may lead a client (TOK-8).

use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};

use ringcentral_ws_core::Close;

use crate::world::World;
use crate::{DEADLINE, until};

/// Somebody who waits for a client that is led to the wrong host.
struct Trap(TcpListener);

impl Trap {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback serves");
        listener.set_nonblocking(true).expect("a socket");
        Self(listener)
    }

    fn port(&self) -> u16 {
        self.0.local_addr().expect("an address").port()
    }

    /// Who came, if somebody did.
    fn caught(&self) -> Option<TcpStream> {
        match self.0.accept() {
            Ok((stream, _)) => Some(stream),
            Err(error) if error.kind() == ErrorKind::WouldBlock => None,
            Err(error) => panic!("{error}"),
        }
    }
}

/// The token service names this address from now on. Gives the one before.
fn lead_to(w: &World<'_>, uri: String) -> String {
    w.server.with_gateway(|gateway, _| std::mem::replace(&mut gateway.config_mut().ws_url, uri))
}

/// The token service leads to a host that is not trusted. Nothing is dialled; each attempt fails in words, and when the
/// address is mended the session goes on. `0.0.0.0` reaches this machine and is no loopback address.
pub(super) fn foreign(w: &mut World<'_>) {
    let trap = Trap::new();
    let good = lead_to(w, format!("ws://0.0.0.0:{}/ws", trap.port()));
    w.start();
    w.until("retry foreign_uri");
    w.until("retry foreign_uri");
    assert!(trap.caught().is_none(), "the host was dialled");
    lead_to(w, good);
    w.until("subscribed");
    w.sms_arrives("one");
    w.close(Close::Revoke);
    assert!(trap.caught().is_none(), "the host was dialled");

    // The trap is one: a host that the settings list is dialled.
    lead_to(w, format!("ws://0.0.0.0:{}/ws", trap.port()));
    w.setup.config.websocket_hosts = vec!["0.0.0.0".to_owned()];
    w.setup.config.allow_insecure = true;
    w.start();
    let mut caught = None;
    until(DEADLINE, "the listed host is dialled", || {
        caught = trap.caught();
        caught.is_some()
    });
    w.close(Close::Revoke);
}

/// A server with TLS that leads to a plain socket on this machine.
pub(super) fn plain(w: &mut World<'_>) {
    let trap = Trap::new();
    let good = lead_to(w, format!("ws://127.0.0.1:{}/ws", trap.port()));
    w.start();
    w.until("retry insecure_uri");
    assert!(trap.caught().is_none(), "the socket was dialled");
    lead_to(w, good);
    w.until("subscribed");
    w.close(Close::Revoke);
    assert!(trap.caught().is_none(), "the socket was dialled");
}

/// After a loss the token service leads to a listed host, which is of another kind than the one that gave the handle: it
/// is not shown the handle.
pub(super) fn of_another_kind(w: &mut World<'_>) {
    w.setup.config.websocket_hosts = vec!["0.0.0.0".to_owned()];
    w.setup.config.allow_insecure = true;
    w.subscribe();
    w.sms_arrives("one");
    lead_to(w, format!("ws://0.0.0.0:{}/ws", w.proxy.address().port()));
    w.proxy.reset();
    w.until("connected lost");
    w.until("gap recovery_failed");
    w.sms_arrives("two");
    let seen = w.server.observations();
    assert_eq!(seen.recoveries + seen.recoveries_failed + seen.malformed_wsc, 0, "no handle was shown");
    // From here on it is the same kind.
    w.proxy.reset();
    w.until("recovered");
    w.sms_arrives("three");
    w.close(Close::Revoke);
}
