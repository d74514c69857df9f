//! A series as SVG within a page of ours: what came, what was expected of it, and where an incident lies. No script, nothing outside.

use std::fmt::Write;

use crate::{anomaly::Band, bucket::Bucket, html::escaped};

/// A band that is wider than so many times what it is about, as that of a new series is, leaves the chart at its upper edge.
const MOST_ABOVE: f64 = 2.0;

/// Classes and colours of a chart and its key. The page itself gives `--dim` for text and `--rule` for lines.
pub const STYLE: &str = ":root{--band:#3b82f633;--expected:#1d64d8;--actual:#b42318;--window:#f59e0b2e}\
    @media(prefers-color-scheme:dark){:root{--band:#60a5fa33;--expected:#7db4ff;--actual:#ff8a7a;--window:#fbbf2430}}\
    svg{width:100%;height:auto;display:block}svg text{font-size:13px;fill:var(--dim)}svg.tile text{font-size:11px}\
    @media(max-width:40rem){svg.page text{font-size:26px}svg.page text[text-anchor=middle]{display:none}}\
    .grid{stroke:var(--rule)}.band{fill:var(--band)}.window{fill:var(--window)}\
    .expected,.actual{fill:none;stroke-width:2;stroke-linejoin:round}.expected{stroke:var(--expected);stroke-dasharray:6 4}\
    .actual{stroke:var(--actual)}circle.actual{fill:var(--actual);stroke:none}\
    circle.unfinished{fill:none;stroke:var(--actual);stroke-width:2}\
    .key{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;font-size:.875rem;color:var(--dim)}\
    .key svg{width:28px;height:12px;display:inline-block;margin-right:.4rem;vertical-align:middle}";

/// One bucket of a chart. Not a number = not counted, or not known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Charted {
    pub bucket: Bucket,
    pub total: f64,
    pub band: Band,
}

/// What a chart shows.
#[derive(Debug, Clone, Copy)]
pub struct Chart<'a> {
    /// Oldest first.
    pub points: &'a [Charted],
    /// The bucket that is not over yet, with what it holds so far.
    pub unfinished: Option<(Bucket, f64)>,
    /// The first and the last bucket of an incident.
    pub incident: Option<(Bucket, Bucket)>,
    /// In words, for whoever does not see it.
    pub label: &'a str,
}

/// How much room there is for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// The width of a page.
    Page,
    /// One of several beside each other.
    Tile,
}

/// What the key of a chart explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Counted,
    Unfinished,
    Expected,
    Band,
    Incident,
}

impl Chart<'_> {
    /// `None` when there is nothing to draw.
    #[must_use]
    pub fn svg(&self, size: Size) -> Option<String> {
        let buckets = || self.points.iter().map(|point| point.bucket).chain(self.unfinished.map(|(bucket, _)| bucket));
        let (first, last) = (buckets().min()?, buckets().max()?);
        let frame = Frame::of(size);
        let axes = Axes {
            first,
            last,
            buckets: f64::from(last.since(first) + 1),
            highest: rounded_up(self.highest()),
            frame: &frame,
        };
        let Frame { class, width, height, .. } = frame;
        Some(format!(
            "<svg class={class} viewBox='0 0 {width} {height}' role=img aria-label='{}'>{}{}{}{}{}</svg>",
            escaped(self.label),
            self.incident.map(|incident| axes.window(incident)).unwrap_or_default(),
            axes.grid(),
            axes.lines(self.points),
            self.unfinished.map(|(bucket, total)| axes.dot("unfinished", bucket, total)).unwrap_or_default(),
            axes.times(),
        ))
    }

    /// The top of what is drawn: all that came and was expected, and the band as far as it helps to see that.
    fn highest(&self) -> f64 {
        let most = |values: &mut dyn Iterator<Item = f64>| values.filter(|value| value.is_finite()).fold(1.0, f64::max);
        let counted = self.points.iter().flat_map(|point| [point.total, point.band.expected]);
        let seen = most(&mut counted.chain(self.unfinished.map(|(_, total)| total)));
        most(&mut self.points.iter().map(|point| point.band.high)).clamp(seen, MOST_ABOVE * seen)
    }
}

/// Which mark of the chart means what, and a remark if there is one.
#[must_use]
pub fn key(marks: &[Mark], remark: &str) -> String {
    let samples = marks.iter().map(|mark| {
        let (sample, label) = mark.explained();
        format!("<span><svg viewBox='0 0 28 12' aria-hidden=true>{sample}</svg>{label}</span>")
    });
    let remark = if remark.is_empty() { String::new() } else { format!("<span>{}</span>", escaped(remark)) };
    format!("<p class=key>{}{remark}</p>", samples.collect::<String>())
}

impl Mark {
    fn explained(self) -> (&'static str, &'static str) {
        match self {
            Self::Counted => ("<line class=actual x1=0 x2=28 y1=6 y2=6></line>", "counted in five minutes"),
            Self::Unfinished => ("<circle class=unfinished cx=14 cy=6 r=4></circle>", "counted so far"),
            Self::Expected => ("<line class=expected x1=0 x2=28 y1=6 y2=6></line>", "expected"),
            Self::Band => ("<rect class=band width=28 height=12></rect>", "usual range"),
            Self::Incident => ("<rect class=window width=28 height=12></rect>", "incident, times in UTC"),
        }
    }
}

/// A size in units of its own, and the room for labels.
struct Frame {
    class: &'static str,
    width: f64,
    height: f64,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
    /// Parts of the highest value at which there is a line.
    grid: &'static [f64],
    /// Labels of the time axis, as parts of it.
    times: &'static [f64],
    /// Whether the outer ones have a date.
    dated: bool,
}

impl Frame {
    fn of(size: Size) -> Self {
        match size {
            Size::Page => Self {
                class: "page",
                width: 900.0,
                height: 300.0,
                left: 64.0,
                right: 16.0,
                top: 16.0,
                bottom: 32.0,
                grid: &[0.0, 0.25, 0.5, 0.75, 1.0],
                times: &[0.0, 0.2, 0.4, 0.6, 0.8, 1.0],
                dated: true,
            },
            Size::Tile => Self {
                class: "tile",
                width: 340.0,
                height: 120.0,
                left: 36.0,
                right: 8.0,
                top: 8.0,
                bottom: 22.0,
                grid: &[0.0, 0.5, 1.0],
                times: &[0.0, 0.5, 1.0],
                dated: false,
            },
        }
    }
}

/// Where numbers lie on the chart.
struct Axes<'a> {
    first: Bucket,
    last: Bucket,
    buckets: f64,
    highest: f64,
    frame: &'a Frame,
}

impl Axes<'_> {
    fn x(&self, bucket: Bucket) -> f64 {
        self.frame.left + (f64::from(bucket.since(self.first)) + 0.5) * self.step()
    }

    /// The width of a bucket, in the middle of which its values stand.
    fn step(&self) -> f64 {
        (self.frame.width - self.frame.left - self.frame.right) / self.buckets
    }

    fn y(&self, value: f64) -> f64 {
        let Frame { height, top, bottom, .. } = self.frame;
        height - bottom - (value / self.highest).clamp(0.0, 1.0) * (height - top - bottom)
    }

    /// Where the incident lies, as far as the chart shows it.
    fn window(&self, (first, last): (Bucket, Bucket)) -> String {
        let Frame { width, height, right, top, bottom, .. } = self.frame;
        if last < self.first {
            return String::new();
        }
        let half = self.step() / 2.0;
        let (from, to) = (self.x(first) - half, (self.x(last.min(self.last)) + half).min(width - right));
        let (across, down) = ((to - from).max(1.0), height - top - bottom);
        format!("<rect class=window x={from:.1} y={top} width={across:.1} height={down}></rect>")
    }

    fn grid(&self) -> String {
        let Frame { width, left, right, .. } = self.frame;
        let mut svg = String::new();
        for part in self.frame.grid {
            let (value, end) = (part * self.highest, width - right);
            let (y, digits) = (self.y(value), usize::from(self.highest < 4.0));
            let _ = write!(
                svg,
                "<line class=grid x1={left} x2={end} y1={y:.1} y2={y:.1}></line>\
                 <text x={} y={:.1} text-anchor=end>{value:.digits$}</text>",
                left - 8.0,
                y + 4.5
            );
        }
        svg
    }

    fn lines(&self, points: &[Charted]) -> String {
        let mut svg = String::new();
        for run in runs(points, |point| point.band.expected) {
            let upper = run.iter().map(|point| (point.bucket, point.band.high));
            let lower = run.iter().rev().map(|point| (point.bucket, point.band.low));
            let _ = write!(svg, "<polygon class=band points='{}'></polygon>", self.polyline(upper.chain(lower)));
        }
        for run in runs(points, |point| point.band.expected) {
            svg.push_str(&self.line("expected", run.iter().map(|point| (point.bucket, point.band.expected))));
        }
        for run in runs(points, |point| point.total) {
            svg.push_str(&self.line("actual", run.iter().map(|point| (point.bucket, point.total))));
        }
        svg
    }

    /// A single point is a dot: a line of one point is not seen.
    fn line(&self, class: &str, points: impl ExactSizeIterator<Item = (Bucket, f64)> + Clone) -> String {
        let lone = if points.len() == 1 { points.clone().next() } else { None };
        lone.map_or_else(
            || format!("<polyline class={class} points='{}'></polyline>", self.polyline(points)),
            |(bucket, value)| self.dot(class, bucket, value),
        )
    }

    fn dot(&self, class: &str, bucket: Bucket, value: f64) -> String {
        format!("<circle class={class} cx={:.1} cy={:.1} r=3></circle>", self.x(bucket), self.y(value))
    }

    fn polyline(&self, points: impl Iterator<Item = (Bucket, f64)>) -> String {
        let corners = points.map(|(bucket, value)| format!("{:.1},{:.1}", self.x(bucket), self.y(value)));
        corners.collect::<Vec<_>>().join(" ")
    }

    fn times(&self) -> String {
        let Frame { height, times, dated, .. } = self.frame;
        let mut svg = String::new();
        for part in *times {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a part of a number of buckets"
            )]
            let bucket = self.first.plus((part * (self.buckets - 1.0)).round() as u32);
            let is_outer = bucket == self.first || bucket == self.last;
            let time = bucket.to_string().replace('T', " ");
            let time = if *dated && is_outer { time.as_str() } else { time.split(' ').next_back().unwrap_or_default() };
            let anchor = match bucket {
                _ if bucket == self.first => "start",
                _ if bucket == self.last => "end",
                _ => "middle",
            };
            let (x, y) = (self.x(bucket), height - 8.0);
            let _ = write!(svg, "<text x={x:.1} y={y} text-anchor={anchor}>{time}</text>");
            if bucket == self.last {
                break;
            }
        }
        svg
    }
}

/// Runs of points of which `value` is known.
fn runs(points: &[Charted], value: impl Fn(&Charted) -> f64) -> Vec<&[Charted]> {
    points.split(|point| !value(point).is_finite()).filter(|run| !run.is_empty()).collect()
}

/// The next larger of 1, 2, 4 or 8 times a power of ten, so that a quarter of it is a plain number.
fn rounded_up(value: f64) -> f64 {
    let power = 10_f64.powf(value.max(1.0).log10().floor());
    [1.0, 2.0, 4.0, 8.0, 10.0].into_iter().map(|step| step * power).find(|top| value <= *top).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(age: u32) -> Bucket {
        Bucket::parse("2026-11-23T02:10").expect("a time").minus(age)
    }

    fn points() -> Vec<Charted> {
        let band = Band { expected: 2.5, low: 0.0, high: 12.0 };
        [(3, 1.0), (2, f64::NAN), (1, 8.0)].map(|(age, total)| Charted { bucket: bucket(age), total, band }).to_vec()
    }

    fn chart(points: &[Charted]) -> Chart<'_> {
        Chart { points, unfinished: Some((bucket(0), 3.0)), incident: None, label: "'<b>&" }
    }

    #[test]
    fn a_label_cannot_leave_its_place() {
        let svg = chart(&points()).svg(Size::Tile).expect("points");
        assert!(svg.contains("aria-label='&#39;&lt;b&gt;&amp;'") && !svg.contains("<b>"), "{svg}");
    }

    #[test]
    fn a_bucket_that_is_not_over_is_a_ring_and_belongs_to_no_line() {
        let points = points();
        let svg = chart(&points).svg(Size::Tile).expect("points");
        assert_eq!(svg.matches("<circle class=unfinished").count(), 1, "{svg}");
        // The two that were counted have a gap between them, so each is a dot.
        assert_eq!(svg.matches("<circle class=actual").count(), 2, "{svg}");
        let over = Chart { unfinished: None, ..chart(&points) }.svg(Size::Tile).expect("points");
        assert!(!over.contains("unfinished"), "{over}");
    }

    #[test]
    fn an_incident_is_shaded_as_far_as_it_lies_on_the_chart() {
        let points = points();
        let shaded = |first: u32, last: u32| {
            let chart = Chart { incident: Some((bucket(first), bucket(last))), ..chart(&points) };
            let svg = chart.svg(Size::Tile).expect("points");
            let (_, width) = svg.split_once("<rect class=window ")?.1.split_once("width=")?;
            width.split_once(' ')?.0.parse::<f64>().ok()
        };
        // Four buckets share 296 units.
        assert_eq!(shaded(9, 8), None);
        assert_eq!(shaded(1, 0), Some(148.0));
        assert_eq!(shaded(9, 0), Some(296.0));
    }

    #[test]
    fn nothing_to_draw_is_no_chart() {
        let nothing = Chart { points: &[], unfinished: None, incident: None, label: "" };
        assert_eq!(nothing.svg(Size::Page), None);
        let dot = Chart { unfinished: Some((bucket(0), 3.0)), ..nothing };
        assert!(dot.svg(Size::Page).expect("a point").contains("2026-11-23 02:10"));
    }
}
