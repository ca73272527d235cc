//! Many accounts in one process: a client each, a line of status every two seconds.
//!
//!     cargo run -p ringcentral-ws-examples --bin many-accounts -- jwts.txt 60
//!
//! The file has a JWT in each line; server and app are in the environment (README.md). The app needs the permission
//! ReadMessages. The number is how many logins and refreshes all of them make in a minute, by default 60. 200 accounts
//! are ready within a minute only with 200 or more, and RingCentral announced 5 a minute for an app on its token
//! endpoint: have its support raise that limit for your app first. An account that fails does not disturb the others.

use std::{env, error::Error, fs, time::Duration};

use futures_util::future::join_all;
use ringcentral_ws::{Client, Close, CloseReason, Event, Filter, IoLimits, Jwt, LoginLimits};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let path = env::args().nth(1).ok_or("usage: many-accounts FILE [LOGINS_A_MINUTE]")?;
    let logins = env::args().nth(2).map_or(Ok(60), |number| number.parse())?;
    // On this machine too, so that the stand-in shows how long it takes.
    let limits = LoginLimits::default().app_ceiling(Some(logins)).on_loopback(true);
    let mut clients = Vec::new();
    for (n, jwt) in fs::read_to_string(path)?.lines().filter(|line| !line.trim().is_empty()).enumerate() {
        let login = Jwt::from_vars(|name| if name == "RC_USER_JWT" { Some(jwt.into()) } else { env::var(name).ok() })?;
        // Events that wait to be taken, in bytes for each account.
        let queue = IoLimits { event_bytes: 4 << 20, ..IoLimits::default() };
        let builder = Client::builder(login.login_limits(limits)).limits(queue).filters([Filter::sms()]);
        let (client, mut events) = builder.start()?;
        clients.push(client);
        tokio::spawn(async move {
            while let Some(event) = events.next().await {
                match event {
                    Event::Gap(gap) => println!("account {n}: {gap}"),
                    Event::Closed { reason: CloseReason::Permanent(cause) } => eprintln!("account {n}: {cause}"),
                    _ => {} // Yours: Event::Notification.
                }
            }
        });
    }
    let status = async || loop {
        let ready = clients.iter().filter(|client| client.health().is_ready()).count();
        let notifications: u64 = clients.iter().map(|client| client.stats().notifications).sum();
        println!("{ready} of {} ready, {notifications} notifications", clients.len());
        tokio::time::sleep(Duration::from_secs(2)).await;
    };
    tokio::select! { () = status() => {} stop = tokio::signal::ctrl_c() => stop? }
    join_all(clients.iter().map(|client| client.close(Close::Revoke))).await;
    Ok(())
}
