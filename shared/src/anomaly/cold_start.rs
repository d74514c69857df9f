//! Floods that need no history to be seen.

/// What a series without history may plausibly carry in five minutes.
pub(super) const PLAUSIBLE_FIRST: f32 = 50.0;
/// What any quiet series may plausibly carry, however little it did so far.
const PLAUSIBLE_QUIET: f32 = 10.0;
/// An order of magnitude above the plausible is a flood.
const FLOOD_FACTOR: f32 = 10.0;
/// Refusals by the rate limit in one bucket that make it a flood, if they are also `LIMITED_SHARE` of the total.
const LIMITED_FLOOD: f32 = 50.0;
const LIMITED_SHARE: f32 = 0.2;

/// The traffic from which on a bucket is a flood when the most that was learned from any bucket is `highest`.
pub(super) fn flood_level(highest: Option<f32>) -> f32 {
    FLOOD_FACTOR * highest.map_or(PLAUSIBLE_FIRST, |level| level.max(PLAUSIBLE_QUIET))
}

/// Whether the rate limit already calls this bucket a flood.
pub(super) fn is_limited_flood(limited: f32, total: f32) -> bool {
    limited >= LIMITED_FLOOD && limited >= LIMITED_SHARE * total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_ten_times_the_highest_quiet_bucket_but_never_few() {
        for (highest, level) in [(None, 500.0), (Some(0.0), 100.0), (Some(4.0), 100.0), (Some(30.0), 300.0)] {
            assert!((flood_level(highest) - level).abs() < 1e-3, "{highest:?}");
        }
    }

    #[test]
    fn refusals_make_a_flood_when_they_are_many_and_a_fifth() {
        for (limited, total, flood) in
            [(49.0, 60.0, false), (50.0, 250.0, true), (50.0, 251.0, false), (900.0, 1000.0, true)]
        {
            assert_eq!(is_limited_flood(limited, total), flood, "{limited} of {total}");
        }
    }
}
