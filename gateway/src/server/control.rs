//! The control resources under `/_gateway/`, by which other processes script the server.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use crate::server::command::{self, Command};
use crate::server::refusals::Refusals;
use crate::server::script::{self, Script};
use crate::server::shared::Shared;
use crate::server::status;
use crate::{HttpRequest, HttpResponse};

pub(super) fn answer(request: &HttpRequest, refuse: &Refusals, shared: &Arc<Shared>) -> HttpResponse {
    let (path, query) = request.path_and_query();
    let name = path.trim_start_matches("/_gateway/");
    if request.method == "GET" && name.is_empty() {
        return status::page();
    }
    let members = match request.body.as_slice() {
        [] => Map::new(),
        body => match serde_json::from_slice(body) {
            Ok(Value::Object(members)) => members,
            _ => return respond(400, &json!({"error": "the body must be a JSON object or absent"})),
        },
    };
    let answer = match request.method.as_str() {
        "GET" => look(name, query, shared).map(Ok),
        "POST" if name == "script" => Some(start_script(&members, refuse, shared)),
        "POST" if command::members_of(name).is_some() => {
            let command = Command::new(name, &members);
            Some(command.and_then(|command| command.carry_out(refuse, shared).map_err(str::to_owned)))
        }
        _ => None,
    };
    match answer {
        Some(Ok(value)) => respond(200, &value),
        Some(Err(message)) => respond(400, &json!({"error": message})),
        None => respond(404, &json!({"error": "no such control resource"})),
    }
}

fn start_script(members: &Map<String, Value>, refuse: &Refusals, shared: &Arc<Shared>) -> Result<Value, String> {
    if let Some(other) = members.keys().find(|member| *member != "script") {
        return Err(format!("script has no member {other}, it has: script"));
    }
    let text = members.get("script").and_then(Value::as_str).ok_or("script is missing")?;
    let script: Script = text.parse().map_err(|error: crate::ScriptError| error.to_string())?;
    let running = Arc::clone(&shared.scripts).try_acquire_owned();
    let running = running.map_err(|_| "16 scripts are running, wait for one to end or restart the program")?;
    let run = script::run(script, refuse.clone(), Arc::clone(shared));
    tokio::spawn(async move {
        run.await;
        drop(running);
    });
    Ok(json!({"done": true}))
}

fn look(name: &str, query: &str, shared: &Shared) -> Option<Value> {
    Some(match name {
        "observations" => shared.look(|g, _, _| json!(g.observations())),
        "events" => {
            let query = crate::text::pairs(query);
            let since: u64 = crate::text::lookup(&query, "since").and_then(|n| n.parse().ok()).unwrap_or(0);
            // It may be given back, and more than 2^53 - 1 is not read exactly in every language.
            let since = since.min((1 << 53) - 1);
            shared.look(|g, _, _| {
                let events: Vec<_> = g.events_since(since).collect();
                let next = events.last().map_or(since, |(number, _)| number + 1);
                json!({"next": next, "events": events.iter().map(|(_, event)| event).collect::<Vec<_>>()})
            })
        }
        "connections" => shared.look(|g, _, _| {
            let connections = g.connections().map(|conn| json!({"conn": conn, "session": g.session_of(conn)}));
            json!(connections.collect::<Vec<_>>())
        }),
        "subscriptions" => shared.look(|g, _, _| {
            let subscriptions = g.subscriptions().map(|(id, filters)| json!({"id": id, "eventFilters": filters}));
            json!(subscriptions.collect::<Vec<_>>())
        }),
        "credentials" => shared.look(|g, _, _| {
            let config = g.config();
            json!({
                "server": config.base_url,
                "client_id": config.app.client_id,
                "client_secret": config.app.client_secret,
                "jwt": config.users.first().map(|user| &user.jwt),
            })
        }),
        "sessions" => shared.look(|g, _, _| json!(g.sessions().collect::<Vec<_>>())),
        "state" => status::state(shared, &mut status::Seen::default()),
        _ => return None,
    })
}

fn respond(status: u16, value: &Value) -> HttpResponse {
    HttpResponse::new(status, value.to_string()).header("Content-Type", "application/json")
}
