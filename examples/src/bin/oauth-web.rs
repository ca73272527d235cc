//! A web site whose visitors log in with RingCentral. From then on the messages of each of them are counted.
//!
//!     cargo run -p ringcentral-ws-examples --bin oauth-web -- 127.0.0.1:8080
//!
//! It needs server and app in the environment (README.md), no JWT, the app permission ReadMessages, and the redirect
//! address `http://127.0.0.1:8080/callback` in the settings of the app. The login is one by authorization code with
//! PKCE, bound to the browser by a cookie. The tokens live in memory; `on_tokens` of `RefreshToken` is the place to
//! keep them. Everybody sees the numbers. Ctrl-C ends it.

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Router, routing::get};
use ringcentral_ws::tokio::Tokio;
use ringcentral_ws::url::Url;
use ringcentral_ws::{
    Callback, Client, ClientApp, Close, Event, Filter, HttpsSender, IoLimits, Pkce, RefreshToken, TokenSet,
    https_client,
};
use tokio::sync::Mutex;

struct Site {
    app: ClientApp,
    /// Where the server sends browsers back to.
    redirect: Url,
    https: Arc<dyn HttpsSender>,
    /// By the id of the extension.
    users: Mutex<BTreeMap<String, (Client, u64)>>,
}

/// For the log the error, for the visitor a status.
struct Failure(Box<dyn Error + Send + Sync>);

impl<E: Into<Box<dyn Error + Send + Sync>>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        eprintln!("a login failed: {}", self.0);
        (StatusCode::BAD_REQUEST, "The login failed. Begin again at /login.").into_response()
    }
}

/// The browser keeps what belongs to its login; a page cannot read it.
async fn login(State(site): State<Arc<Site>>) -> Result<impl IntoResponse, Failure> {
    let (mut state, mut verifier) = ([0; 16], [0; 32]);
    getrandom::fill(&mut state).and_then(|()| getrandom::fill(&mut verifier))?;
    let (state, pkce) = (data_encoding::HEXLOWER.encode(&state), Pkce::new(verifier));
    let browser = pkce.authorize_url(&site.app, site.redirect.as_str(), &state);
    let login = format!("{state}.{}", pkce.verifier().expose());
    let cookie = format!("login={login}; HttpOnly; SameSite=Lax; Path=/callback; Max-Age=600");
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(browser.as_str())))
}

async fn callback(State(site): State<Arc<Site>>, headers: HeaderMap, uri: Uri) -> Result<Redirect, Failure> {
    // Only the browser that began this login can finish it.
    let cookies = headers.get(header::COOKIE).map(|cookies| cookies.to_str()).transpose()?.unwrap_or_default();
    let login = cookies.split("; ").find_map(|cookie| cookie.strip_prefix("login=")).ok_or("no cookie")?;
    let (state, verifier) = login.split_once('.').ok_or("the cookie is no login")?;
    let pkce = Pkce::from_verifier(verifier);
    let code = match Callback::read(&site.redirect.join(&uri.to_string())?, state) {
        Callback::Code(code) => code,
        other => return Err(format!("{other:?}").into()),
    };
    let exchange = pkce.exchange_request(&site.app, &code, site.redirect.as_str());
    let tokens = TokenSet::parse(&site.https.send(exchange).await?)?;
    let user = tokens.owner_id.as_deref().ok_or("the answer names no user")?.to_owned();
    let login = RefreshToken::from_tokens(site.app.clone(), tokens).user(&user);
    let (client, mut events) = Client::builder(login).filters([Filter::sms()]).start()?;
    let old = site.users.lock().await.insert(user.clone(), (client, 0));
    if let Some((client, _)) = old {
        client.close(Close::Revoke).await;
    }
    tokio::spawn(async move {
        while let Some(event) = events.next().await {
            if let Event::Notification(_) = event {
                site.users.lock().await.entry(user.clone()).and_modify(|(_, messages)| *messages += 1);
            } else if event != Event::SnapshotChanged {
                eprintln!("user {user}: {event}");
            }
        }
    });
    Ok(Redirect::to("/"))
}

async fn index(State(site): State<Arc<Site>>) -> String {
    let users = site.users.lock().await;
    let lines = users.iter().map(|(user, (_, messages))| format!("user {user}: {messages} messages\n"));
    lines.collect::<String>() + "Log in at /login.\n"
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let app = ClientApp::from_vars(|name| std::env::var(name).ok())?;
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let listener = tokio::net::TcpListener::bind(address).await?;
    let redirect = Url::parse(&format!("http://{}/callback", listener.local_addr()?))?;
    println!("open {}", redirect.join("/")?);
    let https = https_client(Tokio, IoLimits::default(), None)?;
    let site = Site { app, redirect, https, users: Mutex::default() };
    let pages = Router::new().route("/", get(index)).route("/login", get(login)).route("/callback", get(callback));
    tokio::select! {
        end = async { axum::serve(listener, pages.with_state(Arc::new(site))).await } => end?,
        stop = tokio::signal::ctrl_c() => stop?,
    }
    Ok(())
}
