//! When a cron schedule fires next, for `upcoming_runs_at`.

use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{Timestamp, ToSpan as _, civil};

/// A day further away than this is not searched for. It reaches over the longest gap between two 29ths of February.
const HORIZON_DAYS: usize = 366 * 9;

/// A cron expression of five fields, read in a time zone. Each field is a set of bits.
#[derive(Debug)]
pub(crate) struct Cron {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Cron's old rule: where both are restricted, a day fits if either of the two fits.
    either_day: bool,
    zone: TimeZone,
}

impl Cron {
    /// Reads an expression and the name of an IANA time zone. The error is a text for a person.
    pub(crate) fn parse(expression: &str, timezone: &str) -> Result<Self, String> {
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields.as_slice() else {
            return Err(format!("expression has {} fields, five are needed", fields.len()));
        };
        let weekday_bits = bits(weekdays, 0, 7)?;
        Ok(Self {
            minutes: bits(minutes, 0, 59)?,
            hours: bits(hours, 0, 23)?,
            days: bits(days, 1, 31)?,
            months: bits(months, 1, 12)?,
            // 7 is Sunday, as 0 is.
            weekdays: weekday_bits | (weekday_bits >> 7),
            either_day: !days.starts_with('*') && !weekdays.starts_with('*'),
            zone: TimeZone::get(timezone).map_err(|_| format!("unknown timezone {timezone:?}"))?,
        })
    }

    /// The next `count` times after `now`; fewer if the calendar has no more within nine years.
    pub(crate) fn upcoming(&self, now: Timestamp, count: usize) -> Vec<Timestamp> {
        let today = self.zone.to_datetime(now).date();
        let days = std::iter::successors(Some(today), |day| day.checked_add(1.day()).ok());
        days.take(HORIZON_DAYS)
            .filter(|day| self.fits(*day))
            .flat_map(|day| self.times_of(day))
            .filter(|time| *time > now)
            .take(count)
            .collect()
    }

    fn fits(&self, day: civil::Date) -> bool {
        let in_days = has(self.days, day.day());
        let in_weekdays = has(self.weekdays, day.weekday().to_sunday_zero_offset());
        has(self.months, day.month())
            && if self.either_day { in_days || in_weekdays } else { in_days && in_weekdays }
    }

    /// Wall-clock times that a change to summer time skips do not exist; those that it repeats fire once.
    fn times_of(&self, day: civil::Date) -> impl Iterator<Item = Timestamp> {
        let hours = (0..24).filter(|hour| has(self.hours, *hour));
        let wall_clock = hours.flat_map(move |hour| {
            (0..60)
                .filter(|minute| has(self.minutes, *minute))
                .map(move |minute| day.at(hour, minute, 0, 0))
        });
        wall_clock
            .map(|time| self.zone.to_ambiguous_timestamp(time))
            .filter(|time| !matches!(time.offset(), AmbiguousOffset::Gap { .. }))
            .filter_map(|time| time.compatible().ok())
    }
}

fn has(bits: u64, value: i8) -> bool {
    u32::try_from(value).is_ok_and(|value| bits >> value & 1 == 1)
}

/// `*`, `a`, `a-b`, each with an optional `/step`, in a list.
fn bits(field: &str, min: u32, max: u32) -> Result<u64, String> {
    let invalid = || format!("{field:?} is not a cron field of {min} to {max}");
    let number = |text: &str| {
        let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
        let value = text.parse().ok().filter(|_: &u32| is_number).ok_or_else(invalid)?;
        (min..=max).contains(&value).then_some(value).ok_or_else(invalid)
    };
    let mut bits = 0;
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, Some(number(step)?)),
            None => (part, None),
        };
        let (first, last) = match (range, range.split_once('-')) {
            ("*", _) => (min, max),
            (_, Some((first, last))) => (number(first)?, number(last)?),
            // `5/15` means: from 5 on.
            (_, None) => (number(range)?, step.map_or(number(range)?, |_| max)),
        };
        let step = step.unwrap_or(1);
        if first > last || step == 0 {
            return Err(invalid());
        }
        for value in (first..=last).step_by(step as usize) {
            bits |= 1_u64 << value;
        }
    }
    Ok(bits)
}

#[cfg(test)]
mod tests {
    use super::Cron;

    fn upcoming(expression: &str, timezone: &str, now: &str) -> Result<Vec<String>, String> {
        let now = now.parse().map_err(|_| "bad time in test".to_owned())?;
        let times = Cron::parse(expression, timezone)?.upcoming(now, 5);
        Ok(times.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn working_days_in_shanghai_are_listed_in_utc() {
        assert_eq!(
            upcoming("30 9 * * 1-5", "Asia/Shanghai", "2026-06-14T08:58:22Z"),
            Ok(["15", "16", "17", "18", "19"]
                .map(|day| format!("2026-06-{day}T01:30:00Z"))
                .to_vec())
        );
    }

    #[test]
    fn a_wall_clock_time_that_summer_time_skips_does_not_fire() {
        let times = upcoming("30 2 * * *", "Europe/Berlin", "2026-03-28T00:00:00Z");
        assert_eq!(
            times.map(|times| times.into_iter().take(2).collect()),
            Ok(vec!["2026-03-28T01:30:00Z".to_owned(), "2026-03-30T00:30:00Z".to_owned()])
        );
    }

    #[test]
    fn either_day_fits_where_both_day_fields_are_restricted() {
        let times = upcoming("0 0 13 * 5", "UTC", "2026-11-12T00:00:00Z");
        assert_eq!(
            times.map(|times| times.into_iter().take(3).collect()),
            Ok(["2026-11-13", "2026-11-20", "2026-11-27"]
                .map(|day| format!("{day}T00:00:00Z"))
                .to_vec())
        );
    }

    #[test]
    fn sunday_is_0_and_7_and_a_leap_day_is_found() {
        let now = "2026-11-10T00:00:00Z";
        assert_eq!(upcoming("0 0 * * 0", "UTC", now), upcoming("0 0 * * 7", "UTC", now));
        let leap = upcoming("0 0 29 2 *", "UTC", now).map(|times| times.first().cloned());
        assert_eq!(leap, Ok(Some("2028-02-29T00:00:00Z".to_owned())));
    }

    #[test]
    fn nonsense_is_refused() {
        for expression in [
            "",
            "@daily",
            "60 * * * *",
            "* * * *",
            "*/0 * * * *",
            "5-1 * * * *",
            "0 0 L * *",
            "+5 * * * *",
        ] {
            assert!(Cron::parse(expression, "UTC").is_err(), "{expression}");
        }
        assert!(Cron::parse("0 0 * * *", "Mars/Olympus").is_err());
    }
}
