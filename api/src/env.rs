//! A login by JWT, as programs are given it in their environment.

use std::collections::BTreeMap;
use std::fmt;

use ringcentral_ws_core::Secret;
use url::Url;

use crate::{ClientApp, Login};

/// RingCentral's production service.
const DEFAULT_SERVER: &str = "https://platform.ringcentral.com";

const SERVER: [&str; 2] = ["RC_SERVER_URL", "RINGCENTRAL_SERVER_URL"];
const CLIENT_ID: [&str; 2] = ["RC_APP_CLIENT_ID", "RINGCENTRAL_CLIENT_ID"];
const CLIENT_SECRET: [&str; 2] = ["RC_APP_CLIENT_SECRET", "RINGCENTRAL_CLIENT_SECRET"];
const JWT: [&str; 2] = ["RC_USER_JWT", "RINGCENTRAL_JWT_TOKEN"];

/// Why the environment holds no usable credentials, and what to set.
///
/// `Debug` prints the same sentence as `Display`, because that is what a `main` shows which returns the error.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum EnvError {
    /// None of the variables is set.
    Nothing,
    /// Some are set, these are not: each pair holds the two spellings.
    Missing(Vec<[&'static str; 2]>),
    /// The server is not an `http` or `https` URL.
    BadServer {
        /// The variable.
        name: &'static str,
        /// What it is set to; `None` where that may be a secret in the wrong place.
        value: Option<Box<str>>,
    },
    /// The server's URL has a path, which the calls would go without.
    ServerWithPath {
        /// The variable.
        name: &'static str,
        /// What it is set to; `None` where that may be a secret in the wrong place.
        value: Option<Box<str>>,
    },
}

impl fmt::Display for EnvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(
                f,
                "no credentials in the environment: set {}, {} and {} (and {} unless it is {DEFAULT_SERVER})",
                CLIENT_ID[0], CLIENT_SECRET[0], JWT[0], SERVER[0]
            ),
            Self::Missing(names) => {
                f.write_str("the credentials in the environment are incomplete: set ")?;
                for (i, [name, other]) in names.iter().enumerate() {
                    let joint = if i == 0 { "" } else { ", " };
                    write!(f, "{joint}{name} (or {other})")?;
                }
                Ok(())
            }
            Self::BadServer { name, value } => {
                let scheme = value.as_deref().and_then(|value| value.split_once("://")).map(|(scheme, _)| scheme);
                let why = if scheme.is_some_and(|scheme| !matches!(scheme, "http" | "https")) {
                    "must begin with https:// (or http:// for a server on this machine)"
                } else {
                    "is not a URL"
                };
                refuse_server(f, name, value.as_deref(), why)
            }
            Self::ServerWithPath { name, value } => {
                refuse_server(f, name, value.as_deref(), "must be the address of the server alone, without a path")
            }
        }
    }
}

fn refuse_server(f: &mut fmt::Formatter<'_>, name: &str, value: Option<&str>, why: &str) -> fmt::Result {
    f.write_str(name)?;
    if let Some(value) = value {
        write!(f, " ({value:?})")?;
    }
    write!(f, " {why}; expected, for example, {DEFAULT_SERVER}")
}

impl fmt::Debug for EnvError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl std::error::Error for EnvError {}

impl ClientApp {
    /// Reads `RC_SERVER_URL`, `RC_APP_CLIENT_ID` and `RC_APP_CLIENT_SECRET` by `get`, each also in the spelling of the
    /// SDKs, for programs whose users log in themselves. Empty counts as not set. Without a server it is production,
    /// and without a secret a public client.
    ///
    /// ```no_run
    /// let app = ringcentral_ws_api::ClientApp::from_vars(|name| std::env::var(name).ok())?;
    /// # Ok::<(), ringcentral_ws_api::EnvError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`EnvError`]: the client id is not set, or the server is not a URL of a server alone.
    pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> Result<Self, EnvError> {
        let Some((_, client_id)) = find(&get, CLIENT_ID) else { return Err(EnvError::Missing(vec![CLIENT_ID])) };
        let client_secret = find(&get, CLIENT_SECRET).map(|(_, secret)| Secret::new(secret));
        Ok(Self { server: server(find(&get, SERVER))?, client_id, client_secret })
    }
}

/// What is set, and under which name.
fn find(get: &impl Fn(&str) -> Option<String>, names: [&'static str; 2]) -> Option<(&'static str, String)> {
    let set = |name: &'static str| get(name).map(|v| v.trim().to_owned()).filter(|v| !v.is_empty());
    names.into_iter().find_map(|name| set(name).map(|value| (name, value)))
}

fn server(set: Option<(&'static str, String)>) -> Result<Url, EnvError> {
    let (name, server) = set.unwrap_or((SERVER[0], DEFAULT_SERVER.to_owned()));
    let url = Url::parse(&server).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    let url = url.ok_or_else(|| EnvError::BadServer { name, value: shown(&server) })?;
    if url.path() != "/" {
        return Err(EnvError::ServerWithPath { name, value: shown(&server) });
    }
    Ok(url)
}

impl Login {
    /// Reads `RC_SERVER_URL`, `RC_APP_CLIENT_ID`, `RC_APP_CLIENT_SECRET` and `RC_USER_JWT` by `get`, each also in the
    /// spelling of the SDKs: `RINGCENTRAL_SERVER_URL`, `RINGCENTRAL_CLIENT_ID`, `RINGCENTRAL_CLIENT_SECRET`,
    /// `RINGCENTRAL_JWT_TOKEN`. Empty counts as not set; without a server it is production.
    ///
    /// # Errors
    ///
    /// [`EnvError`]: nothing or only a part is set, or the server is not a URL of a server alone.
    pub fn from_vars(get: impl Fn(&str) -> Option<String>) -> Result<Self, EnvError> {
        let [host, id, secret, jwt] = [SERVER, CLIENT_ID, CLIENT_SECRET, JWT].map(|names| find(&get, names));
        if host.is_none() && id.is_none() && secret.is_none() && jwt.is_none() {
            return Err(EnvError::Nothing);
        }
        let (Some(id), Some(secret), Some(jwt)) = (&id, &secret, &jwt) else {
            let given = [(CLIENT_ID, id.is_some()), (CLIENT_SECRET, secret.is_some()), (JWT, jwt.is_some())];
            return Err(EnvError::Missing(given.into_iter().filter(|(_, is)| !is).map(|(names, _)| names).collect()));
        };
        let client_secret = Some(Secret::new(secret.1.as_str()));
        Ok(Self::jwt(ClientApp { server: server(host)?, client_id: id.1.clone(), client_secret }, jwt.1.as_str()))
    }
}

impl Login {
    /// The same from pairs of name and value, such as those that a stand-in server gives. Of two with the same name the
    /// last counts.
    ///
    /// # Errors
    ///
    /// As [`Login::from_vars`].
    pub fn from_pairs<K, V>(pairs: impl IntoIterator<Item = (K, V)>) -> Result<Self, EnvError>
    where
        K: Into<String>,
        V: Into<String>,
    {
        let vars: BTreeMap<String, String> = pairs.into_iter().map(|(k, v)| (k.into(), v.into())).collect();
        Self::from_vars(|name| vars.get(name).cloned())
    }
}

/// A value that was meant as the server's address, unless it may be a secret that was put into the wrong variable.
fn shown(value: &str) -> Option<Box<str>> {
    let is_address = value.contains(['.', ':']) && value.len() <= 100;
    // A JWT has dots too.
    let may_be_secret = value.starts_with("eyJ") || value.contains(['@', '?']);
    (is_address && !may_be_secret).then(|| value.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(vars: &[(&str, &str)]) -> Result<String, EnvError> {
        let login = Login::from_vars(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))?;
        assert!(!format!("{login:?}").contains("s3cret"));
        Ok(login.app().server.to_string())
    }

    #[test]
    fn both_spellings_work() {
        let a = [("RC_APP_CLIENT_ID", "i"), ("RC_APP_CLIENT_SECRET", "s3cret"), ("RC_USER_JWT", "j")];
        assert_eq!(read(&a).unwrap(), "https://platform.ringcentral.com/");
        let b = [
            ("RINGCENTRAL_SERVER_URL", "http://127.0.0.1:8"),
            ("RINGCENTRAL_CLIENT_ID", "i"),
            ("RINGCENTRAL_CLIENT_SECRET", "s3cret"),
            ("RINGCENTRAL_JWT_TOKEN", "j"),
        ];
        assert_eq!(read(&b).unwrap(), "http://127.0.0.1:8/");
    }

    #[test]
    fn pairs_are_read_as_the_environment_is() {
        let pairs = [("RC_APP_CLIENT_ID", "i"), ("RC_APP_CLIENT_SECRET", "s"), ("RC_USER_JWT", "j")];
        let server = |last| pairs.into_iter().chain([("RC_SERVER_URL", "http://h"), ("RC_SERVER_URL", last)]);
        assert_eq!(Login::from_pairs(server("http://h:1/")).unwrap().app().server.as_str(), "http://h:1/");
        assert_eq!(Login::from_pairs(Vec::<(String, String)>::new()).unwrap_err(), EnvError::Nothing);
    }

    #[test]
    fn halves_are_named() {
        assert_eq!(read(&[("RC_USER_JWT", " ")]).unwrap_err(), EnvError::Nothing);
        let error = read(&[("RC_USER_JWT", "j"), ("RINGCENTRAL_CLIENT_ID", "i")]).unwrap_err().to_string();
        assert_eq!(format!("{:?}", read(&[]).unwrap_err()), EnvError::Nothing.to_string(), "what `main` prints");
        assert!(error.contains("RC_APP_CLIENT_SECRET (or RINGCENTRAL_CLIENT_SECRET)"), "{error}");
        assert!(!error.contains("JWT") && !error.contains("CLIENT_ID"), "{error}");
        assert!(matches!(read(&[("RC_SERVER_URL", "https://h")]), Err(EnvError::Missing(names)) if names.len() == 3));
        let all = [("RC_APP_CLIENT_ID", "i"), ("RC_APP_CLIENT_SECRET", "s"), ("RC_USER_JWT", "j")];
        for bad in ["platform", "ftp://h", "http://"] {
            let vars: Vec<_> = all.into_iter().chain([("RC_SERVER_URL", bad)]).collect();
            assert!(matches!(read(&vars), Err(EnvError::BadServer { name: "RC_SERVER_URL", .. })), "{bad}");
        }
    }

    #[test]
    fn an_app_needs_its_id_only() {
        let read = |vars: &[(&str, &str)]| {
            ClientApp::from_vars(|name| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
        };
        let public = read(&[("RINGCENTRAL_CLIENT_ID", " i ")]).unwrap();
        assert_eq!((&*public.client_id, public.server.host_str()), ("i", Some("platform.ringcentral.com")));
        assert_eq!(public.client_secret, None);
        let vars = [("RC_APP_CLIENT_ID", "i"), ("RC_APP_CLIENT_SECRET", "s3cret"), ("RC_SERVER_URL", "http://h")];
        let app = read(&vars).unwrap();
        assert_eq!((app.client_secret.unwrap().expose(), app.server.as_str()), ("s3cret", "http://h/"));
        let error = read(&[("RC_APP_CLIENT_SECRET", "s")]).unwrap_err().to_string();
        assert!(error.contains("RC_APP_CLIENT_ID") && !error.contains("JWT"), "{error}");
        assert!(read(&[("RC_APP_CLIENT_ID", "i"), ("RC_SERVER_URL", "h")]).is_err());
    }

    // CLAUSE SEC-1
    #[test]
    fn what_main_shows_says_what_to_set() {
        let all = [("RC_APP_CLIENT_ID", "i"), ("RC_APP_CLIENT_SECRET", "s"), ("RC_USER_JWT", "j")];
        let shown = |server: &str| {
            let vars: Vec<_> = all.into_iter().chain([("RC_SERVER_URL", server)]).collect();
            format!("{:?}", read(&vars).unwrap_err())
        };
        assert_eq!(
            shown("platform.ringcentral.com"),
            "RC_SERVER_URL (\"platform.ringcentral.com\") is not a URL; expected, for example, \
             https://platform.ringcentral.com"
        );
        for secret in ["eyJhbGciOi.hunter2.x", "hunter2-Hunter2_hunter2", "user:hunter2@h"] {
            let shown = shown(secret);
            assert!(shown.starts_with("RC_SERVER_URL is not a URL") && !shown.contains("unter2"), "{shown}");
        }
        for (server, why) in [
            ("ws://h.example", "must begin with https:// (or http:// for a server on this machine)"),
            ("htp://h.example", "must begin with https:// (or http:// for a server on this machine)"),
            ("https://h.example/restapi", "must be the address of the server alone, without a path"),
        ] {
            let expected = format!("RC_SERVER_URL ({server:?}) {why}; expected, for example, {DEFAULT_SERVER}");
            assert_eq!(shown(server), expected);
        }
        assert!(shown("http://").contains("is not a URL"));
        assert!(!shown("https://h/eyJhunter2@?").contains("hunter2"));
        assert!(format!("{:?}", read(&[]).unwrap_err()).contains("set RC_APP_CLIENT_ID, RC_APP_CLIENT_SECRET and"));
    }
}
