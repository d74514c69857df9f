//! Five-minute buckets of UTC time: the unit in which traffic is counted, scanned and judged.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

/// Seconds in a bucket.
pub const BUCKET_SECONDS: u32 = 300;

/// Five minutes of UTC, counted from the Unix epoch. Serialised as that count.
///
/// A `u32` of buckets reaches beyond the year 9999, so a `Bucket` always has a calendar date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Bucket(u32);

/// Why a text or a number names no bucket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BucketError {
    #[error("not a UTC time such as 2026-01-19T11:05 or an RFC 3339 time: {0:?}")]
    BadTime(String),
    #[error("not between the years 1970 and 9999")]
    OutOfRange,
}

impl Bucket {
    /// The last bucket that ends within the year 9999, as far as RFC 3339 can write.
    const LAST: u32 = 844_674_023;

    /// The bucket that holds `time`; times before 1970 fall into the first one, times after 9999 into the last.
    #[must_use]
    pub fn of(time: SystemTime) -> Self {
        let seconds = time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
        Self(u32::try_from(seconds / u64::from(BUCKET_SECONDS)).unwrap_or(Self::LAST).min(Self::LAST))
    }

    /// Reads `2026-01-19T11:05` (UTC, `T` or a space, seconds optional; a date alone is its midnight) or RFC 3339; the bucket
    /// that holds that time.
    ///
    /// # Errors
    /// A text that is neither, or a time outside 1970 to 9999.
    pub fn parse(text: &str) -> Result<Self, BucketError> {
        let seconds = utc(text).ok_or_else(|| excerpt(text))?.as_second();
        let index = seconds.div_euclid(i64::from(BUCKET_SECONDS));
        u32::try_from(index).map_err(|_| BucketError::OutOfRange)?.try_into()
    }

    /// When the bucket begins, in Unix seconds.
    #[must_use]
    pub fn start_seconds(self) -> u64 {
        u64::from(self.0) * u64::from(BUCKET_SECONDS)
    }

    /// When the bucket begins.
    #[must_use]
    pub fn start(self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(self.start_seconds())
    }

    /// The following bucket (at the end of the year 9999: the same one).
    #[must_use]
    pub fn next(self) -> Self {
        self.plus(1)
    }

    /// `count` buckets later, at most the last one.
    #[must_use]
    pub fn plus(self, count: u32) -> Self {
        Self(self.0.saturating_add(count).min(Self::LAST))
    }

    /// `count` buckets earlier, at least the first one.
    #[must_use]
    pub fn minus(self, count: u32) -> Self {
        Self(self.0.saturating_sub(count))
    }

    /// How many buckets lie between an `earlier` one and this one; 0 if it is not earlier.
    #[must_use]
    pub fn since(self, earlier: Self) -> u32 {
        self.0.saturating_sub(earlier.0)
    }

    /// The first bucket of the UTC hour that it lies in.
    #[must_use]
    pub fn hour(self) -> Self {
        Self(self.0 - self.0 % 12)
    }

    /// The UTC hour as a key: `2026-11-23T02`.
    #[must_use]
    pub fn hour_key(self) -> String {
        self.date_time().strftime("%Y-%m-%dT%H").to_string()
    }

    /// The minute within the hour as a key: `00`, `05`, .. `55`.
    #[must_use]
    pub fn minute_key(self) -> String {
        format!("{:02}", self.0 % 12 * 5)
    }

    /// RFC 3339 with seconds: `2026-11-23T02:10:00Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        self.date_time().strftime("%Y-%m-%dT%H:%M:%SZ").to_string()
    }

    /// Minutes since Monday 00:00 UTC, 0 to 10,075.
    #[must_use]
    pub fn minute_of_week(self) -> u32 {
        // 1970-01-01 was a Thursday: three days after the Monday before it.
        (self.0 + 3 * 288) % 2016 * 5
    }

    fn date_time(self) -> DateTime {
        let start = Timestamp::from_second(i64::from(self.0) * i64::from(BUCKET_SECONDS));
        TimeZone::UTC.to_datetime(start.expect("LAST lies within jiff's range"))
    }
}

/// `2026-11-23T02:10`, UTC.
impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.date_time().strftime("%Y-%m-%dT%H:%M"))
    }
}

impl TryFrom<u32> for Bucket {
    type Error = BucketError;

    fn try_from(index: u32) -> Result<Self, Self::Error> {
        if index <= Self::LAST { Ok(Self(index)) } else { Err(BucketError::OutOfRange) }
    }
}

impl From<Bucket> for u32 {
    fn from(bucket: Bucket) -> Self {
        bucket.0
    }
}

fn utc(text: &str) -> Option<Timestamp> {
    let with_offset = text.parse::<Timestamp>().ok();
    with_offset.or_else(|| TimeZone::UTC.to_timestamp(text.parse::<DateTime>().ok()?).ok())
}

/// Bounded, since the text may come from a file or a request.
fn excerpt(text: &str) -> BucketError {
    BucketError::BadTime(text.chars().take(40).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(text: &str) -> Bucket {
        Bucket::parse(text).expect("a time written in this test")
    }

    #[test]
    fn every_way_to_write_a_time_names_the_bucket_that_holds_it() {
        for (text, seconds) in [
            ("1970-01-01T00:00", 0),
            ("1970-01-01T00:04:59", 0),
            ("2026-11-23T02:10", 1_795_399_800),
            ("2026-11-23T02:14:59Z", 1_795_399_800),
            ("2026-11-23T03:10:00+01:00", 1_795_399_800),
            ("2014-02-14 14:30:00", 1_392_388_200),
            ("2026-11-23", 1_795_392_000),
            ("9999-12-30T21:55:00Z", 253_402_206_900),
        ] {
            assert_eq!(bucket(text).start_seconds(), seconds, "{text}");
        }
    }

    #[test]
    fn a_text_that_is_no_time_between_1970_and_9999_is_refused() {
        for text in ["", "yesterday", "2026-13-01T00:00", "2026-02-30T00:00", "1392388200"] {
            assert_eq!(Bucket::parse(text), Err(BucketError::BadTime(text.to_owned())));
        }
        assert_eq!(Bucket::parse("1969-12-31T23:59"), Err(BucketError::OutOfRange));
        assert_eq!(serde_json::from_str::<Bucket>("4294967295").map_err(|_| ()), Err(()));
    }

    #[test]
    fn a_bucket_writes_itself_as_key_minute_and_rfc_3339() {
        let night = bucket("2026-11-23T02:10");
        assert_eq!(night.to_string(), "2026-11-23T02:10");
        assert_eq!(night.rfc3339(), "2026-11-23T02:10:00Z");
        assert_eq!((night.hour_key().as_str(), night.minute_key().as_str()), ("2026-11-23T02", "10"));
        assert_eq!(night.hour(), bucket("2026-11-23T02:00"));
        assert_eq!(bucket("2026-11-23T23:55").next().to_string(), "2026-11-24T00:00");
    }

    #[test]
    fn the_week_begins_on_monday() {
        assert_eq!(bucket("2026-11-23T00:00").minute_of_week(), 0);
        assert_eq!(bucket("2026-11-22T23:55").minute_of_week(), 10_075);
        assert_eq!(bucket("1970-01-01T00:00").minute_of_week(), 3 * 1440);
    }

    #[test]
    fn the_end_of_the_calendar_is_a_stop_and_not_a_panic() {
        let last = Bucket::of(SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 60));
        assert_eq!(last.next(), last);
        assert_eq!(last.rfc3339(), "9999-12-30T21:55:00Z");
        assert_eq!(Bucket::of(UNIX_EPOCH - Duration::from_secs(1)).rfc3339(), "1970-01-01T00:00:00Z");
    }
}
