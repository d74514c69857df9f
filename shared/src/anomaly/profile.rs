//! What a bucket is expected to carry: the hour of the week, shrunk towards the hour of the day, times the level of late.

#![expect(clippy::indexing_slicing, reason = "slots are constants or counted modulo the length of their array")]

/// Observations of an hour of the week after which it forgets as fast as it learns: three weeks.
const MEMORY: f32 = 36.0;
/// The same for an hour of the day, and for the mean of all.
const DAY_MEMORY: f32 = 7.0 * MEMORY;
const BASE_MEMORY: f32 = 24.0 * DAY_MEMORY;
/// What the hour of the day counts for, in observations, against the hour of the week; and the mean of all against the former.
const DAY_WEIGHT: f32 = 6.0;
const BASE_WEIGHT: f32 = 3.0;
/// Buckets over which the level follows: two days.
const LEVEL_MEMORY: f32 = 576.0;
/// The level's range: a series that grows further is relearned by its hours.
const LEVELS: (f32, f32) = (0.02, 50.0);
/// Minutes of a week.
pub(super) const WEEK: u32 = 10_080;

/// Means per bucket for each hour of the local week and day, with the weights (observations) they rest on.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Profile {
    pub(super) week: [f32; 168],
    pub(super) week_weight: [f32; 168],
    pub(super) day: [f32; 24],
    pub(super) day_weight: [f32; 24],
    /// The mean of all hours, and its weight.
    pub(super) base: [f32; 2],
    /// Decaying sums of what was observed and what the hours alone expected.
    pub(super) level: [f32; 2],
}

/// What one bucket is expected to carry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expectation {
    /// Never negative.
    pub(super) mean: f32,
    rhythm: f32,
    level: f32,
    hour: usize,
}

impl Profile {
    pub(super) const fn new() -> Self {
        Self {
            week: [0.0; 168],
            week_weight: [0.0; 168],
            day: [0.0; 24],
            day_weight: [0.0; 24],
            base: [0.0; 2],
            level: [0.0; 2],
        }
    }

    /// What the bucket that begins in `minute` of the local week is expected to carry.
    pub(super) fn expect(&self, minute: u32) -> Expectation {
        let (rhythm, level) = (self.rhythm(minute), self.level());
        Expectation { mean: rhythm * level, rhythm, level, hour: hour_of_week(minute) }
    }

    /// Learns that the bucket carried `value`, which the caller has clipped.
    pub(super) fn learn(&mut self, expectation: &Expectation, value: f32) {
        let Expectation { rhythm, level, hour, .. } = *expectation;
        let at_level_one = value / level;
        learn_mean(&mut self.week[hour], &mut self.week_weight[hour], at_level_one, MEMORY);
        learn_mean(&mut self.day[hour % 24], &mut self.day_weight[hour % 24], at_level_one, DAY_MEMORY);
        let [base, weight] = &mut self.base;
        learn_mean(base, weight, at_level_one, BASE_MEMORY);
        for (sum, addend) in self.level.iter_mut().zip([value, rhythm]) {
            *sum += addend - *sum * (1.0 / LEVEL_MEMORY);
        }
    }

    /// One as long as little is known: a prior of one day at the level of the hours themselves.
    fn level(&self) -> f32 {
        let [observed, expected] = self.level;
        let prior = 288.0 * self.base[0] + 1.0;
        ((observed + prior) / (expected + prior)).clamp(LEVELS.0, LEVELS.1)
    }

    /// Between the centres of two hours the expectation moves in a straight line, so that no hour begins with a jump.
    fn rhythm(&self, minute: u32) -> f32 {
        let from_first_centre = (minute + WEEK - 30) % WEEK;
        let first = hour_of_week(from_first_centre);
        let second = if first == 167 { 0 } else { first + 1 };
        let second_share = minutes(from_first_centre % 60) * (1.0 / 60.0);
        self.hour(first) * (1.0 - second_share) + self.hour(second) * second_share
    }

    fn hour(&self, hour: usize) -> f32 {
        let of_day = shrunk(self.day[hour % 24], self.day_weight[hour % 24], self.base[0], BASE_WEIGHT);
        shrunk(self.week[hour], self.week_weight[hour], of_day, DAY_WEIGHT)
    }
}

fn hour_of_week(minute: u32) -> usize {
    (minute / 60 % 168) as usize
}

#[expect(clippy::cast_precision_loss, reason = "minutes of an hour")]
fn minutes(minute: u32) -> f32 {
    minute as f32
}

fn shrunk(mean: f32, weight: f32, towards: f32, towards_weight: f32) -> f32 {
    (mean * weight + towards * towards_weight) / (weight + towards_weight)
}

fn learn_mean(mean: &mut f32, weight: &mut f32, value: f32, memory: f32) {
    *weight = (*weight + 1.0).min(memory);
    *mean += (value - *mean) / *weight;
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Learns `weeks` of a series that has `day` in the daytime of working days and `night` otherwise.
    fn learned(weeks: u32, day: f32, night: f32) -> Profile {
        let mut profile = Profile::new();
        for minute in (0..weeks).flat_map(|_| (0..WEEK).step_by(5)) {
            let is_day = (480..1080).contains(&(minute % 1440)) && minute < 5 * 1440;
            profile.learn(&profile.expect(minute), if is_day { day } else { night });
        }
        profile
    }

    #[test]
    fn an_hour_of_the_week_is_known_after_three_of_it() {
        let profile = learned(3, 100.0, 10.0);
        for (hours, low, high) in [(12, 90.0, 105.0), (3, 9.0, 15.0), (5 * 24 + 12, 10.0, 30.0)] {
            let expected = profile.expect(60 * hours + 30).mean;
            assert!((low..high).contains(&expected), "hour {hours}: {expected}");
        }
    }

    #[test]
    fn nothing_is_expected_of_a_series_without_history() {
        assert!(Profile::new().expect(0).mean.abs() < f32::EPSILON);
    }

    #[test]
    fn a_lasting_change_of_level_is_half_followed_within_three_days() {
        let mut profile = learned(3, 50.0, 50.0);
        (0..3 * 1440).step_by(5).for_each(|minute| profile.learn(&profile.expect(minute), 100.0));
        let expected = profile.expect(3 * 1440).mean;
        assert!((75.0..100.0).contains(&expected), "{expected}");
    }
}
