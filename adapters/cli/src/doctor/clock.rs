//! The clock of this machine beside the server's.

use std::time::{Duration, SystemTime};

use http::{HeaderMap, header};

use super::report::Problem;

/// A difference from which on something is wrong.
const WRONG: Duration = Duration::from_secs(300);
/// A difference worth a word: answers say whole seconds, and travel.
const WORTH_A_WORD: Duration = Duration::from_secs(30);

/// What the answer's `Date` says about the clock here; `now` is when it arrived.
pub(super) fn compare(headers: &HeaderMap, now: SystemTime) -> (String, Option<Problem>) {
    let date = headers.get(header::DATE).and_then(|date| date.to_str().ok());
    let Some(server) = date.and_then(|date| httpdate::parse_http_date(date).ok()) else {
        return ("the server does not say its time".to_owned(), None);
    };
    let (difference, way) = match now.duration_since(server) {
        Ok(ahead) => (ahead, "ahead of"),
        Err(behind) => (behind.duration(), "behind"),
    };
    if difference < WORTH_A_WORD {
        return ("the clock is right within seconds".to_owned(), None);
    }
    let what = format!("the clock of this machine is {} {way} the server's", words(difference));
    let is_hours = is_about_hours(difference);
    let mend = if is_hours {
        "set the clock: a whole hour off is a wrong time zone, or a clock set to local time that is read as UTC"
    } else {
        "set the clock, and turn on time synchronisation (NTP)"
    };
    let problem = Problem::new(&what, mend);
    (what, Some(if difference < WRONG { problem.minor() } else { problem }))
}

fn words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ ..120 => format!("{seconds} s"),
        seconds @ ..3_540 => format!("{} min", (seconds + 30) / 60),
        seconds => format!("{} h {} min", (seconds + 30) / 3_600, (seconds + 30) % 3_600 / 60),
    }
}

fn is_about_hours(time: Duration) -> bool {
    const NEAR: u64 = 120;
    let seconds = time.as_secs();
    seconds >= 3_600 - NEAR && (seconds + NEAR) % 3_600 <= 2 * NEAR
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(server: SystemTime, now: SystemTime) -> Option<Problem> {
        let mut headers = HeaderMap::new();
        headers.insert(header::DATE, httpdate::fmt_http_date(server).parse().unwrap());
        compare(&headers, now).1
    }

    #[test]
    fn an_hour_is_named_and_a_second_is_nothing() {
        let server = SystemTime::UNIX_EPOCH + Duration::from_secs(1_755_728_635);
        assert_eq!(at(server, server + Duration::from_secs(5)), None);
        let problem = at(server, server + Duration::from_secs(3_601)).unwrap();
        assert!(!problem.is_minor && problem.what.contains("1 h 0 min ahead"), "{problem:?}");
        assert!(problem.mend.contains("time zone"));
        let problem = at(server, server - Duration::from_secs(3_595)).unwrap();
        assert!(problem.what.contains("1 h 0 min behind") && problem.mend.contains("time zone"), "{problem:?}");
        let problem = at(server, server + Duration::from_secs(1_200)).unwrap();
        assert!(problem.what.contains("20 min") && problem.mend.contains("NTP"), "{problem:?}");
        assert!(at(server, server + Duration::from_secs(60)).unwrap().is_minor);
        assert_eq!(compare(&HeaderMap::new(), server).1, None);
    }
}
