//! Logins, refreshes, revocations and lives.

use crate::support;

use std::time::Duration;

use ringcentral_ws_gateway::{GatewayConfig, HttpRequest};
use serde_json::Value;
use support::{Bench, S, close_of, json};

const JWT: &str = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=gateway.user-0.jwt";

/// With the lives of the real service.
fn bench() -> Bench {
    Bench::new(|config| config.oauth = GatewayConfig::default().oauth)
}

fn log_in(bench: &mut Bench) -> Value {
    let response = bench.token(JWT);
    assert_eq!(response.status, 200);
    json(&response)
}

fn refresh(bench: &mut Bench, token: &Value) -> Result<Value, (u16, String)> {
    let response = bench.token(&format!("grant_type=refresh_token&refresh_token={}", token.as_str().unwrap()));
    let body = json(&response);
    let code = || body["errorCode"].as_str().unwrap().to_owned();
    if response.status == 200 { Ok(body) } else { Err((response.status, code())) }
}

fn works(bench: &mut Bench, access: &Value) -> bool {
    bench.access = access.as_str().unwrap().to_owned();
    bench.get("/restapi/v1.0/account/~").status == 200
}

#[test]
fn a_jwt_logs_in() {
    let mut bench = bench();
    let token = log_in(&mut bench);
    assert_eq!((&token["token_type"], &token["expires_in"]), (&"bearer".into(), &3600.into()));
    assert_eq!(token["refresh_token_expires_in"], 604_800);
    assert_eq!(token["owner_id"], "62264425016");
    assert!(works(&mut bench, &token["access_token"]));
}

#[test]
fn wrong_clients_and_grants_are_refused() {
    let mut bench = bench();
    let request = HttpRequest::new("POST", "/restapi/oauth/token").with_body(JWT);
    for authorization in [None, Some("Basic eDp5"), Some("Bearer x")] {
        let request = authorization.map_or(request.clone(), |value| request.clone().header("Authorization", value));
        assert_eq!(bench.g.http(&request, 0).status, 401);
    }
    let public = request.with_body(format!("{JWT}&client_id=gateway-client-id"));
    assert_eq!(bench.g.http(&public, 0).status, 200, "a public client");
    for (form, error) in [
        ("grant_type=password", "unsupported_grant_type"),
        ("grant_type=authorization_code&code=x", "invalid_grant"),
        ("grant_type=refresh_token&refresh_token=x", "invalid_grant"),
        (JWT.trim_end_matches("0.jwt"), "invalid_grant"),
    ] {
        let response = bench.token(form);
        assert_eq!((response.status, json(&response)["error"].as_str()), (400, Some(error)));
    }
}

#[test]
fn an_access_token_lives_3600_seconds_and_takes_its_sockets_along() {
    let mut bench = bench();
    let token = log_in(&mut bench);
    assert!(works(&mut bench, &token["access_token"]));
    bench.at(1801 * S);
    let conn = bench.open(None);
    bench.outputs();
    bench.at(3600 * S - 1);
    assert!(works(&mut bench, &token["access_token"]));
    assert_eq!(bench.outputs(), []);
    bench.at(3600 * S);
    assert!(!works(&mut bench, &token["access_token"]));
    assert_eq!(close_of(&bench.outputs(), conn).unwrap().0, 1008);
    assert_eq!(json(&bench.get("/restapi/v1.0/account/~"))["errorCode"], "OAU-128");
}

#[test]
fn a_refresh_kills_the_old_access_token_and_keeps_the_socket() {
    let mut bench = bench();
    let old = log_in(&mut bench);
    assert!(works(&mut bench, &old["access_token"]));
    bench.at(3000 * S);
    bench.open(None);
    let new = refresh(&mut bench, &old["refresh_token"]).unwrap();
    assert!(!works(&mut bench, &old["access_token"]));
    assert!(works(&mut bench, &new["access_token"]));
    bench.at(4000 * S);
    assert_eq!(bench.g.connections().count(), 1);
}

#[test]
fn a_used_refresh_token_works_ten_seconds_after_the_new_token_was_first_used() {
    for (after, good) in [(10 * S - 1, true), (10 * S, false)] {
        let mut bench = bench();
        let first = log_in(&mut bench);
        let second = refresh(&mut bench, &first["refresh_token"]).unwrap();
        bench.at(100 * S);
        assert!(works(&mut bench, &second["access_token"]));
        bench.at(100 * S + after);
        let result = refresh(&mut bench, &first["refresh_token"]);
        assert_eq!(result.is_ok(), good);
        if !good {
            assert_eq!(result, Err((400, "OAU-213".to_owned())));
        }
    }
}

#[test]
fn a_used_refresh_token_works_for_an_hour_while_the_new_one_is_unused() {
    for (after, good) in [(3600 * S - 1, true), (3600 * S, false)] {
        let mut bench = bench();
        let first = log_in(&mut bench);
        refresh(&mut bench, &first["refresh_token"]).unwrap();
        bench.at(after);
        assert_eq!(refresh(&mut bench, &first["refresh_token"]).is_ok(), good);
    }
}

#[test]
fn a_refresh_token_lives_a_week() {
    for (at, good) in [(604_800 * S - 1, true), (604_800 * S, false)] {
        let mut bench = bench();
        let token = log_in(&mut bench);
        bench.at(at);
        assert_eq!(refresh(&mut bench, &token["refresh_token"]).is_ok(), good);
    }
}

#[test]
fn the_sixth_session_ends_the_first_with_its_socket() {
    let mut bench = Bench::new(|_| {});
    let conn = bench.open(None);
    let first = bench.access.clone();
    bench.outputs();
    for _ in 0..4 {
        log_in(&mut bench);
    }
    assert_eq!(bench.outputs(), []);
    log_in(&mut bench);
    assert_eq!(close_of(&bench.outputs(), conn).unwrap().0, 1008);
    assert_eq!((bench.g.oauth_session_count(), bench.g.session_count()), (5, 0));
    assert!(!works(&mut bench, &first.into()));
}

#[test]
fn revoking_ends_the_session_and_its_socket() {
    let mut bench = bench();
    let token = log_in(&mut bench);
    assert!(works(&mut bench, &token["access_token"]));
    let conn = bench.open(None);
    bench.outputs();
    let access = token["access_token"].as_str().unwrap();
    let request = HttpRequest::new("POST", "/restapi/oauth/revoke")
        .header("Authorization", "Basic Z2F0ZXdheS1jbGllbnQtaWQ6Z2F0ZXdheS1jbGllbnQtc2VjcmV0")
        .with_body(format!("token={access}"));
    assert_eq!(bench.g.http(&request, 0).status, 200);
    assert!(close_of(&bench.outputs(), conn).is_some());
    assert!(!works(&mut bench, &token["access_token"]));
    assert!(refresh(&mut bench, &token["refresh_token"]).is_err());
}

#[test]
fn a_revocation_closes_a_socket_that_waits_for_its_details() {
    let mut bench = Bench::new(|config| {
        config.oauth = GatewayConfig::default().oauth;
        config.details_delay = Duration::from_secs(1);
    });
    let conn = bench.open(None);
    bench.outputs();
    let form = format!("token={}", bench.access);
    let request = HttpRequest::new("POST", "/restapi/oauth/revoke")
        .header("Authorization", "Basic Z2F0ZXdheS1jbGllbnQtaWQ6Z2F0ZXdheS1jbGllbnQtc2VjcmV0")
        .with_body(form);
    assert_eq!(bench.g.http(&request, 0).status, 200);
    assert!(close_of(&bench.outputs(), conn).is_some(), "its login is gone");
    bench.at(2 * S);
    assert_eq!((bench.outputs(), bench.g.session_count()), (Vec::new(), 0));
}

/// An authorization code, asked for with these parameters; the answer if there is none.
fn code(bench: &mut Bench, parameters: &str) -> Result<String, (u16, String)> {
    let target = format!(
        "/restapi/oauth/authorize?response_type=code&client_id=gateway-client-id\
         &redirect_uri=http%3A%2F%2Flocalhost%2Fcb&state=s%201&{parameters}"
    );
    let response = bench.g.http(&HttpRequest::new("GET", &target), 0);
    let Some(location) = response.get("Location") else {
        return Err((response.status, json(&response)["error"].as_str().unwrap().to_owned()));
    };
    let (_, query) = location.split_once("http://localhost/cb?code=").unwrap();
    let (code, state) = query.split_once('&').unwrap();
    assert_eq!((response.status, state), (302, "state=s+1"));
    Ok(code.to_owned())
}

#[test]
fn an_authorization_code_is_good_once() {
    let mut bench = bench();
    let code = code(&mut bench, "").unwrap();
    let form = format!("grant_type=authorization_code&code={code}&redirect_uri=x");
    assert_eq!(bench.token(&form).status, 200);
    assert_eq!(bench.token(&form).status, 400);
    let code = bench.g.authorization_code(0);
    assert_eq!(bench.token(&format!("grant_type=authorization_code&code={code}")).status, 200);
}

#[test]
fn a_code_with_a_challenge_is_good_with_its_verifier_only() {
    // The pair of RFC 7636, appendix B.
    let (verifier, s256) =
        ("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
    let mut bench = bench();
    for (challenge, method, presented, good) in [
        (s256, "&code_challenge_method=S256", Some(verifier), true),
        (s256, "&code_challenge_method=S256", Some(s256), false),
        (s256, "&code_challenge_method=S256", None, false),
        (verifier, "&code_challenge_method=plain", Some(verifier), true),
        (verifier, "", Some(verifier), true),
        (verifier, "", Some("another"), false),
        (verifier, "", None, false),
    ] {
        let code = code(&mut bench, &format!("code_challenge={challenge}{method}")).unwrap();
        let presented = presented.map_or(String::new(), |verifier| format!("&code_verifier={verifier}"));
        let answer = bench.token(&format!("grant_type=authorization_code&code={code}{presented}"));
        let expected = if good { (200, None) } else { (400, Some("invalid_grant")) };
        assert_eq!((answer.status, json(&answer)["error"].as_str()), expected, "{challenge}{method}{presented}");
    }
    let refused = code(&mut bench, "code_challenge=x&code_challenge_method=S512");
    assert_eq!(refused, Err((400, "invalid_request".to_owned())));
}

#[test]
fn the_token_endpoint_can_be_limited_too() {
    let mut bench = Bench::new(|config| config.oauth.token_rate_limit = Some(5));
    for _ in 0..5 {
        log_in(&mut bench);
    }
    let refused = bench.token(JWT);
    assert_eq!((refused.status, refused.get("Retry-After")), (429, Some("60")));
}

#[test]
fn tokens_expire_and_users_are_logged_out_on_command() {
    let mut bench = bench();
    let token = log_in(&mut bench);
    bench.g.expire_access_tokens(5);
    assert!(!works(&mut bench, &token["access_token"]));
    let token = refresh(&mut bench, &token["refresh_token"]).unwrap();
    assert!(works(&mut bench, &token["access_token"]));
    bench.g.log_out(0, 5);
    assert_eq!(bench.g.oauth_session_count(), 0);
    bench.g.config_mut().oauth.access_token_lifetime = Duration::from_secs(60);
    assert_eq!(log_in(&mut bench)["expires_in"], 60);
}
