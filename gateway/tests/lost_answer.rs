//! A call that is carried out and never answered.

#[path = "support/net.rs"]
mod net;

use std::io::{Read, Write};
use std::net::TcpStream;

use net::{http, log_in};
use ringcentral_ws_gateway::{Server, ServerConfig};

#[test]
fn an_answer_that_is_lost_leaves_the_call_carried_out() {
    is_lost_after(|server| server.lose_answer("/restapi/oauth/wstoken"));
    is_lost_after(|server| {
        server.lose_answer("DELETE /restapi/oauth/wstoken");
        server.lose_answer("POST /restapi/oauth/wstoken");
    });
    is_lost_after(|server| {
        let body = r#"{"path":"/restapi/oauth/wstoken"}"#;
        assert_eq!(http(server.address(), "POST", "/_gateway/lose", &[], body).status, 200);
    });
}

fn is_lost_after(command: impl FnOnce(&Server)) {
    let server = Server::start(ServerConfig::default()).unwrap();
    let authorization = log_in(&server);
    command(&server);
    let mut stream = TcpStream::connect(server.address()).unwrap();
    let head = "POST /restapi/oauth/wstoken HTTP/1.1\r\nHost: h\r\nContent-Length: 0";
    write!(stream, "{head}\r\nAuthorization: {authorization}\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert_eq!((answer.len(), server.observations().token_calls), (0, 1));
    let headers = [("Authorization", authorization.as_str())];
    assert_eq!(http(server.address(), "POST", "/restapi/oauth/wstoken", &headers, "").status, 200);
}
