//! The test of the handler, in which the stand-in server repeats, cuts, forgets and refuses. The guide's chapter on
//! testing has this text.

use ringcentral_ws::{Client, Close, Error, Filter};
use ringcentral_ws_gateway::Server;

#[tokio::test(flavor = "multi_thread")]
async fn each_message_is_answered_once() -> Result<(), Error> {
    let server = Server::start(Default::default())?;
    let builder = Client::from_vars(server.env())?.for_tests();
    let (client, events) = builder.filters([Filter::sms()]).start()?;
    let program = tokio::spawn(your_handler::run(client.clone(), events));
    server.wait_for_subscription();
    // A notification is sent twice.
    server.duplicate_next(1);
    server.receive_sms(0, "+16505550101", "Are you open?");
    server.wait_for_sent_sms(0, 1);
    // The connection is cut, and the session recovered: what came meanwhile is replayed.
    server.drop_connections();
    server.receive_sms(0, "+16505550102", "Are you open?");
    server.wait_for_sent_sms(0, 2);
    // The server forgets the session: a gap says so, and hides a message.
    server.restart();
    server.receive_sms(0, "+16505550103", "Are you open?");
    server.wait_for_sent_sms(0, 3);
    // An answer is refused, and the program goes on.
    server.next_http_fails(your_handler::SMS, 403, "", &[]);
    server.receive_sms(0, "+16505550104", "Are you open?");
    server.receive_sms(0, "+16505550105", "Are you open?");
    server.wait_for_sent_sms(0, 4);
    client.close_when_idle(Close::Revoke).await;
    program.await??;
    let answered: Vec<_> = server.sent_sms(0).into_iter().map(|sms| sms.to).collect();
    assert_eq!(answered, ["+16505550101", "+16505550102", "+16505550103", "+16505550105"]);
    assert_eq!(client.stats().gaps, 1);
    Ok(())
}
