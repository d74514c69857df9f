//! The page as HTML. What has an id is known again by the script when it asks for the page once more.

use std::{fmt::Write, net::SocketAddr, sync::LazyLock, time::SystemTime};

use gatepost::{
    alert::page_key,
    alert_group::AlertGroup,
    api_key::hex,
    chart::{self, Chart, Mark, Size},
    html::escaped,
};
use jiff::Timestamp;
use ring::digest::{SHA256, digest};

use super::{
    limits::Limit,
    seen::{Recent, Seen, Why},
    standing::{Series, Standing},
};
use crate::aws::sns::Published;

pub(super) const SCRIPT: &str = include_str!("script.js");

/// Of the charts, and of all else.
pub(super) fn style() -> &'static str {
    static STYLE: LazyLock<String> = LazyLock::new(|| format!("{}{}", include_str!("style.css"), chart::STYLE));
    &STYLE
}

/// A gate, 16 by 16.
const ICON: &str = "data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'%3E%3Cpath \
    fill='none' stroke='%231d64d8' stroke-width='2' d='M2 15V3m12 12V3M2 6h12M2 11h12M6 6v5m4-5v5'/%3E%3C/svg%3E";

/// Without the script the browser asks again after so many seconds.
const REFRESH_S: u8 = 10;

/// Everything on the page.
pub(super) struct Content<'a> {
    pub(super) address: SocketAddr,
    pub(super) started: SystemTime,
    pub(super) limits: &'a [Limit],
    pub(super) verdicts: &'a Recent,
    pub(super) messages: &'a Recent,
    pub(super) standing: &'a Standing,
}

pub(super) fn page(content: &Content<'_>) -> String {
    let open = content.standing.incidents.iter().filter(|group| group.is_open()).count();
    let title = if open == 0 { "gatepost".to_owned() } else { format!("({open}) gatepost") };
    let mut html = format!(
        "<!doctype html><html lang=en><head><meta charset=utf-8><meta name=viewport content='width=device-width,initial-scale=1'>\
         <title>{title}</title><link rel=icon href=\"{ICON}\"><style>{}</style>\
         <noscript><meta http-equiv=refresh content={REFRESH_S}></noscript></head><body>",
        style()
    );
    html.push_str(&header(content));
    html.push_str("<main>");
    if 0 < open {
        let _ = write!(
            html,
            "<p id=trouble class=wide>{} <a href=#incidents>see which</a></p>",
            badge("alert", &format!("open incidents: {open}"))
        );
    }
    html.push_str(&verdicts(content));
    html.push_str(&messages(content));
    html.push_str(&series(content));
    html.push_str(&incidents(content, open));
    html.push_str(&limits(content.limits));
    let _ = writeln!(html, "</main><script>{SCRIPT}</script></body></html>");
    html
}

fn header(content: &Content<'_>) -> String {
    let sections = [
        ("verdicts", "Verdicts"),
        ("messages", "Messages"),
        ("series", "Series"),
        ("incidents", "Incidents"),
        ("limits", "Limits"),
    ];
    let links = sections.map(|(id, title)| format!("<li><a href=#{id}>{title}</a></li>")).concat();
    format!(
        "<a class=skip href=#verdicts>To the verdicts</a><header><h1>gatepost</h1><p class=dim>{}, running since {}</p>\
         <p><span id=live>As it was loaded</span> <button id=pause type=button data-scripted hidden>Pause</button> \
         <span id=news role=status aria-live=polite class=dim></span></p></header>\
         <nav aria-label=Sections><ul>{links}</ul></nav>",
        content.address,
        time(content.started),
    )
}

fn verdicts(content: &Content<'_>) -> String {
    let request = format!(
        "KEY=gp_…   # the key that was printed at the start\n\
         curl -s http://{}/v1/validate -H \"x-api-key: $KEY\" -H 'content-type: application/json' \\\n  \
         -d '{{\"email\": \"ann@example.com\", \"flow\": \"signup\"}}'",
        content.address
    );
    let table = Table {
        id: "verdicts",
        title: "Verdicts",
        caption: "The latest addresses, newest first. Only their domains are kept.",
        head: ["When", "Verdict", "Domain, and why"],
        nothing: "No address was judged yet.",
        invitation: "Have one judged",
    };
    table.of_seen(content.verdicts, &request)
}

fn messages(content: &Content<'_>) -> String {
    let message = format!(
        "printf 'From: Ann <ann@example.com>\\r\\nTo: inbox@receiver.example\\r\\nSubject: hello\\r\\n\\r\\nHello.\\r\\n' |\n  \
         curl -s \"http://{}/local/inbound?client_ip=192.0.2.1&helo=mail.example.com&mail_from=ann@example.com\" --data-binary @-",
        content.address
    );
    let table = Table {
        id: "messages",
        title: "Messages",
        caption: "The latest messages, newest first, by the domain of their author.",
        head: ["When", "Disposition", "Author domain, and findings"],
        nothing: "No message arrived yet.",
        invitation: "Send one",
    };
    table.of_seen(content.messages, &message)
}

/// A section with what was seen of one sort.
struct Table {
    id: &'static str,
    title: &'static str,
    caption: &'static str,
    head: [&'static str; 3],
    nothing: &'static str,
    invitation: &'static str,
}

impl Table {
    fn of_seen(&self, recent: &Recent, command: &str) -> String {
        let Self { id, title, caption, head: [when, outcome, what], nothing, invitation } = self;
        let mut html = section(id, title, "");
        if recent.rows.is_empty() {
            let _ = write!(html, "<p>{nothing} {invitation}:</p>{}</section>", copyable(id, command));
            return html;
        }
        html.push_str("<p class=counts>");
        for (outcome, count) in &recent.outcomes {
            let _ = write!(html, "{} ", badge(outcome, &format!("{outcome} {count}")));
        }
        let _ = write!(
            html,
            "</p><table><caption>{caption}</caption><thead><tr><th scope=col>{when}</th><th scope=col>{outcome}</th>\
             <th scope=col>{what}</th></tr></thead><tbody>"
        );
        recent.rows.iter().for_each(|seen| html.push_str(&row(id, seen)));
        let _ = write!(
            html,
            "</tbody></table><details id={id}-more><summary>{invitation}</summary>{}</details></section>",
            copyable(id, command)
        );
        html
    }
}

fn row(table: &str, seen: &Seen) -> String {
    let Seen { number, at, domain, outcome, results, why, more, held_back } = seen;
    let mut html = format!(
        "<tr id={table}-{number}><td class=when>{}</td><td>{}</td><td><strong>{}</strong>",
        time(*at),
        badge(outcome, outcome),
        escaped(domain)
    );
    if !results.is_empty() {
        let _ = write!(html, "<br><span class=dim>{}</span>", escaped(results));
    }
    if why.is_empty() {
        html.push_str("<br><span class=dim>nothing speaks against it</span>");
    } else {
        let codes: Vec<String> = why.iter().map(|why| format!("<code>{}</code>", escaped(&why.code))).collect();
        let _ = write!(html, "<details id={table}-{number}-why><summary>{}</summary><ul>", codes.join(", "));
        for Why { code, severity, detail } in why {
            let _ = write!(
                html,
                "<li>{} <code>{}</code>: {}</li>",
                badge(severity, severity),
                escaped(code),
                escaped(detail)
            );
        }
        if 0 < *more {
            let _ = write!(html, "<li>and {more} more</li>");
        }
        html.push_str("</ul></details>");
    }
    if let Some(id) = held_back {
        let _ =
            write!(html, "<span class=dim>Look at it: <code>gatepost quarantine show {}</code></span>", escaped(id));
    }
    html + "</td></tr>"
}

fn series(content: &Content<'_>) -> String {
    let Standing { series, more_series, .. } = content.standing;
    let mut html = section("series", "Series", " class=wide");
    if series.is_empty() {
        html.push_str(
            "<p>Nothing was counted in the last two hours. Every request and every message is counted, a moment after it was answered; \
             <code>gatepost serve --counters FILE.csv</code> begins with a history.</p></section>",
        );
        return html;
    }
    html.push_str("<p class=dim>Requests and messages in buckets of five minutes, for two hours. Times are UTC.</p><div class=charts>");
    series.iter().for_each(|series| html.push_str(&figure(series)));
    html.push_str("</div>");
    html.push_str(&chart::key(&[Mark::Counted, Mark::Unfinished, Mark::Expected, Mark::Band, Mark::Incident], ""));
    if 0 < *more_series {
        let _ = write!(html, "<p class=dim>And {more_series} more series with less traffic.</p>");
    }
    html + "</section>"
}

fn figure(series: &Series) -> String {
    let Series { name, points, unfinished: (current, so_far), incident } = series;
    let most = points.iter().map(|point| point.total).filter(|total| total.is_finite()).fold(*so_far, f64::max);
    let expected = points.last().map(|point| point.band.expected).filter(|expected| expected.is_finite());
    let expected = expected.map(|expected| format!(", {expected:.1} expected in five minutes")).unwrap_or_default();
    let words = format!("{so_far:.0} since {}{expected}; at most {most:.0}", clock(&current.to_string()));
    let label = format!("{name}: {words}");
    let chart = Chart {
        points,
        unfinished: Some((*current, *so_far)),
        incident: incident.map(|(_, since)| (since, *current)),
        label: &label,
    };
    let trouble = incident.map(|(kind, _)| format!(" {}", badge("alert", kind.as_str()))).unwrap_or_default();
    format!(
        "<figure id=s{}><figcaption><strong>{}</strong>{trouble}<br><span class=dim>{words}</span></figcaption>{}</figure>",
        short_name(name),
        escaped(name),
        chart.svg(Size::Tile).unwrap_or_default(),
    )
}

fn incidents(content: &Content<'_>, open: usize) -> String {
    let Standing { incidents, alerts, .. } = content.standing;
    let mut html = section("incidents", "Incidents", " class=wide") + "<div class=pair><div>";
    if incidents.is_empty() {
        let scan = format!("curl -s -X POST http://{}/local/scan", content.address);
        let _ = write!(
            html,
            "<p>No incident, now or in the last days. In AWS a scan looks at every five minutes once they are over; here do it \
             yourself:</p>{}",
            copyable("incidents", &scan)
        );
    } else {
        let _ = write!(
            html,
            "<table><caption>{open} open. Ended ones are kept for three days.</caption><thead><tr><th scope=col>Since</th>\
             <th scope=col>State</th><th scope=col>What and where</th></tr></thead><tbody>"
        );
        incidents.iter().for_each(|group| html.push_str(&incident(group)));
        html.push_str("</tbody></table>");
    }
    html.push_str("</div><div><h3>Alerts</h3>");
    if alerts.is_empty() {
        html.push_str("<p>None was sent. Each opening, growth and end of an incident sends one.</p>");
    } else {
        html.push_str(
            "<table><caption>The latest that were sent, newest first.</caption><thead><tr><th scope=col>State</th>\
             <th scope=col>Severity</th><th scope=col>Subject</th></tr></thead><tbody>",
        );
        alerts.iter().for_each(|alert| html.push_str(&sent(alert)));
        html.push_str("</tbody></table>");
    }
    html + "</div></div></section>"
}

fn incident(group: &AlertGroup) -> String {
    let AlertGroup { kind, severity, opened, closed, worst, .. } = group;
    let what = format!("{} at {}", kind.as_str(), escaped(&group.scope.pattern()));
    // A page is written when people are told.
    let what = match &group.told {
        Some(_) => format!("<a href=\"/local/{}\">{what}</a>", escaped(&page_key(group))),
        None => what,
    };
    let (state, class) = if closed.is_none() { ("open", "alert") } else { ("closed", "closed") };
    let until = closed.map(|closed| format!(", until {} UTC", minute(&closed.to_string()))).unwrap_or_default();
    format!(
        "<tr id=incident-{}-{}><td class=when>{}</td><td>{}<br>{}</td><td>{what}<br><span class=dim>{}: {:.0}, {:.1} expected{until}; \
         {} series</span></td></tr>",
        escaped(&group.fingerprint),
        u32::from(*opened),
        minute(&opened.to_string()),
        badge(class, state),
        escaped(severity.as_str()),
        worst.channel.as_str(),
        worst.actual,
        worst.expected,
        group.members.len(),
    )
}

fn sent(alert: &Published) -> String {
    let attribute = |name| alert.message_attributes.get(name).map_or("", |value| &value.string_value);
    let state = attribute("state");
    let class = if state == "closed" { "closed" } else { "alert" };
    format!(
        "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
        badge(class, state),
        escaped(attribute("severity")),
        escaped(alert.subject.as_deref().unwrap_or_default())
    )
}

fn limits(rows: &[Limit]) -> String {
    let mut html = section("limits", "Limits", " class=wide");
    html.push_str(
        "<p class=dim>What holds in this stack; the row of a client may say otherwise (<code>gatepost callers list</code>).</p>\
         <table><caption>Settings come from the environment, then the file, then the defaults.</caption>\
         <thead><tr><th scope=col>What</th><th scope=col>Value</th></tr></thead><tbody>",
    );
    for Limit { what, value, setting } in rows {
        let _ = write!(html, "<tr><th scope=row>{what}");
        if !setting.is_empty() {
            // So that a narrow screen breaks it between words.
            let _ = write!(html, " <code class=dim>{}</code>", setting.replace('_', "_<wbr>"));
        }
        let _ = write!(html, "</th><td>{}</td></tr>", escaped(value));
    }
    html + "</tbody></table></section>"
}

/// The beginning of a section. Its heading takes the focus when what had it is gone.
fn section(id: &str, title: &str, attributes: &str) -> String {
    format!("<section id={id}{attributes} aria-labelledby={id}-title><h2 id={id}-title tabindex=-1>{title}</h2>")
}

fn copyable(id: &str, command: &str) -> String {
    format!(
        "<pre id={id}-command>{}</pre><button type=button data-copies={id}-command data-scripted hidden>Copy</button>",
        escaped(command)
    )
}

/// A word with the colour of what it means.
fn badge(meaning: &str, text: &str) -> String {
    let class = match meaning {
        "accept" | "deliver" | "closed" => "good",
        "review" | "defer" => "care",
        "reject" | "quarantine" | "alert" => "bad",
        _ => "plain",
    };
    format!("<span class='badge {class}'>{}</span>", escaped(text))
}

/// An id that nobody can write anything into.
fn short_name(name: &str) -> String {
    let digest = digest(&SHA256, name.as_bytes());
    hex(digest.as_ref()).chars().take(16).collect()
}

/// The time of day, UTC, with the date for machines.
fn time(at: SystemTime) -> String {
    let at = Timestamp::try_from(at).unwrap_or(Timestamp::UNIX_EPOCH);
    let (exact, shown) = (at.strftime("%Y-%m-%dT%H:%M:%SZ"), at.strftime("%H:%M:%S"));
    format!("<time datetime={exact} title='{exact}'>{shown}</time>")
}

/// `2026-11-23T02:10` as `11-23 02:10`.
fn minute(bucket: &str) -> String {
    bucket.replacen('T', " ", 1).chars().skip(5).collect()
}

/// The time of day of a bucket.
fn clock(bucket: &str) -> &str {
    bucket.split_once('T').map_or(bucket, |(_, time)| time)
}
