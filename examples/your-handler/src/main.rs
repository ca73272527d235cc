//! The program: credentials from the environment, and an end by Ctrl-C. The guide's chapter on testing has this text.

use ringcentral_ws::{Client, Close, Error, Filter};

#[tokio::main]
async fn main() -> Result<(), Error> {
    let (client, events) = Client::from_env()?.filters([Filter::sms()]).start()?;
    client.close_when(tokio::signal::ctrl_c(), Close::Revoke);
    your_handler::run(client, events).await.or_else(Error::unless_closing)
}
