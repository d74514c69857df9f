//! What a bucket is expected to carry: the hour of the week, shrunk towards the hour of the day, times the level of late.

#![expect(clippy::indexing_slicing, reason = "slots are constants or counted modulo the length of their array")]

use crate::bucket::Bucket;

/// Observations of an hour of the week after which it forgets as fast as it learns: three weeks.
const MEMORY: f64 = 36.0;
/// What the hour of the day counts for, in observations, against the hour of the week.
const DAY_WEIGHT: f64 = 6.0;
/// Buckets over which the level follows: two days.
const LEVEL_MEMORY: f64 = 576.0;
/// The level's range: a series that grows further is relearned by its hours.
const LEVELS: (f64, f64) = (0.02, 50.0);

/// Means per bucket for each hour of the UTC week and day, with the weights (observations, up to `MEMORY`) they rest on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    pub(super) week: [f64; 168],
    pub(super) week_weight: [f64; 168],
    pub(super) day: [f64; 24],
    pub(super) day_weight: [f64; 24],
    /// Decaying sums of what was observed and what the hours alone expected.
    pub(super) level: [f64; 2],
}

impl Profile {
    pub(super) fn new() -> Self {
        Self { week: [0.0; 168], week_weight: [0.0; 168], day: [0.0; 24], day_weight: [0.0; 24], level: [0.0; 2] }
    }

    /// The mean expected in `bucket`, never negative.
    pub(super) fn expected(&self, bucket: Bucket) -> f64 {
        self.rhythm(bucket) * self.level()
    }

    /// Learns that `bucket` carried `value`, which the caller has clipped.
    pub(super) fn learn(&mut self, bucket: Bucket, value: f64) {
        let rhythm = self.rhythm(bucket);
        let at_level_one = value / self.level();
        let hour = hour_of_week(bucket);
        learn_mean(&mut self.week[hour], &mut self.week_weight[hour], at_level_one, MEMORY);
        learn_mean(&mut self.day[hour % 24], &mut self.day_weight[hour % 24], at_level_one, 7.0 * MEMORY);
        for (sum, addend) in self.level.iter_mut().zip([value, rhythm]) {
            *sum += addend - *sum / LEVEL_MEMORY;
        }
    }

    /// One as long as little is known: a prior of one day at the level of the hours themselves.
    fn level(&self) -> f64 {
        let [observed, expected] = self.level;
        let prior = 288.0 * self.overall() + 1.0;
        ((observed + prior) / (expected + prior)).clamp(LEVELS.0, LEVELS.1)
    }

    fn overall(&self) -> f64 {
        weighted_mean(&self.day, &self.day_weight)
    }

    /// Between the centres of two hours the expectation moves in a straight line, so that no hour begins with a jump.
    fn rhythm(&self, bucket: Bucket) -> f64 {
        let from_first_centre = f64::from((bucket.minute_of_week() + 10_080 - 30) % 10_080) / 60.0;
        let second_share = from_first_centre.fract();
        let first = hour_of_week(bucket.minus(6));
        self.hour(first) * (1.0 - second_share) + self.hour((first + 1) % 168) * second_share
    }

    fn hour(&self, hour: usize) -> f64 {
        let of_day = shrunk(self.day[hour % 24], self.day_weight[hour % 24], self.overall(), 3.0);
        shrunk(self.week[hour], self.week_weight[hour], of_day, DAY_WEIGHT)
    }
}

fn hour_of_week(bucket: Bucket) -> usize {
    (bucket.minute_of_week() / 60) as usize
}

fn shrunk(mean: f64, weight: f64, towards: f64, towards_weight: f64) -> f64 {
    (mean * weight + towards * towards_weight) / (weight + towards_weight)
}

fn weighted_mean(means: &[f64], weights: &[f64]) -> f64 {
    let weight: f64 = weights.iter().sum();
    let sum: f64 = means.iter().zip(weights).map(|(mean, weight)| mean * weight).sum();
    if weight > 0.0 { sum / weight } else { 0.0 }
}

fn learn_mean(mean: &mut f64, weight: &mut f64, value: f64, memory: f64) {
    *weight = (*weight + 1.0).min(memory);
    *mean += (value - *mean) / *weight;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn monday() -> Bucket {
        Bucket::parse("2026-01-05T00:00").expect("a time")
    }

    /// Learns `weeks` of a series that has `day` in the daytime of working days and `night` otherwise.
    fn learned(weeks: u32, day: f64, night: f64) -> Profile {
        let mut profile = Profile::new();
        for bucket in (0..weeks * 2016).map(|offset| monday().plus(offset)) {
            let minute = bucket.minute_of_week();
            let is_day = (480..1080).contains(&(minute % 1440)) && minute < 5 * 1440;
            profile.learn(bucket, if is_day { day } else { night });
        }
        profile
    }

    #[test]
    fn an_hour_of_the_week_is_known_after_three_of_it() {
        let profile = learned(3, 100.0, 10.0);
        let next = monday().plus(3 * 2016);
        for (hours, low, high) in [(12, 90.0, 105.0), (3, 9.0, 15.0), (5 * 24 + 12, 10.0, 30.0)] {
            let expected = profile.expected(next.plus(12 * hours + 6));
            assert!((low..high).contains(&expected), "hour {hours}: {expected}");
        }
    }

    #[test]
    fn nothing_is_expected_of_a_series_without_history() {
        assert!(Profile::new().expected(monday()).abs() < f64::EPSILON);
    }

    #[test]
    fn a_lasting_change_of_level_is_half_followed_within_three_days() {
        let mut profile = learned(3, 50.0, 50.0);
        let start = monday().plus(3 * 2016);
        (0..3 * 288).for_each(|offset| profile.learn(start.plus(offset), 100.0));
        let expected = profile.expected(start.plus(3 * 288));
        assert!((75.0..100.0).contains(&expected), "{expected}");
    }
}
