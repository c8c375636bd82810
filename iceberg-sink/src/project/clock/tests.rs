//! Texts of times, with the corners of the calendar.

use super::*;

#[test]
fn times_have_fixed_width() {
    assert_eq!(time_text(0).unwrap(), "00:00:00.000000");
    assert_eq!(time_text(3_723_000_123).unwrap(), "01:02:03.000123");
    assert_eq!(time_text(DAY_US - 1).unwrap(), "23:59:59.999999");
    assert_eq!([time_text(-1), time_text(DAY_US)], [None, None]);
}

#[test]
fn dates_are_days() {
    let rows = [
        ("1970-01-01", Some(0)),
        ("1969-12-31", Some(-1)),
        ("2000-02-29", Some(11_016)),
        ("0001-01-01", Some(-719_162)),
        ("9999-12-31", Some(2_932_896)),
        ("1900-02-29", None),
        ("2024-02-29", Some(19_782)),
        ("2023-13-01", None),
        ("2023-04-31", None),
        ("2023-00-10", None),
        ("2023-1-10", None),
        ("+023-01-10", None),
        ("2023-01-10T", None),
        ("２023-1-1", None),
    ];
    for (text, days) in rows {
        assert_eq!(parse_date(text), days, "{text}");
    }
}

/// Every day of four centuries follows the one before it.
#[test]
fn no_day_is_skipped_or_doubled() {
    let mut next = parse_date("1800-01-01").unwrap();
    for year in 1800..2200 {
        for month in 1..=12 {
            for day in 1..=31 {
                if let Some(days) = parse_date(&format!("{year:04}-{month:02}-{day:02}")) {
                    assert_eq!(days, next);
                    next += 1;
                }
            }
        }
    }
    assert_eq!(next, parse_date("2200-01-01").unwrap());
}

#[test]
fn date_times_need_an_offset() {
    let rows = [
        ("1970-01-01T00:00:00Z", Some(0)),
        ("1970-01-01t00:00:00.5z", Some(500_000)),
        ("1970-01-01 02:00:00.123456789+02:00", Some(123_456)),
        ("1969-12-31T23:30:00-00:30", Some(0)),
        ("1970-01-01T00:00:00", None),
        ("1970-01-01T23:59:60Z", None),
        ("1970-01-01T24:00:00Z", None),
        ("1970-01-01T00:00:00.Z", None),
        ("1970-01-01T00:00:00+0200", None),
        ("1970-01-01", None),
        ("", None),
    ];
    for (text, micros) in rows {
        assert_eq!(parse_timestamp(text), micros, "{text}");
    }
}

#[test]
fn times_of_day_are_moved_to_utc() {
    let text = |text| parse_time(text).and_then(time_text);
    assert_eq!(text("09:30:00").unwrap(), "09:30:00.000000");
    assert_eq!(text("01:30:00.25+02:00").unwrap(), "23:30:00.250000");
    assert_eq!(text("23:30:00-01:00").unwrap(), "00:30:00.000000");
    assert_eq!(text("9:30:00"), None);
}
