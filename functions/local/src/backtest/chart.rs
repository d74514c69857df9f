//! A series as SVG: what came, what was expected of it, and the alerts. Self-contained, no script, every name escaped.

use std::fmt::Write;

use gatepost::anomaly::{Band, Measure};
use gatepost::bucket::Bucket;

use super::replay::Alert;

/// Points that are kept; when there are more, neighbours become one, so that a history of any length fits.
const MOST_POINTS: usize = 2400;
const WIDTH: f64 = 1200.0;
const HEIGHT: f64 = 260.0;
/// Around the plot, for the numbers.
const LEFT: f64 = 60.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 30.0;

/// Some buckets in a row.
#[derive(Debug, Clone, Copy)]
struct Point {
    first: Bucket,
    least: f64,
    most: f64,
    band: Band,
}

/// A chart while rows are added.
pub(super) struct Chart {
    measure: Measure,
    points: Vec<Point>,
    /// Buckets that become one point, and those that the last point holds so far.
    per_point: usize,
    in_last: usize,
}

impl Chart {
    pub(super) fn new(measure: Measure) -> Self {
        Self { measure, points: Vec::new(), per_point: 1, in_last: 1 }
    }

    pub(super) fn add(&mut self, bucket: Bucket, actual: f64, band: Band) {
        if !actual.is_finite() {
            return;
        }
        let point = Point { first: bucket, least: actual, most: actual, band };
        match self.points.last_mut().filter(|_| self.in_last < self.per_point) {
            Some(last) => {
                *last = last.and(&point);
                self.in_last += 1;
            }
            None => {
                self.points.push(point);
                self.in_last = 1;
            }
        }
        if self.points.len() > MOST_POINTS {
            self.points = self.points.chunks(2).filter_map(merged).collect();
            self.per_point *= 2;
            self.in_last = self.per_point / 2;
        }
    }

    /// The chart as one SVG document.
    pub(super) fn svg(&self, series: &str, alerts: &[Alert]) -> String {
        let (Some(first), Some(last)) = (self.points.first(), self.points.last()) else {
            return document(series, "");
        };
        let frame = Frame::new(self.measure, &self.points, first.first, last.first);
        let band = frame.area(self.points.iter().map(|it| (it.first, it.band.low, it.band.high)));
        let actual = frame.area(self.points.iter().map(|it| (it.first, it.least, it.most)));
        let expected = frame.line(self.points.iter().map(|it| (it.first, it.band.expected)));
        let mut body = alerts.iter().map(|alert| frame.alert(alert)).collect::<String>();
        _ = write!(
            body,
            "<path class='band' d='{band}'/><path class='expected' d='{expected}'/><path class='actual' d='{actual}'/>{}",
            frame.axes(first.first, last.first),
        );
        document(series, &body)
    }
}

impl Point {
    fn and(&self, other: &Self) -> Self {
        let band = Band {
            expected: f64::midpoint(self.band.expected, other.band.expected),
            low: self.band.low.min(other.band.low),
            high: self.band.high.max(other.band.high),
        };
        Self { first: self.first, least: self.least.min(other.least), most: self.most.max(other.most), band }
    }
}

fn merged(pair: &[Point]) -> Option<Point> {
    pair.iter().copied().reduce(|a, b| a.and(&b))
}

/// From values to places.
struct Frame {
    measure: Measure,
    first: Bucket,
    buckets: f64,
    least: f64,
    most: f64,
}

impl Frame {
    fn new(measure: Measure, points: &[Point], first: Bucket, last: Bucket) -> Self {
        let most = points.iter().map(|it| it.most).fold(f64::NEG_INFINITY, f64::max);
        let least = points.iter().map(|it| it.least).fold(f64::INFINITY, f64::min);
        let (least, most) = match measure {
            Measure::Count => (0.0, most.max(1.0)),
            Measure::Gauge => (least, most.max(least + 1e-9)),
        };
        Self { measure, first, buckets: f64::from(last.since(first).max(1)), least, most }
    }

    fn x(&self, bucket: Bucket) -> f64 {
        LEFT + (WIDTH - LEFT) * (f64::from(bucket.since(self.first)) / self.buckets).clamp(0.0, 1.0)
    }

    /// Counts by their square root: a flood would else make a line of everything else.
    fn y(&self, value: f64) -> f64 {
        let part = ((value - self.least) / (self.most - self.least)).clamp(0.0, 1.0);
        let part = if self.measure == Measure::Count { part.sqrt() } else { part };
        HEIGHT - BOTTOM - (HEIGHT - BOTTOM - TOP) * part
    }

    fn line(&self, points: impl Iterator<Item = (Bucket, f64)>) -> String {
        let mut path = String::new();
        for (bucket, value) in points {
            let command = if path.is_empty() { 'M' } else { 'L' };
            _ = write!(path, "{command}{:.1} {:.1}", self.x(bucket), self.y(value));
        }
        path
    }

    /// Forth along the upper values and back along the lower ones.
    fn area(&self, points: impl DoubleEndedIterator<Item = (Bucket, f64, f64)> + Clone) -> String {
        let upper = points.clone().map(|(bucket, _, high)| (bucket, high));
        let lower = points.rev().map(|(bucket, low, _)| (bucket, low));
        self.line(upper.chain(lower)) + "Z"
    }

    fn alert(&self, alert: &Alert) -> String {
        let place = |time: &str| Bucket::parse(time).map_or(LEFT, |bucket| self.x(bucket));
        let (start, end) = (place(&alert.start), place(&alert.end));
        let (kind, severity) = (alert.incident.kind.as_str(), alert.incident.severity.as_str());
        format!(
            "<rect class='alert' x='{start:.1}' y='{TOP}' width='{:.1}' height='{:.1}'><title>{kind}, {severity}, {} to {}</title></rect>",
            (end - start).max(1.5),
            HEIGHT - BOTTOM - TOP,
            escaped(&alert.start),
            escaped(&alert.end),
        )
    }

    fn axes(&self, first: Bucket, last: Bucket) -> String {
        let (base, right) = (HEIGHT - BOTTOM + 18.0, WIDTH - 4.0);
        let mut labels = format!(
            "<text x='{LEFT}' y='{base}'>{first}</text><text class='end' x='{right}' y='{base}'>{last} UTC</text>"
        );
        for value in [self.least, self.least + (self.most - self.least) / 4.0, self.most] {
            _ = write!(labels, "<text class='end' x='{}' y='{:.1}'>{value:.3}</text>", LEFT - 6.0, self.y(value) + 4.0);
        }
        labels
    }
}

fn document(series: &str, body: &str) -> String {
    let name = escaped(series);
    format!(
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {HEIGHT}' role='img' aria-label='{name}'><title>{name}</title>\
         <style>text{{font:12px sans-serif;fill:#333}}.end{{text-anchor:end}}.band{{fill:#cfe3f5}}\
         .expected{{fill:none;stroke:#5b8db8;stroke-width:1}}.actual{{fill:#1d3b57;stroke:#1d3b57;stroke-width:.7}}\
         .alert{{fill:#e4572e;fill-opacity:.35}}</style>\
         <rect width='100%' height='100%' fill='#fff'/><text x='{LEFT}' y='18'>{name}</text>{body}</svg>"
    )
}

/// For text and for attributes in either kind of quotes.
fn escaped(text: &str) -> String {
    text.chars().fold(String::with_capacity(text.len()), |mut escaped, character| {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            // XML knows no other control characters, not even escaped.
            character if character.is_control() => escaped.push('\u{fffd}'),
            character => escaped.push(character),
        }
        escaped
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(index: u32) -> Bucket {
        Bucket::try_from(5_984_640 + index).expect("in range")
    }

    fn drawn(buckets: u32) -> Chart {
        let mut chart = Chart::new(Measure::Count);
        let band = Band { expected: 10.0, low: 2.0, high: 30.0 };
        (0..buckets).for_each(|index| chart.add(bucket(index), if index == 777 { 400.0 } else { 10.0 }, band));
        chart
    }

    #[test]
    fn a_history_of_any_length_keeps_its_peaks_in_a_bounded_number_of_points() {
        let chart = drawn(100_000);
        assert!(chart.points.len() <= MOST_POINTS, "{}", chart.points.len());
        assert!(chart.points.iter().any(|point| point.most > 399.0));
        let last = chart.points.last().expect("points");
        assert!(bucket(100_000).since(last.first) <= 2 * 64, "{last:?}");
    }

    #[test]
    fn a_name_cannot_leave_its_place() {
        let svg = drawn(10).svg("a'/><script>\u{1}&\"", &[]);
        assert!(svg.contains("a&#39;/&gt;&lt;script&gt;\u{fffd}&amp;&quot;"), "{svg}");
        assert!(!svg.contains("<script") && !svg.contains("href"));
    }

    #[test]
    fn what_is_out_of_the_frame_is_drawn_at_its_edge() {
        let svg = drawn(10).svg("k1", &[]);
        let numbers = svg.split(['M', 'L', ' ', 'Z', '\'']).filter_map(|text| text.parse::<f64>().ok());
        assert!(numbers.clone().count() > 40 && numbers.into_iter().all(|number| (0.0..=WIDTH).contains(&number)));
    }

    #[test]
    fn nothing_to_draw_is_a_document_all_the_same() {
        assert!(Chart::new(Measure::Gauge).svg("empty", &[]).ends_with("</svg>"));
    }
}
