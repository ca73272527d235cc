//! A visitor logs in, and the messages are counted.

use crate::common;

use common::{Program, get, server, wait_until};

#[test]
fn a_visitor_logs_in_and_messages_are_counted() {
    let server = server();
    let mut program = Program::start(env!("CARGO_BIN_EXE_oauth-web"), &server, |command| {
        command.env_remove("RC_USER_JWT").arg("127.0.0.1:0");
    });
    let line = program.line("open http://");
    let site = line.strip_prefix("open ").expect("an address").trim_end_matches('/');
    assert_eq!(get(&format!("{site}/"), "").body, "Log in at /login.\n");
    let login = get(&format!("{site}/login"), "");
    let (to, cookie) = (login.header("location").expect("a redirect"), login.header("set-cookie").expect("a cookie"));
    assert!(to.starts_with(&server.http_url()) && to.contains("code_challenge_method=S256"), "{to}");
    assert!(cookie.contains("HttpOnly") && cookie.contains("SameSite=Lax"), "{cookie}");
    let cookie = format!("Cookie: a=b; {}\r\n", cookie.split(';').next().expect("a value"));
    let agreed = get(to, "");
    let back = agreed.header("location").expect("a redirect");
    assert!(back.starts_with(site), "{back}");

    // Another browser cannot finish this login.
    for stranger in ["", "Cookie: login=0123\r\n", "Cookie: login=0123.4567\r\n"] {
        assert!(get(back, stranger).head.starts_with("HTTP/1.1 400"));
    }
    assert!(get(back, &cookie).head.starts_with("HTTP/1.1 303"));
    // Nor can this one finish it twice: the code is spent.
    assert!(get(back, &cookie).head.starts_with("HTTP/1.1 400"));
    // A cut before it knows that it is subscribed would be a gap.
    program.line("subscribed to 1 filter");
    server.receive_sms(0, "+16505550100", "Hello");
    server.drop_connections();
    server.receive_sms(0, "+16505550100", "Hello");
    wait_until("both are counted", || get(&format!("{site}/"), "").body.contains(": 2 messages"));
    // Logging in anew ends the client before.
    let login = get(&format!("{site}/login"), "");
    let cookie = format!("Cookie: {}\r\n", login.header("set-cookie").expect("a cookie"));
    let agreed = get(login.header("location").expect("a redirect"), "");
    assert!(get(agreed.header("location").expect("a redirect"), &cookie).head.starts_with("HTTP/1.1 303"));
    wait_until("one client is left", || server.with_gateway(|gateway, _| gateway.subscriptions().count()) == 1);
    server.receive_sms(0, "+16505550100", "Hello");
    wait_until("it is counted", || get(&format!("{site}/"), "").body.contains(": 1 messages"));
}
