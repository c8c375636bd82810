//! How are times written, and how are texts of times read?

#[cfg(test)]
mod tests;

const DAY_US: i64 = 86_400_000_000;

/// A time of day as the fixed-width text `HH:MM:SS.ffffff`; none when it is not within one day.
pub fn time_text(micros: i64) -> Option<String> {
    if !(0..DAY_US).contains(&micros) {
        return None;
    }
    let (seconds, fraction) = (micros / 1_000_000, micros % 1_000_000);
    Some(format!("{:02}:{:02}:{:02}.{fraction:06}", seconds / 3600, seconds / 60 % 60, seconds % 60))
}

/// Days from 1970-01-01 of an RFC 3339 full-date.
pub fn parse_date(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' {
        return None;
    }
    let (year, month, day) = (digits(&bytes[..4])?, digits(&bytes[5..7])?, digits(&bytes[8..])?);
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let last = match month {
        1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
        4 | 6 | 9 | 11 => 30,
        2 if leap => 29,
        2 => 28,
        _ => return None,
    };
    if !(1..=last).contains(&day) {
        return None;
    }
    // Days of the proleptic Gregorian calendar, with years that begin in March so that the leap day is the last.
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    Some(era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468)
}

/// Microseconds from 1970-01-01T00:00:00Z of an RFC 3339 date-time; digits finer than microseconds are cut off.
pub fn parse_timestamp(text: &str) -> Option<i64> {
    let (date, rest) = (text.get(..10)?, text.get(10..)?);
    let time = rest.strip_prefix(['T', 't', ' '])?;
    let (micros, offset_us) = parse_clock(time)?;
    Some(parse_date(date)? * DAY_US + micros - offset_us?)
}

/// Microseconds after midnight, UTC when the text has an offset.
pub fn parse_time(text: &str) -> Option<i64> {
    let (micros, offset_us) = parse_clock(text)?;
    Some((micros - offset_us.unwrap_or(0)).rem_euclid(DAY_US))
}

/// `HH:MM:SS[.f…][Z|±HH:MM]` as microseconds and the offset's microseconds. Leap seconds are not representable.
fn parse_clock(text: &str) -> Option<(i64, Option<i64>)> {
    let bytes = text.as_bytes();
    if bytes.len() < 8 || bytes[2] != b':' || bytes[5] != b':' {
        return None;
    }
    let (hour, minute, second) = (digits(&bytes[..2])?, digits(&bytes[3..5])?, digits(&bytes[6..8])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let mut rest = &bytes[8..];
    let mut fraction = 0;
    if let Some(tail) = rest.strip_prefix(b".") {
        let count = tail.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let first = &tail[..count.min(6)];
        fraction = digits(first)? * 10i64.pow(6 - first.len() as u32);
        rest = &tail[count..];
    }
    let offset_us = match rest {
        [] => None,
        [b'Z' | b'z'] => Some(0),
        [sign @ (b'+' | b'-'), offset @ ..] if offset.len() == 5 && offset[2] == b':' => {
            let (hours, minutes) = (digits(&offset[..2])?, digits(&offset[3..])?);
            if hours > 23 || minutes > 59 {
                return None;
            }
            let micros = (hours * 60 + minutes) * 60_000_000;
            Some(if *sign == b'-' { -micros } else { micros })
        }
        _ => return None,
    };
    Some((((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction, offset_us))
}

/// A number of at least one and few digits.
fn digits(bytes: &[u8]) -> Option<i64> {
    if bytes.is_empty() {
        return None;
    }
    bytes.iter().try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}
