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

/// The public methods in the `impl` blocks of a type, those that are hidden aside; `None` stands for a macro's list.
fn methods(file: &str, of: Option<&str>) -> BTreeSet<String> {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let (mut names, mut is_inside, mut is_hidden) = (BTreeSet::new(), of.is_none(), false);
    for line in text.lines() {
        if let (Some(of), true) = (of, line.starts_with("impl")) {
            // `impl<R: Runtime> Client<R> {`, and no trait for it.
            is_inside = line.contains(&format!("> {of}<R>")) && !line.contains(" for ");
        }
        let line = line.trim_start();
        is_hidden |= line == "#[doc(hidden)]";
        let Some(rest) = line.strip_prefix("pub ") else { continue };
        let rest = ["async ", "const "].into_iter().fold(rest, |rest, word| rest.trim_start_matches(word));
        if let Some(name) = rest.strip_prefix("fn ").and_then(|rest| rest.split(['(', '<']).next()) {
            if is_inside && !is_hidden {
                names.insert(name.to_owned());
            }
            is_hidden = false;
        }
    }
    names
}

#[test]
fn the_pages_of_the_aliases_name_every_method() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../driver/src");
    let files = ["client.rs", "listener.rs"].map(str::to_owned).into_iter();
    let more = std::fs::read_dir(folder.join("client")).unwrap();
    let more = more.map(|entry| format!("client/{}", entry.unwrap().file_name().to_str().unwrap()));
    let (mut client, mut builder) = (BTreeSet::new(), methods("../common/src/setup/methods.rs", None));
    for file in files.chain(more).map(|file| format!("../driver/src/{file}")) {
        client.extend(methods(&file, Some("Client")));
        builder.extend(methods(&file, Some("Builder")));
    }
    // `new` is for those who bring a runtime of their own.
    builder.remove("new");
    for name in ["listen", "from_vars", "close_when", "delete_subscription", "health"] {
        assert!(client.contains(name), "{name} was not found: {client:?}");
    }
    assert!(builder.contains("backfill") && builder.contains("start") && !builder.contains("settings"), "{builder:?}");
    for runtime in ["tokio", "smol", "async-std"] {
        let text = std::fs::read_to_string(folder.join(format!("../../{runtime}/src/lib.rs"))).unwrap();
        let docs = |alias: &str| {
            let end = text.find(&format!("\npub type {alias} =")).expect("the alias");
            text[..end].rsplit("\n\n").next().unwrap().to_owned()
        };
        for (alias, names) in [("Client", &client), ("Builder", &builder)] {
            let docs = docs(alias);
            let missing: Vec<_> = names.iter().filter(|name| !docs.contains(&format!("`{name}`"))).collect();
            assert!(missing.is_empty(), "{runtime}: the table of `{alias}` lacks {missing:?}");
        }
    }
}
