//! HTTP: who may call, the OAuth endpoints, and everything else handed on.

use crate::config::micros;
use crate::gateway::Gateway;
use crate::http::{Body, HttpRequest, HttpResponse, Reply};
use crate::limit::{Limiter, Verdict};
use crate::oauth::{Challenge, Denied, Grant};
use crate::output::GatewayEvent;
use crate::rest::Call;
use crate::text;
use crate::timers::Timer;

/// Tokens of a login made without HTTP.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Login {
    /// Number of the OAuth session.
    pub oauth: u64,
    /// The access token.
    pub access_token: String,
    /// The refresh token, if the configuration issues them.
    pub refresh_token: Option<String>,
}

const JWT_GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const MAX_CALL_TIMES: usize = 1000;

impl Gateway {
    /// Answers an HTTP request. A reply that a test resource delays is answered at once here.
    pub fn http(&mut self, request: &HttpRequest, now: u64) -> HttpResponse {
        self.http_delayed(request, now).0
    }

    /// Answers an HTTP request, and says after how many microseconds the answer is to be sent.
    pub fn http_delayed(&mut self, request: &HttpRequest, now: u64) -> (HttpResponse, u64) {
        self.advance(now);
        let (path, query) = request.path_and_query();
        let reply = match self.faults.strike(&request.method, path, self.now) {
            Some(reply) => {
                self.note_auth_call(path);
                reply
            }
            None => match path.trim_end_matches('/') {
                "/restapi/oauth/token" => self.token(request),
                "/restapi/oauth/revoke" => self.revoke(request),
                "/restapi/oauth/authorize" => self.authorize(query),
                "/restapi/oauth/wstoken" => self.ws_token(request),
                _ => return self.http_rest(request, path, query),
            },
        };
        self.answered(request, path, &reply);
        (self.http_response(reply), 0)
    }

    /// Logs a user in without HTTP. `None` if there is no such user.
    pub fn login(&mut self, user: usize, now: u64) -> Option<Login> {
        self.advance(now);
        self.config.users.get(user)?;
        let grant = self.log_in(user);
        Some(Login { oauth: grant.id, access_token: grant.access, refresh_token: grant.refresh })
    }

    /// An authorization code for a user, as the login page would hand out.
    pub fn authorization_code(&mut self, user: usize) -> String {
        let code = text::token_text(&self.rng.uuid());
        self.oauth.add_code(code.clone(), user, None);
        code
    }

    fn http_rest(&mut self, request: &HttpRequest, path: &str, query: &str) -> (HttpResponse, u64) {
        let user = match self.bearer(request) {
            Ok(oauth) => self.oauth.get(oauth).map_or(0, |session| session.user),
            Err(reply) => {
                self.answered(request, path, &reply);
                return (self.http_response(reply), 0);
            }
        };
        let call = Call {
            conn: None,
            user,
            method: &request.method,
            path,
            query: text::pairs(query),
            headers: request.headers.clone(),
            body: &request.body,
        };
        let reply = self.answer(&call);
        let delay = reply.delay;
        (self.http_response(reply), delay)
    }

    pub(crate) fn http_response(&self, reply: Reply) -> HttpResponse {
        let content_type = reply.content_type();
        let (body, filler_len) = match reply.body {
            Body::Empty => (String::new(), 0),
            Body::Json(text) | Body::Text { text, .. } => (text, 0),
            // Over HTTP the boundary is announced in a header and the body ends with a line end.
            Body::Multipart { text, .. } => (text + "\r\n", 0),
            Body::Binary { len, .. } => (String::new(), len),
        };
        let mut response = HttpResponse::new(reply.status, body);
        response.filler_len = filler_len;
        response.headers = reply.headers;
        response.headers.extend(content_type.map(|value| ("Content-Type".to_owned(), value)));
        response.headers.push(("Date".to_owned(), text::http_date(self.unix_ms())));
        response
    }

    fn answered(&mut self, request: &HttpRequest, path: &str, reply: &Reply) {
        let (method, path) = (request.method.clone(), path.to_owned());
        self.event(GatewayEvent::Answered { conn: None, method, path, status: reply.status });
    }

    fn bearer(&mut self, request: &HttpRequest) -> Result<u64, Reply> {
        let denied = match self.oauth.check(request.get("Authorization"), self.now) {
            Ok(oauth) => return Ok(oauth),
            Err(denied) => denied,
        };
        let (code, message) = match denied {
            Denied::Missing => ("AGW-401", "Authorization header is not specified"),
            Denied::Scheme => ("AGW-402", "Invalid Authorization header"),
            Denied::Unparsable => ("OAU-149", "Unparsable access token"),
            Denied::Expired => ("OAU-128", "Access token is expired"),
            Denied::Unknown => ("OAU-213", "Token not found"),
        };
        Err(Reply::error(401, code, message).with("WWW-Authenticate", "Bearer realm=\"gateway\""))
    }

    /// Counts a call of an OAuth endpoint, refused ones included.
    fn note_auth_call(&mut self, path: &str) {
        match path.trim_end_matches('/') {
            "/restapi/oauth/token" => self.stats.token_calls += 1,
            "/restapi/oauth/wstoken" => {
                self.stats.ws_tokens_requested += 1;
                if self.stats.ws_token_calls.len() >= MAX_CALL_TIMES {
                    self.stats.ws_token_calls.pop_front();
                }
                self.stats.ws_token_calls.push_back(self.now);
            }
            _ => {}
        }
    }

    fn token(&mut self, request: &HttpRequest) -> Reply {
        self.note_auth_call("/restapi/oauth/token");
        let form = text::pairs(std::str::from_utf8(&request.body).unwrap_or_default());
        if let Some(limit) = self.config.oauth.token_rate_limit {
            let mut limiter = std::mem::take(&mut self.app_limit);
            let verdict = self.limit(&mut limiter, limit, 0);
            self.app_limit = limiter;
            if let Err(reply) = verdict {
                return reply;
            }
        }
        if !self.known_client(request, &form) {
            return oauth_error(401, "invalid_client", "OAU-146", "Client authentication is required");
        }
        let field = |name: &str| text::lookup(&form, name).unwrap_or_default();
        let grant = match field("grant_type") {
            JWT_GRANT => {
                let jwt = field("assertion");
                let user = self.config.users.iter().position(|user| user.jwt == jwt);
                user.map(|user| self.log_in(user))
            }
            "authorization_code" => {
                let verifier = text::lookup(&form, "code_verifier");
                let code = self.oauth.take_code(field("code")).filter(|code| code.is_good_with(verifier));
                code.map(|code| self.log_in(code.user))
            }
            "refresh_token" => self.renew(field("refresh_token")),
            _ => return oauth_error(400, "unsupported_grant_type", "OAU-250", "Unsupported grant type"),
        };
        match grant {
            Some(grant) => self.token_info(&grant),
            None if field("grant_type") == "refresh_token" => {
                oauth_error(400, "invalid_grant", "OAU-213", "Token not found")
            }
            None => oauth_error(400, "invalid_grant", "OAU-140", "Grant is invalid"),
        }
    }

    fn known_client(&self, request: &HttpRequest, form: &[(String, String)]) -> bool {
        let app = &self.config.app;
        match request.get("Authorization").and_then(text::basic_credentials) {
            Some((id, secret)) => id == app.client_id && secret == app.client_secret,
            // Public clients name themselves and have no secret; a secret in the form must be right.
            None => {
                let secret = text::lookup(form, "client_secret");
                text::lookup(form, "client_id") == Some(&app.client_id)
                    && secret.is_none_or(|secret| secret == app.client_secret)
            }
        }
    }

    fn log_in(&mut self, user: usize) -> Grant {
        let (grant, displaced) = self.oauth.login(user, &self.config.oauth, &mut self.rng, self.now);
        if let Some(displaced) = displaced {
            self.end_oauth(displaced);
        }
        self.arm_grant(grant.id);
        self.event(GatewayEvent::LoggedIn { oauth: grant.id, user });
        grant
    }

    fn renew(&mut self, token: &str) -> Option<Grant> {
        let grant = self.oauth.refresh(token, &self.config.oauth, &mut self.rng, self.now)?;
        self.arm_grant(grant.id);
        Some(grant)
    }

    fn arm_grant(&mut self, oauth: u64) {
        if let Some(session) = self.oauth.get(oauth) {
            self.timers.set(session.access_expires, Timer::AccessToken(oauth));
        }
        if let Some(at) = self.oauth.ends_at(oauth) {
            self.timers.set(at, Timer::OAuthEnd(oauth));
        }
    }

    fn token_info(&self, grant: &Grant) -> Reply {
        let owner = self.config.users.get(grant.user).map_or(0, |user| user.extension_id);
        let oauth = &self.config.oauth;
        // The tokens are of an alphabet that needs no escapes.
        let refresh = grant.refresh.as_ref().map_or_else(String::new, |refresh| {
            let seconds = oauth.refresh_token_lifetime.as_secs();
            format!(",\"refresh_token\":\"{refresh}\",\"refresh_token_expires_in\":{seconds}")
        });
        Reply::json(format!(
            "{{\"access_token\":\"{}\",\"token_type\":\"bearer\",\"expires_in\":{},\
             \"scope\":\"ReadAccounts ReadMessages EditMessages SMS SubscriptionWebSocket\",\
             \"owner_id\":\"{owner}\",\"endpoint_id\":\"gateway-endpoint-{id}\",\"session_id\":\"{id}\"{refresh}}}",
            grant.access,
            oauth.access_token_lifetime.as_secs(),
            id = grant.id,
        ))
    }

    fn revoke(&mut self, request: &HttpRequest) -> Reply {
        let form = text::pairs(std::str::from_utf8(&request.body).unwrap_or_default());
        let (_, query) = request.path_and_query();
        let query = text::pairs(query);
        let token = text::lookup(&form, "token").or_else(|| text::lookup(&query, "token"));
        if !self.known_client(request, &form) && self.bearer(request).is_err() {
            return oauth_error(401, "invalid_client", "OAU-146", "Client authentication is required");
        }
        if let Some(oauth) = token.and_then(|token| self.oauth.owner(token)) {
            self.end_oauth(oauth);
        }
        Reply::new(200, Body::Empty)
    }

    /// The login page of the authorization code flow: the first user agrees at once. A `login_hint` that is
    /// the name or number of another user picks that one.
    fn authorize(&mut self, query: &str) -> Reply {
        let query = text::pairs(query);
        let field = |name: &str| text::lookup(&query, name);
        let (Some(redirect), Some("code")) = (field("redirect_uri"), field("response_type")) else {
            return oauth_error(400, "invalid_request", "OAU-109", "redirect_uri and response_type are required");
        };
        if field("client_id") != Some(&self.config.app.client_id) {
            return oauth_error(400, "invalid_client", "OAU-153", "Unknown client");
        }
        let challenge = field("code_challenge").map(|text| Challenge::new(text, field("code_challenge_method")));
        let Some(challenge) = challenge.map_or(Some(None), |known| known.map(Some)) else {
            return oauth_error(400, "invalid_request", "OAU-109", "code_challenge_method must be S256 or plain");
        };
        let hint = field("login_hint");
        let user = self.config.users.iter().position(|u| hint == Some(&u.name) || hint == Some(&u.phone_number));
        let code = text::token_text(&self.rng.uuid());
        self.oauth.add_code(code.clone(), user.unwrap_or(0), challenge);
        let mut answer = form_urlencoded::Serializer::new(String::new());
        answer.append_pair("code", &code);
        if let Some(state) = field("state") {
            answer.append_pair("state", state);
        }
        let separator = if redirect.contains('?') { '&' } else { '?' };
        Reply::new(302, Body::Empty).with("Location", format!("{redirect}{separator}{}", answer.finish()))
    }

    fn ws_token(&mut self, request: &HttpRequest) -> Reply {
        self.note_auth_call("/restapi/oauth/wstoken");
        if request.method != "POST" {
            return Reply::error(405, "CMN-105", "HTTP method is not supported for this resource");
        }
        let oauth = match self.bearer(request) {
            Ok(oauth) => oauth,
            Err(reply) => return reply,
        };
        let user = self.oauth.get(oauth).map_or(0, |session| session.user);
        let mut remaining = None;
        if let Some(limit) = self.config.ws_token.rate_limit {
            let mut limiter = self.limits.remove(&user).unwrap_or_default();
            let verdict = self.limit(&mut limiter, limit, user);
            self.limits.insert(user, limiter);
            match verdict {
                Ok(left) => remaining = Some((limit, left)),
                Err(reply) => return reply,
            }
        }
        if !self.config.app.ws_token_permission {
            let message = "In order to call this API endpoint, application needs to have [WebSocket] permission";
            return Reply::error(403, "CMN-401", message);
        }
        let life = self.config.ws_token.lifetime;
        let token = self.ws_tokens.issue(oauth, micros(life), &mut self.rng, self.now);
        let reply = Reply::json(format!(
            "{{\"uri\":{},\"ws_access_token\":\"{token}\",\"expires_in\":{}}}",
            text::json(&self.config.ws_url),
            life.as_secs()
        ));
        match remaining.filter(|_| self.config.ws_token.retry_after) {
            Some((limit, left)) => self.with_limit_headers(reply, limit, left),
            None => reply,
        }
    }

    /// Puts a call before a limiter: the calls that remain, or the answer that refuses.
    fn limit(&mut self, limiter: &mut Limiter, limit: u32, user: usize) -> Result<u32, Reply> {
        let (window, penalty) = (self.config.ws_token.rate_window, self.config.ws_token.penalty);
        let restarted = match limiter.call(limit, micros(window), micros(penalty), self.now) {
            Verdict::Pass { remaining } => return Ok(remaining),
            Verdict::Exceeded => false,
            Verdict::Trapped => true,
        };
        self.stats.rate_limited += 1;
        self.stats.penalties_restarted += u64::from(restarted);
        self.event(GatewayEvent::RateLimited { user, restarted });
        let reply = Reply::error(429, "CMN-301", "Request rate exceeded");
        if !self.config.ws_token.retry_after {
            return Err(reply);
        }
        let seconds = micros(penalty).div_ceil(1_000_000).to_string();
        Err(self.with_limit_headers(reply, limit, 0).with("Retry-After", seconds))
    }

    fn with_limit_headers(&self, reply: Reply, limit: u32, left: u32) -> Reply {
        reply
            .with("X-Rate-Limit-Group", "auth")
            .with("X-Rate-Limit-Limit", limit.to_string())
            .with("X-Rate-Limit-Remaining", left.to_string())
            .with("X-Rate-Limit-Window", self.config.ws_token.rate_window.as_secs().to_string())
    }
}

fn oauth_error(status: u16, error: &str, code: &str, message: &str) -> Reply {
    let body = serde_json::json!({
        "error": error,
        "error_description": message,
        "errorCode": code,
        "message": message,
        "errors": [{"errorCode": code, "message": message}],
    });
    Reply::new(status, Body::Json(body.to_string()))
}
