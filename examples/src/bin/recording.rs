//! Downloads the recording of each call, when the call is over, to a file `ID.mp3`.
//!
//!     cargo run -p ringcentral-ws-examples --bin recording -- FOLDER
//!
//! It needs the credentials in the environment (README.md) and the app permissions CallControl, ReadCallLog and
//! ReadCallRecording. A file is whole or not there. After a gap the call log of the last day is looked through, and
//! what is there already is left out. Ctrl-C ends it; a download under way is given up.

use std::collections::VecDeque;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::time::Duration;

use ringcentral_ws::payloads::{Id, TelephonySession};
use ringcentral_ws::{ApiError, Body, Client, Event, Filter, NotificationExt, Payload, http};
use serde_json::Value;
use tokio::fs::{self, File};
use tokio::io::AsyncWriteExt;

const ACCOUNT: &str = "/restapi/v1.0/account/~";
const LOG: &str = "/restapi/v1.0/account/~/extension/~/call-log?recordingType=All&perPage=1000";
/// The service needs a while after the call: so often it is asked, in 11 minutes.
const ATTEMPTS: u32 = 15;

type Failure = Box<dyn Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = PathBuf::from(std::env::args().nth(1).ok_or("usage: recording FOLDER")?);
    fs::create_dir_all(&folder).await?;
    let (client, mut events) = Client::from_env()?.filters([Filter::telephony_sessions().with_recordings()]).start()?;
    let mut known = VecDeque::new();
    while let Some(event) = events.next().await {
        let recordings = match &event {
            Event::Notification(n) => match n.payload() {
                Payload::TelephonySession(session) => ended(&session),
                _ => continue,
            },
            Event::Gap(gap) => logged(&client).await.unwrap_or_else(|error| {
                eprintln!("{gap}; the call log cannot be read: {error}");
                Vec::new()
            }),
            Event::SnapshotChanged => continue,
            Event::Closed { reason } => return Ok(reason.clone().into_result()?),
            other => {
                eprintln!("{other}");
                continue;
            }
        };
        for id in recordings {
            // A call may be reported several times, and it makes the name of a file.
            if known.contains(&id) || !id.bytes().all(|byte| byte.is_ascii_digit()) {
                continue;
            }
            known.push_back(id.clone());
            known.drain(..known.len().saturating_sub(10_000));
            // A task each, so that events are taken meanwhile.
            let (client, folder) = (client.clone(), folder.clone());
            tokio::spawn(async move {
                if let Err(error) = keep(&client, &folder, &id).await {
                    eprintln!("recording {id} is not kept: {error}");
                }
            });
        }
    }
    Ok(())
}

/// The recordings of the parties that have hung up.
fn ended(session: &TelephonySession) -> Vec<String> {
    let parties = session.parties.iter();
    let ended = parties.filter(|p| p.status.as_ref().and_then(|s| s.code.as_deref()) == Some("Disconnected"));
    ended.flat_map(|party| &party.recordings).filter_map(|recording| recording.id.as_ref()).map(Id::to_string).collect()
}

async fn logged(client: &Client) -> Result<Vec<String>, Box<dyn Error>> {
    let log: Value = client.get(LOG).await?.error_for_status()?.json()?;
    let records = log["records"].as_array().into_iter().flatten();
    Ok(records.filter_map(|record| record["recording"]["id"].as_str().map(str::to_owned)).collect())
}

async fn keep(client: &Client, folder: &Path, id: &str) -> Result<(), Failure> {
    let path = folder.join(format!("{id}.mp3"));
    if path.exists() {
        return Ok(());
    }
    let mut pause = Duration::from_secs(1);
    for _ in 1..ATTEMPTS {
        match download(client, &path, id).await {
            Ok(bytes) => {
                println!("{}: {bytes} bytes", path.display());
                return Ok(());
            }
            Err(error) => match error.downcast_ref::<ApiError>() {
                Some(api) if api.status != 404 && !api.is_retryable() => return Err(error),
                api => pause = pause.max(api.and_then(|api| api.retry_after).unwrap_or_default()),
            },
        }
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(Duration::from_secs(60));
    }
    download(client, &path, id).await.map(drop)
}

async fn download(client: &Client, path: &Path, id: &str) -> Result<u64, Failure> {
    let request = http::Request::get(format!("{ACCOUNT}/recording/{id}/content")).body(Body::empty())?;
    let mut answer = client.download(request).await?;
    if let Some(error) = ApiError::from_response(&answer) {
        return Err(error.into());
    }
    let part = path.with_extension("part");
    let mut file = File::create(&part).await?;
    while let Some(chunk) = answer.body_mut().chunk().await {
        file.write_all(&chunk?).await?;
    }
    file.sync_all().await?;
    fs::rename(&part, &path).await?;
    Ok(answer.body().received())
}
