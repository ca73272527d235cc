//! The timestamps of notifications.

/// Reads a timestamp such as `2026-01-31T08:00:00.123Z` or `…+0000`; in milliseconds since 1970.
pub(super) fn unix_millis(text: &str) -> Option<u64> {
    let (date, rest) = text.split_once('T')?;
    let mut date = date.splitn(3, '-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let end = rest.find(['Z', '+', '-'])?;
    let (time, zone) = rest.split_at(end);
    let (time, fraction) = time.split_once('.').unwrap_or((time, ""));
    let mut time = time.splitn(3, ':').map(number);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let in_range = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = days(year, month, day) * 86_400 + hour * 3_600 + minute * 60 + second - offset(zone)?;
    let digits = fraction.get(..fraction.len().min(3))?;
    let millis = match digits.len() {
        0 => 0,
        1 => number(digits)? * 100,
        2 => number(digits)? * 10,
        _ => number(digits)?,
    };
    u64::try_from(seconds * 1_000 + millis).ok()
}

/// Digits only.
fn number(text: &str) -> Option<i64> {
    let is_number = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { text.parse().ok() } else { None }
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    let east = match zone.as_bytes().first()? {
        b'Z' if zone.len() == 1 => return Some(0),
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (hours, minutes) = (number(zone.get(1..3)?)?, zone.get(3..)?);
    let minutes = number(minutes.strip_prefix(':').unwrap_or(minutes))?;
    Some(east * (hours * 3_600 + minutes * 60))
}

/// Days since 1970 of a date of the Gregorian calendar. Years begin in March here, so that the leap day is the last.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap_days = year / 4 - year / 100 + year / 400;
    year * 365 + leap_days + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timestamps_of_all_forms_are_read() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2000-02-29T12:34:56.789Z", 951_827_696_789),
            ("2026-01-31T08:00:00.1Z", 1_769_846_400_100),
            ("2026-01-31T08:00:00.123456Z", 1_769_846_400_123),
            ("2026-01-31T08:00:00+0000", 1_769_846_400_000),
            ("2026-01-31T08:00:00.000+02:00", 1_769_839_200_000),
            ("2024-03-01T00:00:00-0130", 1_709_256_600_000),
        ] {
            assert_eq!(unix_millis(text), Some(millis), "{text}");
        }
    }

    #[test]
    fn what_is_no_timestamp_is_left_out() {
        for text in [
            "",
            "T",
            "now",
            "2026-01-31",
            "2026-01-31T08:00",
            "2026-01-31T08:00:00",
            "2026-13-01T00:00:00Z",
            "2026-01-31T24:00:00Z",
            "-026-01-31T08:00:00Z",
            "2026-01-31T08:00:00.12äZ",
            "2026-01-31T08:00:00Zulu",
            "1970-01-01T00:00:00+0100",
            "2026-01-31T08:00:00+",
            "99999-01-31T08:00:00Z",
        ] {
            assert_eq!(unix_millis(text), None, "{text}");
        }
    }
}
