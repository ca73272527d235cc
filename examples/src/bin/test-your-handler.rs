//! A handler of events and its test, in which the stand-in server cuts, repeats, forgets and loses.
//!
//!     cargo test -p ringcentral-ws-examples --bin test-your-handler
//!
//! The test needs `ringcentral-ws-gateway` as a dev-dependency, and no account. The program answers SMS; it needs the
//! credentials in the environment (README.md) and the app permissions Read Messages and SMS.

use ringcentral_ws::{Client, Close, Error, Event, Events, Filter, NotificationExt};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (client, events) = Client::from_env()?.filters([Filter::sms()]).start()?;
    client.close_when(tokio::signal::ctrl_c(), Close::Revoke);
    run(client, events).await
}

/// The handler: answers each SMS, and counts the gaps.
async fn run(client: Client, mut events: Events) -> Result<(), Error> {
    let mut gaps = 0;
    while let Some(event) = events.next().await {
        match event {
            Event::Notification(n) => {
                if let Some(answer) = n.sms().and_then(|sms| sms.answer("We are open")) {
                    client.post("/restapi/v1.0/account/~/extension/~/sms", &answer).await?.error_for_status()?;
                }
            }
            Event::Gap(gap) => {
                gaps += 1;
                println!("gap {gaps}: {gap}");
            }
            Event::Closed { reason } => return Ok(reason.into_result()?),
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
#[tokio::test(flavor = "multi_thread")]
async fn faults_neither_double_nor_hide_a_message() -> Result<(), Error> {
    let server = ringcentral_ws_gateway::Server::start(Default::default())?;
    let (client, events) = Client::from_vars(server.env())?.filters([Filter::sms()]).start()?;
    let program = tokio::spawn(run(client.clone(), events));
    server.wait_for_subscription();
    server.duplicate_next(1);
    server.receive_sms(0, "+16505550101", "sent twice");
    server.wait_for_sent_sms(0, 1);
    server.drop_connections();
    server.receive_sms(0, "+16505550102", "replayed after the recovery");
    server.wait_for_sent_sms(0, 2);
    server.restart();
    server.receive_sms(0, "+16505550103", "nobody hears this");
    server.wait_for_subscription();
    server.receive_sms(0, "+16505550104", "after the gap");
    let answered: Vec<_> = server.wait_for_sent_sms(0, 3).into_iter().map(|sms| sms.to).collect();
    assert_eq!(answered, ["+16505550101", "+16505550102", "+16505550104"]);
    assert_eq!(client.stats().gaps, 1);
    client.close(Close::Revoke).await;
    program.await?
}
