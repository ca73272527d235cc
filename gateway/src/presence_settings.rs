//! What a user set for the presence that others see.

use serde_json::Value;

/// What a user set.
#[derive(Debug, Clone)]
pub(crate) struct Presence {
    pub(crate) user_status: String,
    pub(crate) dnd_status: String,
    pub(crate) message: Option<String>,
    pub(crate) allow_see: bool,
    pub(crate) ring_on_monitored: bool,
    pub(crate) pick_up_on_hold: bool,
    pub(crate) sequence: u64,
}

impl Default for Presence {
    fn default() -> Self {
        Self {
            user_status: "Available".to_owned(),
            dnd_status: "TakeAllCalls".to_owned(),
            message: None,
            allow_see: true,
            ring_on_monitored: false,
            pick_up_on_hold: false,
            sequence: 0,
        }
    }
}

/// Characters of a status message at most.
const MAX_MESSAGE: usize = 1000;
const USER_STATUSES: [&str; 3] = ["Available", "Busy", "Offline"];
const DND_STATUSES: [&str; 4] =
    ["TakeAllCalls", "DoNotAcceptAnyCalls", "DoNotAcceptDepartmentCalls", "TakeDepartmentCallsOnly"];

impl Presence {
    /// Takes over what the body of a `PUT` names; the error is the parameter that is wrong.
    pub(crate) fn update(&mut self, body: &Value) -> Result<(), &'static str> {
        let status = |name: &'static str, known: &[&str], now: &mut String| match body.get(name) {
            None => Ok(()),
            Some(value) => match value.as_str().filter(|value| known.contains(value)) {
                Some(value) => {
                    value.clone_into(now);
                    Ok(())
                }
                None => Err(name),
            },
        };
        let flag = |name: &'static str, now: bool| match body.get(name) {
            None => Ok(now),
            Some(value) => value.as_bool().ok_or(name),
        };
        let mut new = self.clone();
        status("userStatus", &USER_STATUSES, &mut new.user_status)?;
        status("dndStatus", &DND_STATUSES, &mut new.dnd_status)?;
        new.allow_see = flag("allowSeeMyPresence", self.allow_see)?;
        new.ring_on_monitored = flag("ringOnMonitoredCall", self.ring_on_monitored)?;
        new.pick_up_on_hold = flag("pickUpCallsOnHold", self.pick_up_on_hold)?;
        if let Some(message) = body.get("message") {
            let text = message.as_str().filter(|text| text.chars().count() <= MAX_MESSAGE).ok_or("message")?;
            new.message = Some(text.to_owned()).filter(|text| !text.is_empty());
        }
        *self = new;
        Ok(())
    }
}
