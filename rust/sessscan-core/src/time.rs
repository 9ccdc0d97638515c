//! Parse RFC 3339 times into epoch milliseconds.

/// Parse `YYYY-MM-DDTHH:MM:SS[.digits](Z|±HH:MM)`; fractions are cut to milliseconds.
///
/// Second 60 counts as second 0 of the next minute. None for anything else, such as times without a zone.
pub(crate) fn parse(raw: &[u8]) -> Option<i64> {
    let (date_time, rest) = raw.split_at_checked(19)?;
    let [_, _, _, _, b'-', _, _, b'-', _, _, b'T' | b't', _, _, b':', _, _, b':', _, _] = date_time else {
        return None;
    };
    let year = number(&date_time[..4])?;
    let month = number(&date_time[5..7])?;
    let day = number(&date_time[8..10])?;
    let (hour, minute) = hour_and_minute(&date_time[11..16])?;
    let second = number(&date_time[17..]).filter(|second| *second <= 60)?;
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) {
        return None;
    }
    let (millis, zone) = fraction(rest)?;
    let offset_minutes = match zone {
        [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), offset @ ..] => {
            let (hours, minutes) = hour_and_minute(offset)?;
            let minutes = hours * 60 + minutes;
            if *sign == b'+' { minutes } else { -minutes }
        }
        _ => return None,
    };
    let minutes = (days_since_epoch(year, month, day) * 24 + hour) * 60 + minute - offset_minutes;
    Some((minutes * 60 + second) * 1000 + millis)
}

fn hour_and_minute(raw: &[u8]) -> Option<(i64, i64)> {
    let [_, _, b':', _, _] = raw else { return None };
    let (hour, minute) = (number(&raw[..2])?, number(&raw[3..])?);
    (hour <= 23 && minute <= 59).then_some((hour, minute))
}

/// Return the milliseconds of an optional fraction, and what is behind it.
fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(digits) = rest.strip_prefix(b".") else { return Some((0, rest)) };
    let count = digits.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let millis = match digits[..count] {
        [] => return None,
        [a] => (a - b'0') as i64 * 100,
        [a, b] => number(&[a, b])? * 10,
        [a, b, c, ..] => number(&[a, b, c])?,
    };
    Some((millis, &digits[count..]))
}

fn number(digits: &[u8]) -> Option<i64> {
    digits
        .iter()
        .try_fold(0, |value, digit| digit.is_ascii_digit().then(|| value * 10 + i64::from(digit - b'0')))
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Return the days since 1970-01-01 in the proleptic Gregorian calendar.
///
/// Years are counted from March, so that the leap day comes last.
fn days_since_epoch(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

#[cfg(test)]
mod tests {
    use super::parse;

    #[test]
    fn parse_takes_rfc_3339_times_with_a_zone_only() {
        for (text, millis) in [
            ("1970-01-01T00:00:00Z", 0),
            ("1970-01-01t00:00:00.0009z", 0),
            ("1969-12-31T23:59:59.999Z", -1),
            ("2026-03-01T12:00:00.123456+01:30", 1_772_361_000_123),
            ("2024-02-29T23:59:60Z", 1_709_251_200_000),
            ("0000-03-01T00:00:00-00:00", -62_162_035_200_000),
            ("2000-02-29T00:00:00.5Z", 951_782_400_500),
        ] {
            assert_eq!(parse(text.as_bytes()), Some(millis), "{text}");
        }
        for text in [
            "",
            "2026-03-01",
            "2026-03-01T12:00:00",
            "2026-03-01 12:00:00Z",
            "2026-02-29T00:00:00Z",
            "2026-03-01T24:00:00Z",
            "2026-03-01T12:60:00Z",
            "2026-03-01T12:00:61Z",
            "2026-03-01T12:00:00.Z",
            "2026-03-01T12:00:00+0100",
            "2026-03-01T12:00:00+24:00",
            "2026-3-01T12:00:00Z",
            "2026-00-01T12:00:00Z",
            "2026-03-01T12:00:00ZZ",
            "+026-03-01T12:00:00Z",
        ] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
    }
}
