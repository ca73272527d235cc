//! An app and the requests it can make of the token service.

use bytes::Bytes;
use data_encoding::BASE64;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header};
use ringcentral_ws_core::{Identity, Masker, Secret};
use url::{Url, form_urlencoded};

use crate::jwt::Claims;

/// An app as registered with RingCentral.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientApp {
    /// The server, such as `https://platform.ringcentral.com`.
    pub server: Url,
    /// The app's id.
    pub client_id: String,
    /// Its secret; `None` for a public client, which sends its id in the form instead.
    pub client_secret: Option<Secret>,
}

impl ClientApp {
    /// Logs in with a JWT. Each login is a new session, which cannot recover an older one.
    #[must_use]
    pub fn jwt_request(&self, jwt: &Secret) -> Request<Bytes> {
        let grant = "urn:ietf:params:oauth:grant-type:jwt-bearer";
        self.request("token", &[("grant_type", grant), ("assertion", jwt.expose())])
    }

    /// Exchanges a refresh token. The session stays the same, so recovery works.
    #[must_use]
    pub fn refresh_request(&self, refresh: &Secret) -> Request<Bytes> {
        self.request("token", &[("grant_type", "refresh_token"), ("refresh_token", refresh.expose())])
    }

    /// Exchanges an authorization code; `verifier` is the PKCE code verifier.
    #[must_use]
    pub fn code_request(&self, code: &Secret, redirect_uri: &str, verifier: Option<&Secret>) -> Request<Bytes> {
        let mut form =
            vec![("grant_type", "authorization_code"), ("code", code.expose()), ("redirect_uri", redirect_uri)];
        form.extend(verifier.map(|verifier| ("code_verifier", verifier.expose())));
        self.request("token", &form)
    }

    /// Revokes an access or refresh token and with it the session.
    #[must_use]
    pub fn revoke_request(&self, token: &Secret) -> Request<Bytes> {
        self.request("revoke", &[("token", token.expose())])
    }

    /// Where to send a user's browser; `challenge` is the PKCE `S256` code challenge.
    #[must_use]
    pub fn authorize_url(&self, redirect_uri: &str, state: &str, challenge: Option<&str>) -> Url {
        let mut url = self.endpoint("authorize");
        {
            let mut query = url.query_pairs_mut();
            query.append_pair("response_type", "code").append_pair("client_id", &self.client_id);
            query.append_pair("redirect_uri", redirect_uri).append_pair("state", state);
            if let Some(challenge) = challenge {
                query.append_pair("code_challenge", challenge).append_pair("code_challenge_method", "S256");
            }
        }
        url
    }

    /// Knows the app's secret, also as it is sent. Teach it the secrets of a login with
    /// [`Masker::learn_request`], and give it to [`TokenSet::parse_masked`](crate::TokenSet::parse_masked).
    #[must_use]
    pub fn masker(&self) -> Masker {
        let mut masker = Masker::new();
        if let Some(secret) = &self.client_secret {
            masker.learn(secret.expose());
            masker.learn(&self.basic(secret));
        }
        if let Some(password) = self.server.password() {
            masker.learn(password);
        }
        masker
    }

    /// Whose a login by this JWT is: its subject's (`sub`, with its issuer `iss`) where that can be read, so a JWT that is
    /// issued again for the same user has the same identity; of any other text it is the whole of it. The signature is
    /// not checked: the JWT says who the program means to be, and the server decides whether that is so.
    #[must_use]
    pub fn jwt_identity(&self, jwt: &Secret) -> Identity {
        let jwt = jwt.expose().trim();
        let of = |parts: &[&str]| Identity::of_parts(&self.server, &self.client_id, parts);
        match Claims::read(jwt) {
            Some(claims) => of(&["subject", &claims.iss.unwrap_or_default(), &claims.sub]),
            None => of(&["jwt", jwt]),
        }
    }

    /// Whose a login by this name is. The name stays the same: `owner_id` of a [`TokenSet`](crate::TokenSet), or one that
    /// the program has for its users.
    #[must_use]
    pub fn user_identity(&self, user: &str) -> Identity {
        Identity::named(&self.server, &self.client_id, user)
    }

    /// Which server and app it is, without a user.
    pub(crate) fn identity(&self) -> Identity {
        Identity::of_parts(&self.server, &self.client_id, &["app"])
    }

    fn basic(&self, secret: &Secret) -> String {
        BASE64.encode(format!("{}:{}", self.client_id, secret.expose()).as_bytes())
    }

    fn endpoint(&self, name: &str) -> Url {
        let mut url = self.server.clone();
        let path = format!("{}/restapi/oauth/{name}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.set_query(None);
        url.set_fragment(None);
        // These fail only for addresses that cannot have a user, which is what is wanted.
        let _ = url.set_username("");
        let _ = url.set_password(None);
        url
    }

    fn request(&self, name: &str, form: &[(&str, &str)]) -> Request<Bytes> {
        let mut body = form_urlencoded::Serializer::new(String::new());
        body.extend_pairs(form);
        let secret = self.client_secret.as_ref().filter(|secret| !secret.expose().is_empty());
        if secret.is_none() {
            body.append_pair("client_id", &self.client_id);
        }
        let mut request = Request::new(Bytes::from(body.finish()));
        *request.method_mut() = Method::POST;
        // An address that is no URI has none to call either; the driver reports it.
        *request.uri_mut() = self.endpoint(name).as_str().parse::<Uri>().unwrap_or_default();
        let headers: &mut HeaderMap = request.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(secret) = secret
            && let Ok(mut value) = HeaderValue::try_from(format!("Basic {}", self.basic(secret)))
        {
            value.set_sensitive(true);
            headers.insert(header::AUTHORIZATION, value);
        }
        request
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn app(secret: Option<&str>) -> ClientApp {
        ClientApp {
            server: "https://u:p@h.example/base/?q#f".parse().unwrap(),
            client_id: "id&1".to_owned(),
            client_secret: secret.map(Secret::from),
        }
    }

    // CLAUSE SEC-1
    #[test]
    fn requests_hide_the_secret() {
        let request = app(Some("s3cret")).jwt_request(&Secret::new("j+t"));
        assert_eq!(request.uri(), "https://h.example/base/restapi/oauth/token");
        assert_eq!(request.method(), Method::POST);
        assert!(request.headers()[header::AUTHORIZATION].is_sensitive());
        assert_eq!(request.headers()[header::AUTHORIZATION], "Basic aWQmMTpzM2NyZXQ=");
        assert_eq!(
            &request.body()[..],
            b"grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=j%2Bt"
        );
        assert!(!format!("{:?}{:?}", app(Some("s3cret")), request.headers()).contains("s3cret"));
    }

    #[test]
    fn public_clients_name_themselves() {
        let public = app(None);
        let request = public.code_request(&"c".into(), "http://l/", Some(&"v".into()));
        assert!(!request.headers().contains_key(header::AUTHORIZATION));
        let form =
            b"grant_type=authorization_code&code=c&redirect_uri=http%3A%2F%2Fl%2F&code_verifier=v&client_id=id%261";
        assert_eq!(&request.body()[..], form);
        assert_eq!(&public.revoke_request(&"t".into()).body()[..], b"token=t&client_id=id%261");
        let refresh = b"grant_type=refresh_token&refresh_token=r&client_id=id%261";
        assert_eq!(&public.refresh_request(&"r".into()).body()[..], refresh);
        assert_eq!(
            public.authorize_url("http://l/", "s t", Some("ch")).as_str(),
            "https://h.example/base/restapi/oauth/authorize?response_type=code&client_id=id%261&\
             redirect_uri=http%3A%2F%2Fl%2F&state=s+t&code_challenge=ch&code_challenge_method=S256"
        );
    }
}
