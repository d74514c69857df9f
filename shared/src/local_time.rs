//! The clocks that series live by: people begin to work at eight o'clock, summer and winter.

use jiff::{Timestamp, tz::TimeZone};

use crate::{
    bucket::Bucket,
    calendar::{EntryError, Pattern},
};

/// A time zone for all series, and others for some.
#[derive(Debug, Clone, PartialEq)]
pub struct Clocks {
    all: TimeZone,
    some: Vec<(Pattern, TimeZone)>,
}

/// Why there are no such clocks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClockError {
    #[error("{0:?} is no time zone such as Europe/Berlin")]
    NoZone(String),
    #[error(transparent)]
    BadPattern(EntryError),
}

impl Default for Clocks {
    /// Everybody lives by UTC.
    fn default() -> Self {
        Self { all: TimeZone::UTC, some: Vec::new() }
    }
}

impl Clocks {
    /// Reads `Europe/Berlin` for all series and `signup/k1=America/New_York` for those that the pattern matches.
    ///
    /// # Errors
    /// What names no time zone of the IANA database, or no series.
    pub fn parse<S: AsRef<str>>(items: &[S]) -> Result<Self, ClockError> {
        let mut clocks = Self::default();
        for item in items.iter().map(AsRef::as_ref) {
            match item.split_once('=') {
                None => clocks.all = zone(item)?,
                Some((pattern, name)) => {
                    let pattern = Pattern::parse(pattern.trim()).map_err(ClockError::BadPattern)?;
                    clocks.some.push((pattern, zone(name.trim())?));
                }
            }
        }
        Ok(clocks)
    }

    /// The first that matches.
    fn of(&self, series: &str) -> &TimeZone {
        self.some.iter().find(|(pattern, _)| pattern.matches(series)).map_or(&self.all, |(_, zone)| zone)
    }

    /// How far the clock of a series is ahead of UTC when a bucket begins.
    #[must_use]
    pub fn minutes_ahead(&self, series: &str, bucket: Bucket) -> i32 {
        minutes_ahead(self.of(series), bucket)
    }
}

/// How far the clocks of a zone are ahead of UTC when a bucket begins.
#[must_use]
pub fn minutes_ahead(zone: &TimeZone, bucket: Bucket) -> i32 {
    let start = i64::try_from(bucket.start_seconds()).ok().and_then(|seconds| Timestamp::from_second(seconds).ok());
    start.map_or(0, |start| zone.to_offset(start).seconds() / 60)
}

fn zone(name: &str) -> Result<TimeZone, ClockError> {
    TimeZone::get(name).map_err(|_| ClockError::NoZone(name.chars().take(40).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_lives_by_the_first_clock_that_matches_it_in_summer_and_winter() {
        let clocks = Clocks::parse(&["signup/k1=America/New_York", "*/k1 = Asia/Kolkata", "Europe/Berlin"]);
        let clocks = clocks.expect("clocks");
        for (series, winter, summer) in
            [("signup/k1", -300, -240), ("login/k1", 330, 330), ("login/k2", 60, 120), ("inbound/example.com", 60, 120)]
        {
            let ahead = |time: &str| clocks.minutes_ahead(series, Bucket::parse(time).expect("a time"));
            assert_eq!((ahead("2026-01-15T12:00"), ahead("2026-07-15T12:00")), (winter, summer), "{series}");
        }
        let [before, after] = ["2026-03-29T00:55", "2026-03-29T01:00"].map(|time| Bucket::parse(time).expect("a time"));
        assert_eq!([before, after].map(|bucket| clocks.minutes_ahead("login/k2", bucket)), [60, 120]);
    }

    #[test]
    fn what_is_no_clock_is_refused_by_name() {
        assert_eq!(Clocks::parse::<&str>(&[]), Ok(Clocks::default()));
        assert_eq!(Clocks::parse(&["Europe/Nowhere"]), Err(ClockError::NoZone("Europe/Nowhere".to_owned())));
        assert_eq!(Clocks::parse(&["signup/*="]), Err(ClockError::NoZone(String::new())));
        assert!(matches!(Clocks::parse(&["signup=UTC"]), Err(ClockError::BadPattern(_))));
    }
}
