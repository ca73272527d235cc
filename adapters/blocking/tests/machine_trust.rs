//! A server whose certificate only the machine knows: what `native-roots` and `platform-verifier` are for.
//!
//! Run by `.ci/features`, with either feature. A process reads the machine's certificates from the file that
//! `SSL_CERT_FILE` names, so the test starts itself again with that set.
#![cfg(feature = "native-roots")]

use std::process::Command;
use std::time::Duration;

use ringcentral_ws_api::{ClientApp, Filter};
use ringcentral_ws_blocking::{Client, Jwt, default_tls};
use ringcentral_ws_core::{Close, Event};
use ringcentral_ws_gateway::{Server, ServerConfig};

const DEADLINE: Duration = Duration::from_secs(60);

/// The address, the app's id and secret, and the JWT.
type Account = [String; 4];

/// What a user's program does: no word of whom to trust.
fn first_notification(account: &Account) -> Result<(), String> {
    let [server, client_id, client_secret, jwt] = account;
    let server = server.parse().map_err(|error| format!("{error}"))?;
    let secret = Some(client_secret.clone().into());
    let app = ClientApp { server, client_id: client_id.clone(), client_secret: secret };
    let tls = default_tls().map_err(|error| error.to_string())?;
    let (client, mut events) = Client::builder(Jwt::new(app, jwt.clone()))
        .filters([Filter::sms()])
        .tls(tls)
        .start()
        .map_err(|e| e.to_string())?;
    loop {
        match events.next_timeout(DEADLINE).map_err(|_| "nothing came")?.ok_or("it ended")? {
            Event::Subscribed(_) => break,
            Event::Retry { cause, .. } => return Err(cause.to_string()),
            _ => {}
        }
    }
    client.close(Close::Revoke);
    Ok(())
}

// CLAUSE SEC-2
#[test]
fn the_certificates_of_the_machine_are_trusted() {
    if let Ok(account) = std::env::var("MACHINE_TRUST_ACCOUNT") {
        let account: Account = account.split('\n').map(str::to_owned).collect::<Vec<_>>().try_into().unwrap();
        first_notification(&account).unwrap_or_else(|error| panic!("{error}"));
        return;
    }
    let server = Server::start(ServerConfig { tls: true, ..ServerConfig::default() }).unwrap();
    let (app, jwt) = server.with_gateway(|g, _| (g.config().app.clone(), g.config().users[0].jwt.clone()));
    let account: Account = [server.http_url(), app.client_id, app.client_secret, jwt];
    let file = std::env::temp_dir().join(format!("ringcentral-ws-machine-trust-{}.pem", std::process::id()));
    std::fs::write(&file, server.ca_pem().expect("it has TLS")).unwrap();
    let again = |trusting: bool| {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", "the_certificates_of_the_machine_are_trusted"]);
        command.env("MACHINE_TRUST_ACCOUNT", account.join("\n")).env_remove("SSL_CERT_DIR").env_remove("SSL_CERT_FILE");
        if trusting {
            command.env("SSL_CERT_FILE", &file);
        }
        command.output().unwrap()
    };
    let (trusting, strange) = (again(true), again(false));
    std::fs::remove_file(&file).unwrap();
    let stdout_of = |output: &std::process::Output| String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(trusting.status.success(), "{}", stdout_of(&trusting));
    assert!(!strange.status.success(), "it trusted an authority that nobody had named");
    assert!(
        stdout_of(&strange).contains("certificate") || stdout_of(&strange).contains("trusted"),
        "{}",
        stdout_of(&strange)
    );
}
