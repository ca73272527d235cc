//! The public names: where they are, and that none of the runtimes' names was forgotten.

use std::collections::BTreeSet;
use std::path::Path;

use ringcentral_ws::{
    ApiError, Body, ClientApp, Close, Config, ConnectionState, CredentialSource, Download, DownloadError, EnvError,
    Event, Events, Filters, FixedToken, Gap, HttpsSender, Identity, IoLimits, Jwt, Login, Multipart, Notification,
    OverHttps, Pkce, Provider, Proxy, RefreshToken, RequestError, RequestOptions, Secret, SessionState, Snapshot,
    StartError, StateWatch, Stats, TlsSettings, TokenRequest, TokenSet, async_std, blocking, bytes, default_tls, http,
    https_client, payloads, recorder, rustls, smol, tokio, trace, url, with_query,
};

/// Values are the same types on every runtime, and the root's client is tokio's.
#[test]
fn the_root_and_the_modules_agree() {
    fn same<T>(_: fn() -> T, _: fn() -> T) {}
    fn of<T>() -> T {
        unreachable!("only its type is used")
    }
    same(of::<ringcentral_ws::Client>, of::<tokio::Client>);
    same(of::<ringcentral_ws::Builder>, of::<tokio::Builder>);
    same(of::<Events>, of::<smol::Events>);
    same(of::<Jwt>, of::<async_std::Jwt>);
    same(of::<Event>, of::<blocking::Event>);
    same(of::<RequestError>, of::<blocking::RequestError>);
    same(of::<Result<tokio::Builder, EnvError>>, tokio::Client::from_env);
    same(of::<Result<smol::Builder, EnvError>>, smol::Client::from_env);
    same(of::<Result<async_std::Builder, EnvError>>, async_std::Client::from_env);
    same(of::<Result<blocking::Builder, EnvError>>, blocking::Client::from_env);
    let _ = blocking::Client::start_request;
}

/// What programs name in their signatures.
#[test]
fn the_values_are_in_the_root() {
    fn named<T: ?Sized>() {}
    named::<(ApiError, Body, ClientApp, Close, Config, ConnectionState, Download, DownloadError, Filters)>();
    named::<(FixedToken, Gap, Identity, IoLimits, Login, Multipart, Notification, OverHttps, Pkce, Proxy, RefreshToken)>(
    );
    named::<(
        Secret,
        RequestOptions,
        SessionState,
        Snapshot,
        StartError,
        StateWatch,
        Stats,
        TlsSettings,
        TokenSet,
        Provider,
    )>();
    named::<(TokenRequest<'_>, &dyn CredentialSource, &dyn HttpsSender, payloads::InstantMessage)>();
    named::<(recorder::Options, bytes::Bytes, http::Method, rustls::ClientConfig, url::Url)>();
    let _ = (default_tls, https_client::<tokio::Tokio>, trace::LOUD_TARGETS);
    assert_eq!(with_query("/a", [("b", "c")]), "/a?b=c");
}

/// Names that the driver shows and the root does not: what only a runtime needs, and what every runtime has of its own.
const NOT_IN_THE_ROOT: [&str; 5] = ["BoxFuture", "ClockTimes", "Runtime", "filters", "keep_alive"];

/// The names in the `pub use` items of a file; for a glob its path.
fn shown(file: &str) -> BTreeSet<String> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
    let text = std::fs::read_to_string(path).unwrap();
    let mut names = BTreeSet::new();
    for item in text.split("\npub use ").skip(1) {
        let item = item.split(';').next().unwrap();
        let (path, list) = match item.split_once('{') {
            Some((path, list)) => (path, list.trim_end_matches('}')),
            None => ("", item),
        };
        for name in list.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let name = if name.ends_with('*') { name } else { name.rsplit([' ', ':']).next().unwrap() };
            names.insert(if path.is_empty() { name.to_owned() } else { name.trim_start_matches(path).to_owned() });
        }
    }
    names
}

#[test]
fn no_name_of_the_driver_is_forgotten() {
    let (driver, root) = (shown("../driver/src/lib.rs"), shown("src/lib.rs"));
    assert!(driver.contains("Client") && driver.contains("ringcentral_ws_core::*"), "{driver:?}");
    let forgotten: Vec<_> = driver.difference(&root).filter(|name| !NOT_IN_THE_ROOT.contains(&name.as_str())).collect();
    assert!(forgotten.is_empty(), "add {forgotten:?} to the `pub use` items of adapters/client/src/lib.rs");
}
