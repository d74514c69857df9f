//! The page of an incident: one file of HTML with its chart in it, for light and dark screens, without scripts or anything outside.

use std::fmt::Write;

use super::{Alert, Charted, Contributor, text};
use crate::{
    anomaly::{Channel, State},
    bucket::Bucket,
};

/// Size of the chart in units of its own, and the room for its labels.
const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 64.0;
const RIGHT: f64 = 16.0;
const TOP: f64 = 16.0;
const BOTTOM: f64 = 32.0;
/// A band that is wider than so many times what it is about, as that of a new series is, leaves the chart at its upper edge.
const MOST_ABOVE: f64 = 2.0;
/// Labels of the time axis.
const TIME_LABELS: usize = 6;

const STYLE: &str = ":root{color-scheme:light dark;--ink:#1b1f24;--dim:#5b6570;--paper:#fff;--rule:#d7dce1;--band:#3b82f633;\
    --expected:#1d64d8;--actual:#b42318;--window:#f59e0b2e}\
    @media(prefers-color-scheme:dark){:root{--ink:#e8ebee;--dim:#a0a9b3;--paper:#14171a;--rule:#343a41;--band:#60a5fa33;\
    --expected:#7db4ff;--actual:#ff8a7a;--window:#fbbf2430}}\
    body{font:16px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:60rem;margin:2rem auto;padding:0 1rem}\
    h1{font-size:1.5rem;margin:0 0 .25rem}h2{font-size:1.1rem;margin:1.75rem 0 .5rem}p{margin:.25rem 0}.dim{color:var(--dim)}\
    svg{width:100%;height:auto;display:block}svg text{font-size:13px;fill:var(--dim)}\
    .grid{stroke:var(--rule)}.band{fill:var(--band)}.window{fill:var(--window)}\
    .expected,.actual{fill:none;stroke-width:2;stroke-linejoin:round}.expected{stroke:var(--expected);stroke-dasharray:6 4}\
    .actual{stroke:var(--actual)}circle.actual{fill:var(--actual);stroke:none}\
    table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.3rem .75rem .3rem 0;\
    border-bottom:1px solid var(--rule);overflow-wrap:anywhere}th{font-weight:600;white-space:nowrap}\
    .key{display:flex;flex-wrap:wrap;gap:.25rem 1.25rem;font-size:.875rem;color:var(--dim)}\
    .key svg{width:28px;height:12px;display:inline-block;margin-right:.4rem;vertical-align:middle}";

/// Where numbers lie on the chart.
struct Axes {
    first: Bucket,
    buckets: f64,
    highest: f64,
}

pub(super) fn render(alert: &Alert) -> String {
    let headline = escaped(&alert.headline());
    let mut html = format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8>\
         <meta http-equiv=Content-Security-Policy content=\"default-src 'none'; style-src 'unsafe-inline'\">\
         <meta name=viewport content='width=device-width'><title>{headline}</title><style>{STYLE}</style></head><body>\
         <h1>{headline}</h1><p class=dim>{}</p><p>{}.</p>",
        escaped(&standing(alert)),
        escaped(&alert.comparison()),
    );
    html.push_str(&chart(alert));
    html.push_str(&facts(alert));
    html.push_str(&contributors(alert));
    html.push_str("</body></html>\n");
    html
}

fn standing(alert: &Alert) -> String {
    let (severity, opened, end) = (alert.group.severity.as_str(), alert.group.opened, alert.end());
    match alert.state {
        State::Opened | State::Updated => format!("Severity {severity}. Open since {opened} UTC, last seen {end}."),
        State::Closed => format!("Severity {severity}. Over: {opened} to {end} UTC."),
    }
}

fn facts(alert: &Alert) -> String {
    let worst = &alert.group.worst;
    let rows = [
        ("Where", alert.place()),
        ("Worst bucket", format!("{} {:.0}, {:.1} expected", worst.channel.as_str(), worst.actual, worst.expected)),
        ("Score", format!("{:.2} of 1; {:.1} opens an incident", worst.score, crate::anomaly::THRESHOLD)),
        ("Do first", text::first_step(alert.group.kind).to_owned()),
        ("Runbook", alert.runbook()),
        ("Fingerprint", alert.group.fingerprint.clone()),
        ("Latest message", alert.dedup_id()),
    ];
    let mut html = "<h2>Facts</h2><table>".to_owned();
    for (label, value) in rows {
        let _ = write!(html, "<tr><th scope=row>{label}</th><td>{}</td></tr>", escaped(&value));
    }
    html + "</table>"
}

fn contributors(alert: &Alert) -> String {
    if alert.contributors.is_empty() {
        return String::new();
    }
    let mut html = "<h2>Who has a part in it</h2><table>".to_owned();
    for contributor in &alert.contributors {
        let since = match contributor {
            Contributor::Series { since, .. } => since.as_str(),
            Contributor::Channel { .. }
            | Contributor::MoreSeries { .. }
            | Contributor::Domain { .. }
            | Contributor::Network { .. } => "",
        };
        let _ = write!(html, "<tr><td>{}</td><td class=dim>{}</td></tr>", escaped(&contributor.text()), escaped(since));
    }
    html + "</table>"
}

fn chart(alert: &Alert) -> String {
    let points = &alert.chart;
    let Some((first, last)) = points.first().zip(points.last()) else {
        return "<p class=dim>There is no chart: nothing was counted lately.</p>".to_owned();
    };
    let axes = Axes {
        first: first.bucket,
        buckets: f64::from(last.bucket.since(first.bucket) + 1),
        highest: rounded_up(highest(points)),
    };
    format!(
        "<svg viewBox='0 0 {WIDTH} {HEIGHT}' role=img aria-label='Traffic in buckets of five minutes'>{}{}{}{}</svg>{}",
        axes.window(alert),
        axes.grid(),
        axes.lines(points),
        axes.times(),
        key(alert.group.worst.channel),
    )
}

impl Axes {
    fn x(&self, bucket: Bucket) -> f64 {
        LEFT + (f64::from(bucket.since(self.first)) + 0.5) * self.step()
    }

    /// The width of a bucket, in the middle of which its values stand.
    fn step(&self) -> f64 {
        (WIDTH - LEFT - RIGHT) / self.buckets
    }

    fn y(&self, value: f64) -> f64 {
        HEIGHT - BOTTOM - (value / self.highest).clamp(0.0, 1.0) * (HEIGHT - TOP - BOTTOM)
    }

    /// Where the incident lies, as far as the chart shows it.
    fn window(&self, alert: &Alert) -> String {
        let half = self.step() / 2.0;
        let (from, to) = (self.x(alert.group.opened) - half, (self.x(alert.bucket) + half).min(WIDTH - RIGHT));
        let (width, height) = ((to - from).max(1.0), HEIGHT - TOP - BOTTOM);
        format!("<rect class=window x={from:.1} y={TOP} width={width:.1} height={height}></rect>")
    }

    fn grid(&self) -> String {
        let mut svg = String::new();
        for part in [0.0, 0.25, 0.5, 0.75, 1.0] {
            let (value, right) = (part * self.highest, WIDTH - RIGHT);
            let (y, digits) = (self.y(value), usize::from(self.highest < 4.0));
            let _ = write!(
                svg,
                "<line class=grid x1={LEFT} x2={right} y1={y:.1} y2={y:.1}></line>\
                 <text x={} y={:.1} text-anchor=end>{value:.digits$}</text>",
                LEFT - 8.0,
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
            |(bucket, value)| {
                format!("<circle class={class} cx={:.1} cy={:.1} r=3></circle>", self.x(bucket), self.y(value))
            },
        )
    }

    fn polyline(&self, points: impl Iterator<Item = (Bucket, f64)>) -> String {
        let corners = points.map(|(bucket, value)| format!("{:.1},{:.1}", self.x(bucket), self.y(value)));
        corners.collect::<Vec<_>>().join(" ")
    }

    fn times(&self) -> String {
        let mut svg = String::new();
        for label in 0..TIME_LABELS {
            let part =
                f64::from(u32::try_from(label).unwrap_or(0)) / f64::from(u32::try_from(TIME_LABELS - 1).unwrap_or(1));
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a part of a number of buckets"
            )]
            let bucket = self.first.plus((part * (self.buckets - 1.0)).round() as u32);
            let (anchor, time) = match label {
                0 => ("start", bucket.to_string()),
                _ if label + 1 == TIME_LABELS => ("end", bucket.to_string()),
                _ => ("middle", bucket.to_string().split('T').nth(1).unwrap_or_default().to_owned()),
            };
            let (x, y) = (self.x(bucket), HEIGHT - 8.0);
            let _ = write!(svg, "<text x={x:.1} y={y} text-anchor={anchor}>{}</text>", time.replace('T', " "));
        }
        svg
    }
}

fn key(channel: Channel) -> String {
    let sample = |inner: &str, label: &str| format!("<span><svg viewBox='0 0 28 12'>{inner}</svg>{label}</span>");
    let remark = match channel {
        Channel::Total => "",
        Channel::AuthFail | Channel::Top1 | Channel::Distinct | Channel::Limited => {
            "<span>The chart shows all traffic; what stands out is a part of it.</span>"
        }
    };
    format!(
        "<p class=key>{}{}{}{}{remark}</p>",
        sample("<line class=actual x1=0 x2=28 y1=6 y2=6></line>", "counted in five minutes"),
        sample("<line class=expected x1=0 x2=28 y1=6 y2=6></line>", "expected"),
        sample("<rect class=band width=28 height=12></rect>", "usual range"),
        sample("<rect class=window width=28 height=12></rect>", "incident, times in UTC"),
    )
}

/// The top of what is drawn: all that came and was expected, and the band as far as it helps to see that.
fn highest(points: &[Charted]) -> f64 {
    let most = |values: &mut dyn Iterator<Item = f64>| values.filter(|value| value.is_finite()).fold(1.0, f64::max);
    let seen = most(&mut points.iter().flat_map(|point| [point.total, point.band.expected]));
    most(&mut points.iter().map(|point| point.band.high)).clamp(seen, MOST_ABOVE * seen)
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

/// Text as it stands in HTML, in an element or in a quoted attribute.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            c => escaped.push(c),
        }
    }
    escaped
}
