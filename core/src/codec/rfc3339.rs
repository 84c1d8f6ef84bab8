//! RFC 3339 date-times and the calendar behind them: text to seconds since 1970 and back.

use std::fmt;

const SECONDS_PER_DAY: i64 = 86_400;
/// The first and the last second that four-digit years can name: 0000-01-01T00:00:00Z and 9999-12-31T23:59:59Z.
pub(super) const RANGE: std::ops::RangeInclusive<i64> = -62_167_219_200..=253_402_300_799;

/// Days since 1970-01-01 in the proleptic Gregorian calendar. Years begin in March here, so that leap days come last.
fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

/// Year, month and day of a day since 1970-01-01.
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Writes UTC with as many decimals as are needed, at most nine, as Go does.
pub(super) fn write(f: &mut fmt::Formatter<'_>, seconds: i64, nanos: u32) -> fmt::Result {
    let (year, month, day) = civil_from_days(seconds.div_euclid(SECONDS_PER_DAY));
    let time = seconds.rem_euclid(SECONDS_PER_DAY);
    if (0..=9999).contains(&year) {
        write!(f, "{year:04}")?;
    } else {
        write!(f, "{year:+}")?;
    }
    write!(f, "-{month:02}-{day:02}T{:02}:{:02}:{:02}", time / 3600, time / 60 % 60, time % 60)?;
    if nanos != 0 {
        let (mut digits, mut width) = (nanos, 9);
        while digits % 10 == 0 {
            digits /= 10;
            width -= 1;
        }
        write!(f, ".{digits:0width$}")?;
    }
    f.write_str("Z")
}

/// Seconds since 1970 and nanoseconds of `2006-01-02T15:04:05.999999999+07:00`; `None` if it is anything else.
///
/// Decimals after the ninth are dropped.
pub(super) fn parse(text: &str) -> Option<(i64, u32)> {
    let mut rest = Cursor(text.as_bytes());
    let year = rest.number(4)?;
    rest.expect(b'-')?;
    let month = rest.number(2).filter(|month| (1..=12).contains(month))?;
    rest.expect(b'-')?;
    let day = rest.number(2).filter(|day| (1..=days_in_month(year, month)).contains(day))?;
    rest.expect(b'T')?;
    let hour = rest.number(2).filter(|hour| *hour < 24)?;
    rest.expect(b':')?;
    let minute = rest.number(2).filter(|minute| *minute < 60)?;
    rest.expect(b':')?;
    let second = rest.number(2).filter(|second| *second < 60)?;
    let nanos = if rest.take_if(b'.') { rest.nanos()? } else { 0 };
    let offset = rest.offset()?;
    if !rest.0.is_empty() {
        return None;
    }
    let days = days_from_civil(year, month, day);
    Some((days * SECONDS_PER_DAY + hour * 3600 + minute * 60 + second - offset, nanos))
}

struct Cursor<'a>(&'a [u8]);

impl Cursor<'_> {
    fn number(&mut self, digits: usize) -> Option<i64> {
        let (head, tail) = self.0.split_at_checked(digits)?;
        self.0 = tail;
        head.iter().try_fold(0, |n, c| c.is_ascii_digit().then(|| n * 10 + i64::from(c - b'0')))
    }

    fn take_if(&mut self, byte: u8) -> bool {
        let found = self.0.first() == Some(&byte);
        if found {
            self.0 = &self.0[1..];
        }
        found
    }

    fn expect(&mut self, byte: u8) -> Option<()> {
        self.take_if(byte).then_some(())
    }

    fn nanos(&mut self) -> Option<u32> {
        let digits = self.0.iter().take_while(|c| c.is_ascii_digit()).count();
        let (head, tail) = self.0.split_at(digits);
        self.0 = tail;
        if digits == 0 {
            return None;
        }
        Some((0..9).fold(0, |n, i| n * 10 + head.get(i).map_or(0, |c| u32::from(c - b'0'))))
    }

    /// Seconds east of Greenwich.
    fn offset(&mut self) -> Option<i64> {
        if self.take_if(b'Z') {
            return Some(0);
        }
        let sign = match self.0.first()? {
            b'+' => 1,
            b'-' => -1,
            _ => return None,
        };
        self.0 = &self.0[1..];
        let hours = self.number(2).filter(|hours| *hours < 24)?;
        self.expect(b':')?;
        let minutes = self.number(2).filter(|minutes| *minutes < 60)?;
        Some(sign * (hours * 3600 + minutes * 60))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_agrees_with_itself_over_eight_centuries() {
        let mut day = days_from_civil(1600, 1, 1);
        for year in 1600..2400 {
            for month in 1..=12 {
                for date in 1..=days_in_month(year, month) {
                    assert_eq!((days_from_civil(year, month, date), civil_from_days(day)), (day, (year, month, date)));
                    day += 1;
                }
            }
        }
    }

    #[test]
    fn parses_what_go_parses_and_nothing_else() {
        assert_eq!(parse("1970-01-01T00:00:00Z"), Some((0, 0)));
        assert_eq!(parse("2023-11-15T00:13:20.120+02:00"), Some((1_700_000_000, 120_000_000)));
        assert_eq!(parse("2023-11-14T22:13:20.1234567899Z"), Some((1_700_000_000, 123_456_789)));
        assert_eq!(parse("0001-01-01T00:00:00Z"), Some((-62_135_596_800, 0)));
        assert_eq!(parse("9999-12-31T23:59:59Z"), Some((*RANGE.end(), 0)));
        assert_eq!(parse("0000-01-01T00:00:00Z"), Some((*RANGE.start(), 0)));
        let wrong = [
            "",
            "2023",
            "2023-11-14",
            "2023-11-14 22:13:20Z",
            "2023-11-14t22:13:20Z",
            "2023-11-14T22:13:20",
            "2023-11-14T22:13:60Z",
            "2023-02-29T00:00:00Z",
            "2023-13-01T00:00:00Z",
            "2023-11-14T24:00:00Z",
            "2023-11-14T22:13:20.Z",
            "2023-11-14T22:13:20+24:00",
            "2023-11-14T22:13:20Zx",
            "+023-11-14T22:13:20Z",
            "2023-11-14T22:13:20\u{fc}",
        ];
        for text in wrong {
            assert_eq!(parse(text), None, "{text}");
        }
    }
}
