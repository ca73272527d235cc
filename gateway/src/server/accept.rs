//! The listener, and one task per connection.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::server::http;
use crate::server::refusals::{Refusals, Refuse};
use crate::server::shared::Shared;
use crate::server::stream::Stream;

/// How long a client has for the TLS handshake and for the head of a request.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Pause after a failed accept or bind.
const PAUSE: Duration = Duration::from_millis(20);

pub(super) async fn serve(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    mut refusals: mpsc::UnboundedReceiver<Refuse>,
    refuse: Refusals,
    shared: Arc<Shared>,
) {
    let Ok(address) = listener.local_addr() else { return };
    let mut listener = Some(listener);
    let mut tasks = JoinSet::new();
    let timer = Arc::clone(&shared);
    tasks.spawn(async move { timer.keep_time().await });
    loop {
        tokio::select! {
            order = refusals.recv() => {
                let Some(order) = order else { return };
                shared.refusing.store(order.on, std::sync::atomic::Ordering::Relaxed);
                if order.on {
                    listener = None;
                } else if listener.is_none() {
                    listener = Some(bind(address).await);
                }
                if let Some(done) = order.done {
                    let _ = done.try_send(());
                }
            }
            accepted = accept(listener.as_ref()) => match accepted {
                Some(tcp) => {
                    tasks.spawn(connection(tcp, tls.clone(), refuse.clone(), Arc::clone(&shared)));
                }
                None => tokio::time::sleep(PAUSE).await,
            },
            Some(_) = tasks.join_next() => {}
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> Option<TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.ok().map(|(tcp, _)| tcp),
        None => std::future::pending().await,
    }
}

/// Listens on the old address again; somebody else may hold it for a moment.
async fn bind(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(_) => tokio::time::sleep(PAUSE).await,
        }
    }
}

async fn connection(tcp: TcpStream, tls: Option<TlsAcceptor>, refuse: Refusals, shared: Arc<Shared>) {
    let _ = tcp.set_nodelay(true);
    if shared.stall.subscribe().wait_for(|stall| !stall).await.is_err() {
        return;
    }
    let split = Arc::clone(&shared.split);
    let stream = match tls {
        None => Stream::plain(tcp, split),
        Some(acceptor) => match tokio::time::timeout(HEAD_TIMEOUT, acceptor.accept(tcp)).await {
            Ok(Ok(stream)) => Stream::tls(stream, split),
            Ok(Err(_)) | Err(_) => return,
        },
    };
    let service = service_fn(|request| http::answer(request, refuse.clone(), Arc::clone(&shared)));
    let mut server = http1::Builder::new();
    server.timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
    let _ = server.serve_connection(TokioIo::new(stream), service).with_upgrades().await;
}
