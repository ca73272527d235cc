//! The adapters.
#![allow(dead_code, reason = "each test file uses its part")]

pub(crate) mod records;

use std::future::Future;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use futures_util::future::{BoxFuture, Either, select};
use ringcentral_ws_adapter::{Batch, Settings};
use ringcentral_ws_api::TokenSet;
use ringcentral_ws_async_std::AsyncStd;
use ringcentral_ws_conformance::{Harness, Outcome, Running, Setup};
use ringcentral_ws_core::{Body, Close, Event, Snapshot, Stats, Via};
use ringcentral_ws_driver::rustls::{ClientConfig, RootCertStore, crypto, pki_types::CertificateDer};
use ringcentral_ws_driver::{Builder, Client, Events, IoLimits, Jwt, RequestError, Runtime};
use ringcentral_ws_smol::Smol;
use ringcentral_ws_tokio::Tokio;

/// All adapters.
pub(crate) fn all() -> Vec<Box<dyn Harness>> {
    vec![Box::new(on_tokio()), Box::new(on_smol()), Box::new(on_async_std()), Box::new(Blocking)]
}

pub(crate) fn on_tokio() -> Async<Tokio> {
    Async { name: "tokio", runtime: Tokio, block: |work| TOKIO.block_on(work) }
}

pub(crate) fn on_smol() -> Async<Smol> {
    Async { name: "smol", runtime: Smol::default(), block: |work| smol::block_on(work) }
}

pub(crate) fn on_async_std() -> Async<AsyncStd> {
    Async { name: "async-std", runtime: AsyncStd, block: |work| async_std::task::block_on(work) }
}

/// tokio's runtime for all tests of a process.
pub(crate) static TOKIO: LazyLock<tokio::runtime::Runtime> = LazyLock::new(|| {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime")
});

pub(crate) type Block = fn(BoxFuture<'_, ()>);

/// The driver on a runtime.
pub(crate) struct Async<R> {
    pub(crate) name: &'static str,
    pub(crate) runtime: R,
    pub(crate) block: Block,
}

struct AsyncRunning<R> {
    client: Client<R>,
    events: Events,
    runtime: R,
    block: Block,
    refresh: Arc<Mutex<Option<String>>>,
}

pub(crate) fn wait_for<T: Send>(block: Block, work: impl Future<Output = T> + Send) -> T {
    let mut done = None;
    block(Box::pin(async { done = Some(work.await) }));
    done.expect("block_on runs to the end")
}

fn settings(setup: Setup) -> Settings {
    let (step, event_queue, event_bytes) = (setup.step_limit, setup.event_queue, setup.event_bytes);
    let unacknowledged = setup.acknowledge.unwrap_or(IoLimits::default().unacknowledged);
    let limits = IoLimits {
        dns: step,
        tcp: step,
        tls: step,
        upgrade: step,
        event_queue,
        event_bytes,
        unacknowledged,
        ..IoLimits::default()
    };
    let tls = setup.trust.as_deref().map(trusting);
    let Setup { config, filters, snapshot, backfill, acknowledge, .. } = setup;
    let acknowledge = acknowledge.is_some();
    Settings { config, filters, limits: limits.usable(), snapshot, tls, backfill, acknowledge, ..Settings::default() }
}

/// The newest refresh token, and what keeps it.
fn kept() -> (Arc<Mutex<Option<String>>>, impl Fn(&TokenSet) + Send + Sync + 'static) {
    let refresh = Arc::new(Mutex::new(None));
    let kept = Arc::clone(&refresh);
    let keep = move |tokens: &TokenSet| {
        *kept.lock().unwrap() = tokens.refresh_token.as_ref().map(|token| token.expose().to_owned());
    };
    (refresh, keep)
}

pub(crate) fn trusting(certificate: &[u8]) -> Arc<ClientConfig> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(certificate.to_vec())).expect("a certificate");
    let provider = Arc::new(crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    Arc::new(tls.expect("versions").with_root_certificates(roots).with_no_client_auth())
}

impl<R: Runtime> Harness for Async<R> {
    fn name(&self) -> &'static str {
        self.name
    }

    fn try_start(&self, setup: Setup) -> Result<Box<dyn Running>, String> {
        let (refresh, keep) = kept();
        let mut login = Jwt::new(setup.app.clone(), setup.jwt.as_str()).on_tokens(keep);
        if let Some(token) = &setup.refresh_token {
            login = login.with_refresh_token(token.as_str());
        }
        let builder = Builder::new(self.runtime.clone(), login).settings(settings(setup));
        let (client, events) = wait_for(self.block, async { builder.start() }).map_err(|error| error.to_string())?;
        Ok(Box::new(AsyncRunning { client, events, runtime: self.runtime.clone(), block: self.block, refresh }))
    }
}

impl<R: Runtime> Running for AsyncRunning<R> {
    fn next_event(&mut self, limit: Duration) -> Option<Option<Event>> {
        let Self { events, runtime, .. } = self;
        wait_for(self.block, async {
            let next = std::pin::pin!(events.next());
            match select(next, runtime.sleep(limit)).await {
                Either::Left((event, _)) => Some(event),
                Either::Right(_) => None,
            }
        })
    }

    fn next_batch(&mut self, most: usize, limit: Duration) -> Option<Option<Batch>> {
        let Self { events, runtime, .. } = self;
        wait_for(self.block, async {
            let next = std::pin::pin!(events.next_batch(most));
            match select(next, runtime.sleep(limit)).await {
                Either::Left((batch, _)) => Some(batch),
                Either::Right(_) => None,
            }
        })
    }

    fn request(&mut self, request: http::Request<Body>) -> Outcome {
        match wait_for(self.block, self.client.request(request)) {
            Ok(response) => responded(&response),
            Err(error) => failed(&error),
        }
    }

    fn download(&mut self, request: http::Request<Body>) -> Outcome {
        wait_for(self.block, async {
            let (head, mut body) = match self.client.download(request).await {
                Ok(response) => response.into_parts(),
                Err(error) => return failed(&error),
            };
            loop {
                match body.chunk().await {
                    Some(Ok(_)) => {}
                    Some(Err(error)) => return Outcome::Broken(error.received()),
                    None => return downloaded(&head, body.received()),
                }
            }
        })
    }

    fn close(&mut self, mode: Close) {
        wait_for(self.block, self.client.close(mode));
    }

    fn keep(&self) -> (Option<Snapshot>, Option<String>) {
        (self.client.snapshot(), self.refresh.lock().unwrap().clone())
    }

    fn stats(&self) -> Stats {
        self.client.stats()
    }
}

fn responded(response: &http::Response<Body>) -> Outcome {
    let via = response.extensions().get::<Via>().copied();
    Outcome::Response(response.status().as_u16(), response.body().as_bytes().len(), via)
}

fn downloaded(head: &http::response::Parts, size: u64) -> Outcome {
    Outcome::Response(head.status.as_u16(), usize::try_from(size).unwrap_or(usize::MAX), head.extensions.get().copied())
}

fn failed(error: &RequestError) -> Outcome {
    Outcome::Failed(error.as_str(), error.may_have_run())
}

/// The client on threads.
pub(crate) struct Blocking;

struct BlockingRunning {
    client: ringcentral_ws_blocking::Client,
    events: ringcentral_ws_blocking::Events,
    refresh: Arc<Mutex<Option<String>>>,
}

impl Harness for Blocking {
    fn name(&self) -> &'static str {
        "blocking"
    }

    fn try_start(&self, setup: Setup) -> Result<Box<dyn Running>, String> {
        use ringcentral_ws_blocking::{Client, Jwt};
        let (refresh, keep) = kept();
        let mut login = Jwt::new(setup.app.clone(), setup.jwt.as_str()).on_tokens(keep);
        if let Some(token) = &setup.refresh_token {
            login = login.with_refresh_token(token.as_str());
        }
        let builder = Client::builder(login).settings(settings(setup));
        let (client, events) = builder.start().map_err(|error| error.to_string())?;
        Ok(Box::new(BlockingRunning { client, events, refresh }))
    }
}

impl Running for BlockingRunning {
    fn next_event(&mut self, limit: Duration) -> Option<Option<Event>> {
        self.events.next_timeout(limit).ok()
    }

    fn next_batch(&mut self, most: usize, limit: Duration) -> Option<Option<Batch>> {
        self.events.next_batch_timeout(most, limit).ok()
    }

    fn request(&mut self, request: http::Request<Body>) -> Outcome {
        match self.client.request(request) {
            Ok(response) => responded(&response),
            Err(error) => Outcome::Failed(error.as_str(), error.may_have_run()),
        }
    }

    fn download(&mut self, request: http::Request<Body>) -> Outcome {
        let (head, mut body) = match self.client.download(request) {
            Ok(response) => response.into_parts(),
            Err(error) => return failed(&error),
        };
        match std::io::copy(&mut body, &mut std::io::sink()) {
            Ok(size) => downloaded(&head, size),
            Err(_) => Outcome::Broken(body.received()),
        }
    }

    fn close(&mut self, mode: Close) {
        self.client.close(mode);
    }

    fn keep(&self) -> (Option<Snapshot>, Option<String>) {
        (self.client.snapshot(), self.refresh.lock().unwrap().clone())
    }

    fn stats(&self) -> Stats {
        self.client.stats()
    }
}
