//! Timelines of a login: questions and answers at exact times.

use std::time::Duration;

use bytes::Bytes;
use http::Response;
use ringcentral_ws_core::AuthReason::{self, Expiring, Missing, Refused};
use ringcentral_ws_core::{AuthFailureKind, HttpFailure, Phase, Secret, Timestamp};

use super::*;

const FIRST: &str = r#"{"access_token":"a1","expires_in":3600,"refresh_token":"r1"}"#;
const SECOND: &str = r#"{"access_token":"a2","expires_in":3600,"refresh_token":"r2"}"#;
const GONE: &str = r#"{"error":"invalid_grant","errorCode":"OAU-213"}"#;
const NO_CLIENT: &str = r#"{"error":"invalid_client"}"#;

/// A login, its budget and a clock in seconds.
struct LoginAtTime {
    login: Login,
    budget: TokenBudget,
    now: Timestamp,
}

impl LoginAtTime {
    fn new(login: Login) -> Self {
        Self { login, budget: TokenBudget::new(), now: Timestamp::ZERO }
    }

    fn at(&mut self, secs: u64) -> &mut Self {
        self.now = Timestamp::from_secs(secs);
        self
    }

    fn ask(&mut self, reason: AuthReason, given: &str) -> String {
        let given = Some(Secret::from(given)).filter(|given| !given.expose().is_empty());
        let step = self.login.begin(reason, given.as_ref(), &self.budget, self.now);
        show(&step)
    }

    fn get(&mut self, status: u16, body: &'static str) -> String {
        self.get_with(status, body, None)
    }

    fn get_with(&mut self, status: u16, body: &'static str, retry_after: Option<&str>) -> String {
        let mut response = Response::builder().status(status);
        if let Some(retry_after) = retry_after {
            response = response.header("Retry-After", retry_after);
        }
        let response = response.body(Bytes::from(body)).unwrap();
        show(&self.login.answered(Ok(response), &self.budget, self.now))
    }

    fn unreachable(&mut self) -> String {
        let failure = HttpFailure { phase: Phase::Tcp, not_sent: true, message: "no route".into() };
        show(&self.login.answered(Err(failure), &self.budget, self.now))
    }

    /// The answer of a call is lost.
    fn lost(&mut self) -> String {
        let failure = HttpFailure { phase: Phase::Response, not_sent: false, message: "reset".into() };
        show(&self.login.answered(Err(failure), &self.budget, self.now))
    }
}

fn show(step: &LoginStep) -> String {
    match step {
        LoginStep::Token { token, issued } => {
            let left = token.expires_in.map_or(0, |left| left.as_secs());
            let refresh = issued.as_ref().and_then(|set| set.refresh_token.as_ref()).map_or("", |token| token.expose());
            assert_eq!(token.cached, issued.is_none(), "a call was made for what is new");
            let joint = if issued.is_some() { " new " } else { "" };
            format!("{} for {left}{joint}{refresh}", token.secret.expose())
        }
        LoginStep::Call(request) => {
            let form = std::str::from_utf8(request.body()).unwrap();
            let token = form.split("refresh_token=").nth(1).and_then(|rest| rest.split('&').next());
            token.map_or("call jwt".to_owned(), |token| format!("call refresh {token}"))
        }
        LoginStep::Failed(failure) => {
            let word = if failure.is_permanent() { "permanent" } else { "later" };
            let wait = failure.retry_after.map_or(String::new(), |wait| format!(" in {}", wait.as_secs()));
            format!("{word}{wait}")
        }
    }
}

fn app() -> ClientApp {
    let server = "https://h.example".parse().unwrap();
    ClientApp { server, client_id: "id".to_owned(), client_secret: Some("cs".into()) }
}

fn jwt() -> LoginAtTime {
    LoginAtTime::new(Login::jwt(app(), "j"))
}

// CLAUSE TOK-4
#[test]
fn refresh_comes_before_a_new_login() {
    let mut d = jwt();
    assert_eq!(d.at(0).ask(Missing, ""), "call jwt");
    assert_eq!(d.at(1).get(200, FIRST), "a1 for 3600 new r1");
    assert_eq!(d.at(2_881).ask(Expiring, "a1"), "call refresh r1");
    assert_eq!(d.at(2_882).get(200, SECOND), "a2 for 3600 new r2");
    assert_eq!(d.at(3_000).ask(Refused, "a2"), "call refresh r2");
    assert_eq!(d.unreachable(), "later");
    assert_eq!(d.ask(Refused, "a2"), "call refresh r2", "an unreachable server does not cost the session");
    assert_eq!(d.get(503, ""), "later", "nor does a busy one");
    assert_eq!(d.ask(Missing, ""), "call refresh r2", "a refused token is not given again");
}

#[test]
fn clients_share_a_token_while_it_is_worth_it() {
    let mut d = jwt();
    d.at(0).ask(Missing, "");
    d.get(200, FIRST);
    assert_eq!(d.at(3_539).ask(Missing, ""), "a1 for 61");
    assert_eq!(d.at(3_540).ask(Missing, ""), "call refresh r1", "60 s are too few");
    assert_eq!(d.get(200, SECOND), "a2 for 3600 new r2");
    assert_eq!(d.ask(Expiring, "a1"), "a2 for 3600", "renewed meanwhile for another client");
    assert_eq!(d.ask(Refused, "a1"), "a2 for 3600");
    assert_eq!(d.ask(Refused, "a2"), "call refresh r2");
    assert_eq!(d.get(200, r#"{"access_token":"a3","expires_in":100}"#), "a3 for 100 new ");
    assert_eq!(d.at(3_619).ask(Missing, ""), "a3 for 21", "a fifth of a short life is worth it");
    assert_eq!(d.at(3_620).ask(Missing, ""), "call refresh r2", "without a new refresh token the old one stays");
}

#[test]
fn a_refused_refresh_token_falls_back_to_the_jwt_and_is_never_tried_again() {
    let mut d = jwt();
    d.login.set_refresh_token("old");
    assert_eq!(d.at(0).ask(Missing, ""), "call refresh old");
    assert_eq!(d.get(400, GONE), "call jwt");
    assert_eq!(d.get(503, ""), "later");
    assert_eq!(d.ask(Missing, ""), "call jwt");
    assert_eq!(d.get(200, FIRST), "a1 for 3600 new r1");
}

#[test]
fn only_the_service_itself_refuses_a_refresh_token() {
    let mut d = jwt();
    d.login.set_refresh_token("old");
    for (second, (status, body)) in [(403, "<html>log in to the hotel"), (404, ""), (429, ""), (500, ""), (200, "{}")]
        .into_iter()
        .enumerate()
        .map(|(i, answer)| (i as u64 * 100, answer))
    {
        assert_eq!(d.at(second).ask(Missing, ""), "call refresh old", "{status}");
        assert!(d.get(status, body).starts_with("later"), "{status}");
    }
    // What is refused is the app: the refresh token may still be good for it when its secret is corrected.
    assert_eq!(d.at(1_000).ask(Missing, ""), "call refresh old");
    assert_eq!(d.get(401, NO_CLIENT), "permanent");
    assert_eq!(d.ask(Missing, ""), "call refresh old");
}

// CLAUSE BCK-5
#[test]
fn a_word_that_nobody_knows_is_no_end_and_costs_no_refresh_token() {
    const NEW_WORD: &str = r#"{"error":"a_new_word"}"#;
    let mut d = LoginAtTime::new(Login::refresh_token(app(), "r0"));
    for (second, status) in [(0, 400), (100, 401), (200, 403)] {
        assert_eq!(d.at(second).ask(Missing, ""), "call refresh r0");
        assert_eq!(d.get(status, NEW_WORD), "later", "{status}");
    }
    // Where there is a JWT, it is another way.
    let mut d = jwt();
    d.login.set_refresh_token("r0");
    for (second, status, next) in [(0, 400, "call jwt"), (100, 401, "call jwt"), (200, 403, "later")] {
        assert_eq!(d.at(second).ask(Missing, ""), "call refresh r0");
        assert_eq!(d.get(status, NEW_WORD), next, "{status}");
        if next != "later" {
            assert_eq!(d.get(400, NEW_WORD), "later", "not in circles");
        }
    }
    assert_eq!(d.at(300).ask(Missing, ""), "call refresh r0");
    assert_eq!(d.get(400, NEW_WORD), "call jwt");
    assert_eq!(d.get(200, FIRST), "a1 for 3600 new r1");
}

#[test]
fn without_a_jwt_a_refused_refresh_token_is_the_end() {
    let mut d = LoginAtTime::new(Login::refresh_token(app(), "r0"));
    assert_eq!(d.at(0).ask(Missing, ""), "call refresh r0");
    assert_eq!(d.get(200, FIRST), "a1 for 3600 new r1");
    assert_eq!(d.at(2_880).ask(Expiring, "a1"), "call refresh r1");
    assert_eq!(d.get(400, GONE), "permanent");
    assert_eq!(d.at(2_881).ask(Expiring, "a1"), "permanent", "no call with what is known to be dead");
    assert_eq!(d.ask(Missing, ""), "a1 for 719", "what is left of the access token is good");
}

// CLAUSE TOK-9
#[test]
fn the_limit_of_a_login_is_kept() {
    let mut d = jwt();
    for second in 0..5 {
        assert_eq!(d.at(second).ask(Missing, ""), "call jwt");
        d.lost();
    }
    assert_eq!(d.at(5).ask(Missing, ""), "later in 56");
    let mut same = Login::jwt(app(), "j");
    assert_eq!(show(&same.begin(Missing, None, &d.budget, d.now)), "later in 56", "the same login, made anew");
    let mut other = Login::jwt(app(), "j2");
    assert_eq!(show(&other.begin(Missing, None, &d.budget, d.now)), "call jwt", "another login of the same app");
    assert_eq!(d.at(62).ask(Missing, ""), "call jwt");
}

// CLAUSE TOK-9
#[test]
fn the_ceiling_of_the_app_is_kept_and_refreshes_come_first() {
    let budget = TokenBudget::new();
    let limits = LoginLimits::default().app_ceiling(Some(2));
    let mut logins: Vec<_> = (0..4).map(|n| Login::jwt(app(), format!("j{n}"))).collect();
    logins.push(Login::refresh_token(app(), "r"));
    logins.iter_mut().for_each(|login| login.set_limits(limits));
    let mut ask = |login: usize, secs| show(&logins[login].begin(Missing, None, &budget, Timestamp::from_secs(secs)));
    assert_eq!((&*ask(0, 0), &*ask(1, 0)), ("call jwt", "call jwt"));
    assert_eq!(ask(2, 1), "later in 60");
    assert_eq!(ask(4, 2), "later in 59");
    assert_eq!(ask(4, 62), "call refresh r");
    assert_eq!(ask(2, 62), "call jwt");
    assert_eq!(ask(3, 62), "later in 61");
    let LoginStep::Failed(failure) = logins[3].begin(Missing, None, &budget, Timestamp::from_secs(63)) else {
        panic!()
    };
    assert_eq!(failure.kind, AuthFailureKind::Limited);
    assert!(failure.message.contains("2 token calls a minute for one app"), "{}", failure.message);
}

// CLAUSE TOK-2
#[test]
fn a_call_that_did_not_leave_is_given_back() {
    let mut d = jwt();
    for second in 0..20 {
        assert_eq!(d.at(second).ask(Missing, ""), "call jwt");
        assert_eq!(d.at(second).unreachable(), "later");
    }
    assert_eq!(d.unreachable(), "later", "no call was under way");
    for _ in 0..5 {
        assert_eq!(d.ask(Missing, ""), "call jwt");
        d.lost();
        assert_eq!(d.unreachable(), "later", "said of a call that is over");
    }
    assert_eq!(d.ask(Missing, ""), "later in 61", "an answer that was lost is a call all the same");
}

#[test]
fn a_login_is_known_by_its_user() {
    let tokens = |owner: &str| TokenSet {
        access_token: "a".into(),
        expires_in: Duration::from_secs(1),
        refresh_token: Some(owner.into()).filter(|_| owner != "none"),
        refresh_expires_in: None,
        scope: None,
        owner_id: Some(owner.into()).filter(|_| owner != "none" && owner != "unknown"),
        issued_at: None,
        app: None,
        identity: None,
    };
    let of = |owner| Login::from_tokens(app(), tokens(owner), Timestamp::ZERO).key();
    let keys = [
        Login::jwt(app(), "j").key(),
        Login::refresh_token(app(), "unknown").key(),
        Login::refresh_token(app(), "j").key(),
        of("1"),
        of("2"),
        of("none"),
    ];
    assert_eq!(keys.iter().collect::<std::collections::BTreeSet<_>>().len(), keys.len());
    assert_eq!(keys[0], Login::jwt(app(), "j").key());
    assert_eq!(keys[1], of("unknown"));
    let mut renewed = jwt();
    renewed.at(0).ask(Missing, "");
    renewed.get(200, FIRST);
    assert_eq!(renewed.login.key(), keys[0], "it stays");
}

#[test]
fn a_fallback_over_the_limit_waits_and_goes_on_with_the_jwt() {
    let mut d = jwt();
    d.login.set_refresh_token("old");
    for _ in 0..4 {
        assert_eq!(d.at(0).ask(Missing, ""), "call refresh old");
        d.lost();
    }
    assert_eq!(d.at(1).ask(Missing, ""), "call refresh old");
    assert_eq!(d.get(400, GONE), "later in 60");
    assert_eq!(d.at(62).ask(Missing, ""), "call jwt");
}

#[test]
fn a_pause_the_server_asks_for_is_kept_by_all_logins() {
    let mut d = jwt();
    d.at(0).ask(Missing, "");
    assert_eq!(d.at(1).get_with(503, "", Some("300")), "later in 300");
    assert_eq!(d.at(300).ask(Missing, ""), "later in 1");
    assert_eq!(d.at(301).ask(Missing, ""), "call jwt");
    // The session knows how long that is (`RetryPolicy::penalty`), and the other logins of the app wait a minute.
    assert_eq!(d.get(429, ""), "later");
    assert_eq!(d.at(360).ask(Missing, ""), "later in 1");
    assert_eq!(d.at(361).ask(Missing, ""), "call jwt");
}

#[test]
fn a_question_that_was_given_up_is_no_harm() {
    let mut d = jwt();
    d.at(0).ask(Missing, "");
    d.get(200, FIRST);
    assert_eq!(d.at(2_880).ask(Expiring, "a1"), "call refresh r1");
    assert_eq!(d.at(2_890).ask(Expiring, "a1"), "call refresh r1", "its answer never came");
    assert_eq!(d.get(200, SECOND), "a2 for 3600 new r2");
}

#[test]
fn a_life_beyond_the_end_of_time_is_no_trouble() {
    let mut d = jwt();
    d.at(0).ask(Missing, "");
    let year = 366 * 86_400;
    assert_eq!(d.get(200, r#"{"access_token":"a1","expires_in":1e300}"#), format!("a1 for {year} new "));
    assert_eq!(d.at(year - 61).ask(Missing, ""), "a1 for 61");
    assert_eq!(d.at(u64::MAX / 2_000_000).ask(Missing, ""), "call jwt");
}

#[test]
fn a_login_begins_with_its_tokens_and_can_be_revoked() {
    let tokens = TokenSet::parse(&Response::new(Bytes::from_static(FIRST.as_bytes()))).unwrap();
    let mut d = LoginAtTime::new(Login::from_tokens(app(), tokens, Timestamp::ZERO));
    assert_eq!(d.at(100).ask(Missing, ""), "a1 for 3500");
    let answer = |status| Ok(Response::builder().status(status).body(Bytes::new()).unwrap());
    for (status, done) in [(503, false), (403, false), (200, true)] {
        let request = d.login.revoke().unwrap();
        assert_eq!(&request.body()[..], b"token=r1");
        assert!(request.uri().path().ends_with("/revoke"));
        assert_eq!(d.login.revoked(answer(status)).is_ok(), done, "{status}");
    }
    assert!(d.login.revoke().is_none());
    assert_eq!(d.ask(Missing, ""), "permanent", "the user must log in again");
    // 400 and 401: it was gone already.
    for status in [400, 401] {
        let mut d = jwt();
        d.login.set_refresh_token("old");
        assert!(d.login.revoked(answer(status)).is_ok() && d.login.revoke().is_none(), "{status}");
    }
}

// CLAUSE SEC-1
#[test]
fn no_secret_shows() {
    let mut d = jwt();
    d.login.set_refresh_token("old");
    let step = d.login.begin(Missing, None, &d.budget, d.now);
    let LoginStep::Call(request) = &step else { panic!("{step:?}") };
    assert!(request.headers()[http::header::AUTHORIZATION].is_sensitive());
    let shown = format!("{:?}{:?}{step:?}", d.login, request.headers());
    assert!(!shown.contains("cs") && !shown.contains("old"), "{shown}");
    assert!(fixed_token(&"t".into(), Refused).unwrap_err().is_permanent());
    let fixed = fixed_token(&"t".into(), Missing).unwrap();
    assert_eq!((fixed.expires_in, fixed.cached), (None, true));
}

/// The request as a server quotes it that writes back what it was sent.
fn quoted(request: &http::Request<Bytes>) -> String {
    let body = String::from_utf8_lossy(request.body());
    let authorization = request.headers()[http::header::AUTHORIZATION].to_str().unwrap().to_owned();
    let fields = url::form_urlencoded::parse(request.body()).map(|(name, value)| format!("{name}: {value}; "));
    format!("{authorization}; {body}; {}", fields.collect::<String>())
}

// CLAUSE SEC-6
#[test]
fn what_a_server_or_a_proxy_quotes_of_the_call_is_masked() {
    let server = "https://u:server-password@h.example".parse().unwrap();
    let secret = Some("client/secret+1".into());
    let app = ClientApp { server, client_id: "id".to_owned(), client_secret: secret };
    let secrets = ["client", "aWQ6", "jwt/", "jwt%2F", "refresh/", "refresh%2F", "access-of", "server-pass"];
    let is_clean = |shown: &str| assert!(!secrets.iter().any(|secret| shown.contains(secret)), "{shown}");
    let tokens = r#"{"access_token":"access-of/1","refresh_token":"refresh/of+2","scope":"jwt/of+user, access-of/1"}"#;
    let bodies: [fn(&str) -> String; 4] = [
        |said| serde_json::json!({ "errorCode": said, "message": said, "parameterName": said }).to_string(),
        |said| serde_json::json!({ "error": said, "error_description": said }).to_string().replace('/', "\\/"),
        |said| format!("<h1>Bad</h1>{said}"),
        |said| format!("{}{said}", "x".repeat(290)),
    ];
    for body in bodies {
        for (status, has_refresh) in [(400, false), (502, false), (400, true), (502, true), (429, true)] {
            let (mut login, budget) = (Login::jwt(app.clone(), "jwt/of+user"), TokenBudget::new());
            if has_refresh {
                login.set_refresh_token("refresh/of+2");
            }
            let mut step = login.begin(Refused, None, &budget, Timestamp::ZERO);
            while let LoginStep::Call(request) = step {
                let said = quoted(&request) + " server-password";
                let answer = Response::builder().status(status).header("RCRequestId", &said);
                let answer = answer.body(Bytes::from(body(&said))).unwrap();
                step = login.answered(Ok(answer), &budget, Timestamp::ZERO);
            }
            let LoginStep::Failed(failure) = step else { panic!("{step:?}") };
            is_clean(&format!("{failure:?}"));
            assert!(failure.message.contains("***"), "{failure:?}");
        }
        let proxy = HttpFailure { phase: Phase::Tcp, not_sent: false, message: "no: jwt/of+user".into() };
        let (mut login, budget) = (Login::jwt(app.clone(), "jwt/of+user"), TokenBudget::new());
        let _ = login.begin(Refused, None, &budget, Timestamp::ZERO);
        let failed = login.answered(Err(proxy), &budget, Timestamp::ZERO);
        is_clean(&format!("{failed:?}"));
        let _ = login.begin(Refused, None, &budget, Timestamp::ZERO);
        let issued = login.answered(Ok(Response::new(Bytes::from(tokens))), &budget, Timestamp::ZERO);
        assert!(matches!(issued, LoginStep::Token { .. }));
        let said = quoted(&login.revoke().unwrap()) + " access-of/1";
        let answer = Response::builder().status(503).body(Bytes::from(body(&said))).unwrap();
        is_clean(&format!("{:?}", login.revoked(Ok(answer)).unwrap_err()));
    }
}
