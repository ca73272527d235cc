//! Times as the service writes them.

use std::fmt;
use std::str::FromStr;

use super::UnixMillis;

/// A text is not a time such as `2023-11-14T22:13:20.123Z`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParseTimeError;

impl fmt::Display for ParseTimeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not a time such as 2023-11-14T22:13:20.123Z")
    }
}

impl std::error::Error for ParseTimeError {}

/// Reads what [`Display`](fmt::Display) writes (RFC 3339), and the other forms in which the service writes times:
/// without a fraction or with a longer one (what is below a millisecond is cut off), without seconds, and with an offset
/// (`+0000`, `+01:00`) in place of `Z`. A time without either is in UTC. Years before 1970 are refused.
///
/// ```
/// use ringcentral_ws_core::UnixMillis;
///
/// let time: UnixMillis = "2023-11-14T23:13:20.123+01:00".parse()?;
/// assert_eq!(time.to_string(), "2023-11-14T22:13:20.123Z");
/// # Ok::<(), ringcentral_ws_core::ParseTimeError>(())
/// ```
impl FromStr for UnixMillis {
    type Err = ParseTimeError;

    fn from_str(text: &str) -> Result<Self, ParseTimeError> {
        read(text.trim()).ok_or(ParseTimeError)
    }
}

fn read(text: &str) -> Option<UnixMillis> {
    let (date, clock) = text.split_once(['T', ' '])?;
    let mut date = date.splitn(3, '-').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let zone = clock.find(['Z', 'z', '+', '-']).unwrap_or(clock.len());
    let (clock, zone) = clock.split_at(zone);
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut clock = clock.splitn(3, ':').map(number);
    let (hour, minute) = (clock.next()??, clock.next()??);
    let second = clock.next().unwrap_or(Some(0))?;
    let in_range = (1970..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    if !in_range || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let seconds = ((days(year, month, day) * 24 + hour) * 60 + minute) * 60 + second - offset(zone)?;
    u64::try_from(seconds * 1000 + millis(fraction)?).ok().map(UnixMillis)
}

/// The first three digits of a fraction of a second.
fn millis(fraction: &str) -> Option<i64> {
    let digits = fraction.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| fraction.bytes().chain(*b"000").take(3).fold(0, |n, digit| n * 10 + i64::from(digit - b'0')))
}

/// Seconds east of Greenwich.
fn offset(zone: &str) -> Option<i64> {
    if matches!(zone, "" | "Z" | "z") {
        return Some(0);
    }
    let (sign, digits) = zone.split_at_checked(1)?;
    let (hours, minutes) = digits.split_at_checked(2)?;
    let minutes = minutes.strip_prefix(':').unwrap_or(minutes);
    let (hours, minutes) = (number(hours)?, if minutes.is_empty() { 0 } else { number(minutes)? });
    let east = (hours <= 23 && minutes <= 59).then_some((hours * 60 + minutes) * 60)?;
    Some(if sign == "-" { -east } else { east })
}

/// Digits only.
fn number(text: &str) -> Option<i64> {
    let digits = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().ok()).flatten()
}

/// Days since 1970-01-01 of a date of the Gregorian calendar: years are counted from March, so that the odd day is the
/// last one.
const fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let leap = year / 4 - year / 100 + year / 400;
    year * 365 + leap + (153 * month + 2) / 5 + day - 1 - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_the_service_writes_them() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("2023-11-14T22:13:20.123Z", 1_700_000_000_123),
            ("2023-11-14 22:13:20.123z", 1_700_000_000_123),
            ("2023-11-14T22:13:20.1Z", 1_700_000_000_100),
            ("2023-11-14T22:13:20.123456789012Z", 1_700_000_000_123),
            ("2023-11-14T22:13:20.123+0000", 1_700_000_000_123),
            ("2023-11-14T22:13:20.123", 1_700_000_000_123),
            ("2023-11-14T23:13:20+01:00", 1_700_000_000_000),
            ("2023-11-14T23:13:20+01", 1_700_000_000_000),
            ("2023-11-14T20:43:20-0130", 1_700_000_000_000),
            ("2024-02-29T00:00:00Z", 1_709_164_800_000),
            ("2024-03-01T00:00:00-0130", 1_709_256_600_000),
            ("2023-11-14T22:13", 1_699_999_980_000),
            // A leap second.
            ("2016-12-31T23:59:60Z", 1_483_228_800_000),
        ] {
            assert_eq!(text.parse(), Ok(UnixMillis(millis)), "{text}");
        }
        for ms in [0, 951_782_400_000, 1_700_000_000_123, 4_102_444_799_999, super::super::LAST] {
            assert_eq!(UnixMillis(ms).to_string().parse(), Ok(UnixMillis(ms)));
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "T",
            "now",
            "2023-11-14",
            "2023-13-14T00:00:00Z",
            "2023-11-32T00:00:00Z",
            "2023-11-14T25:00:00Z",
            "2023-11-14T22:60:00Z",
            "2023-11-14T22:13:61Z",
            "2023-+1-14T00:00:00Z",
            "2023-11-14T22:13:20.12éZ",
            "2023-11-14T22:13:20.é",
            "2023-11-14Tééé",
            "2023-11-14T22:13:20Zulu",
            "2023-11-14T22:13:20+",
            "2023-11-14T22:13:20+é0",
            "2023-11-14T22:13:20+24:00",
            "2023-11-14T22:13:20+00:60",
            "-023-11-14T22:13:20Z",
            "99999-11-14T22:13:20Z",
            "1969-12-31T23:59:59Z",
            "1970-01-01T00:00:00+0100",
        ] {
            assert_eq!(text.parse::<UnixMillis>(), Err(ParseTimeError), "{text}");
        }
        assert!(ParseTimeError.to_string().contains("2023-11-14T22:13:20.123Z"));
    }
}
